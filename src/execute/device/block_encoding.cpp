#include "execute/device/block_encoding.hpp"

#include <algorithm>

namespace rondo {

namespace {

bool copies_only(const StreamProgram& program) {
  return std::all_of(program.steps.begin(), program.steps.end(), [](const StreamStep& step) {
    return std::all_of(step.moves.begin(), step.moves.end(),
                       [](const Move& move) { return move.is_copy(); });
  });
}

// First everybody is told, then waited for.
void meet(BlockEncoding& made, std::size_t ranks, int own, std::uint32_t steps) {
  const auto each_peer = [&](const auto& note) {
    for (std::size_t peer = 0; peer < ranks; ++peer) {
      if (static_cast<int>(peer) != own) note(static_cast<int>(peer));
    }
    made.program.end_step();
  };
  each_peer([&](int peer) { made.program.tell(peer, steps); });
  each_peer([&](int peer) { made.program.wait(peer, steps); });
}

}  // namespace

Result<BlockEncoding> encode(const StreamProgram& program, DType dtype, Op op,
                             const BufferBases& bases, int rank, bool meets) {
  BlockEncoding made;
  std::size_t unit = size_of(dtype);
  if (!copies_only(program)) {
    made.dtype = dtype;
    made.op = op;
    unit = 1;
  }
  const std::uint32_t before = meets ? 1 : 0;
  if (meets) meet(made, bases.size(), rank, before);
  std::uint32_t number = before;
  for (const StreamStep& step : program.steps) {
    for (const StreamStep::Await& wait : step.waits) {
      made.program.wait(wait.peer, before + wait.steps);
    }
    for (const Move& move : step.moves) {
      std::vector<const void*> sources;
      std::vector<void*> destinations;
      for (const Operand& each : move.sources) sources.push_back(place_of(bases, each));
      for (const Operand& each : move.destinations) destinations.push_back(place_of(bases, each));
      const Result<> done = made.program.move({.dtype = made.dtype,
                                               .op = made.op,
                                               .sources = sources,
                                               .destinations = destinations,
                                               .count = move.count * unit,
                                               .divisor = move.divisor});
      if (!done) return done.error();
    }
    ++number;
    for (const int peer : step.tells) made.program.tell(peer, number);
    made.program.end_step();
  }
  made.steps = before + program.most_steps;
  if (meets) meet(made, bases.size(), rank, ++made.steps);
  return made;
}

std::size_t encoded_bytes_most(const StreamProgram& program, int ranks) {
  constexpr std::size_t steps_of_meetings = 4;
  const std::size_t parts =
      program.most_parts + steps_of_meetings * (static_cast<std::size_t>(ranks) + 1);
  constexpr std::size_t largest =
      std::max({sizeof(void*), sizeof(BlockMove), sizeof(BlockStep), sizeof(BlockNote)});
  return parts * largest;
}

}  // namespace rondo
