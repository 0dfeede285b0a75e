#include "bench/measure.hpp"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <vector>

#include "bench/check.hpp"

namespace rondo::bench {

namespace {

using Clock = std::chrono::steady_clock;

constexpr double automatic_us = 100'000;

double microseconds(Clock::duration duration) {
  return std::chrono::duration<double, std::micro>(duration).count();
}

class Caller {
 public:
  Caller(Library& library, const Arena& arena, const Case& c, std::size_t places)
      : library_(library), arena_(arena), case_(c), places_(places) {}

  void call(std::size_t i) {
    carry_out(library_, case_, arena_.at(case_, library_.rank(), i % places_));
  }

 private:
  Library& library_;
  const Arena& arena_;
  const Case& case_;
  const std::size_t places_;
};

/// The same number on all ranks: what fits, judged by the median call of the slowest rank's
/// warm-up, since the first calls connect and plan.
int choose_iterations(Library& library, const Options& options, std::vector<double> warmup_us) {
  if (options.iterations > 0) return options.iterations;
  std::sort(warmup_us.begin(), warmup_us.end());
  std::array<double, 1> slowest = {quantile(warmup_us, 0.5)};
  combine(library, slowest, Op::max);
  const double one_us = std::max(slowest[0], 1e-3);
  return static_cast<int>(
      std::clamp<double>(automatic_us / one_us, fewest_iterations, most_iterations));
}

double over_ranks(Library& library, double value, Over over) {
  std::array<double, 1> all = {value};
  switch (over) {
    case Over::rank0:
      if (library.rank() != 0) all[0] = 0;
      combine(library, all, Op::sum);
      return all[0];
    case Over::average:
      combine(library, all, Op::sum);
      return all[0] / library.size();
    case Over::minimum:
      combine(library, all, Op::min);
      return all[0];
    case Over::maximum:
      combine(library, all, Op::max);
      return all[0];
  }
  return value;
}

struct Times {
  double total_us = 0;
  std::vector<double> single_us;  ///< each until finish(), where that is called for each
};

/// Of this rank. `each`: finish() comes after each operation, else after the last one.
Times time_operations(Library& library, Caller& caller, bool blocking, bool each, std::size_t first,
                      int iterations) {
  Times times;
  times.single_us.resize(static_cast<std::size_t>(iterations));
  library.barrier();
  Clock::time_point before = Clock::now();
  for (std::size_t i = 0; i < times.single_us.size(); ++i) {
    if (blocking) {
      library.barrier();
      before = Clock::now();
    }
    caller.call(first + i);
    if (each) library.finish();
    const Clock::time_point after = Clock::now();
    times.single_us[i] = microseconds(after - before);
    before = after;
  }
  library.finish();
  for (const double single_us : times.single_us) times.total_us += single_us;
  times.total_us += each ? 0 : microseconds(Clock::now() - before);
  return times;
}

Timing time_case(Library& library, Arena& arena, const Case& c, const Options& options) {
  const std::size_t places = options.graph ? most_graphs : most_places;
  Caller caller(library, arena, c, places);
  const auto warmup = static_cast<std::size_t>(options.warmup);
  arena.clear(c, places);
  if (options.graph) {  // which are captured when they are first called
    for (std::size_t i = 0; i < places; ++i) caller.call(i);
    library.finish();
  }

  Timing timing;
  timing.iterations = choose_iterations(
      library, options,
      time_operations(library, caller, options.blocking, true, 0, options.warmup).single_us);
  const bool each = options.blocking || !library.is_ordered_by_stream();
  Times times = time_operations(library, caller, options.blocking, each, warmup, timing.iterations);
  timing.time_us = over_ranks(library, times.total_us / timing.iterations, options.over);
  if (!each) {
    timing.median_us = timing.p99_us = std::numeric_limits<double>::quiet_NaN();
    return timing;
  }
  combine(library, times.single_us, Op::max);
  std::sort(times.single_us.begin(), times.single_us.end());
  timing.median_us = quantile(times.single_us, 0.5);
  timing.p99_us = quantile(times.single_us, 0.99);
  return timing;
}

}  // namespace

double quantile(const std::vector<double>& sorted, double share) {
  if (sorted.empty()) return 0;
  const double position = std::ceil(share * static_cast<double>(sorted.size()));
  const auto index = static_cast<std::size_t>(std::max(position, 1.0)) - 1;
  return sorted[std::min(index, sorted.size() - 1)];
}

Side measure(Library& library, Arena& arena, const Case& c, const Options& options,
             std::uint64_t seed) {
  Side side;
  side.timing = time_case(library, arena, c, options);
  if (side.timing.time_us > 0) {
    side.algorithm_gbps = static_cast<double>(c.bytes()) / side.timing.time_us * 1e-3;
    side.bus_gbps = side.algorithm_gbps * bus_factor(c.collective, c.ranks);
  }
  if (options.check != Check::off) {
    side.findings = check_call(library, arena, c, options.check, seed);
  }
  return side;
}

}  // namespace rondo::bench
