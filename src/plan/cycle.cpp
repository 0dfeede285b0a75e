#include "plan/cycle.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <tuple>

#include "base/invariant.hpp"

namespace rondo {

namespace {

constexpr int most_exact = 9;     // 8! orders
constexpr int most_passes = 100;  // each improves the way; far more than are ever needed

struct Strength {
  std::int64_t weakest = std::numeric_limits<std::int64_t>::max();
  int as_weak = 0;  // links that are as weak as the weakest one
  std::int64_t sum = 0;

  void add(std::int64_t link) {
    if (link < weakest) as_weak = 0;
    weakest = std::min(weakest, link);
    as_weak += link == weakest ? 1 : 0;
    sum += link;
  }
  bool is_better_than(const Strength& other) const {
    return std::tuple(weakest, -as_weak, sum) >
           std::tuple(other.weakest, -other.as_weak, other.sum);
  }
};

class Search {
 public:
  Search(int count, std::span<const std::int64_t> strength) : count_(count), strength_(strength) {}

  std::vector<int> exact() const {
    std::vector<int> way(static_cast<std::size_t>(count_));
    std::iota(way.begin(), way.end(), 0);
    std::vector<int> best = way;
    Strength best_strength = of(best);
    // 0 stands first in every cycle, and each cycle is met in both directions.
    while (std::next_permutation(way.begin() + 1, way.end())) {
      if (way[1] > way.back()) continue;
      const Strength strength = of(way);
      if (!is_stronger(strength, best_strength)) continue;
      best = way;
      best_strength = strength;
    }
    return best;
  }

  std::vector<int> greedy() const {
    std::vector<int> way = {0};
    std::vector<bool> used(static_cast<std::size_t>(count_));
    used[0] = true;
    while (static_cast<int>(way.size()) < count_) {
      int next = -1;
      for (int i = 0; i < count_; ++i) {
        if (used[static_cast<std::size_t>(i)]) continue;
        if (next < 0 || link(way.back(), i) > link(way.back(), next)) next = i;
      }
      used[static_cast<std::size_t>(next)] = true;
      way.push_back(next);
    }
    return way;
  }

  void improve(std::vector<int>& way) const {
    Strength strength = of(way);
    for (int pass = 0; pass < most_passes; ++pass) {
      if (!improve_once(way, strength)) return;
    }
  }

  Strength of(const std::vector<int>& way) const {
    Strength strength;
    for (std::size_t i = 0; i < way.size(); ++i) {
      strength.add(link(way[i], way[(i + 1) % way.size()]));
    }
    return strength;
  }

 private:
  std::int64_t link(int from, int to) const {
    return strength_[static_cast<std::size_t>(from * count_ + to)];
  }

  static bool is_stronger(const Strength& a, const Strength& b) {
    return std::tie(a.weakest, a.sum) > std::tie(b.weakest, b.sum);
  }

  // Turning way[i…j] round replaces the links at its two ends.
  bool improve_once(std::vector<int>& way, Strength& strength) const {
    bool improved = false;
    for (std::size_t i = 1; i + 1 < way.size(); ++i) {
      for (std::size_t j = i + 1; j < way.size(); ++j) {
        const int before = way[i - 1];
        const int after = way[(j + 1) % way.size()];
        const std::int64_t gained = link(before, way[j]) + link(way[i], after);
        const std::int64_t lost = link(before, way[i]) + link(way[j], after);
        const bool mends = std::min(link(before, way[i]), link(way[j], after)) == strength.weakest;
        if (gained <= lost && !mends) continue;
        const auto begin = way.begin() + static_cast<std::ptrdiff_t>(i);
        const auto end = way.begin() + static_cast<std::ptrdiff_t>(j) + 1;
        std::reverse(begin, end);
        const Strength turned = of(way);
        if (turned.is_better_than(strength)) {
          strength = turned;
          improved = true;
        } else {
          std::reverse(begin, end);
        }
      }
    }
    return improved;
  }

  int count_;
  std::span<const std::int64_t> strength_;
};

}  // namespace

std::vector<int> strongest_cycle(int count, std::span<const std::int64_t> strength) {
  RONDO_INVARIANT(strength.size(), ==,
                  static_cast<std::size_t>(count) * static_cast<std::size_t>(count));
  const Search search(count, strength);
  if (count <= most_exact) return search.exact();
  std::vector<int> way(static_cast<std::size_t>(count));
  std::iota(way.begin(), way.end(), 0);
  std::vector<int> other = search.greedy();
  search.improve(way);
  search.improve(other);
  return search.of(other).is_better_than(search.of(way)) ? other : way;
}

}  // namespace rondo
