#include "bind/drop_in/packing.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>
#include <string>

#include "rondo/error.hpp"

namespace rondo::bind {

namespace {

[[noreturn]] void fail(const char* function) {
  throw Error(ErrorCode::internal, std::string(function) + " of the MPI below failed");
}

std::size_t elements_at_once(const Type& type) {
  return std::max<std::size_t>(1, most_packed / std::max<std::size_t>(1, type.size));
}

// MPICH 4.0.2 packs and unpacks nothing at MPI_BOTTOM, which is null there. For such elements: the
// same ones, as seen from an address that is not null.
class Seen {
 public:
  Seen(const Mpi& mpi, const void* elements, std::size_t count, const Type& type)
      : mpi_(mpi), elements_(elements), count_(static_cast<int>(count)), type_(type.handle) {
    if (elements != nullptr) return;
    elements_ = this;
    const auto to_bottom = -static_cast<MPI_Aint>(reinterpret_cast<std::intptr_t>(this));
    if (mpi.type_create_hindexed(1, &count_, &to_bottom, type.handle, &type_) != MPI_SUCCESS) {
      fail("MPI_Type_create_hindexed");
    }
    is_own_ = true;
    count_ = 1;
    if (mpi.type_commit(&type_) != MPI_SUCCESS) fail("MPI_Type_commit");
  }
  Seen(const Seen&) = delete;
  Seen& operator=(const Seen&) = delete;
  ~Seen() {
    if (is_own_) mpi_.type_free(&type_);
  }

  void* elements() const { return const_cast<void*>(elements_); }
  int count() const { return count_; }
  MPI_Datatype type() const { return type_; }

 private:
  const Mpi& mpi_;
  const void* elements_;
  int count_;
  MPI_Datatype type_;
  bool is_own_ = false;
};

}  // namespace

void Packing::pack(const void* elements, std::size_t count, const Type& type, std::byte* bytes) {
  if (type.is_dense) {
    if (count > 0) std::memcpy(bytes, elements, count * type.size);
    return;
  }
  const auto* from = static_cast<const std::byte*>(elements);
  const std::size_t most = elements_at_once(type);
  for (std::size_t done = 0; done < count;) {
    const std::size_t now = std::min(most, count - done);
    const Seen seen(mpi_, from + static_cast<std::ptrdiff_t>(done) * type.extent, now, type);
    int position = 0;
    if (mpi_.pack(seen.elements(), seen.count(), seen.type(), bytes + done * type.size,
                  static_cast<int>(std::min(now * type.size, most_packed)), &position,
                  comm_) != MPI_SUCCESS) {
      fail("MPI_Pack");
    }
    done += now;
  }
}

void Packing::unpack(const std::byte* bytes, std::size_t count, const Type& type, void* elements) {
  if (type.is_dense) {
    if (count > 0) std::memcpy(elements, bytes, count * type.size);
    return;
  }
  const auto* to = static_cast<const std::byte*>(elements);
  const std::size_t most = elements_at_once(type);
  for (std::size_t done = 0; done < count;) {
    const std::size_t now = std::min(most, count - done);
    const Seen seen(mpi_, to + static_cast<std::ptrdiff_t>(done) * type.extent, now, type);
    int position = 0;
    if (mpi_.unpack(bytes + done * type.size,
                    static_cast<int>(std::min(now * type.size, most_packed)), &position,
                    seen.elements(), seen.count(), seen.type(), comm_) != MPI_SUCCESS) {
      fail("MPI_Unpack");
    }
    done += now;
  }
}

const void* Packing::packed_apart(const void* elements, std::size_t count, const Type& type,
                                  const std::byte* all, std::size_t length) {
  const std::size_t bytes = count * type.size;
  if (!type.is_dense || !meet(elements, bytes, all, length)) return packed(elements, count, type);
  std::byte* room = member_.room(0, bytes);
  if (bytes > 0) std::memcpy(room, elements, bytes);
  return room;
}

ByteBlocks::ByteBlocks(Member& member, std::size_t side, const int* counts, const int* places,
                       const Type& type)
    : member_(member),
      side_(side),
      element_counts_(counts),
      element_places_(places),
      type_(type),
      ranks_(static_cast<std::size_t>(member.size())),
      counts_(member.numbers(2 * side)),
      places_(member.numbers(2 * side + 1)),
      is_direct_(type.is_dense) {
  for (std::size_t i = 0; i < ranks_; ++i) {
    counts_[i] = static_cast<std::size_t>(counts[i]) * type.size;
    total_ += counts_[i];
    is_direct_ = is_direct_ && places[i] >= 0;
  }
  if (!is_direct_) {
    move_apart();
    return;
  }
  for (std::size_t i = 0; i < ranks_; ++i) {
    places_[i] = static_cast<std::size_t>(places[i]) * type.size;
    length_ = std::max(length_, places_[i] + counts_[i]);
  }
}

void ByteBlocks::move_apart() {
  is_direct_ = false;
  length_ = 0;
  std::size_t before = 0;
  for (std::size_t i = 0; i < ranks_; ++i) {
    places_[i] = before;
    before += counts_[i];
  }
}

std::byte* ByteBlocks::packed(Packing& packing, const void* elements) {
  if (is_direct_) return static_cast<std::byte*>(const_cast<void*>(elements));
  std::byte* room = member_.room(side_, total_);
  for (std::size_t i = 0; i < ranks_; ++i) {
    packing.pack(static_cast<const std::byte*>(elements) + element_places_[i] * type_.extent,
                 static_cast<std::size_t>(element_counts_[i]), type_, room + places_[i]);
  }
  return room;
}

std::byte* ByteBlocks::arrival(void* elements) {
  return is_direct_ ? static_cast<std::byte*>(elements) : member_.room(side_, total_);
}

void ByteBlocks::unpack_arrival(Packing& packing, void* elements) {
  if (is_direct_) return;
  const std::byte* room = member_.room(side_, total_);
  for (std::size_t i = 0; i < ranks_; ++i) {
    packing.unpack(room + places_[i], static_cast<std::size_t>(element_counts_[i]), type_,
                   static_cast<std::byte*>(elements) + element_places_[i] * type_.extent);
  }
}

}  // namespace rondo::bind
