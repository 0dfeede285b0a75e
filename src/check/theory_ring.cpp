#include "check/theories.hpp"

namespace rondo {

namespace {

Theory figures(const Plan& plan) {
  const auto p = static_cast<std::uint32_t>(plan.ranks);
  const auto rings = static_cast<std::uint32_t>(plan.channels);
  const Collective collective = plan.collective;
  const std::uint32_t phases = collective == Collective::allreduce ? 2 : 1;
  const std::uint32_t rounds = phases * (p - 1);
  const std::uint64_t copies = collective == Collective::allgather ? p : 0;
  const std::uint64_t total = std::uint64_t{p} * rounds * rings;
  return {rings * p, rounds, std::uint64_t{rounds} * rings, total, 2 * total + copies};
}

Formula formula(const Plan& plan) {
  if (has_blocks(plan.collective)) return {"p-1", "(p-1)/p n"};
  return {"2(p-1)", "2(p-1)/p n"};
}

// The position after the given one in ring number `ring`: the next member of the group, or that
// member of the next group from which this ring starts there.
int position_after(const Plan& plan, int position, int ring) {
  const Arrangement& arrangement = *plan.arrangement;
  const auto entrance = [&](int group) {
    return arrangement.begin_of(group) + ring * arrangement.size_of(group) / plan.channels;
  };
  const int group = arrangement.group_of(position);
  const int end = arrangement.begin_of(group + 1);
  const int next = position + 1 < end ? position + 1 : arrangement.begin_of(group);
  return next == entrance(group) ? entrance((group + 1) % arrangement.groups()) : next;
}

bool has_link(const Plan& plan, int from, int to, int channel) {
  if (channel >= plan.channels) return false;
  if (!plan.arrangement) return to == (from + 1) % plan.ranks;
  const Arrangement& arrangement = *plan.arrangement;
  return to == arrangement.rank_at(position_after(plan, arrangement.position_of(from), channel));
}

}  // namespace

const Promise ring_promise = {&figures, &formula, &has_link};

}  // namespace rondo
