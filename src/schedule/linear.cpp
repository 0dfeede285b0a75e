// gather, scatter and alltoall at once: every block goes straight from its owner to where it
// belongs, and all of them are under way at the same time, as far as lanes go.
//
//   alltoall: `in` may be `out`, where an incoming block takes the place of one that still has to
//   leave. Blocks come in beside, and are put in their place once the place is free: a rank that
//   waited for its own block to leave before it took one in would wait for a rank that does the
//   same.

#include <vector>

#include "schedule/builder.hpp"
#include "schedule/generators.hpp"

namespace rondo {

namespace {

constexpr int channel = 0;
constexpr int most_at_once = 64;  // each way

class Lanes {
 public:
  explicit Lanes(ProgramBuilder& build) {
    for (int i = 0; i < std::min(build.ranks() - 1, most_at_once); ++i) lanes_.emplace_back(build);
  }
  LateLane& operator[](int distance) {
    return lanes_[static_cast<std::size_t>(distance - 1) % lanes_.size()];
  }

 private:
  std::vector<LateLane> lanes_;
};

std::uint32_t block_of(int rank) {
  return static_cast<std::uint32_t>(rank);
}

void gather(ProgramBuilder& build) {
  const int root = build.plan().root;
  if (build.rank() != root) {
    build.send(0, root, channel, in(0));
    return;
  }
  Lanes rx(build);
  for (int distance = 1; distance < build.ranks(); ++distance) {
    const int from = (root + distance) % build.ranks();
    build.recv(rx[distance], from, channel, out(block_of(from)));
  }
  build.copy(build.new_lane(), in(0), out(block_of(root)));
}

void scatter(ProgramBuilder& build) {
  const int root = build.plan().root;
  if (build.rank() != root) {
    build.recv(0, root, channel, out(0));
    return;
  }
  Lanes tx(build);
  for (int distance = 1; distance < build.ranks(); ++distance) {
    const int to = (root + distance) % build.ranks();
    build.send(tx[distance], to, channel, in(block_of(to)));
  }
  build.copy(build.new_lane(), in(block_of(root)), out(0));
}

void alltoall(ProgramBuilder& build) {
  const int rank = build.rank();
  const int ranks = build.ranks();
  const Slice beside = build.new_scratch(block_of(ranks - 1));
  const auto incoming = [&](int distance) {
    return scratch(beside.segment + block_of(distance - 1));
  };
  const auto from = [&](int distance) { return (rank + ranks - distance) % ranks; };
  Lanes tx(build);
  Lanes rx(build);
  for (int distance = 1; distance < ranks; ++distance) {
    const int to = (rank + distance) % ranks;
    build.send(tx[distance], to, channel, in(block_of(to)));
    build.recv(rx[distance], from(distance), channel, incoming(distance),
               out(block_of(from(distance))));
  }
  LateLane place(build);
  build.copy(place, in(block_of(rank)), out(block_of(rank)));
  for (int distance = 1; distance < ranks; ++distance) {
    build.copy(place, incoming(distance), out(block_of(from(distance))));
  }
}

}  // namespace

Program linear(const Plan& plan, int rank) {
  const auto ranks = static_cast<std::uint32_t>(plan.ranks);
  ProgramBuilder build(plan, rank, Shape{.blocks = ranks, .segments = 1});
  switch (plan.collective) {
    case Collective::gather:
      gather(build);
      break;
    case Collective::scatter:
      scatter(build);
      break;
    default:
      alltoall(build);
  }
  return std::move(build).finish();
}

}  // namespace rondo
