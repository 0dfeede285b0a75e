#include "plan/planner.hpp"

#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <numeric>
#include <optional>
#include <span>

#include "base/hash.hpp"
#include "base/text.hpp"
#include "check/nic_ports.hpp"
#include "check/simulation.hpp"
#include "schedule/generators.hpp"

namespace rondo {

namespace {

// More ranks than these take longer to simulate than most calls.
constexpr int most_simulated_ranks = 64;
// Of a long message so many tiles are simulated; windows may ask for more.
constexpr std::uint32_t simulated_tiles = 8;
// About a tenth of a millisecond a candidate.
constexpr std::uint64_t simulated_tile_steps = 1 << 10;
// Of the candidates so many are simulated for a choice, those with the shortest estimates,
constexpr std::size_t most_simulated = 10;
// and only such as are not estimated to take so many times as long as the first of them.
constexpr double not_worth_while = 4;
// As soon as so many steps have been simulated, a millisecond or two, no further plan is, unless
// these are too few to compare.
constexpr std::uint64_t most_simulated_steps = 1 << 14;
constexpr std::size_t least_simulated = 3;
// Predictions are not exact enough to tell such times from each other.
constexpr double as_fast = 1.02;
// Streams that meet at one port lose time that no prediction knows of: the network's queues run
// over. Having fewer of them is worth so much.
constexpr double worth_few_senders = 1.05;

bool spans_hosts(const CostModel& model) {
  for (int rank = 1; rank < model.ranks; ++rank) {
    if (is_between_hosts(static_cast<PathClass>(model.class_of(0, rank)))) return true;
  }
  return false;
}

// From how many ranks of other hosts the busiest rank receives; beyond `enough` nobody counts on.
std::size_t most_senders(const Plan& plan, const CostModel& model, std::size_t enough) {
  std::size_t most = 0;
  for (int rank = 0; rank < plan.ranks && most <= enough; ++rank) {
    const Result<Program> program = make_program(plan, rank);
    if (!program) continue;
    std::vector<bool> sends(static_cast<std::size_t>(plan.ranks), false);
    for (const Step& step : program.value().steps) {
      if (step.op == StepOp::recv) sends[static_cast<std::size_t>(step.peer)] = true;
    }
    std::size_t senders = 0;
    for (int peer = 0; peer < plan.ranks; ++peer) {
      senders += sends[static_cast<std::size_t>(peer)] &&
                 is_between_hosts(static_cast<PathClass>(model.class_of(peer, rank)));
    }
    most = std::max(most, senders);
  }
  return most;
}

bool takes_less_time(const Prediction& a, const Prediction& b) {
  return a.picoseconds < b.picoseconds;
}

using Places = std::vector<std::size_t>;  // of predictions, in their order

// Those that take no more than so many times as long as the fastest of `some`, itself among them.
Places nearly_fastest(const std::vector<Prediction>& all, const Places& some, double times) {
  auto fastest = std::numeric_limits<std::int64_t>::max();
  for (const std::size_t place : some) fastest = std::min(fastest, all[place].picoseconds);
  Places found;
  for (const std::size_t place : some) {
    const std::int64_t time = all[place].picoseconds;
    const bool near = static_cast<double>(time) <= times * static_cast<double>(fastest);
    if (near || time == fastest) found.push_back(place);
  }
  return found;
}

Places with_fewest_senders(const std::vector<Prediction>& all, const Places& some,
                           const CostModel& model) {
  Places found;
  auto fewest = std::numeric_limits<std::size_t>::max();
  const Plan* counted = nullptr;
  std::size_t senders = 0;
  for (const std::size_t place : some) {
    const Plan& plan = all[place].candidate.plan;
    // The tiles of a plan follow each other.
    if (counted == nullptr || !(*counted == plan)) senders = most_senders(plan, model, fewest);
    counted = &plan;
    if (senders > fewest) continue;
    if (senders < fewest) found.clear();
    fewest = senders;
    found.push_back(place);
  }
  return found;
}

// The fastest first; but before them the simplest of those that are as fast, where there are
// several hosts as the fastest with few senders. Says why that one is the first.
Cause rank(std::vector<Prediction>& simplest_first, const CostModel& model) {
  std::vector<Prediction>& all = simplest_first;
  if (all.empty()) return Cause::fastest;
  Places places(all.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  const std::size_t simplest = nearly_fastest(all, places, as_fast).front();
  const std::int64_t fastest =
      std::min_element(all.begin(), all.end(), takes_less_time)->picoseconds;
  if (is_simulated(model.ranks) && spans_hosts(model)) {
    places = with_fewest_senders(all, nearly_fastest(all, places, worth_few_senders), model);
  }
  const std::size_t chosen = nearly_fastest(all, places, as_fast).front();
  Cause cause = chosen == simplest ? Cause::simplest : Cause::few_streams;
  if (all[chosen].picoseconds == fastest) cause = Cause::fastest;
  const auto first = all.begin() + static_cast<std::ptrdiff_t>(chosen);
  std::rotate(all.begin(), first, first + 1);
  std::stable_sort(all.begin() + 1, all.end(), takes_less_time);
  return cause;
}

}  // namespace

int SizeClass::of(std::uint64_t bytes) {
  if (bytes < 4) return static_cast<int>(bytes);
  const auto top = static_cast<int>(std::bit_width(bytes)) - 1;
  return 4 * (top - 1) + static_cast<int>((bytes >> (top - 2)) & 3);
}

std::uint64_t SizeClass::first_of(int size_class) {
  if (size_class < 4) return static_cast<std::uint64_t>(size_class);
  return static_cast<std::uint64_t>(4 + size_class % 4) << (size_class / 4 - 1);
}

Planner::Planner(Site site, CostModel model, Wishes wishes)
    : site_(std::move(site)),
      model_(std::make_unique<const CostModel>(std::move(model))),
      wishes_(std::move(wishes)),
      estimates_(site_, *model_) {
  for (int i = 0; i < collective_count; ++i) tables_.push_back(std::make_unique<Table>());
}

Result<Planner> Planner::make(const Topology& topology, const CostTable& costs, Wishes wishes) {
  Result<CostModel> model = make_cost_model(topology, costs);
  if (!model) return model.error();
  Result<Site> site = make_site(topology, model.value());
  if (!site) return site.error();
  return Planner(std::move(site).value(), std::move(model).value(), std::move(wishes));
}

Planner Planner::make(Site site, Predictor predictor, Wishes wishes) {
  CostModel no_messages{.ranks = site.ranks, .links = {LinkCost{}}};
  no_messages.class_of = [](int, int) { return 0; };
  no_messages.port_of = [](int rank, int) { return rank; };
  Planner made(std::move(site), std::move(no_messages), std::move(wishes));
  made.predictor_ = std::move(predictor);
  return made;
}

bool is_planned(Cause cause) {
  return cause != Cause::wish && cause != Cause::rule;
}

bool is_simulated(int ranks) {
  return ranks <= most_simulated_ranks;
}

namespace {

Result<std::int64_t> estimated_time(const Candidate& candidate, const CostModel& model,
                                    std::uint64_t bytes) {
  const Plan& plan = candidate.plan;
  const Result<Estimate> estimate =
      Estimate::make(plan, theory(plan), model, tellers(model, plan.arrangement.get()));
  if (!estimate) return estimate.error();
  return in_picoseconds(estimate.value().seconds(bytes, candidate.tile_bytes));
}

// Of a candidate whose programs these are. What takes longer than can be simulated is estimated.
Result<std::int64_t> simulated_time(const Cast& cast, const Candidate& candidate,
                                    const CostModel& model, std::uint64_t bytes,
                                    std::uint64_t& steps) {
  const Workload workload{.bytes = bytes, .element_bytes = 1, .tile_bytes = candidate.tile_bytes};
  const Result<Simulation> simulation =
      simulate_over(cast, model, nullptr, workload,
                    {.most_tiles = simulated_tiles, .most_tile_steps = simulated_tile_steps});
  if (!simulation) return estimated_time(candidate, model, bytes);
  steps += simulation.value().simulated_steps;
  return in_picoseconds(simulation.value().seconds);
}

// Candidates that have one plan stand side by side.
struct SamePlan {
  std::size_t begin = 0;
  std::size_t end = 0;
  std::int64_t shortest = 0;  // of their times
};

std::vector<SamePlan> by_plan(const std::vector<Prediction>& some) {
  std::vector<SamePlan> found;
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (i == 0 || !(some[i].candidate.plan == some[i - 1].candidate.plan)) {
      found.push_back({i, i, some[i].picoseconds});
    }
    found.back().end = i + 1;
    found.back().shortest = std::min(found.back().shortest, some[i].picoseconds);
  }
  return found;
}

// Those with the shortest times first, as many as there is time for; in the order given.
Result<std::vector<Prediction>> simulate_some(const std::vector<Prediction>& some,
                                              const CostModel& model, std::uint64_t bytes,
                                              std::uint64_t most_steps) {
  std::vector<SamePlan> plans = by_plan(some);
  std::stable_sort(plans.begin(), plans.end(),
                   [](const SamePlan& a, const SamePlan& b) { return a.shortest < b.shortest; });
  std::vector<std::optional<std::int64_t>> times(some.size());
  std::uint64_t steps = 0;
  for (std::size_t i = 0; i < plans.size() && (i < least_simulated || steps < most_steps); ++i) {
    const Result<Cast> cast = make_cast(some[plans[i].begin].candidate.plan, model);
    if (!cast) return cast.error();
    for (std::size_t place = plans[i].begin; place < plans[i].end; ++place) {
      const Result<std::int64_t> time =
          simulated_time(cast.value(), some[place].candidate, model, bytes, steps);
      if (!time) return time.error();
      times[place] = time.value();
    }
  }
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < some.size(); ++i) {
    if (times[i]) predictions.push_back({some[i].candidate, *times[i]});
  }
  return predictions;
}

Result<std::vector<Prediction>> predictions_of(const std::vector<Candidate>& all,
                                               std::uint64_t bytes, const CostModel& model,
                                               Estimates& estimates) {
  if (!is_simulated(model.ranks)) return estimates.of(all, bytes, HUGE_VAL);
  std::vector<Prediction> some;
  for (const Candidate& candidate : all) some.push_back({candidate});
  return simulate_some(some, model, bytes, UINT64_MAX);
}

// Those worth simulating.
void keep_the_shortest(std::vector<Prediction>& estimated) {
  std::vector<std::int64_t> times;
  for (const Prediction& one : estimated) times.push_back(one.picoseconds);
  std::sort(times.begin(), times.end());
  const std::int64_t most = times[std::min(most_simulated, times.size()) - 1];
  const double limit =
      std::min(static_cast<double>(most), not_worth_while * static_cast<double>(times[0]));
  std::erase_if(estimated, [limit](const Prediction& one) {
    return static_cast<double>(one.picoseconds) > limit;
  });
}

}  // namespace

Result<std::vector<Prediction>> predictions_on(const Site& site, const CostModel& model,
                                               const std::vector<Candidate>& all,
                                               std::uint64_t bytes) {
  Estimates estimates(site, model);
  return predictions_of(all, bytes, model, estimates);
}

Result<std::vector<Prediction>> Planner::predict(Collective collective, std::uint64_t bytes,
                                                 const Pins& pins) {
  const std::vector<Candidate> all = candidates(site_, collective, bytes, pins);
  Result<std::vector<Prediction>> predictions = predictions_of(all, bytes);
  if (predictions) rank(predictions.value(), *model_);
  return predictions;
}

Result<std::vector<Prediction>> Planner::predictions_of(const std::vector<Candidate>& all,
                                                        std::uint64_t bytes) {
  if (predictor_) return predictor_(all, bytes);
  return rondo::predictions_of(all, bytes, *model_, estimates_);
}

// Of those that the closed form finds worth while; above so many ranks, as that says.
Result<std::vector<Prediction>> Planner::predict_few(const std::vector<Candidate>& all,
                                                     std::uint64_t bytes) {
  if (predictor_) return predictor_(all, bytes);
  const bool will_simulate = is_simulated(site_.ranks);
  if (will_simulate && all.size() < 2) return predictions_of(all, bytes);
  Result<std::vector<Prediction>> estimated =
      estimates_.of(all, bytes, will_simulate ? not_worth_while : as_fast);
  if (!estimated || !will_simulate || estimated.value().empty()) return estimated;
  keep_the_shortest(estimated.value());
  return simulate_some(estimated.value(), *model_, bytes, most_simulated_steps);
}

// What may decide, the strongest first; the last one always can.
std::vector<Planner::Pinned> Planner::asked_for(Collective collective, std::uint64_t bytes) const {
  const Pins nothing{.radix = wishes_.radix, .tile_bytes = wishes_.tile_bytes};
  std::vector<Pinned> found;
  const Algorithm own = wishes_.algorithms[static_cast<std::size_t>(collective)];
  if (own != Algorithm::automatic) {
    Pinned wish{nothing, Cause::wish, 0,
                concat("the wish for ", name(own), " in ", name(collective)), true};
    wish.pins.algorithm = own;
    found.push_back(wish);
  }
  if (wishes_.algorithm != Algorithm::automatic) {
    found.push_back({nothing, Cause::wish, 0, concat("the wish for ", name(wishes_.algorithm))});
    found.back().pins.algorithm = wishes_.algorithm;
  }
  // A line for this number of ranks is meant more than one for any; else the first line counts.
  for (const bool is_for_these_ranks : {true, false}) {
    for (const Rule& rule : wishes_.rules) {
      if (!rule.covers(collective, site_.ranks, bytes)) continue;
      if (rule.ranks.has_value() != is_for_these_ranks) continue;
      Pinned pinned{rule.pins, Cause::rule, rule.line,
                    concat("line ", rule.line, " of the plan file (", to_text(rule), ")"), true};
      if (wishes_.radix && !pinned.pins.radix) pinned.pins.radix = wishes_.radix;
      if (wishes_.tile_bytes) pinned.pins.tile_bytes = wishes_.tile_bytes;
      found.push_back(std::move(pinned));
    }
  }
  found.push_back({nothing, Cause::fastest, 0, ""});
  return found;
}

// What was asked for, why it cannot be had, and what there is instead.
std::string Planner::refusal_of(const Pinned& pinned, Collective collective) const {
  const Algorithm algorithm = pinned.pins.algorithm;
  std::string why = concat("among ", site_.ranks, " ranks here");
  if (algorithm != Algorithm::automatic && !is_supported(algorithm, collective)) {
    why = concat("since ", name(collective), " has no ", name(algorithm));
  } else if (has_groups(algorithm) && !site_.has_groups) {
    why = concat("since all ", site_.ranks, " ranks are on one host");
  }
  return concat(pinned.about, " cannot be granted ", why, "; the planner chooses");
}

Result<Choice> Planner::decide(Collective collective, std::uint64_t bytes) {
  std::string passed_over;
  for (const Pinned& pinned : asked_for(collective, bytes)) {
    Result<std::vector<Prediction>> predictions =
        predict_few(candidates(site_, collective, bytes, pinned.pins), bytes);
    if (!predictions) return predictions.error();
    const Cause cause = rank(predictions.value(), *model_);
    if (predictions.value().empty()) {
      passed_over += concat(passed_over.empty() ? "" : "; ", pinned.about);
      // A wish for all collectives is meant for those that have the algorithm.
      const bool is_meant = pinned.pins.algorithm == Algorithm::automatic ||
                            is_supported(pinned.pins.algorithm, collective);
      if (is_meant || pinned.is_for_one) note(refusal_of(pinned, collective));
      continue;
    }
    const Prediction& best = predictions.value().front();
    const Prediction& fastest =
        *std::min_element(predictions.value().begin(), predictions.value().end(), takes_less_time);
    Choice choice{.plan = best.candidate.plan,
                  .tile_bytes = best.candidate.tile_bytes,
                  .cause = is_planned(pinned.cause) ? cause : pinned.cause,
                  .rule_line = pinned.rule_line,
                  .passed_over = std::move(passed_over),
                  .picoseconds = best.picoseconds,
                  .fastest = fastest};
    choice.hash = plan_hash(choice.plan, choice.tile_bytes);
    return choice;
  }
  return Error(ErrorCode::unsupported, concat("there is no algorithm for ", name(collective)));
}

Result<const Choice*> Planner::choose(Collective collective, std::uint64_t bytes) {
  Table& table = *tables_[static_cast<std::size_t>(collective)];
  const int size_class = SizeClass::of(bytes);
  std::unique_ptr<const Choice>& place = table[static_cast<std::size_t>(size_class)];
  if (!place) {
    Result<Choice> decided = decide(collective, SizeClass::first_of(size_class));
    if (!decided) return decided.error();
    place = std::make_unique<const Choice>(std::move(decided).value());
  }
  return place.get();
}

Result<std::vector<Planner::Range>> Planner::ranges(Collective collective, std::uint64_t most) {
  const int last = collective == Collective::barrier ? 0 : SizeClass::of(most);
  std::vector<Range> found;
  const auto same = [](const Choice& a, const Choice& b) {
    const bool same_cause = a.cause == b.cause || (is_planned(a.cause) && is_planned(b.cause));
    return same_cause && a.candidate() == b.candidate() && a.rule_line == b.rule_line;
  };
  for (int next = 0; next <= last;) {
    const Result<const Choice*> choice = choose(collective, SizeClass::first_of(next));
    if (!choice) return choice.error();
    if (found.empty() || !same(*found.back().choice, *choice.value())) {
      const std::uint64_t from = SizeClass::first_of(next);
      if (!found.empty()) found.back().to = from;
      found.push_back({from, Rule::no_end, choice.value()});
    }
    // A doubling at once, unless its ends differ.
    int step = next < 4 ? 1 : std::min(4, std::max(last - next, 1));
    if (step > 1) {
      const Result<const Choice*> end = choose(collective, SizeClass::first_of(next + step));
      if (!end) return end.error();
      if (!same(*end.value(), *choice.value())) step = 1;
    }
    next += step;
  }
  return found;
}

void Planner::note(std::string text) {
  if (std::find(noted_.begin(), noted_.end(), text) != noted_.end()) return;
  noted_.push_back(text);
  notes_.push_back(std::move(text));
}

std::vector<std::string> Planner::take_notes() {
  return std::exchange(notes_, {});
}

std::uint64_t plan_hash(const Plan& plan, std::size_t tile_bytes) {
  const std::array<std::uint64_t, 5> parts = {
      static_cast<std::uint64_t>(plan.algorithm), static_cast<std::uint64_t>(plan.ranks),
      static_cast<std::uint64_t>(plan.radix), static_cast<std::uint64_t>(plan.channels),
      tile_bytes};
  std::uint64_t hash = fnv1a(std::as_bytes(std::span(parts)));
  if (!plan.arrangement || plan.arrangement->is_plain()) return hash;
  const Arrangement& arrangement = *plan.arrangement;
  hash = fnv1a(std::as_bytes(arrangement.order()), hash);
  for (int group = 0; group < arrangement.groups(); ++group) {
    const int begin = arrangement.begin_of(group);
    hash = fnv1a(std::as_bytes(std::span(&begin, 1)), hash);
  }
  return fnv1a(std::as_bytes(arrangement.weights()), hash);
}

}  // namespace rondo
