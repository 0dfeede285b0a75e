// Recursive halving and doubling: R. Rabenseifner, "Optimization of collective reduction
// operations", ICCS 2004.
//
//   reduce-scatter: partners one bit apart each keep one half of what they still hold, and pass the
//   other half on, bit after bit; allgather: the same backwards, so that what they hold doubles.
//   Bits are taken from the lowest on: ranks far from each other exchange the least. Eight ranks:
//
//      with r^1 half of the vector, with r^2 a quarter, with r^4 an eighth, and back again
//
//   Where the number of ranks is no power of two, the ranks left over hand their whole vector to a
//   partner first, and get the result from it at the end.

#include <vector>

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"
#include "schedule/hypercube.hpp"

namespace rondo {

namespace {

constexpr int tx = 0;
constexpr int rx = 1;
constexpr int channel = 0;

using Final = ProgramBuilder::Final;

struct Run {
  std::uint32_t first = 0;
  std::uint32_t count = 0;
};

struct Exchange {
  int partner = 0;
  Run kept;
  Run passed;
};

std::vector<Exchange> exchanges_of(const Hypercube& cube, int rank) {
  std::vector<Exchange> exchanges;
  const int node = cube.node_of(rank);
  Run held{0, static_cast<std::uint32_t>(cube.nodes())};
  for (int bit = 1; bit < cube.nodes(); bit *= 2) {
    const std::uint32_t half = held.count / 2;
    Exchange exchange{cube.rank_of(node ^ bit), {held.first, half}, {held.first + half, half}};
    if ((node & bit) != 0) std::swap(exchange.kept, exchange.passed);
    held = exchange.kept;
    exchanges.push_back(exchange);
  }
  return exchanges;
}

}  // namespace

Program halving_doubling(const Plan& plan, int rank) {
  const Hypercube cube(plan.ranks);
  const auto segments = static_cast<std::uint32_t>(cube.nodes());
  ProgramBuilder build(plan, rank, Shape{.blocks = 1, .segments = segments});
  if (cube.stands_aside(rank)) {
    build.send(tx, rank + 1, channel, in(0, segments));
    build.recv(rx, rank + 1, channel, out(0, segments));
    return std::move(build).finish();
  }
  const bool paired = cube.is_paired(rank);
  auto sums = &in;
  if (paired) {
    build.recv_reduce(rx, rank - 1, channel, in(0, segments), out(0, segments));
    sums = &out;
  }
  const std::vector<Exchange> exchanges = exchanges_of(cube, rank);
  for (const auto& [partner, kept, passed] : exchanges) {
    build.send(tx, partner, channel, sums(passed.first, passed.count));
    build.recv_reduce(rx, partner, channel, sums(kept.first, kept.count),
                      out(kept.first, kept.count), kept.count == 1 ? Final::yes : Final::no);
    sums = &out;
  }
  for (auto exchange = exchanges.rbegin(); exchange != exchanges.rend(); ++exchange) {
    const auto& [partner, kept, passed] = *exchange;
    build.send(tx, partner, channel, out(kept.first, kept.count));
    build.recv(rx, partner, channel, out(passed.first, passed.count));
  }
  if (paired) build.send(tx, rank - 1, channel, out(0, segments));
  return std::move(build).finish();
}

}  // namespace rondo
