#include "transport/shm/publisher.hpp"

#include <algorithm>
#include <utility>

#include "base/invariant.hpp"
#include "transport/shm/mailbox.hpp"

namespace rondo::process {

namespace {

constexpr std::size_t granule = 64;

constexpr std::size_t rounded(std::size_t bytes) {
  return (bytes + granule - 1) / granule * granule;
}

}  // namespace

// Memory is taken when it is needed first: most communicators have links before, which need it
// more.
bool Publisher::is_ready() {
  if (is_asked_ || segment_ == nullptr) return ring_bytes_ > 0;
  is_asked_ = true;
  const std::size_t bytes =
      budget_.take_quarter(least_ring_bytes, most_ring_bytes) / granule * granule;
  if (bytes == 0) return false;
  ring_bytes_ = bytes;
  ring_ = segment_->allocate(bytes);
  if (ring_ == 0) {
    budget_.give_back(std::exchange(ring_bytes_, 0));
    return false;
  }
  pieces_.resize(most_pieces);
  for (Piece& piece : pieces_) piece.readers_.reserve(peers_);
  return true;
}

Publisher::Piece* Publisher::join(const Transfer& transfer, const Operation& operation) {
  if (!is_ready() || transfer.size > ring_bytes_ / largest_share) return nullptr;
  Piece* piece = find(transfer, operation);
  if (piece == nullptr) {
    piece = add(transfer, operation);
    if (piece == nullptr) return nullptr;
    if (!place(*piece, 0)) {
      reclaim(operation.frame.sequence);
      (void)place(*piece, 0);
    }
  }
  RONDO_INVARIANT(piece->size, ==, transfer.size);
  if (piece->bytes != nullptr) return piece;
  --piece->to_come_;
  return nullptr;
}

Publisher::Piece* Publisher::lend(const Transfer& transfer, const Operation& operation,
                                  std::size_t misfit) {
  if (!is_ready() || find(transfer, operation) != nullptr) return nullptr;
  const std::size_t needed = rounded(misfit + transfer.size);
  if (needed > ring_bytes_ / largest_share) return nullptr;
  if (!has_room(needed)) reclaim(operation.frame.sequence);
  if (!has_room(needed)) return nullptr;
  Piece* const piece = add(transfer, operation);
  if (piece == nullptr) return nullptr;
  (void)place(*piece, misfit);
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
  piece.ring_end_ = ring_end_;
  piece.to_come_ = transfer.readers;
  piece.readers_.clear();
  return &piece;
}

// Gives the last piece its place in the ring.
bool Publisher::place(Piece& piece, std::size_t misfit) {
  const std::size_t needed = rounded(misfit + piece.size);
  if (needed > ring_bytes_ / largest_share || !has_room(needed)) return false;
  const std::size_t rest = ring_bytes_ - ring_end_ % ring_bytes_;
  if (rest < needed) ring_end_ += rest;
  piece.offset = ring_ + ring_end_ % ring_bytes_ + misfit;
  piece.bytes = segment_->at(piece.offset);
  ring_end_ += needed;
  piece.ring_end_ = ring_end_;
  return true;
}

// A piece lies side by side, so that the rest of the ring may stay empty before it.
bool Publisher::has_room(std::size_t bytes) const {
  const std::size_t rest = ring_bytes_ - ring_end_ % ring_bytes_;
  const std::size_t skipped = rest < bytes ? rest : 0;
  return ring_end_ + skipped + bytes - ring_begin_ <= ring_bytes_;
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
    ring_begin_ = piece.ring_end_;
  }
}

}  // namespace rondo::process
