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

namespace rondo {

namespace {

using Clock = std::chrono::steady_clock;
using Seconds = std::chrono::duration<double>;

// Users' data comes from memory: so many bytes have passed before a call meets the same ones again.
constexpr std::size_t area_bytes = 16 << 20;
constexpr std::size_t alignment = 4096;
// Longer than any measurement: it ends a run whose other half has gone.
constexpr std::chrono::milliseconds patience(10'000);
constexpr std::size_t most_rounds = 15;
// Of a probe, one after the other. On a busy machine a rank waits for its turn now and then, for as
// long as hundreds of short calls take: of so many samples most are undisturbed.
constexpr int most_samples = 16;
constexpr double samples_s = 200e-6;
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
  int channels = 1;

  Plan plan(int root) const { return {algorithm, collective, 2, root, 2, channels}; }
  std::size_t out_bytes() const { return collective == Collective::allgather ? 2 * bytes : bytes; }
  bool goes_back() const { return collective == Collective::broadcast; }
  int calls() const { return repetitions * (goes_back() ? 2 : 1); }
};

// Whole segments tell latency and the sum of rates, both ways at once what the processors do of the
// bytes, many small tiles whether the link buffers, and many small messages at once what one costs.
// The long ones are larger than a core's own cache, as are the calls in which bytes matter.
constexpr std::array<Probe, 7> calls_of_links = {{
    {Algorithm::knomial, Collective::broadcast, 8, 0, 8},
    {Algorithm::knomial, Collective::broadcast, 32 << 10, 0, 2},
    {Algorithm::one_shot, Collective::allreduce, 64 << 10, 0, 2},
    {Algorithm::knomial, Collective::broadcast, 1 << 20, 0, 1},
    {Algorithm::one_shot, Collective::allreduce, 1 << 20, 64 << 10, 1},
    {Algorithm::knomial, Collective::broadcast, 64 << 10, 4 << 10, 1},
    {Algorithm::ring, Collective::allreduce, 128, 0, 2, 8},
}};
constexpr std::size_t fewest_probes = 3;
// The last three say nothing of ranks on one core: many messages are carried out in few turns
// there, while the model takes turns for each.
constexpr std::size_t probes_on_one_core = calls_of_links.size() - 3;

// Both ways at once, with next to no work for processors: what ports carry for long.
constexpr std::array<Probe, 5> exchanges = {{
    {Algorithm::one_shot, Collective::allgather, 16 << 10, 64 << 10, 1},
    {Algorithm::one_shot, Collective::allgather, 64 << 10, 64 << 10, 1},
    {Algorithm::one_shot, Collective::allgather, 256 << 10, 64 << 10, 1},
    {Algorithm::one_shot, Collective::allgather, 1 << 20, 64 << 10, 1},
    {Algorithm::one_shot, Collective::allgather, 4 << 20, 64 << 10, 1},
}};

// Places for calls that follow each other.
class Area {
 public:
  std::byte* next(std::size_t bytes) {
    if (offset_ + bytes > memory_.size()) offset_ = 0;
    std::byte* const place = memory_.data() + offset_;
    offset_ += (bytes / alignment + 1) * alignment;
    return place;
  }

 private:
  std::vector<std::byte> memory_ = std::vector<std::byte>(area_bytes, std::byte{0});
  std::size_t offset_ = 0;
};

// The lower quartile: the shortest time would be that of a lucky moment, which users' calls seldom
// have, and on a busy machine half of the calls and more are disturbed.
double typical(std::vector<double> seconds) {
  const auto quarter = seconds.begin() + static_cast<std::ptrdiff_t>(seconds.size() / 4);
  std::nth_element(seconds.begin(), quarter, seconds.end());
  return *quarter;
}

// The first time, in which memory and programs are new, does not count.
double typical_time(int samples, const std::function<void()>& work) {
  std::vector<double> seconds;
  work();
  for (int i = 0; i < samples; ++i) {
    const auto begin = Clock::now();
    work();
    seconds.push_back(Seconds(Clock::now() - begin).count());
  }
  return typical(std::move(seconds));
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
        times_(probes.size()) {}

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
        if (Result<> measured = measure_some(i); !measured) return measured.error();
      }
    }
    if (Result<> told = end(); !told) return told.error();
    std::vector<MeasuredCall> calls;
    for (std::size_t i = 0; i < fitting_; ++i) {
      const Probe& probe = probes_[i];
      calls.push_back(
          {probe.plan(0), {probe.bytes, element_bytes, probe.tile_bytes}, typical(times_[i])});
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

  static double since(Clock::time_point begin) { return Seconds(Clock::now() - begin).count(); }
  double used() const { return since(begin_) / Seconds(budget_).count(); }

  // Opens the links, and finds out which probes fit: the first one that would go beyond the budget,
  // as far as the one before tells, ends them. The first times are too long and count for nothing.
  Result<> warm_up() {
    double rate = 0;  // seconds a byte of the probe before
    for (const Probe& probe : probes_) {
      const double expected = rate * static_cast<double>(probe.bytes) * probe.calls();
      // Fewer tell nothing: these are measured even if a busy machine has used the budget.
      const double before = fitting_ < fewest_probes ? 0 : used();
      if (before + expected / Seconds(budget_).count() > 0.7) return {};
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

  Result<> measure_some(std::size_t index) {
    const auto begin = Clock::now();
    for (int i = 0; i < most_samples && (i == 0 || since(begin) < samples_s); ++i) {
      if (Result<> measured = measure(index); !measured) return measured;
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
    times_[index].push_back(since(begin) / probe.calls());
    return {};
  }

  Result<> repeat(const Probe& probe) {
    Result<Operation> there = prepare(probe, 0);
    if (!there) return there.error();
    Result<Operation> back = prepare(probe, probe.goes_back() ? 1 : 0);
    if (!back) return back.error();
    Result<> done;
    for (int i = 0; i < probe.repetitions && done; ++i) {
      done = call(probe, there.value());
      if (done && probe.goes_back()) done = call(probe, back.value());
    }
    return done;
  }

  Result<Operation> prepare(const Probe& probe, int root) {
    return exchange_.prepare(probe.plan(root), {.count = probe.bytes / element_bytes,
                                                .dtype = DType::f32,
                                                .tile_bytes = probe.tile_bytes});
  }

  Result<> call(const Probe& probe, Operation& operation) {
    std::byte* const in = in_.next(probe.bytes);
    std::byte* const out = probe.goes_back() ? in : out_.next(probe.out_bytes());
    return exchange_.run(operation, in, out);
  }

  const std::span<const Probe> probes_;
  PlanCache plans_;
  Engine engine_;
  Exchange exchange_;
  Area in_;
  Area out_;

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
  constexpr std::size_t bytes = 256 << 10;  // a tile
  PlanCache plans(0);
  Engine engine(std::move(alone), may_spin);
  Exchange exchange(engine, plans, patience);
  CostTable table;
  Operation call =
      exchange.prepare({Algorithm::one_shot, Collective::barrier, 1, 0, 2}, {}).value();
  table.start_s = rounded_time(typical_time(samples,
                                            [&] {
                                              for (int i = 0; i < calls; ++i) {
                                                (void)exchange.run(call, nullptr, nullptr);
                                              }
                                            }) /
                               calls);
  Area left;
  Area right;
  table.reduce_byte_s =
      rounded_rate(typical_time(samples,
                                [&] {
                                  std::byte* const sum = left.next(bytes);
                                  reduce(DType::f32, Op::sum, sum,
                                         std::array<const void*, 2>{sum, right.next(bytes)},
                                         bytes / element_bytes);
                                }) /
                   bytes);
  table.copy_byte_s = rounded_rate(typical_time(samples,
                                                [&] {
                                                  std::byte* const copy = left.next(bytes);
                                                  std::memcpy(copy, right.next(bytes), bytes);
                                                  // Keeps the compiler from taking the copies for
                                                  // useless.
                                                  asm volatile("" : : "r"(copy) : "memory");
                                                }) /
                                   bytes);
  return table;
}

Result<FittedCosts> measure_link(std::unique_ptr<Transport> between, bool may_spin,
                                 const Topology& pair, const CostTable& rank,
                                 std::chrono::microseconds budget) {
  const Topology placed = may_spin ? pair : on_one_core(pair);
  const auto place = may_spin ? Pinning::Place::apart : Pinning::Place::together;
  const Pinning pinning(pair, between->rank(), place);
  const std::span<const Probe> all = calls_of_links;
  Pair two(std::move(between), may_spin, may_spin ? all : all.first(probes_on_one_core));
  if (!two.leads()) {
    if (Result<> followed = two.follow(); !followed) return followed.error();
    return FittedCosts{};
  }
  const Result<std::vector<MeasuredCall>> calls = two.lead(budget);
  if (!calls) return calls.error();
  return fit_link(calls.value(), placed, rank);
}

Result<double> measure_ports(std::unique_ptr<Transport> between, bool may_spin,
                             std::chrono::microseconds budget) {
  Pair two(std::move(between), may_spin, exchanges);
  if (two.leads()) return two.lead_exchanges(budget);
  if (Result<> followed = two.follow(); !followed) return followed.error();
  return 0.0;
}

}  // namespace rondo
