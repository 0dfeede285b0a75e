#include <algorithm>

#include "check/theories.hpp"

namespace rondo {

namespace {

struct Groups {
  explicit Groups(const Plan& plan) : arrangement(plan.arrangement.get()), ranks(plan.ranks) {}
  int count() const { return arrangement ? arrangement->groups() : 1; }
  int begin(int group) const { return arrangement ? arrangement->begin_of(group) : 0; }
  int size(int group) const { return arrangement ? arrangement->size_of(group) : ranks; }
  int position(int rank) const { return arrangement ? arrangement->position_of(rank) : rank; }
  int group(int position) const { return arrangement ? arrangement->group_of(position) : 0; }

  const Arrangement* arrangement;
  int ranks;
};

// Segments sent by the busiest of a group of L ranks with S stripes of H segments. A rank passes
// every stripe twice, once less each for a stripe that is its own or its successor's; an owner also
// sends 2(H-1) segments to other groups. A large enough group has ranks between two owners, whose
// successor owns nothing either.
std::uint64_t busiest_of(std::uint64_t members, std::uint64_t stripes, std::uint64_t groups) {
  const std::uint64_t between = 2 * (groups - 1);
  if (members == 1) return between;
  const std::uint64_t passed = 2 * stripes * groups;
  if (members == stripes) return passed - 2 * groups + between;
  const std::uint64_t owner = passed - groups + between;  // its successor owns nothing
  return members > 2 * stripes ? std::max(owner, passed) : owner;
}

Theory figures(const Plan& plan) {
  const Groups groups(plan);
  const auto p = static_cast<std::uint64_t>(plan.ranks);
  const auto stripes = static_cast<std::uint64_t>(plan.channels);
  const auto count = static_cast<std::uint64_t>(groups.count());
  Theory theory;
  std::uint64_t largest = 1;
  for (int group = 0; group < groups.count(); ++group) {
    const auto members = static_cast<std::uint64_t>(groups.size(group));
    largest = std::max(largest, members);
    theory.max_sent = std::max(theory.max_sent, busiest_of(members, stripes, count));
  }
  theory.segments = static_cast<std::uint32_t>(stripes * count);
  theory.rounds = static_cast<std::uint32_t>(2 * (largest - 1) + 2 * (count - 1));
  theory.total_sent = 2 * (p - 1) * stripes * count;
  theory.steps = 4 * stripes * (p - count) + 4 * stripes * count * (count - 1);
  return theory;
}

Formula formula(const Plan&) {
  return {"2(L-1) + 2(H-1)", "2n - 2/HS n"};
}

// The stripe that this position owns, -1 for none.
int stripe_of(const Groups& groups, int position, int stripes) {
  const int group = groups.group(position);
  for (int stripe = 0; stripe < stripes; ++stripe) {
    if (position == groups.begin(group) + stripe * groups.size(group) / stripes) return stripe;
  }
  return -1;
}

bool has_link(const Plan& plan, int from, int to, int channel) {
  const Groups groups(plan);
  const int a = groups.position(from);
  const int b = groups.position(to);
  const int group = groups.group(a);
  const int other = groups.group(b);
  if (group == other) {
    const int next = a + 1 < groups.begin(group) + groups.size(group) ? a + 1 : groups.begin(group);
    // Sums of all stripes but the sender's pass on channel 0; on channel 1, results but the
    // receiver's.
    if (channel > 1 || b != next) return false;
    const bool kept = stripe_of(groups, channel == 0 ? a : b, plan.channels) >= 0;
    return plan.channels > (kept ? 1 : 0);
  }
  if (channel != 0 || other != (group + 1) % groups.count()) return false;
  const int stripe = stripe_of(groups, a, plan.channels);
  return stripe >= 0 && stripe == stripe_of(groups, b, plan.channels);
}

}  // namespace

const Promise two_level_promise = {&figures, &formula, &has_link};

}  // namespace rondo
