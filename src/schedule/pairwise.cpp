// alltoall of long blocks in p-1 rounds: R. Thakur, R. Rabenseifner and W. Gropp, "Optimization of
// collective communication operations in MPICH", Int. J. High Perform. Comput. Appl. 19 (2005).
//
//   In round k rank r sends to r+k and receives from r-k, so that every rank sends one block and
//   receives one. `in` may be `out`: the block for r-k leaves in round p-k. In the first half of
//   the rounds, blocks arrive before that and wait beside until their place is free.

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"

namespace rondo {

namespace {

constexpr int tx = 0;
constexpr int rx = 1;
constexpr int place = 2;  // lane that puts blocks in their place
constexpr int channel = 0;

}  // namespace

Program pairwise(const Plan& plan, int rank) {
  const int ranks = plan.ranks;
  const auto block_of = [](int owner) { return static_cast<std::uint32_t>(owner); };
  const auto from = [&](int round) { return (rank + ranks - round) % ranks; };
  ProgramBuilder build(plan, rank, Shape{.blocks = block_of(ranks), .segments = 1});
  const int last_beside = ranks / 2;
  const Slice beside = build.new_scratch(block_of(last_beside));
  const auto arrived = [&](int round) { return scratch(beside.segment + block_of(round - 1)); };
  for (int round = 1; round < ranks; ++round) {
    const int to = (rank + round) % ranks;
    build.send(tx, to, channel, in(block_of(to)));
    if (round <= last_beside) {
      build.recv(rx, from(round), channel, arrived(round), out(block_of(from(round))));
    } else {
      build.recv(rx, from(round), channel, out(block_of(from(round))));
    }
  }
  build.copy(place, in(block_of(rank)), out(block_of(rank)));
  for (int round = last_beside; round > 0; --round) {  // in the order in which places get free
    build.copy(place, arrived(round), out(block_of(from(round))));
  }
  return std::move(build).finish();
}

}  // namespace rondo
