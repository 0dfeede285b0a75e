#include "execute/device/stream_clock.hpp"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "base/invariant.hpp"
#include "base/text.hpp"

namespace rondo {

namespace {

// Of the vector whose programs stand for all: long enough to be cut for all ranks.
constexpr std::size_t usual_bytes = std::size_t{1} << 24;

constexpr double never = std::numeric_limits<double>::infinity();

// What bytes go through: each of these of every device, PCIe switch or processor.
enum class Way : std::uint8_t {
  memory,
  nvlink_out,
  nvlink_in,
  pci_out,
  pci_in,
  switch_out,
  switch_in,
  processor_out,
  processor_in,
};

std::size_t number(Way way, int of, int ranks) {
  return static_cast<std::size_t>(way) * static_cast<std::size_t>(ranks) +
         static_cast<std::size_t>(of);
}

std::size_t ways(int ranks) {
  return number(Way::processor_in, ranks, ranks);
}

}  // namespace

StreamClock::StreamClock(DeviceModel model)
    : model_(std::move(model)),
      below_switch_(groups_within(model_, PathClass::pxb)),
      below_processor_(groups_within(model_, PathClass::node)) {}

Result<const StreamClock::Known*> StreamClock::find(const Plan& plan) {
  for (const Known& known : known_) {
    if (known.plan == plan) return &known;
  }
  const auto ranks = static_cast<std::size_t>(plan.ranks);
  const std::size_t blocks = has_blocks(plan.collective) ? ranks : 1;
  const std::size_t count = usual_bytes / blocks;
  Result<std::vector<StreamProgram>> programs =
      make_stream_programs(plan, {.count = count, .dtype = DType::u8}, false);
  if (!programs) return programs.error();
  Known made{plan, {}};
  for (int rank = 0; rank < plan.ranks; ++rank) {
    std::vector<Step>& steps = made.ranks.emplace_back();
    for (const StreamStep& step : programs.value()[static_cast<std::size_t>(rank)].steps) {
      steps.push_back(weigh(rank, step, static_cast<double>(count * blocks)));
    }
  }
  known_.push_back(std::move(made));
  return &known_.back();
}

// Copies to one place each are one kernel, and each other move is one.
StreamClock::Step StreamClock::weigh(int rank, const StreamStep& step, double vector) const {
  Step weighed{.waits = step.waits};
  bool has_copies = false;
  for (const Move& move : step.moves) {
    const bool is_plain = move.is_copy() && move.destinations.size() == 1;
    if (!is_plain || !std::exchange(has_copies, true)) ++weighed.kernels;
    const double part = static_cast<double>(move.count) / vector;
    for (const Operand& place : move.sources) add(weighed, rank, place, true, part);
    for (const Operand& place : move.destinations) add(weighed, rank, place, false, part);
  }
  return weighed;
}

void StreamClock::add(Step& step, int rank, const Operand& place, bool is_read, double part) const {
  const auto put = [&](Way way, int of, PathClass path) {
    const DeviceCost& cost = model_.cost(path);
    const double byte_s = part * (is_read ? cost.read_byte_s : cost.write_byte_s);
    const std::size_t through = number(way, of, model_.ranks);
    const auto same = std::find_if(step.burdens.begin(), step.burdens.end(),
                                   [&](const Burden& one) { return one.through == through; });
    if (same == step.burdens.end()) {
      step.burdens.push_back({through, byte_s});
    } else {
      same->byte_s += byte_s;
    }
  };
  const auto device_of = [&](int of) { return model_.device_of[static_cast<std::size_t>(of)]; };
  const PathClass path = model_.between(rank, place.rank);
  if (path <= PathClass::same_gpu) return put(Way::memory, device_of(rank), path);
  put(Way::memory, device_of(place.rank), PathClass::self);
  const int from = is_read ? place.rank : rank;
  const int to = is_read ? rank : place.rank;
  const bool is_linked = path == PathClass::nvlink || path == PathClass::xgmi;
  put(is_linked ? Way::nvlink_out : Way::pci_out, device_of(from), path);
  put(is_linked ? Way::nvlink_in : Way::pci_in, device_of(to), path);
  const auto cross = [&](const std::vector<int>& groups, Way out, Way in) {
    const int left = groups[static_cast<std::size_t>(from)];
    const int entered = groups[static_cast<std::size_t>(to)];
    if (left == entered) return;
    put(out, left, path);
    put(in, entered, path);
  };
  cross(below_switch_, Way::switch_out, Way::switch_in);
  cross(below_processor_, Way::processor_out, Way::processor_in);
}

// When the next step of a rank may begin; never, as long as it waits for one that is not done.
double StreamClock::begin_of(const Known& known, std::size_t rank, const Ends& ends) const {
  const std::vector<double>& own = ends[rank];
  if (own.size() == known.ranks[rank].size()) return never;
  double begin = own.empty() ? 0 : own.back();
  for (const StreamStep::Await& wait : known.ranks[rank][own.size()].waits) {
    const std::vector<double>& theirs = ends[static_cast<std::size_t>(wait.peer)];
    if (theirs.size() < wait.steps) return never;
    const PathClass path = model_.between(static_cast<int>(rank), wait.peer);
    begin = std::max(begin, theirs[wait.steps - 1] + model_.cost(path).latency_s);
  }
  return begin;
}

double StreamClock::end_of(const Step& step, double begin, double bytes,
                           std::vector<double>& free) const {
  const double moving = begin + step.kernels * model_.kernel_s;
  double end = moving;
  for (const Burden& burden : step.burdens) {
    double& next = free[burden.through];
    next = std::max(next, moving) + burden.byte_s * bytes;
    end = std::max(end, next);
  }
  return end;
}

Result<double> StreamClock::seconds(const Plan& plan, std::uint64_t bytes) {
  const Result<const Known*> known = find(plan);
  if (!known) return known.error();
  const std::vector<std::vector<Step>>& ranks = known.value()->ranks;
  Ends ends(ranks.size());
  std::vector<double> free(ways(model_.ranks), 0);
  double last = 0;
  while (true) {
    // The step that begins first.
    std::size_t next = 0;
    double first = never;
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
      const double begin = begin_of(*known.value(), rank, ends);
      if (begin >= first) continue;
      first = begin;
      next = rank;
    }
    if (first == never) break;
    const Step& step = ranks[next][ends[next].size()];
    const double end = end_of(step, first, static_cast<double>(bytes), free);
    ends[next].push_back(end);
    last = std::max(last, end);
  }
  for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
    RONDO_INVARIANT(ends[rank].size(), ==, ranks[rank].size());
  }
  return last;
}

Planner make_device_planner(DeviceModel model, Wishes wishes) {
  Site site = device_site(model);
  const auto clock = std::make_shared<StreamClock>(std::move(model));
  const auto predict = [clock](const std::vector<Candidate>& all,
                               std::uint64_t bytes) -> Result<std::vector<Prediction>> {
    std::vector<Prediction> predictions;
    for (const Candidate& candidate : all) {
      const Collective collective = candidate.plan.collective;
      if (!has_device_plan(collective)) {
        return Error(ErrorCode::unsupported,
                     concat(name(collective), " does not go from device to device"));
      }
      const Result<double> seconds = clock->seconds(candidate.plan, bytes);
      if (!seconds) return seconds.error();
      predictions.push_back({candidate, in_picoseconds(seconds.value())});
    }
    return predictions;
  };
  // Plan files are about messages, and so are tiles.
  wishes.rules.clear();
  wishes.tile_bytes.reset();
  return Planner::make(std::move(site), predict, std::move(wishes));
}

}  // namespace rondo
