#include "api/device/kernel_order.hpp"

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

constexpr std::uint32_t turns_between_clearings = 1u << 31;

std::size_t aligned(std::size_t bytes) {
  return (bytes + alignment - 1) / alignment * alignment;
}

// Of the packets of one rank for another one.
std::size_t box_bytes(std::size_t packet_bytes) {
  return aligned(2 * packet_bytes);
}

std::size_t words_bytes(std::size_t ranks) {
  return aligned(ranks * most_slices * sizeof(std::uint64_t));
}

}  // namespace

// Half of what a device has room for is left to others: a kernel that waits must not keep away what
// it waits for.
int slices_of_kernels(const DevicePaths& paths, std::span<const int> resident_blocks,
                      const DeviceWishes& wishes) {
  DeviceOrder suitable = DeviceOrder::kernels;
  int slices = most_slices;
  for (int rank = 0; rank < paths.ranks(); ++rank) {
    int on_device = 0;
    for (int other = 0; other < paths.ranks(); ++other) {
      const bool same_device = paths.is_same_device(rank, other);
      on_device += same_device ? 1 : 0;
      const DeviceOrder order = order_for(paths.is_same_process(rank, other), same_device);
      if (order == DeviceOrder::streams) suitable = order;
    }
    slices = std::min(slices, resident_blocks[static_cast<std::size_t>(rank)] / (2 * on_device));
  }
  return wishes.order.value_or(suitable) == DeviceOrder::kernels ? slices : 0;
}

int blocks_of_kernels(const DevicePaths& paths, int rank, int slices) {
  int on_device = 0;
  int of_process = 0;
  for (int other = 0; other < paths.ranks(); ++other) {
    if (!paths.is_same_device(rank, other)) continue;
    ++on_device;
    of_process += paths.is_same_process(rank, other) ? 1 : 0;
  }
  return (slices * on_device + of_process - 1) / of_process;
}

std::size_t KernelOrder::annex_bytes(int ranks, std::size_t packet_bytes) {
  const auto all = static_cast<std::size_t>(ranks);
  return words_bytes(all) + programs_bytes + all * box_bytes(packet_bytes);
}

KernelOrder::KernelOrder(DeviceRuntime& runtime, const Place& place)
    : runtime_(runtime), place_(place) {
  for (std::byte* const annex : place.annexes) {
    words_.push_back(reinterpret_cast<std::uint64_t*>(annex));
  }
  programs_ = place.annexes[static_cast<std::size_t>(place.rank)] + words_bytes(ranks());
}

KernelOrder::~KernelOrder() {
  if (pinned_ == nullptr) return;
  static_cast<void>(runtime_.deallocate(Allocation::pinned, pinned_).ok());
}

// Where a rank finds the packets of another one: behind words and programs.
std::uint64_t* KernelOrder::box(std::size_t to, std::size_t from) const {
  std::byte* const boxes = place_.annexes[to] + words_bytes(ranks()) + programs_bytes;
  return reinterpret_cast<std::uint64_t*>(boxes + from * box_bytes(place_.packet_bytes));
}

Result<> KernelOrder::clear(void* memory, std::size_t bytes) {
  const std::vector<std::byte> zeros(bytes);
  const Result<> cleared = runtime_.copy(place_.stream, memory, zeros.data(), zeros.size());
  return cleared ? runtime_.synchronize(place_.stream) : cleared;
}

Result<> KernelOrder::clear_boxes() {
  const std::size_t bytes = ranks() * box_bytes(place_.packet_bytes);
  return bytes > 0 ? clear(box(static_cast<std::size_t>(place_.rank), 0), bytes) : Result<>();
}

Result<> KernelOrder::prepare() {
  const Result<void*> pinned =
      runtime_.allocate(Allocation::pinned, place_.stream.device, programs_bytes);
  if (!pinned) return pinned.error();
  pinned_ = static_cast<std::byte*>(pinned.value());
  const Result<> cleared =
      clear(words_[static_cast<std::size_t>(place_.rank)], words_bytes(ranks()));
  return cleared ? clear_boxes() : cleared;
}

// Flags are the numbers of calls. Before they come round, what is left of old ones is cleared, in a
// call without packets: those of the next one are not sent before all ranks are through.
Result<> KernelOrder::begin_call(std::uint32_t turn) {
  turn_ = turn;
  if (used_ > programs_bytes - 2 * aligned(most_of_program)) {
    kept_.clear();
    used_ = 0;
  }
  return turn % turns_between_clearings == 0 ? clear_boxes() : Result<>();
}

bool KernelOrder::serves(std::size_t bytes) const {
  return bytes <= place_.packet_bytes && turn_ % turns_between_clearings != 0;
}

Result<> KernelOrder::carry_out(const PacketExchange& exchange, DType dtype, Op op) {
  const auto own = static_cast<std::size_t>(place_.rank);
  std::vector<std::uint64_t*> outboxes;
  std::vector<const std::uint64_t*> inboxes;
  for (std::size_t peer = 0; peer < ranks(); ++peer) {
    outboxes.push_back(box(peer, own));
    inboxes.push_back(exchange.gets[peer] ? box(own, peer) : nullptr);
  }
  return runtime_.exchange(place_.stream, {.dtype = exchange.folds ? dtype : DType::u8,
                                           .op = exchange.folds ? op : Op::sum,
                                           .folds = exchange.folds,
                                           .sends = exchange.sends,
                                           .outboxes = outboxes,
                                           .inboxes = inboxes,
                                           .own = exchange.own,
                                           .receives = exchange.receives,
                                           .bytes = exchange.bytes,
                                           .divisor = exchange.divisor,
                                           .rank = place_.rank,
                                           .flag = turn_,
                                           .most_blocks = place_.most_slices,
                                           .stop = place_.stop});
}

bool KernelOrder::serves(const StreamProgram& program) const {
  return encoded_bytes_most(program, static_cast<int>(ranks())) <= most_of_program;
}

int KernelOrder::slices_for(std::size_t bytes) const {
  const std::size_t worthwhile = bytes / (ranks() * piece_bytes);
  return static_cast<int>(
      std::clamp<std::size_t>(worthwhile, 1, static_cast<std::size_t>(place_.most_slices)));
}

// Where the device has it: calls that are alike have the same bytes, which stay there.
Result<const std::byte*> KernelOrder::keep(std::vector<std::byte> program) {
  const std::uint64_t hash = fnv1a(program);
  const auto [first, last] = kept_.equal_range(hash);
  for (auto known = first; known != last; ++known) {
    if (known->second.bytes == program) return programs_ + known->second.offset;
  }
  const std::size_t offset = std::exchange(used_, used_ + aligned(program.size()));
  std::memcpy(pinned_ + offset, program.data(), program.size());
  const Result<> copied =
      runtime_.copy(place_.stream, programs_ + offset, pinned_ + offset, program.size());
  if (!copied) return copied.error();
  kept_.emplace(hash, Kept{std::move(program), offset});
  return programs_ + offset;
}

Result<> KernelOrder::carry_out(const StreamProgram& program, const BufferBases& bases,
                                const Call& call) {
  const Result<BlockEncoding> made =
      encode(program, call.dtype, call.op, bases, place_.rank, call.meets);
  if (!made) return made.error();
  const BlockEncoding& encoding = made.value();
  const Result<const std::byte*> memory = keep(encoding.program.bytes());
  if (!memory) return memory.error();
  const BlockCounts counts = encoding.program.counts();
  return runtime_.run(place_.stream, {.dtype = encoding.dtype,
                                      .op = encoding.op,
                                      .memory = memory.value(),
                                      .counts = &counts,
                                      .words = words_,
                                      .rank = place_.rank,
                                      .slices = slices_for(call.bytes),
                                      .piece_bytes = piece_bytes,
                                      .before = call.before,
                                      .stop = place_.stop});
}

}  // namespace rondo
