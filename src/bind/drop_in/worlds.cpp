#include "bind/drop_in/worlds.hpp"

#include <algorithm>
#include <numeric>
#include <random>
#include <span>
#include <string>
#include <vector>

#include "bind/drop_in/settings.hpp"
#include "rondo/error.hpp"
#include "rondo/out_of_band.hpp"

namespace rondo::bind {

namespace {

// MPI's collectives wait for ever; a rank that died is noticed without a deadline.
constexpr std::chrono::hours endless(24 * 365 * 10);

template <class T>
std::vector<T> shared(const Surroundings& around, const T& mine) {
  std::vector<T> all(static_cast<std::size_t>(around.size));
  if (!around.exchange(&mine, all.data(), sizeof mine)) {
    throw Error(ErrorCode::join_failed, "the MPI below could not carry out an allgather");
  }
  return all;
}

// A program may do its work on any of its communicators: with the usual 4 MiB, which the first one
// would take most of, the later ones were up to a fifth slower from 256 KiB on, and an alltoall of
// 2 MiB took three times as long. Pages go to links that are used, as long as there are any left.
constexpr std::size_t shared_bytes = std::size_t{16} << 20;

// A number for the communicator that no other one of the same ranks has: no two cards of a rank
// have the same number, also where several threads make communicators at once.
std::uint64_t mixed(std::uint64_t hash, std::uint64_t number) {
  constexpr std::uint64_t prime = 0x100000001b3u;
  for (int byte = 0; byte < 8; ++byte) hash = (hash ^ (number >> 8 * byte & 0xff)) * prime;
  return hash;
}

std::uint64_t random_name() {
  std::random_device device;
  return (std::uint64_t{device()} << 32 | device()) | 1;
}

}  // namespace

Worlds::Card Worlds::own_card() {
  const std::lock_guard lock(mutex_);
  Card card;
  card.number = ++numbers_;
  card.proposal = random_name();
  card.may_join = worlds_.size() < most_worlds ? 1 : 0;
  const auto largest =
      std::max_element(worlds_.begin(), worlds_.end(),
                       [](const World& a, const World& b) { return a.size < b.size; });
  if (largest != worlds_.end()) {
    card.world = largest->name;
    card.rank = largest->rank;
  }
  return card;
}

Worlds::World* Worlds::find(std::uint64_t name) {
  const std::lock_guard lock(mutex_);
  const auto found = std::find_if(worlds_.begin(), worlds_.end(),
                                  [&](const World& world) { return world.name == name; });
  return &*found;
}

Worlds::World* Worlds::join(const Surroundings& around, std::uint64_t name) {
  OutOfBand outside;
  outside.rank = around.rank;
  outside.size = around.size;
  outside.allgather = [&](std::span<const std::byte> mine, std::span<std::byte> all) {
    if (!around.exchange(mine.data(), all.data(), mine.size())) {
      throw Error(ErrorCode::join_failed, "the MPI below could not carry out an allgather");
    }
  };
  Options options;
  options.progress = around.progress;
  if (!environment("RONDO_SHARED_BYTES")) options.shared_bytes = shared_bytes;
  if (has_fixed_plans_) options.costs = "default";
  Communicator joined = Communicator::join(outside, options);
  joined.set_timeout(endless);
  // Joining has taken memory for links that nobody uses any more: the first link of all gets the
  // most, and should be that of a communicator which makes calls.
  std::vector<int> everyone(static_cast<std::size_t>(around.size));
  std::iota(everyone.begin(), everyone.end(), 0);
  World world{name, around.rank, around.size, joined.subgroup(everyone, 0)};
  const std::lock_guard lock(mutex_);
  worlds_.push_back(std::move(world));
  return &worlds_.back();
}

Communicator Worlds::part_of(World& world, std::span<const Card> cards, bool is_new) {
  std::uint64_t context = 0xcbf29ce484222325u;
  std::vector<int> members;
  for (const Card& card : cards) {
    members.push_back(is_new ? static_cast<int>(members.size()) : card.rank);
    context = mixed(context, card.number);
  }
  return world.communicator.subgroup(members, context);
}

Communicator Worlds::make(const Surroundings& around) {
  const std::vector<Card> cards = shared(around, own_card());
  const std::uint64_t common = cards.front().world;
  const bool is_common = common != 0 && std::all_of(cards.begin(), cards.end(), [&](const Card& c) {
                           return c.world == common;
                         });
  const bool may_join =
      std::all_of(cards.begin(), cards.end(), [](const Card& card) { return card.may_join != 0; });
  if (!is_common && !may_join) {
    throw Error(ErrorCode::unsupported,
                "its ranks are in no common world, and some rank is in enough of them");
  }
  Communicator made;
  std::optional<Error> trouble;
  try {
    World* world = is_common ? find(common) : join(around, cards.front().proposal);
    made = part_of(*world, cards, !is_common);
  } catch (const Error& error) {
    trouble = error;
  } catch (const std::exception& error) {
    trouble = Error(ErrorCode::resource, error.what());
  }
  const std::vector<std::uint8_t> failed =
      shared(around, static_cast<std::uint8_t>(trouble ? 1 : 0));
  if (trouble) throw *trouble;
  const auto culprit = std::find(failed.begin(), failed.end(), 1);
  if (culprit != failed.end()) {
    throw Error(ErrorCode::join_failed,
                "rank " + std::to_string(culprit - failed.begin()) + " could not join");
  }
  return made;
}

}  // namespace rondo::bind
