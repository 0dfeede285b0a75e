#include "transport/shm/publisher.hpp"

#include <algorithm>

#include "base/invariant.hpp"
#include "transport/shm/mailbox.hpp"

namespace rondo::process {

// Memory is taken when it is needed first: most communicators have links before, which need it
// more.
bool Publisher::is_ready() {
  if (is_asked_ || segment_ == nullptr) return ring_.bytes() > 0;
  is_asked_ = true;
  const std::size_t bytes =
      budget_.take_quarter(least_ring_bytes, most_ring_bytes) / Ring::granule * Ring::granule;
  if (bytes == 0) return false;
  begin_ = segment_->allocate(bytes);
  if (begin_ == 0) {
    budget_.give_back(bytes);
    return false;
  }
  populate(segment_->at(begin_), bytes, true);
  ring_ = Ring(bytes);
  pieces_.resize(most_pieces);
  for (Piece& piece : pieces_) piece.readers_.reserve(peers_);
  return true;
}

Publisher::Piece* Publisher::join(const Transfer& transfer, const Operation& operation) {
  if (!takes(transfer.size)) return nullptr;
  Piece* piece = find(transfer, operation);
  if (piece == nullptr) {
    piece = add(transfer, operation);
    if (piece == nullptr) return nullptr;
    if (make_room(transfer.size, operation)) place(*piece, 0);
  }
  RONDO_INVARIANT(piece->size, ==, transfer.size);
  if (piece->bytes != nullptr) return piece;
  --piece->to_come_;
  return nullptr;
}

Publisher::Piece* Publisher::lend(const Transfer& transfer, const Operation& operation,
                                  std::size_t misfit) {
  const std::size_t needed = misfit + transfer.size;
  if (!takes(needed) || find(transfer, operation) != nullptr) return nullptr;
  if (!make_room(needed, operation)) return nullptr;
  Piece* const piece = add(transfer, operation);
  if (piece != nullptr) place(*piece, misfit);
  return piece;
}

void Publisher::announce(Piece& piece, const Inbox& reader, std::uint32_t line) {
  RONDO_INVARIANT(piece.to_come_, >, 0u);
  --piece.to_come_;
  piece.readers_.push_back({&reader, line});
}

void Publisher::forget(const Inbox& reader) {
  for (std::uint64_t i = first_; i < end_; ++i) {
    std::erase_if(at(i).readers_, [&](const auto& other) { return other.inbox == &reader; });
  }
}

// The latest ones are asked for most.
Publisher::Piece* Publisher::find(const Transfer& transfer, const Operation& operation) {
  for (std::uint64_t i = end_; i > first_; --i) {
    Piece& piece = at(i - 1);
    if (piece.sequence != operation.frame.sequence) break;
    if (piece.publication == transfer.publication) return &piece;
  }
  return nullptr;
}

// A piece without bytes.
Publisher::Piece* Publisher::add(const Transfer& transfer, const Operation& operation) {
  if (end_ - first_ == most_pieces) reclaim(operation.frame.sequence);
  if (end_ - first_ == most_pieces) return nullptr;
  Piece& piece = at(end_++);
  piece.sequence = operation.frame.sequence;
  piece.publication = transfer.publication;
  piece.size = transfer.size;
  piece.bytes = nullptr;
  piece.written = 0;
  piece.ring_end_ = ring_.end();
  piece.to_come_ = transfer.readers;
  piece.readers_.clear();
  return &piece;
}

bool Publisher::takes(std::size_t bytes) {
  return is_ready() && Ring::rounded(bytes) <= ring_.bytes() / largest_share;
}

bool Publisher::make_room(std::size_t bytes, const Operation& operation) {
  if (!ring_.has_room(bytes)) reclaim(operation.frame.sequence);
  return ring_.has_room(bytes);
}

// Gives the last piece its place in the ring, where there is room.
void Publisher::place(Piece& piece, std::size_t misfit) {
  piece.offset = begin_ + ring_.reserve(misfit + piece.size) + misfit;
  piece.bytes = segment_->at(piece.offset);
  piece.ring_end_ = ring_.end();
}

// Frees what all readers have taken. Of earlier operations no send is to come any more.
void Publisher::reclaim(std::uint64_t sequence) {
  const auto has_taken = [](const Piece::Reader& reader) {
    const std::uint32_t taken = reader.inbox->taken.load(std::memory_order_acquire);
    return static_cast<std::int32_t>(taken - reader.line) >= 0;
  };
  for (; first_ < end_; ++first_) {
    Piece& piece = at(first_);
    const bool is_to_come = piece.to_come_ > 0 && piece.sequence == sequence;
    if (is_to_come) break;
    std::erase_if(piece.readers_, has_taken);
    if (!piece.readers_.empty()) break;
    ring_.free_until(piece.ring_end_);
  }
}

}  // namespace rondo::process
