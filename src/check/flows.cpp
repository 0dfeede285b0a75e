#include "check/flows.hpp"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/hash.hpp"
#include "base/invariant.hpp"

namespace rondo {

namespace {

constexpr double picoseconds = 1e12;
// Patterns are forgotten beyond, some tens of MB: rates are then solved for again.
constexpr std::size_t most_words_remembered = 1 << 22;
// Demands are sums that grow and shrink; what is no more than a rounded capacity fits.
constexpr double rounding = 1e-6;

}  // namespace

std::size_t Flows::PatternHash::operator()(const std::vector<std::uint32_t>& pattern) const {
  std::uint64_t hash = fnv1a_start;
  for (const std::uint32_t word : pattern) hash = splitmix(hash ^ word);
  return hash;
}

void Flows::begin(int period) {
  if (period != period_) {
    period_ = period;
    links_.fold_by(period);
    paths_.clear();
    known_paths_.clear();
    active_on_.clear();
    demand_.clear();
    memory_.clear();
    words_remembered_ = 0;
  }
  for (Path& path : paths_) {
    RONDO_INVARIANT(path.endings.size(), ==, 0u);
    path.since = 0;
  }
  ends_ = {};
  carried_.assign(active_on_.size(), 0);
  finished_ = 0;
}

PathId Flows::path(int from, int to) {
  const auto key = (static_cast<std::uint64_t>(from) << 32) | static_cast<std::uint32_t>(to);
  const auto [entry, is_new] = known_paths_.try_emplace(key, static_cast<PathId>(paths_.size()));
  if (!is_new) return entry->second;
  Path path{.links = links_.path(from, to)};
  const std::vector<double>& capacity = links_.capacity();
  for (const LinkId link : path.links) {
    if (path.narrowest == 0 || capacity[link] < path.narrowest) path.narrowest = capacity[link];
  }
  paths_.push_back(std::move(path));
  active_on_.resize(links_.capacity().size());
  demand_.resize(links_.capacity().size());
  is_link_found_.resize(links_.capacity().size());
  carried_.resize(links_.capacity().size());
  return entry->second;
}

void Flows::bring_up_to_date(Path& path, Time now) {
  path.given += path.rate * static_cast<double>(now - path.since);
  path.since = now;
}

void Flows::change(PathId id) {
  if (paths_[id].is_changed) return;
  paths_[id].is_changed = true;
  changed_.push_back(id);
}

void Flows::start(PathId id, std::uint64_t bytes, std::uint32_t tag, Time now) {
  Path& path = paths_[id];
  if (path.links.empty() || bytes == 0) {
    free_ends_.push_back(tag);
    return;
  }
  if (path.endings.empty()) {
    path.given = 0;
    path.rate = 0;
    path.since = now;
    join_links(id);
  }
  bring_up_to_date(path, now);
  path.endings.push({path.given + static_cast<double>(bytes), tag});
  for (const LinkId link : path.links) carried_[link] += bytes;
  change(id);
}

bool Flows::may_be_full(LinkId link) const {
  return demand_[link] > links_.capacity()[link] * (1 + rounding);
}

void Flows::join_links(PathId id) {
  for (const LinkId link : paths_[id].links) {
    active_on_[link].push_back(id);
    demand_[link] += paths_[id].narrowest;
  }
}

void Flows::leave_links(PathId id) {
  for (const LinkId link : paths_[id].links) {
    std::vector<PathId>& active = active_on_[link];
    *std::find(active.begin(), active.end(), id) = active.back();
    active.pop_back();
    const bool was_full = may_be_full(link);
    demand_[link] = active.empty() ? 0 : demand_[link] - paths_[id].narrowest;
    // Nothing connects those who shared it any more, and all of them may go faster.
    if (was_full && !may_be_full(link)) {
      for (const PathId other : active) change(other);
    }
  }
}

// The active paths that share links with this one, with those, and so on; ascending.
std::vector<PathId> Flows::connected(PathId start) {
  std::vector<PathId> found;
  std::vector<LinkId> crossed;
  const auto find = [&](PathId id) {
    if (paths_[id].is_found) return;
    paths_[id].is_found = true;
    found.push_back(id);
  };
  // What is idle now has left room on its links.
  const bool idle = paths_[start].endings.empty();
  find(start);
  for (std::size_t next = 0; next < found.size(); ++next) {
    for (const LinkId link : paths_[found[next]].links) {
      if (is_link_found_[link] || !may_be_full(link)) continue;
      is_link_found_[link] = true;
      crossed.push_back(link);
      for (const PathId other : active_on_[link]) find(other);
    }
  }
  for (const LinkId link : crossed) is_link_found_[link] = false;
  for (const PathId id : found) paths_[id].is_found = false;
  if (idle) std::erase(found, start);
  std::sort(found.begin(), found.end());
  return found;
}

const std::vector<double>& Flows::rates_of(const std::vector<PathId>& paths) {
  std::vector<std::uint32_t> pattern;
  for (const PathId id : paths) {
    pattern.push_back(id);
    pattern.push_back(static_cast<std::uint32_t>(paths_[id].endings.size()));
  }
  if (words_remembered_ >= most_words_remembered) {
    memory_.clear();
    words_remembered_ = 0;
  }
  const auto [entry, is_new] = memory_.try_emplace(std::move(pattern));
  if (!is_new) {
    ++remembered_;
    return entry->second;
  }
  ++solved_;
  words_remembered_ += 4 * paths.size();  // ids and numbers, and rates of two words
  std::vector<FlowGroup> groups;
  for (const PathId id : paths) {
    groups.push_back({paths_[id].links, static_cast<std::uint32_t>(paths_[id].endings.size())});
  }
  entry->second = max_min_.rates(links_.capacity(), groups);
  return entry->second;
}

void Flows::settle(Time now) {
  for (const PathId start : changed_) {
    if (!paths_[start].is_changed) continue;
    paths_[start].is_changed = false;
    const std::vector<PathId> paths = connected(start);
    const std::vector<double>& rates = rates_of(paths);
    for (std::size_t i = 0; i < paths.size(); ++i) {
      Path& path = paths_[paths[i]];
      const double rate = rates[i] / picoseconds;
      const bool was_changed = std::exchange(path.is_changed, false) || paths[i] == start;
      if (rate == path.rate && !was_changed) continue;
      bring_up_to_date(path, now);
      path.rate = rate;
      queue_end(paths[i]);
    }
  }
  changed_.clear();
}

void Flows::queue_end(PathId id) {
  Path& path = paths_[id];
  const double left = path.endings.top().given - path.given;
  constexpr double most = 0x1p60;  // the clockwork gives up long before
  const Time after = std::max<Time>(std::llround(std::min(left / path.rate, most)), 0);
  ends_.push({path.since + after, id, ++path.version});
}

Flows::Time Flows::next_end() {
  while (!ends_.empty() && ends_.top().version != paths_[ends_.top().path].version) ends_.pop();
  return ends_.empty() ? never : ends_.top().time;
}

bool Flows::take_ended(Time now, std::uint32_t& tag) {
  if (!free_ends_.empty()) {
    tag = free_ends_.back();
    free_ends_.pop_back();
    return true;
  }
  if (next_end() > now) return false;
  const PathId id = ends_.top().path;
  Path& path = paths_[id];
  bring_up_to_date(path, now);
  tag = path.endings.top().tag;
  path.endings.pop();
  ++path.version;
  change(id);
  if (path.endings.empty()) {
    leave_links(id);
  } else if (path.endings.top().given - path.given <= path.rate) {
    queue_end(id);  // within a picosecond: ends now, too
  }
  return true;
}

std::vector<LinkUse> Flows::use() const {
  std::map<std::string, LinkUse> by_kind;
  const double seconds = static_cast<double>(finished_) / picoseconds;
  for (LinkId link = 0; link < carried_.size(); ++link) {
    if (carried_[link] == 0 || finished_ == 0) continue;
    LinkUse& use = by_kind[links_.kind(link)];
    const double capacity = links_.capacity()[link];
    const double share = static_cast<double>(carried_[link]) / (capacity * seconds);
    if (share > use.share) {
      use.busiest = links_.name(link);
      use.bytes_per_s = capacity;
      use.bytes = carried_[link];
      use.share = share;
    }
    use.mean_share += share;
    use.links += 1;
  }
  std::vector<LinkUse> uses;
  for (auto& [kind, use] : by_kind) {
    use.kind = kind;
    use.mean_share /= use.links;
    use.links *= links_.images();
    uses.push_back(std::move(use));
  }
  std::stable_sort(uses.begin(), uses.end(),
                   [](const LinkUse& a, const LinkUse& b) { return a.share > b.share; });
  return uses;
}

}  // namespace rondo
