#include "api/kernel_order.hpp"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/hash.hpp"

namespace rondo {

namespace {

// A call has up to two programs, the last one for what is left of the vector.
constexpr std::size_t programs_bytes = std::size_t{256} << 10;
constexpr std::size_t most_of_program = programs_bytes / 4;
constexpr std::size_t alignment = 256;
// Two rounds of 512 threads with 16 bytes each: less for a block is not worth a block.
constexpr std::size_t piece_bytes = std::size_t{16} << 10;

std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

std::size_t words_bytes(std::size_t ranks) {
  return aligned(ranks * most_slices * sizeof(std::uint64_t));
}

}  // namespace

std::size_t KernelOrder::annex_bytes(int ranks) {
  return words_bytes(static_cast<std::size_t>(ranks)) + programs_bytes;
}

KernelOrder::KernelOrder(DeviceRuntime& runtime, DeviceStream stream, int rank, int most,
                         const std::uint32_t* stop, const std::vector<std::byte*>& annexes)
    : runtime_(runtime),
      stream_(stream),
      rank_(rank),
      most_slices_(most),
      stop_(stop),
      annexes_(annexes) {
  for (std::byte* const annex : annexes) {
    words_.push_back(reinterpret_cast<std::uint64_t*>(annex));
  }
  programs_ = annexes[static_cast<std::size_t>(rank)] + words_bytes(annexes.size());
}

KernelOrder::~KernelOrder() {
  if (pinned_ == nullptr) return;
  static_cast<void>(runtime_.deallocate(Allocation::pinned, pinned_).ok());
}

Result<> KernelOrder::prepare() {
  const Result<void*> pinned =
      runtime_.allocate(Allocation::pinned, stream_.device, programs_bytes);
  if (!pinned) return pinned.error();
  pinned_ = static_cast<std::byte*>(pinned.value());
  const std::vector<std::byte> zeros(words_bytes(ranks()));
  const Result<> cleared =
      runtime_.copy(stream_, words_[static_cast<std::size_t>(rank_)], zeros.data(), zeros.size());
  return cleared ? runtime_.synchronize(stream_) : cleared;
}

bool KernelOrder::serves(const StreamProgram& program) const {
  return encoded_bytes_most(program, static_cast<int>(ranks())) <= most_of_program;
}

void KernelOrder::begin_call() {
  if (used_ <= programs_bytes - 2 * aligned(most_of_program)) return;
  kept_.clear();
  used_ = 0;
}

int KernelOrder::slices_for(std::size_t bytes) const {
  const std::size_t worthwhile = bytes / (ranks() * piece_bytes);
  return static_cast<int>(
      std::clamp<std::size_t>(worthwhile, 1, static_cast<std::size_t>(most_slices_)));
}

// Where the device has it: calls that are alike have the same bytes, which stay there.
Result<const std::byte*> KernelOrder::place(std::vector<std::byte> program) {
  const std::uint64_t hash = fnv1a(program);
  const auto [first, last] = kept_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    if (known->second.bytes == program) return programs_ + known->second.offset;
  }
  const std::size_t offset = std::exchange(used_, used_ + aligned(program.size()));
  std::memcpy(pinned_ + offset, program.data(), program.size());
  const Result<> copied =
      runtime_.copy(stream_, programs_ + offset, pinned_ + offset, program.size());
  if (!copied) return copied.error();
  kept_.emplace(hash, Kept{std::move(program), offset});
  return programs_ + offset;
}

Result<> KernelOrder::carry_out(const StreamProgram& program, const BufferBases& bases,
                                const Call& call) {
  const Result<BlockEncoding> made = encode(program, call.dtype, call.op, bases, rank_, call.meets);
  if (!made) return made.error();
  const BlockEncoding& encoding = made.value();
  const Result<const std::byte*> memory = place(encoding.program.bytes());
  if (!memory) return memory.error();
  const BlockCounts counts = encoding.program.counts();
  return runtime_.run(stream_, {.dtype = encoding.dtype,
                                .op = encoding.op,
                                .memory = memory.value(),
                                .counts = &counts,
                                .words = words_,
                                .rank = rank_,
                                .slices = slices_for(call.bytes),
                                .piece_bytes = piece_bytes,
                                .before = call.before,
                                .stop = stop_});
}

}  // namespace rondo
