#include "api/measure_links.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <functional>
#include <numeric>
#include <span>
#include <vector>

#include "api/exchange.hpp"
#include "api/pinning.hpp"
#include "execute/reduction.hpp"
#include "plan/fit.hpp"

namespace rondo {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// Longer than any measurement: it ends a run whose other half has gone.
constexpr std::chrono::milliseconds patience(10'000);
constexpr std::size_t most_rounds = 15;
constexpr std::size_t element_bytes = 4;
constexpr std::uint8_t stop = 255;
// Of links that are worth measuring; a message of few bytes says nothing about their rate.
constexpr double slowest_byte_s = 1e-7;
constexpr std::size_t fewest_exchanges = 3;
// One exchange takes at most this share of the budget, so that there are enough to choose from.
constexpr double share_of_exchange = 0.1;

// One call, `repetitions` times in a row; broadcasts go there and back.
struct Probe {
  Algorithm algorithm = Algorithm::knomial;
  Collective collective = Collective::broadcast;
  std::size_t bytes = 0;
  std::size_t tile_bytes = 0;
  int repetitions = 1;

  Plan plan(int root) const { return {algorithm, collective, 2, root, 2}; }
  std::size_t out_bytes() const { return collective == Collective::allgather ? 2 * bytes : bytes; }
  bool goes_back() const { return collective == Collective::broadcast; }
  int calls() const { return repetitions * (goes_back() ? 2 : 1); }
};

// From short to long. Whole segments tell latency and the sum of rates, many small tiles what a
// message costs its processors, and both ways at once what the processors do of the bytes. The long
// ones are larger than a core's own cache, as are the calls in which bytes matter.
constexpr std::array<Probe, 7> calls_of_links = {{
    {Algorithm::knomial, Collective::broadcast, 8, 0, 8},
    {Algorithm::one_shot, Collective::allreduce, 8, 0, 8},
    {Algorithm::knomial, Collective::broadcast, 32 << 10, 0, 2},
    {Algorithm::knomial, Collective::broadcast, 64 << 10, 4 << 10, 1},
    {Algorithm::one_shot, Collective::allreduce, 64 << 10, 0, 2},
    {Algorithm::knomial, Collective::broadcast, 1 << 20, 0, 1},
    {Algorithm::one_shot, Collective::allreduce, 1 << 20, 64 << 10, 1},
}};

// Both ways at once, with next to no work for processors: what ports carry for long.
constexpr std::array<Probe, 5> exchanges = {{
    {Algorithm::one_shot, Collective::allgather, 16 << 10, 64 << 10, 1},
    {Algorithm::one_shot, Collective::allgather, 64 << 10, 64 << 10, 1},
    {Algorithm::one_shot, Collective::allgather, 256 << 10, 64 << 10, 1},
    {Algorithm::one_shot, Collective::allgather, 1 << 20, 64 << 10, 1},
    {Algorithm::one_shot, Collective::allgather, 4 << 20, 64 << 10, 1},
}};

// Many repetitions are disturbed on a busy machine, and none is faster than the machine.
double shortest(const std::vector<double>& seconds) {
  return *std::min_element(seconds.begin(), seconds.end());
}

double shortest_time(int samples, const std::function<void()>& work) {
  std::vector<double> seconds;
  for (int i = 0; i < samples; ++i) {
    const auto begin = Clock::now();
    work();
    seconds.push_back(Seconds(Clock::now() - begin).count());
  }
  return shortest(seconds);
}

// A busy machine makes some exchanges longer, and the next one shorter, since links let some bytes
// pass at once after a pause. So: the mean of most of them, those in a row that took the least
// time.
double sustained(const std::vector<double>& seconds) {
  const auto most = static_cast<std::ptrdiff_t>((3 * seconds.size() + 3) / 4);
  double least = HUGE_VAL;
  for (auto begin = seconds.begin(); seconds.end() - begin >= most; ++begin) {
    least = std::min(least, std::accumulate(begin, begin + most, 0.0));
  }
  return least / static_cast<double>(most);
}

class Pair {
 public:
  Pair(std::unique_ptr<Transport> between, bool may_spin, std::span<const Probe> probes)
      : probes_(probes),
        plans_(between->rank()),
        engine_(std::move(between), may_spin),
        exchange_(engine_, plans_, patience),
        times_(probes.size()) {
    std::size_t most_in = 0;
    std::size_t most_out = 0;
    for (const Probe& probe : probes) {
      most_in = std::max(most_in, probe.bytes);
      most_out = std::max(most_out, probe.out_bytes());
    }
    in_.resize(most_in, std::byte{0});
    out_.resize(most_out, std::byte{0});
  }

  bool leads() const { return exchange_.rank() == 0; }

  // The other rank does what the leader says.
  Result<> follow() {
    while (true) {
      std::uint8_t index = stop;
      if (Result<> told = tell(index); !told || index >= probes_.size()) return told;
      if (Result<> done = repeat(probes_[index]); !done) return done;
    }
  }

  Result<std::vector<MeasuredCall>> lead(std::chrono::microseconds budget) {
    begin(budget);
    if (Result<> warm = warm_up(); !warm) return warm.error();
    for (std::size_t round = 0; round < most_rounds && used() < 1; ++round) {
      for (std::size_t i = 0; i < fitting_ && used() < 1; ++i) {
        if (Result<> measured = measure(i); !measured) return measured.error();
      }
    }
    if (Result<> told = end(); !told) return told.error();
    std::vector<MeasuredCall> calls;
    for (std::size_t i = 0; i < fitting_; ++i) {
      const Probe& probe = probes_[i];
      calls.push_back(
          {probe.plan(0), {probe.bytes, element_bytes, probe.tile_bytes}, shortest(times_[i])});
    }
    return calls;
  }

  // Seconds a byte of exchanges that follow on each other. From one beginning to the next, since a
  // side may be done with an exchange while its last bytes are still leaving.
  Result<double> lead_exchanges(std::chrono::microseconds budget) {
    begin(budget);
    std::size_t index = 0;
    Result<double> took = exchange(index);  // opens the links
    while (took && index + 1 < probes_.size()) {
      took = exchange(index);
      const double growth =
          static_cast<double>(probes_[index + 1].bytes) / static_cast<double>(probes_[index].bytes);
      if (!took || took.value() * growth > share_of_exchange * Seconds(budget_).count()) break;
      ++index;
    }
    std::vector<double> seconds;
    while (took && (used() < 1 || seconds.size() < fewest_exchanges)) {
      took = exchange(index);
      if (took) seconds.push_back(took.value());
    }
    if (!took) return took.error();
    if (Result<> told = end(); !told) return told.error();
    return sustained(seconds) / static_cast<double>(probes_[index].bytes);
  }

 private:
  void begin(std::chrono::microseconds budget) {
    begin_ = Clock::now();
    budget_ = budget;
  }

  Result<> end() {
    std::uint8_t nothing = stop;
    return tell(nothing);
  }

  // How long it takes to agree on an exchange, which waits for what is left of the one before, and
  // to carry it out.
  Result<double> exchange(std::size_t index) {
    const auto from = Clock::now();
    auto number = static_cast<std::uint8_t>(index);
    Result<> done = tell(number);
    if (done) done = repeat(probes_[index]);
    if (!done) return done.error();
    return Seconds(Clock::now() - from).count();
  }

  // What comes next, and back that the other rank is ready for it.
  Result<> tell(std::uint8_t& index) {
    std::uint8_t answer = index;
    Result<> told = exchange_.broadcast(std::as_writable_bytes(std::span(&index, 1)), 0);
    if (told) told = exchange_.broadcast(std::as_writable_bytes(std::span(&answer, 1)), 1);
    return told;
  }

  double used() const { return Seconds(Clock::now() - begin_) / budget_; }

  // Opens the links, and finds out which probes fit: the first one that would go beyond the budget,
  // as far as the one before tells, ends them. The first times are too long and count for nothing.
  Result<> warm_up() {
    double rate = 0;  // seconds a byte of the probe before
    for (const Probe& probe : probes_) {
      const double expected = rate * static_cast<double>(probe.bytes) * probe.calls();
      if (used() + expected / Seconds(budget_).count() > 0.7) return {};
      for (int i = 0; i < 2; ++i) {
        if (Result<> measured = measure(fitting_); !measured) return measured;
      }
      std::vector<double>& times = times_[fitting_++];
      rate = std::min({times[0] / static_cast<double>(probe.bytes),
                       times[1] / static_cast<double>(probe.bytes), slowest_byte_s});
      times.erase(times.begin());
    }
    return {};
  }

  // Notes the seconds of one call.
  Result<> measure(std::size_t index) {
    const Probe& probe = probes_[index];
    auto number = static_cast<std::uint8_t>(index);
    if (Result<> told = tell(number); !told) return told;
    const auto begin = Clock::now();
    if (Result<> done = repeat(probe); !done) return done;
    times_[index].push_back(Seconds(Clock::now() - begin).count() / probe.calls());
    return {};
  }

  Result<> repeat(const Probe& probe) {
    const Operands operands{.in = in_.data(),
                            .out = probe.goes_back() ? in_.data() : out_.data(),
                            .count = probe.bytes / element_bytes,
                            .dtype = DType::f32,
                            .tile_bytes = probe.tile_bytes};
    Result<> done;
    for (int i = 0; i < probe.repetitions && done; ++i) {
      done = exchange_.run(probe.plan(0), operands);
      if (done && probe.goes_back()) done = exchange_.run(probe.plan(1), operands);
    }
    return done;
  }

  const std::span<const Probe> probes_;
  PlanCache plans_;
  Engine engine_;
  Exchange exchange_;
  std::vector<std::byte> in_;
  std::vector<std::byte> out_;

  // Of the leader:
  Clock::time_point begin_;
  std::chrono::microseconds budget_{0};
  std::size_t fitting_ = 0;  // probes that are measured
  std::vector<std::vector<double>> times_;
};

}  // namespace

CostTable measure_rank(std::unique_ptr<Transport> alone, bool may_spin) {
  constexpr int samples = 15;
  constexpr int calls = 16;
  constexpr std::size_t elements = (256 << 10) / element_bytes;  // a tile, in the cache
  constexpr double bytes = elements * element_bytes;
  PlanCache plans(0);
  Engine engine(std::move(alone), may_spin);
  Exchange exchange(engine, plans, patience);
  CostTable table;
  table.start_s = rounded_time(
      shortest_time(samples,
                    [&] {
                      for (int i = 0; i < calls; ++i) {
                        (void)exchange.run({Algorithm::one_shot, Collective::barrier, 1, 0, 2}, {});
                      }
                    }) /
      calls);
  std::vector<float> left(elements, 1);
  std::vector<float> right(elements, 2);
  table.reduce_byte_s = rounded_rate(
      shortest_time(samples,
                    [&] {
                      reduce(DType::f32, Op::sum, left.data(),
                             std::array<const void*, 2>{left.data(), right.data()}, elements);
                    }) /
      bytes);
  table.copy_byte_s =
      rounded_rate(shortest_time(samples,
                                 [&] {
                                   std::memcpy(left.data(), right.data(), elements * element_bytes);
                                   // Keeps the compiler from taking all copies but the last for
                                   // useless.
                                   asm volatile("" : : "r"(left.data()) : "memory");
                                 }) /
                   bytes);
  return table;
}

Result<LinkCost> measure_link(std::unique_ptr<Transport> between, bool may_spin,
                              const Topology& pair, const CostTable& rank,
                              std::chrono::microseconds budget) {
  const Pinning pinning(pair, between->rank());
  Pair two(std::move(between), may_spin, calls_of_links);
  if (!two.leads()) {
    if (Result<> followed = two.follow(); !followed) return followed.error();
    return LinkCost{};
  }
  const Result<std::vector<MeasuredCall>> calls = two.lead(budget);
  if (!calls) return calls.error();
  return fit_link(calls.value(), pair, rank);
}

Result<double> measure_ports(std::unique_ptr<Transport> between, bool may_spin,
                             const Topology& pair, std::chrono::microseconds budget) {
  const Pinning pinning(pair, between->rank());
  Pair two(std::move(between), may_spin, exchanges);
  if (two.leads()) return two.lead_exchanges(budget);
  if (Result<> followed = two.follow(); !followed) return followed.error();
  return 0.0;
}

}  // namespace rondo
