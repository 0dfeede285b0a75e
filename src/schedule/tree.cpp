#include "schedule/tree.hpp"

namespace rondo {

// Small subtrees are complete first, so their sums are added first.
void reduce_up(ProgramBuilder& build, const TreePlace& place, int channel, Slice own, Slice sum) {
  using Final = ProgramBuilder::Final;
  Slice partial = own;
  for (std::size_t left = place.children.size(); left > 0; --left) {
    const bool complete = !place.parent && left == 1;
    build.recv_reduce(build.new_lane(), place.children[left - 1], channel, partial, sum,
                      complete ? Final::yes : Final::no);
    partial = sum;
  }
  if (place.parent) build.send(build.new_lane(), *place.parent, channel, partial);
}

void broadcast_down(ProgramBuilder& build, const TreePlace& place, int channel, Slice value) {
  if (place.parent) build.recv(build.new_lane(), *place.parent, channel, value);
  for (const int child : place.children) build.send(build.new_lane(), child, channel, value);
}

void tree_collective(ProgramBuilder& build, const TreePlace& place, int channel,
                     std::uint32_t segment) {
  switch (build.plan().collective) {
    case Collective::broadcast:
      broadcast_down(build, place, channel, out(segment));
      break;
    case Collective::reduce: {
      const bool needs_scratch = place.parent && !place.children.empty();
      reduce_up(build, place, channel, in(segment),
                needs_scratch ? build.new_scratch() : out(segment));
      break;
    }
    default:  // allreduce; a barrier is one without elements
      reduce_up(build, place, channel, in(segment), out(segment));
      broadcast_down(build, place, channel, out(segment));
  }
}

}  // namespace rondo
