#include "cli/tuning.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>

namespace rondo::cli {

namespace {

using Clock = std::chrono::steady_clock;

// Several calls of a short collective are timed together: a clock and a barrier would be heard.
constexpr double sample_s = 100e-6;
constexpr int most_calls = 16;
constexpr int fewest_rounds = 5;
constexpr int most_rounds = 41;
constexpr std::size_t least_rounds_of_two = 11;
constexpr double hopeless = 4;  // times the fastest
constexpr double nearly = 1.03;
constexpr std::size_t least_arena = 32 << 20;  // what no cache of one core holds
constexpr std::size_t alignment = 4096;

// Places for calls that follow each other, all of them mapped.
class Places {
 public:
  explicit Places(std::size_t bytes)
      : stride_((bytes / alignment + 1) * alignment),
        memory_(std::max(least_arena / stride_ * stride_, 2 * stride_)) {
    // Ones stay ones in maxima, and what is sent is never written.
    const float one = 1;
    for (std::size_t i = 0; i + sizeof one <= memory_.size(); i += sizeof one) {
      std::memcpy(memory_.data() + i, &one, sizeof one);
    }
  }
  std::byte* next() {
    std::byte* place = memory_.data() + offset_;
    offset_ = offset_ + 2 * stride_ <= memory_.size() ? offset_ + stride_ : 0;
    return place;
  }

 private:
  std::size_t stride_;
  std::vector<std::byte> memory_;
  std::size_t offset_ = 0;
};

class Stopwatch {
 public:
  Stopwatch(Communicator& comm, Collective collective, std::uint64_t bytes)
      : comm_(comm), collective_(collective), send_(bytes), receive_(bytes) {
    const std::uint64_t blocks = has_blocks(collective) ? static_cast<unsigned>(comm.size()) : 1;
    // Few bytes may be fewer than an element for each block.
    dtype_ = bytes / blocks % sizeof(float) == 0 ? DType::f32 : DType::u8;
    count_ = bytes / blocks / size_of(dtype_);
  }

  /// Of one of so many calls, on this rank.
  double seconds(const Candidate& candidate, int calls) {
    comm_.barrier();
    const Clock::time_point start = Clock::now();
    for (int i = 0; i < calls; ++i) call(candidate);
    return std::chrono::duration<double>(Clock::now() - start).count() / calls;
  }

 private:
  void call(const Candidate& candidate) {
    std::byte* const receive = receive_.next();
    const bool in_place = collective_ == Collective::broadcast;
    comm_.run({collective_, in_place ? receive : send_.next(), receive, count_, dtype_, Op::max, 0},
              candidate.plan, candidate.tile_bytes);
  }

  Communicator& comm_;
  Collective collective_;
  Places send_;
  Places receive_;
  DType dtype_ = DType::f32;
  std::size_t count_ = 0;
};

// The planner's choice may have been asked for, and be no candidate.
std::size_t place_choice(const Choice& choice, std::vector<Timed>& timed) {
  const auto found = std::find_if(timed.begin(), timed.end(), [&](const Timed& one) {
    return one.candidate == choice.candidate();
  });
  const auto place = static_cast<std::size_t>(found - timed.begin());
  if (found == timed.end()) {
    timed.push_back({choice.candidate(), static_cast<double>(choice.picoseconds) * 1e-12, 0});
  }
  return place;
}

// Three times each: as warm-up, and to see which are worth more. Whatever else runs makes a call
// slow now and then, but hardly both times.
void drop_hopeless(Communicator& comm, Stopwatch& watch, Tuned& tuned) {
  for (const Timed& one : tuned.timed) {
    (void)watch.seconds(one.candidate, 1);  // programs are made, connections opened
  }
  std::vector<double> seconds;
  std::vector<double> again;
  for (std::vector<double>* samples : {&seconds, &again}) {
    for (const Timed& one : tuned.timed) samples->push_back(watch.seconds(one.candidate, 1));
    comm.allreduce(*samples, Op::max);
  }
  for (std::size_t i = 0; i < seconds.size(); ++i) seconds[i] = std::min(seconds[i], again[i]);
  const double fastest = *std::min_element(seconds.begin(), seconds.end());
  std::vector<Timed> kept;
  std::size_t chosen = 0;
  for (std::size_t i = 0; i < seconds.size(); ++i) {
    if (i != tuned.chosen && seconds[i] > hopeless * fastest) continue;
    if (i == tuned.chosen) chosen = kept.size();
    kept.push_back(tuned.timed[i]);
    kept.back().measured_s = seconds[i];
  }
  tuned.timed = std::move(kept);
  tuned.chosen = chosen;
}

double median(std::vector<double> samples) {
  const auto middle = samples.begin() + static_cast<std::ptrdiff_t>(samples.size() / 2);
  std::nth_element(samples.begin(), middle, samples.end());
  return *middle;
}

// All of them in turn, so many times, and each with its median.
void measure(Communicator& comm, Stopwatch& watch, const std::vector<Timed*>& some, int calls,
             std::size_t rounds) {
  std::vector<double> seconds(rounds * some.size());
  for (std::size_t round = 0; round < rounds; ++round) {
    for (std::size_t turn = 0; turn < some.size(); ++turn) {
      // To and fro, so that nobody always follows the same one.
      const std::size_t place = round % 2 == 0 ? turn : some.size() - 1 - turn;
      const std::size_t i = (place + round) % some.size();
      seconds[i * rounds + round] = watch.seconds(some[i]->candidate, calls);
    }
  }
  comm.allreduce(seconds, Op::max);
  for (std::size_t i = 0; i < some.size(); ++i) {
    const auto begin = seconds.begin() + static_cast<std::ptrdiff_t>(i * rounds);
    some[i]->measured_s = median({begin, begin + static_cast<std::ptrdiff_t>(rounds)});
  }
}

std::size_t fastest(const std::vector<Timed>& timed) {
  const auto found =
      std::min_element(timed.begin(), timed.end(),
                       [](const Timed& a, const Timed& b) { return a.measured_s < b.measured_s; });
  return static_cast<std::size_t>(found - timed.begin());
}

}  // namespace

Tuned tune(Communicator& comm, Planner& planner, Collective collective, std::uint64_t bytes,
           std::chrono::milliseconds time) {
  const Result<std::vector<Prediction>> predictions = planner.predict(collective, bytes);
  if (!predictions) throw predictions.error();
  const Result<const Choice*> choice = planner.choose(collective, bytes);
  if (!choice) throw choice.error();
  Tuned tuned{.bytes = bytes};
  for (const Prediction& one : predictions.value()) {
    tuned.timed.push_back({one.candidate, one.seconds(), 0});
  }
  tuned.chosen = place_choice(*choice.value(), tuned.timed);
  Stopwatch watch(comm, collective, bytes);
  drop_hopeless(comm, watch, tuned);

  // All of this is calculated from what all ranks know. Every candidate makes as many calls, since
  // the ranks do not begin the first of them together, and that is shared by all.
  double sum_s = 0;
  double fastest_s = sample_s;
  for (const Timed& one : tuned.timed) {
    sum_s += one.measured_s;
    fastest_s = std::min(fastest_s, one.measured_s);
  }
  const int calls =
      static_cast<int>(std::clamp(sample_s / std::max(fastest_s, 1e-9), 1.0, double{most_calls}));
  const double round_s = sum_s * calls;
  const double wanted = std::chrono::duration<double>(time).count() / std::max(round_s, 1e-9);
  const auto rounds =
      static_cast<std::size_t>(std::clamp(wanted, double{fewest_rounds}, double{most_rounds}));
  std::vector<Timed*> all;
  for (Timed& one : tuned.timed) all.push_back(&one);
  measure(comm, watch, all, calls, rounds);
  tuned.best = fastest(tuned.timed);
  // The best of many is the one that chance was kindest to: what counts is how it does once more.
  if (tuned.best != tuned.chosen) {
    Timed& best = tuned.timed[tuned.best];
    Timed& chosen = tuned.timed[tuned.chosen];
    measure(comm, watch, {&chosen, &best}, calls, std::max(rounds, least_rounds_of_two));
    if (chosen.measured_s <= best.measured_s) tuned.best = tuned.chosen;
  }
  return tuned;
}

std::vector<Rule> rules_of(Collective collective, int ranks, const std::vector<Tuned>& all) {
  std::vector<Rule> rules;
  const Candidate* last = nullptr;
  std::uint64_t last_bytes = 0;
  for (const Tuned& tuned : all) {
    const auto same = std::find_if(tuned.timed.begin(), tuned.timed.end(), [&](const Timed& one) {
      return last != nullptr && one.candidate == *last;
    });
    const double best_s = tuned.timed[tuned.best].measured_s;
    const bool keeps = same != tuned.timed.end() && same->measured_s <= nearly * best_s;
    if (!keeps) {
      // They are in the order of the predictions: of nearly equal ones not chance decides.
      last = &std::find_if(tuned.timed.begin(), tuned.timed.end(), [&](const Timed& one) {
                return one.measured_s <= nearly * best_s;
              })->candidate;
      // Half way between both sizes, where a class of sizes begins.
      const double middle =
          std::sqrt(static_cast<double>(last_bytes)) * std::sqrt(static_cast<double>(tuned.bytes));
      const auto bytes = static_cast<std::uint64_t>(std::llround(middle));
      const std::uint64_t from = rules.empty() ? 0 : SizeClass::first_of(SizeClass::of(bytes));
      // Of sizes close together the largest speaks for their class.
      if (!rules.empty() && rules.back().from >= from) rules.pop_back();
      if (!rules.empty()) rules.back().to = from;
      rules.push_back({.collective = collective,
                       .from = from,
                       .to = Rule::no_end,
                       .pins = pins_of(*last),
                       .ranks = ranks});
    }
    last_bytes = tuned.bytes;
  }
  return rules;
}

}  // namespace rondo::cli
