#include "schedule/phases.hpp"

#include <algorithm>

namespace rondo {

namespace {

// The position `distance` before the given one, up to twice round.
int behind(const RingPlace& place, int distance) {
  return (place.position + 2 * place.size - distance) % place.size;
}

// The rounds in which this rank passes or takes a part, when those of round k are `nearest + k` and
// one more positions behind it: in a large ring with few parts these are few.
std::vector<int> busy_rounds(const RingPlace& place, const Parts& parts, int nearest) {
  std::vector<int> rounds;
  if (parts.holders.empty()) {
    for (int round = 0; round < place.size - 1; ++round) rounds.push_back(round);
    return rounds;
  }
  for (const int holder : parts.holders) {
    const int passed = behind(place, holder + nearest);
    for (const int round : {passed, (passed + place.size - 1) % place.size}) {
      if (round < place.size - 1) rounds.push_back(round);
    }
  }
  std::sort(rounds.begin(), rounds.end());
  rounds.erase(std::unique(rounds.begin(), rounds.end()), rounds.end());
  return rounds;
}

int made(const ProgramBuilder& build, int& lane) {
  if (lane < 0) lane = build.new_lane();
  return lane;
}

}  // namespace

int RingOrder::rank_at(int position) const {
  if (!plan_.arrangement) return position;
  const Arrangement& arrangement = *plan_.arrangement;
  const int group = arrangement.group_of(position);
  const int begin = arrangement.begin_of(group);
  const int size = arrangement.size_of(group);
  const int turned = ring_ * size / plan_.channels;
  return arrangement.rank_at(begin + (position - begin + turned) % size);
}

int RingOrder::position_of(int rank) const {
  if (!plan_.arrangement) return rank;
  const Arrangement& arrangement = *plan_.arrangement;
  const int position = arrangement.position_of(rank);
  const int group = arrangement.group_of(position);
  const int begin = arrangement.begin_of(group);
  const int size = arrangement.size_of(group);
  const int turned = ring_ * size / plan_.channels;
  return begin + (position - begin - turned + size) % size;
}

// In round k a rank passes the partial sum of the part that is k + 1 positions behind it, and adds
// its own share to that of the part k + 2 positions behind.
void ring_reduce_scatter(ProgramBuilder& build, const RingPlace& place, Way way,
                         const SumTurn& turn) {
  using Final = ProgramBuilder::Final;
  int received = 0;
  for (const int round : busy_rounds(place, turn.parts, 1)) {
    const Run passed = turn.parts(behind(place, round + 1));
    const Run added = turn.parts(behind(place, round + 2));
    if (passed.count > 0) {
      build.send(made(build, way.tx), place.next, way.channel,
                 round == 0 ? turn.own(passed) : turn.partial(received - 1, passed));
    }
    if (added.count > 0) {
      const bool whole = round == place.size - 2;
      build.recv_reduce(made(build, way.rx), place.previous, way.channel, turn.own(added),
                        turn.partial(received, added), whole ? turn.final : Final::no);
      ++received;
    }
  }
}

void ring_allgather(ProgramBuilder& build, const RingPlace& place, Way way, const Parts& parts) {
  for (const int round : busy_rounds(place, parts, 0)) {
    const Run passed = parts(behind(place, round));
    const Run added = parts(behind(place, round + 1));
    if (passed.count > 0) {
      build.send(made(build, way.tx), place.next, way.channel, out(passed.first, passed.count));
    }
    if (added.count > 0) {
      build.recv(made(build, way.rx), place.previous, way.channel, out(added.first, added.count));
    }
  }
}

}  // namespace rondo
