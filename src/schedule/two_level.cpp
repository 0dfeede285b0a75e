// Two levels: what goes between groups goes once, and over as many NICs as there are stripes.
//
//   The vector has S stripes (the channels of the plan), and in each group every stripe has an
//   owner; owners are spread over the group. Stripes are summed up to their owners in each group
//   (a ring, of all its ranks), then between the owners of a stripe in all groups (a ring of
//   groups, which splits the stripe into one segment a group), and go round the groups again:
//
//      group 0:  a0 b0 │ c0   a: stripe 0, b: stripe 1. The owners of stripe 0 are a, those of
//                ║  ║  │      stripe 1 are b; c only passes on. Between groups go 2(H-1)/H n/S for
//      group 1:  a1 b1 │      each owner, the least that can be.
//
//   Groups need not be equal: larger ones have more ranks that only pass on.

#include "schedule/generators.hpp"
#include "schedule/phases.hpp"

namespace rondo {

namespace {

class Levels {
 public:
  Levels(const Plan& plan, int rank) : plan_(plan) {
    position_ = plan.arrangement ? plan.arrangement->position_of(rank) : rank;
    group_ = plan.arrangement ? plan.arrangement->group_of(position_) : 0;
    member_ = position_ - begin_of(group_);
  }

  int groups() const { return plan_.arrangement ? plan_.arrangement->groups() : 1; }
  int size_of(int group) const {
    return plan_.arrangement ? plan_.arrangement->size_of(group) : plan_.ranks;
  }

  /// The place in the ring of the own group.
  RingPlace inside() const {
    const int size = size_of(group_);
    return {member_, size, rank_at(group_, (member_ + 1) % size),
            rank_at(group_, (member_ + size - 1) % size)};
  }

  /// The place in the ring of the owners of a stripe, one a group.
  RingPlace between(int stripe) const {
    const int count = groups();
    const int next = (group_ + 1) % count;
    const int previous = (group_ + count - 1) % count;
    return {group_, count, rank_at(next, owner_in(next, stripe)),
            rank_at(previous, owner_in(previous, stripe))};
  }

  /// The stripe that a member of the own group owns, as a run; empty if it owns none.
  Run run_of(int member) const {
    const int stripe = stripe_of(member);
    const auto length = static_cast<std::uint32_t>(groups());
    if (stripe < 0) return {0, 0};
    return {static_cast<std::uint32_t>(stripe) * length, length};
  }

  /// The members of the own group that own stripes.
  std::vector<int> owners() const {
    std::vector<int> members;
    for (int stripe = 0; stripe < plan_.channels; ++stripe) {
      members.push_back(owner_in(group_, stripe));
    }
    return members;
  }

  int own_stripe() const { return stripe_of(member_); }

 private:
  int begin_of(int group) const {
    return plan_.arrangement ? plan_.arrangement->begin_of(group) : 0;
  }
  int rank_at(int group, int member) const {
    const int position = begin_of(group) + member;
    return plan_.arrangement ? plan_.arrangement->rank_at(position) : position;
  }
  int owner_in(int group, int stripe) const { return stripe * size_of(group) / plan_.channels; }
  int stripe_of(int member) const {
    // The first stripe whose owner is this member or one behind it.
    const int size = size_of(group_);
    const int stripe = (member * plan_.channels + size - 1) / size;
    return stripe < plan_.channels && owner_in(group_, stripe) == member ? stripe : -1;
  }

  const Plan& plan_;
  int position_ = 0;
  int group_ = 0;
  int member_ = 0;
};

// Each level has lanes of its own, so that tiles of all levels are on their way at once. Between
// groups are other peers than inside them, so they may share a channel.
constexpr Way way_in = {.channel = 0};
constexpr Way way_out = {.channel = 1};
Way way_between(const ProgramBuilder& build) {
  const int lane = build.new_lane();
  return {.channel = 0, .tx = lane, .rx = lane + 1};
}

}  // namespace

Program two_level(const Plan& plan, int rank) {
  using Final = ProgramBuilder::Final;
  const Levels levels(plan, rank);
  const auto groups = static_cast<std::uint32_t>(levels.groups());
  const auto stripes = static_cast<std::uint32_t>(plan.channels);
  ProgramBuilder build(plan, rank, Shape{.blocks = 1, .segments = stripes * groups});
  const RingPlace inside = levels.inside();
  const Parts stripe_at{[&](int member) { return levels.run_of(member); }, levels.owners()};
  ring_reduce_scatter(build, inside, way_in,
                      {.parts = stripe_at, .final = groups == 1 ? Final::yes : Final::no});
  if (groups > 1 && levels.own_stripe() >= 0) {
    const RingPlace between = levels.between(levels.own_stripe());
    const std::uint32_t first = levels.run_of(inside.position).first;
    const Parts parts{[&](int group) { return Run{first + static_cast<std::uint32_t>(group)}; }};
    const Way way = way_between(build);
    const bool summed = inside.size > 1;  // by then; a rank alone in its group starts from `in`
    ring_reduce_scatter(build, between, way, {.parts = parts, .own = [summed](Run part) {
                                                return summed ? out(part.first) : in(part.first);
                                              }});
    ring_allgather(build, between, way, parts);
  }
  ring_allgather(build, inside, way_out, stripe_at);
  return std::move(build).finish();
}

}  // namespace rondo
