#include "plan/explain.hpp"

#include <algorithm>
#include <array>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"
#include "base/units.hpp"
#include "plan/uneven.hpp"

namespace rondo {

namespace {

constexpr int most_drawn_ranks = 16;
constexpr std::size_t usual_plan_column = 50;
// Beyond, a table of sizes has nothing new to tell.
constexpr std::uint64_t most_bytes = std::uint64_t{256} << 20;

std::string percent_text(double factor) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(factor < 1.1 ? 1 : 0) << (factor - 1) * 100 << " %";
  return out.str();
}

enum class Part : std::uint8_t { messages, wires, processors };

CostModel without(CostModel model, Part part) {
  for (LinkCost& link : model.links) {
    if (part == Part::messages) link.latency_s = link.overhead_s = 0;
    if (part == Part::wires) link.byte_s = 0;
    if (part == Part::processors) link.overhead_byte_s = 0;
  }
  if (part == Part::wires) model.port_byte_s.clear();
  if (part == Part::messages) model.switch_s = 0;
  if (part == Part::processors) model.reduce_byte_s = model.copy_byte_s = 0;
  return model;
}

// What the time of each would shrink most without.
std::vector<std::string_view> dominances(const Planner& planner,
                                         const std::vector<Prediction>& predictions,
                                         std::uint64_t bytes) {
  constexpr std::array<std::string_view, 3> words = {"latency", "bandwidth", "processors"};
  std::vector<std::string_view> most(predictions.size(), "nothing");
  std::vector<Candidate> candidates;
  std::vector<std::int64_t> least;
  for (const Prediction& one : predictions) {
    candidates.push_back(one.candidate);
    least.push_back(one.picoseconds);
  }
  for (std::size_t part = 0; part < words.size(); ++part) {
    const CostModel model = without(planner.model(), static_cast<Part>(part));
    const auto rest = predictions_on(planner.site(), model, candidates, bytes);
    if (!rest) continue;
    for (std::size_t i = 0; i < most.size(); ++i) {
      if (rest.value()[i].picoseconds >= least[i]) continue;
      least[i] = rest.value()[i].picoseconds;
      most[i] = words[part];
    }
  }
  return most;
}

// Of each plan the fastest tiles only, and what was chosen.
std::vector<Prediction> best_of_plans(const std::vector<Prediction>& all, const Candidate& chosen) {
  std::vector<Prediction> best;
  for (const Prediction& one : all) {
    const bool seen = std::any_of(best.begin(), best.end(), [&](const Prediction& other) {
      return other.candidate.plan == one.candidate.plan;
    });
    if (!seen || one.candidate == chosen) best.push_back(one);
  }
  return best;
}

double ratio(std::int64_t one, std::int64_t other) {
  return static_cast<double>(one) / static_cast<double>(std::max<std::int64_t>(other, 1));
}

std::string longer_than(std::int64_t one, std::int64_t other) {
  return percent_text(ratio(one, other));
}

// "30 % longer", "2.5 times as long".
std::string how_long(std::int64_t one, std::int64_t other) {
  const double times = ratio(one, other);
  if (times < 2) return percent_text(times) + " longer";
  std::ostringstream out;
  out << std::fixed << std::setprecision(times < 10 ? 1 : 0) << times << " times as long";
  return out.str();
}

// Why the planner, which was free to choose, did so.
std::string merit(const Choice& choice) {
  switch (choice.cause) {
    case Cause::simplest:
      return concat("it is as fast as ", describe(choice.fastest.candidate), " within ",
                    longer_than(choice.picoseconds, choice.fastest.picoseconds), ", and simpler");
    case Cause::few_streams:
      return concat("in it ranks receive from fewer ranks of other hosts than in ",
                    describe(choice.fastest.candidate), ", which is predicted to be ",
                    longer_than(choice.picoseconds, choice.fastest.picoseconds), " faster");
    default:
      return "it is predicted to be the fastest";
  }
}

// What comes first among all candidates at this very size is not what was chosen: all sizes of a
// class have the choice for the smallest one, and not all candidates are simulated for a choice.
std::string class_reason(const Prediction& first, const Choice& choice, std::uint64_t bytes) {
  const int size_class = SizeClass::of(bytes);
  if (bytes != SizeClass::first_of(size_class)) {
    return concat("sizes from ", bytes_text(SizeClass::first_of(size_class)), " to before ",
                  bytes_text(SizeClass::first_of(size_class + 1)),
                  " are treated alike, and for the first of them ", merit(choice),
                  "; at this very size it is ", describe(first.candidate));
  }
  const bool faster = first.picoseconds < choice.picoseconds;
  return concat("of those that the closed form leaves, ", merit(choice), "; ",
                describe(first.candidate), ", which it takes for slower, is simulated to be ",
                faster ? "faster" : "as good");
}

// What is chosen, and from what.
struct Answer {
  Choice choice;
  std::vector<Prediction> all;
  bool straight = false;  // since blocks differ in length, against what was planned
};

// What was asked for need not be a candidate.
Result<> add(const Candidate& chosen, Planner& planner, const Question& question,
             std::vector<Prediction>& all) {
  const bool is_there = std::any_of(all.begin(), all.end(),
                                    [&](const Prediction& one) { return one.candidate == chosen; });
  if (is_there) return {};
  const auto prediction = planner.predictions_of({chosen}, question.bytes);
  if (!prediction) return prediction.error();
  all.push_back(prediction.value().front());
  return {};
}

Result<Answer> answer(Planner& planner, const Question& question) {
  const Result<const Choice*> planned = planner.choose(question.collective, question.bytes);
  if (!planned) return planned.error();
  Result<std::vector<Prediction>> all = planner.predict(question.collective, question.bytes);
  if (!all) return all.error();
  if (!question.uneven) {
    if (Result<> added = add(planned.value()->candidate(), planner, question, all.value());
        !added) {
      return added.error();
    }
    return Answer{*planned.value(), std::move(all).value(), false};
  }
  Result<Choice> choice = choose_uneven(planner, question.collective, question.bytes);
  if (!choice) return choice.error();
  std::erase_if(all.value(), [&](const Prediction& one) {
    const bool tiled = one.candidate.tile_bytes > 0 && !all_know_lengths(question.collective);
    return tiled || !is_supported_uneven(one.candidate.plan.algorithm, question.collective);
  });
  const bool straight = !(choice.value().plan == planned.value()->plan);
  return Answer{std::move(choice).value(), std::move(all).value(), straight};
}

std::string reason(const Answer& answer, std::uint64_t bytes) {
  const Choice& choice = answer.choice;
  const std::vector<Prediction>& all = answer.all;
  if (answer.straight) {
    return "blocks of different lengths go straight to where they belong";
  }
  if (choice.cause == Cause::rule) {
    return concat("line ", choice.rule_line, " of the plan file says so");
  }
  if (all.empty()) return "nothing else can be had";
  const Prediction& best = all.front();
  if (choice.cause == Cause::wish) {
    std::string text = "it was asked for";
    if (!(best.candidate.plan == choice.plan)) {
      text += concat("; ", describe(best.candidate), " is predicted to be the fastest");
    }
    return text;
  }
  const std::vector<Prediction> plans = best_of_plans(all, choice.candidate());
  if (plans.size() < 2) return "it is the only candidate";
  if (!(best.candidate.plan == choice.plan)) return class_reason(best, choice, bytes);
  std::string text = concat("of ", all.size(), " candidates ", merit(choice));
  if (choice.cause != Cause::fastest) return text;
  if (plans[1].picoseconds <= best.picoseconds) return text + ", with others, and the simplest";
  return text + concat(", the next takes ", how_long(plans[1].picoseconds, best.picoseconds));
}

// Plans in words, and how wide their column is.
struct PlanColumn {
  std::vector<std::string> plans;
  std::size_t width = usual_plan_column;

  void add(const Candidate& candidate) {
    plans.push_back(describe(candidate));
    width = std::max(width, width_of(plans.back()) + 2);
  }
  std::string cell(std::size_t row) const { return padded(plans[row], width); }
};

std::string candidates_text(const Planner& planner, const Choice& choice,
                            const std::vector<Prediction>& all, std::uint64_t bytes) {
  const std::vector<Prediction> best = best_of_plans(all, choice.candidate());
  const bool has_parts = planner.tells_messages();
  const std::vector<std::string_view> mostly =
      has_parts ? dominances(planner, best, bytes) : std::vector<std::string_view>(best.size());
  PlanColumn column;
  for (const Prediction& one : best) column.add(one.candidate);
  const auto line = [&](const std::string& begin, const std::string& time, std::string_view part) {
    return concat(begin, has_parts ? padded(time, 12) : time, part, "\n");
  };
  std::string text =
      line(concat("  ", padded("candidate", column.width)), "predicted", has_parts ? "mostly" : "");
  for (std::size_t row = 0; row < best.size(); ++row) {
    const Prediction& one = best[row];
    const bool chosen = one.candidate == choice.candidate();
    text += line(concat(chosen ? "* " : "  ", column.cell(row)), seconds_text(one.seconds()),
                 mostly[row]);
  }
  if (!is_simulated(planner.ranks())) {
    text += "\nEstimated in closed form: so many ranks are not simulated.\n";
  }
  return text;
}

std::string bounds_text(const Planner::Range& range) {
  return concat(bytes_text(range.from), " ..",
                range.to == Rule::no_end ? "" : concat(" ", bytes_text(range.to)));
}

std::string candidate_json(const Candidate& candidate, std::int64_t picoseconds) {
  const Plan& plan = candidate.plan;
  std::ostringstream out;
  out << "{\"algorithm\":\"" << name(plan.algorithm) << "\",\"radix\":" << plan.radix
      << ",\"channels\":" << plan.channels << ",\"order\":\"" << name(order_of(plan))
      << "\",\"tile_bytes\":" << candidate.tile_bytes << ",\"predicted_s\":" << std::setprecision(9)
      << static_cast<double>(picoseconds) * 1e-12 << "}";
  return out.str();
}

std::string_view word_of(Cause cause) {
  constexpr std::array<std::string_view, 5> words = {"fastest", "simplest", "few_streams", "wish",
                                                     "rule"};
  return words[static_cast<std::size_t>(cause)];
}

// A line for each range of sizes, under a line of what they say where that is asked for.
Result<std::string> ranges_table(Planner& planner, Collective collective, bool headed) {
  const Result<std::vector<Planner::Range>> ranges = planner.ranges(collective, most_bytes);
  if (!ranges) return ranges.error();
  PlanColumn column;
  for (const Planner::Range& range : ranges.value()) column.add(range.choice->candidate());
  std::string text;
  if (headed) {
    text = concat("  ", padded("sizes", 22), padded("plan", column.width),
                  "predicted for the first\n");
  }
  for (std::size_t row = 0; row < ranges.value().size(); ++row) {
    const Planner::Range& range = ranges.value()[row];
    const Choice& choice = *range.choice;
    text += concat("  ", padded(bounds_text(range), 22), column.cell(row),
                   padded(seconds_text(static_cast<double>(choice.picoseconds) * 1e-12), 12),
                   is_planned(choice.cause) ? "" : word_of(choice.cause));
    while (text.back() == ' ') text.pop_back();
    text += "\n";
  }
  return text;
}

Result<std::string> drawing_of(const Plan& plan) {
  if (plan.ranks > most_drawn_ranks) return std::string();
  const Result<Schedule> schedule = make_schedule(plan);
  if (!schedule) return schedule.error();
  return draw_text(schedule.value());
}

}  // namespace

Result<std::string> ranges_text(Planner& planner, Collective collective) {
  return ranges_table(planner, collective, false);
}

Result<std::string> ranges_json(Planner& planner, Collective collective) {
  const Result<std::vector<Planner::Range>> ranges = planner.ranges(collective, most_bytes);
  if (!ranges) return ranges.error();
  std::string text;
  for (const Planner::Range& range : ranges.value()) {
    text += concat(text.empty() ? "[" : ",", "{\"from\":", range.from);
    if (range.to != Rule::no_end) text += concat(",\"to\":", range.to);
    text += concat(",\"because\":\"", word_of(range.choice->cause), "\",\"plan\":",
                   candidate_json(range.choice->candidate(), range.choice->picoseconds), "}");
  }
  return text + "]";
}

Result<std::string> explain(Planner& planner, const Question& question) {
  const Result<Answer> answered = answer(planner, question);
  if (!answered) return answered.error();
  const Choice& choice = answered.value().choice;
  const Result<std::string> drawing = drawing_of(choice.plan);
  if (!drawing) return drawing.error();
  std::string text = concat(question.about, ": ", describe(choice.candidate()),
                            "\nbecause: ", reason(answered.value(), question.bytes), "\n");
  if (!question.costs.empty()) text += concat("costs: ", question.costs, "\n");
  if (!choice.passed_over.empty()) {
    text += concat("passed over, since it cannot be had here: ", choice.passed_over, "\n");
  }
  text += concat("\n", candidates_text(planner, choice, answered.value().all, question.bytes));
  if (question.uneven) {
    text += "\nPredicted for blocks of equal lengths.\n";
  } else {
    const Result<std::string> ranges = ranges_table(planner, question.collective, true);
    if (!ranges) return ranges.error();
    text += concat("\n", ranges.value());
  }
  if (!drawing.value().empty()) text += concat("\n", drawing.value());
  return text;
}

Result<std::string> explain_json(Planner& planner, const Question& question) {
  const Result<Answer> answered = answer(planner, question);
  if (!answered) return answered.error();
  const Choice& choice = answered.value().choice;
  const Result<std::string> ranges =
      question.uneven ? std::string("[]") : ranges_json(planner, question.collective);
  if (!ranges) return ranges.error();
  std::string text = concat(
      "{\"collective\":\"", name(question.collective), question.uneven ? "v" : "",
      "\",\"ranks\":", planner.ranks(), ",\"bytes\":", question.bytes,
      ",\"costs\":", json_text(question.costs),
      ",\"plan\":", candidate_json(choice.candidate(), choice.picoseconds), ",\"because\":\"",
      word_of(choice.cause), "\",\"passed_over\":", choice.passed_over.empty() ? "false" : "true",
      ",\"simulated\":", is_simulated(planner.ranks()) ? "true" : "false", ",\"candidates\":[");
  bool first = true;
  for (const Prediction& one : answered.value().all) {
    text += concat(first ? "" : ",", candidate_json(one.candidate, one.picoseconds));
    first = false;
  }
  return concat(text, "],\"ranges\":", ranges.value(), "}\n");
}

}  // namespace rondo
