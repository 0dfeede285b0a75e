#include "api/agenda.hpp"

#include <algorithm>

namespace rondo {

namespace {

// Of the second sample; more of them where they are cheap, as a busy machine disturbs some.
constexpr int looks = 4;
constexpr double share_of_looks = 0.05;
// The usual list is for links on which its warm-up takes at most this share of the budget.
constexpr double share_of_usual = 0.5;
// Warming up ends here, so that there is time to measure what is warm.
constexpr double share_of_warm_up = 0.7;
// The first one opens links and touches memory that is new, and counts for nothing.
constexpr int warm_ups = 2;
constexpr std::size_t most_rounds = 15;
// On a busy machine a rank waits for its turn now and then, for as long as hundreds of short calls
// take: of so many samples in a row most are undisturbed.
constexpr int most_samples = 16;
constexpr double samples_s = 200e-6;
// The two ranks agree on each sample, there and back.
constexpr int words = 2;

double least(const std::vector<double>& times) {
  return *std::min_element(times.begin(), times.end());
}

}  // namespace

Agenda::Agenda(std::vector<SampleSize> small, std::vector<SampleSize> usual, double budget_s)
    : sizes_(std::move(small)), small_(sizes_.size()), budget_s_(budget_s) {
  sizes_.insert(sizes_.end(), usual.begin(), usual.end());
  times_.resize(sizes_.size());
}

double Agenda::expected(std::size_t index) const {
  const double word_s = least(times_[0]);
  const SampleSize& size = sizes_[index];
  const double call_s = times_[index].empty() ? word_s + byte_s_ * static_cast<double>(size.bytes)
                                              : least(times_[index]);
  return words * word_s + call_s * size.calls;
}

void Agenda::note(std::size_t index, double call_s) {
  times_[index].push_back(call_s);
  const auto more = static_cast<double>(sizes_[index].bytes) - static_cast<double>(sizes_[0].bytes);
  if (more > 0) byte_s_ = std::max(0.0, least(times_[index]) - least(times_[0])) / more;
}

std::optional<std::size_t> Agenda::next(double used_s) {
  if (stage_ == Stage::looking) {
    if (const auto look = next_look(used_s)) return look;
    choose_list();
    stage_ = Stage::warming_up;
  }
  if (stage_ == Stage::warming_up) {
    if (const auto sample = next_of_warm_up(used_s)) return sample;
    stage_ = Stage::in_turns;
    place_ = 0;
    taken_ = 0;
  }
  if (stage_ == Stage::in_turns) {
    if (const auto sample = next_in_turn(used_s)) return sample;
    stage_ = Stage::done;
  }
  return std::nullopt;
}

std::optional<std::size_t> Agenda::next_look(double used_s) {
  const int look = taken_++;
  if (look < warm_ups) return 0;
  if (look == warm_ups) times_[0].erase(times_[0].begin());
  if (look == warm_ups) return 1;
  const bool is_cheap = used_s + expected(1) <= share_of_looks * budget_s_;
  if (look < warm_ups + looks && is_cheap) return 1;
  return std::nullopt;
}

bool Agenda::usual_suits() const {
  double usual_s = 0;
  for (std::size_t i = small_; i < std::min(small_ + fewest, sizes_.size()); ++i) {
    usual_s += warm_ups * expected(i);
  }
  return usual_s <= share_of_usual * budget_s_;
}

void Agenda::choose_list() {
  const bool suits = usual_suits();
  first_ = suits ? small_ : 0;
  length_ = suits ? sizes_.size() - small_ : small_;
  fitting_ = 0;
  place_ = 0;
  taken_ = 0;
}

std::optional<std::size_t> Agenda::next_of_warm_up(double used_s) {
  // Links may pass a few bytes at once, and be slow with more: that shows only now.
  if (first_ > 0 && place_ > 0 && place_ < fewest && !usual_suits()) choose_list();
  for (; place_ < length_; ++place_, taken_ = 0) {
    const std::size_t index = at(place_);
    const bool is_needed = place_ < fewest && times_[index].empty();
    const bool is_known = taken_ == 0 && !times_[index].empty();  // from looking
    const bool fits =
        used_s + (warm_ups - taken_) * expected(index) <= share_of_warm_up * budget_s_;
    if (taken_ < warm_ups && !is_known && (is_needed || fits)) {
      ++taken_;
      return index;
    }
    if (times_[index].empty()) return std::nullopt;
    if (taken_ == warm_ups) times_[index].erase(times_[index].begin());
    fitting_ = place_ + 1;
  }
  return std::nullopt;
}

std::optional<std::size_t> Agenda::next_in_turn(double used_s) {
  while (round_ < most_rounds) {
    for (; place_ < fitting_; ++place_, taken_ = 0) {
      if (taken_ == 0) since_s_ = used_s;
      if (taken_ == most_samples || (taken_ > 0 && used_s - since_s_ >= samples_s)) continue;
      if (used_s + expected(at(place_)) > budget_s_) continue;
      ++taken_;
      return at(place_);
    }
    place_ = 0;
    ++round_;
  }
  return std::nullopt;
}

std::vector<std::size_t> Agenda::measured() const {
  std::vector<std::size_t> all;
  for (std::size_t place = 0; place < fitting_; ++place) all.push_back(at(place));
  return all;
}

}  // namespace rondo
