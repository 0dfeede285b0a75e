#include "bench/library.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace rondo::bench {

namespace {

template <class T>
void combine_as(Library& library, std::span<T> values, Op op) {
  library.run({Collective::allreduce, values.data(), values.data(), values.size(),
               dtype_of<T>::value, op, 0});
}

}  // namespace

void Library::exchange(const std::vector<Message>&) {
  throw Error(ErrorCode::unsupported, concat(name(), ": messages are not measured here"));
}

void combine(Library& library, std::span<double> values, Op op) {
  combine_as(library, values, op);
}

void combine(Library& library, std::span<std::uint64_t> values, Op op) {
  combine_as(library, values, op);
}

BufferMemory& memory_for(Library& library, const Options& options) {
  if (BufferMemory* const memory = library.memory()) return *memory;
  if (options.device) {
    throw Error(ErrorCode::invalid_argument,
                concat("--device: ", library.name(), " is measured in host memory only"));
  }
  switch (options.reading) {
    case InPlaceReading::allocated:
      return shared_memory();
    case InPlaceReading::registered:
      return registered_memory();
    default:
      return host_memory();
  }
}

std::vector<std::string> gather_lines(Library& library, const std::string& line) {
  constexpr std::size_t width = 128;
  const auto ranks = static_cast<std::size_t>(library.size());
  std::string own = line.substr(0, width);
  own.resize(width, '\0');
  std::string all(width * ranks, '\0');
  library.run({Collective::allgather, own.data(), all.data(), width, DType::u8, Op::sum, 0});
  std::vector<std::string> lines;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const std::string_view field = std::string_view(all).substr(rank * width, width);
    lines.emplace_back(field.substr(0, field.find('\0')));
  }
  return lines;
}

}  // namespace rondo::bench
