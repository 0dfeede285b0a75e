// Kernels that wait for each other: all blocks of one in turns.

#include <algorithm>
#include <functional>

#include "device/emulated/runtime.hpp"
#include "device/kernels/table.hpp"

namespace rondo::test {

namespace {

// The threads of a block, one after the other.
struct OneByOne {
  static constexpr std::size_t threads = 32;

  template <class Condition>
  bool all(std::size_t count, const Condition& condition) const {
    bool holds = true;
    for (std::size_t i = 0; i < count; ++i) holds = condition(i) && holds;
    return holds;
  }
  template <class Work>
  void each(const Work& work) const {
    for (std::size_t thread = 0; thread < threads; ++thread) work(thread, threads);
  }
};

template <class T, Op op>
struct Advance {
  static Progress function(const ProgramArguments& arguments, std::uint32_t slice,
                           BlockState& state) {
    return advance<T, op>(arguments, slice, state, OneByOne());
  }
};

using Function = Progress (*)(const ProgramArguments&, std::uint32_t, BlockState&);
constexpr element::Table<Function> functions = element::make_table<Function, Advance>();

template <class T, Op op>
struct AdvancePackets {
  static Progress function(const PacketArguments& arguments, PacketState& state, std::size_t thread,
                           std::size_t threads) {
    return advance<T, op>(arguments, state, thread, threads);
  }
};

using PacketFunction = Progress (*)(const PacketArguments&, PacketState&, std::size_t, std::size_t);
constexpr element::Table<PacketFunction> packet_functions =
    element::make_table<PacketFunction, AdvancePackets>();

// The blocks of a kernel. Each begins when the device has room for it, and keeps that to its end.
class Blocks {
 public:
  using Advance = std::function<Progress(std::uint32_t block)>;

  Blocks(std::uint32_t count, Advance advance, std::atomic<int>& resident)
      : advance_(std::move(advance)), resident_(resident), stages_(count, Stage::outside) {}
  Blocks(const Blocks&) = delete;
  Blocks& operator=(const Blocks&) = delete;
  ~Blocks() {
    for (const Stage stage : stages_) resident_ -= stage == Stage::inside ? 1 : 0;
  }

  /// All of them as far as they get; whether all are through.
  bool advance() {
    for (bool moved = true; moved;) {
      moved = false;
      for (std::uint32_t block = 0; block < stages_.size(); ++block) moved |= advance(block);
    }
    return left_ == 0;
  }

 private:
  enum class Stage : std::uint8_t { outside, inside, over };

  bool enter() {
    if (++resident_ <= Machine::most_resident) return true;
    --resident_;
    return false;
  }
  bool advance(std::uint32_t block) {
    Stage& stage = stages_[block];
    if (stage == Stage::outside && enter()) stage = Stage::inside;
    if (stage != Stage::inside) return false;
    const Progress progress = advance_(block);
    if (progress == Progress::over) {
      stage = Stage::over;
      --resident_;
      --left_;
    }
    return progress != Progress::waiting;
  }

  const Advance advance_;
  std::atomic<int>& resident_;
  std::vector<Stage> stages_;
  std::uint32_t left_ = static_cast<std::uint32_t>(stages_.size());
};

}  // namespace

Result<int> EmulatedRuntime::resident_blocks(int device) {
  if (Result<> fine = check("resident_blocks", device); !fine) return fine.error();
  return Machine::most_resident;
}

// From addresses of this process to where all is, with the program in memory of the host's own.
Result<> EmulatedRuntime::resolve(ProgramArguments& arguments, std::size_t element,
                                  std::vector<std::byte>& own) {
  const Result<std::byte*> memory = resolve(arguments.memory, arguments.counts.bytes(), false);
  if (!memory) return memory.error();
  own.assign(memory.value(), memory.value() + arguments.counts.bytes());
  arguments.memory = own.data();
  const std::size_t words = std::size_t{arguments.slices} * arguments.ranks;
  for (std::uint32_t rank = 0; rank < arguments.ranks; ++rank) {
    const Result<std::byte*> place =
        resolve(arguments.words[rank], words * sizeof(std::uint64_t), false);
    if (!place) return place.error();
    arguments.words[rank] = reinterpret_cast<std::uint64_t*>(place.value());
  }
  if (arguments.stop != nullptr) {
    const Result<std::byte*> place = resolve(arguments.stop, sizeof(std::uint32_t), false);
    if (!place) return place.error();
    arguments.stop = reinterpret_cast<std::uint32_t*>(place.value());
  }
  const BlockArrays arrays(own.data(), arguments.counts);
  auto* const places = const_cast<void**>(arrays.places);
  for (std::uint32_t i = 0; i < arguments.counts.moves; ++i) {
    const BlockMove& move = arrays.moves[i];
    const std::uint32_t end = move.first_place + move.source_count + move.destination_count;
    for (std::uint32_t at = move.first_place; at < end; ++at) {
      const Result<std::byte*> place = resolve(places[at], move.count * element, false);
      if (!place) return place.error();
      places[at] = place.value();
    }
  }
  return {};
}

Result<> EmulatedRuntime::run(DeviceStream stream, const DeviceProgram& program) {
  const Result<ProgramArguments> made = arguments_of(program);
  if (!made) return made.error();
  if (is_to_die_) die();
  ++machine_.kernels;
  ++machine_.programs;
  const std::size_t element = size_of(program.dtype);
  const Function function = element::find(functions, program.dtype, program.op);
  std::atomic<int>& resident = machine_.resident_[static_cast<std::size_t>(stream.device)];
  return enqueue("run", stream, [=, this, &resident, given = made.value()]() -> Result<> {
    ProgramArguments arguments = given;  // anew each time that a graph is carried out
    // A stopped one touches nothing, whatever has become of it.
    if (const Result<bool> stopped = is_stopped(arguments.stop); !stopped || stopped.value()) {
      return stopped ? Result<>() : stopped.error();
    }
    std::vector<std::byte> own;
    if (const Result<> resolved = resolve(arguments, element, own); !resolved) return resolved;
    std::vector<BlockState> states(arguments.slices);
    Blocks blocks(
        arguments.slices,
        [&](std::uint32_t slice) { return function(arguments, slice, states[slice]); }, resident);
    fate_.await([&] { return blocks.advance(); });
    return {};
  });
}

Result<> EmulatedRuntime::resolve(PacketArguments& arguments) {
  Result<> done;
  const auto find = [&](auto*& place, std::size_t bytes) {
    if (!done || place == nullptr) return;
    const Result<std::byte*> found = resolve(place, bytes, false);
    if (!found) {
      done = found.error();
      return;
    }
    place = reinterpret_cast<std::remove_reference_t<decltype(place)>>(found.value());
  };
  const std::size_t boxed = 2 * unit_bytes * units_of(arguments.bytes);
  for (std::uint32_t rank = 0; rank < arguments.ranks; ++rank) {
    find(arguments.sends[rank], arguments.bytes);
    if (arguments.sends[rank] != nullptr) find(arguments.outboxes[rank], boxed);
    find(arguments.inboxes[rank], boxed);
    find(arguments.receives[rank], arguments.bytes);
  }
  find(arguments.own, arguments.bytes);
  find(arguments.stop, sizeof(std::uint32_t));
  return done;
}

Result<> EmulatedRuntime::exchange(DeviceStream stream, const DevicePackets& packets) {
  const Result<PacketArguments> made = arguments_of(packets);
  if (!made) return made.error();
  if (is_to_die_) die();
  ++machine_.kernels;
  ++machine_.exchanges;
  const PacketFunction function = element::find(packet_functions, packets.dtype, packets.op);
  const std::size_t wanted = units_of(packets.bytes) / OneByOne::threads + 1;
  const std::size_t count =
      std::min(wanted, static_cast<std::size_t>(std::max(packets.most_blocks, 1)));
  std::atomic<int>& resident = machine_.resident_[static_cast<std::size_t>(stream.device)];
  return enqueue("exchange", stream, [=, this, &resident, given = made.value()]() -> Result<> {
    PacketArguments arguments = given;
    if (const Result<bool> stopped = is_stopped(arguments.stop); !stopped || stopped.value()) {
      return stopped ? Result<>() : stopped.error();
    }
    if (const Result<> resolved = resolve(arguments); !resolved) return resolved;
    const std::size_t threads = count * OneByOne::threads;
    std::vector<PacketState> states(threads);
    // A block is over when all its threads are, and waits when none of them moves.
    const auto advance_block = [&](std::uint32_t block) {
      Progress all = Progress::over;
      for (std::size_t i = 0; i < OneByOne::threads; ++i) {
        const std::size_t thread = block * OneByOne::threads + i;
        const Progress one = function(arguments, states[thread], thread, threads);
        if (one == Progress::moved) all = one;
        if (one == Progress::waiting && all == Progress::over) all = one;
      }
      return all;
    };
    Blocks blocks(static_cast<std::uint32_t>(count), advance_block, resident);
    fate_.await([&] { return blocks.advance(); });
    return {};
  });
}

}  // namespace rondo::test
