#include "plan/rules.hpp"

#include "base/text.hpp"
#include "base/units.hpp"
#include "base/words.hpp"
#include "schedule/text.hpp"

namespace rondo {

namespace {

class RuleLine : public Words {
 public:
  using Words::Words;

  Rule take_rule() {
    Rule rule;
    take_collective(rule);
    take_range(rule);
    take_algorithm(rule);
    while (!failed() && !empty()) take_setting(rule);
    return rule;
  }

 private:
  void take_collective(Rule& rule) {
    const std::optional<Collective> collective = parse_collective(word());
    if (!collective) return expected("a collective such as allreduce");
    rule.collective = *collective;
    advance();
  }

  void take_range(Rule& rule) {
    if (failed()) return;
    const std::size_t dots = word().find("..");
    const auto bound = [](std::string_view text, std::uint64_t open) {
      return text.empty() ? open : parse_bytes(text);
    };
    constexpr std::string_view what = "sizes such as 0..32KiB, 32KiB.. or ..";
    if (dots == std::string_view::npos) return expected(what);
    const auto from = bound(word().substr(0, dots), 0);
    const auto to = bound(word().substr(dots + 2), Rule::no_end);
    if (!from || !to) return expected(what);
    if (*from >= *to) return fail(concat("there are no sizes in ", quoted(word())));
    rule.from = *from;
    rule.to = *to;
    advance();
  }

  void take_algorithm(Rule& rule) {
    if (failed()) return;
    const std::optional<Algorithm> algorithm = parse_algorithm(word());
    if (!algorithm || *algorithm == Algorithm::automatic) {
      return expected(concat("one of ", algorithm_names(rule.collective)));
    }
    if (!is_supported(*algorithm, rule.collective)) {
      return fail(concat("there is no ", name(*algorithm), " ", name(rule.collective), "; it has ",
                         algorithm_names(rule.collective)));
    }
    rule.pins.algorithm = *algorithm;
    advance();
  }

  void take_setting(Rule& rule) {
    if (take("radix")) {
      if (rule.pins.algorithm != Algorithm::knomial) {
        return fail(concat("only knomial has a radix, not ", name(rule.pins.algorithm)));
      }
      rule.pins.radix = take_number(2, max_radix);
    } else if (take("channels")) {
      rule.pins.channels = take_number(1, max_channels);
    } else if (take("ranks")) {
      rule.ranks = take_number(1, max_ranks);
    } else if (take("order")) {
      rule.pins.order = parse_order(word());
      if (!rule.pins.order) return expected("ranks, near or weighted");
      advance();
    } else if (take("tile")) {
      const std::optional<std::uint64_t> bytes = parse_bytes(word());
      if (!bytes) return expected("a size such as 256KiB, or 0 for whole segments");
      rule.pins.tile_bytes = static_cast<std::size_t>(*bytes);
      advance();
    } else {
      expected("radix, channels, order, tile, ranks or the end of the line");
    }
  }

  int take_number(int least, int most) {
    const std::optional<int> number = number_in<int>(word());
    if (!number || *number < least || *number > most) {
      expected(concat("a number from ", least, " to ", most));
      return least;
    }
    advance();
    return *number;
  }
};

bool overlap(const Rule& a, const Rule& b) {
  if (a.collective != b.collective || (a.ranks && b.ranks && *a.ranks != *b.ranks)) return false;
  if (a.ranks.has_value() != b.ranks.has_value()) return false;
  return a.from < b.to && b.from < a.to;
}

std::string size_word(std::uint64_t bytes) {
  std::string text;
  for (const char c : bytes_text(bytes)) {
    if (c != ' ') text += c;
  }
  return text;
}

}  // namespace

Result<std::vector<Rule>> parse_rules(std::string_view text) {
  std::vector<Rule> rules;
  std::string wrong = first_wrong_line<RuleLine>(text, [&](RuleLine& line, std::size_t number) {
    Rule rule = line.take_rule();
    rule.line = static_cast<int>(number);
    for (const Rule& other : rules) {
      if (line.failed() || !overlap(rule, other)) continue;
      line.fail(concat("line ", other.line, " is about some of these sizes already"));
    }
    rules.push_back(rule);
  });
  if (!wrong.empty()) return Error(ErrorCode::invalid_argument, std::move(wrong));
  return rules;
}

std::string to_text(const Rule& rule) {
  const Pins& pins = rule.pins;
  std::string text =
      concat(name(rule.collective), " ", size_word(rule.from), "..",
             rule.to == Rule::no_end ? "" : size_word(rule.to), " ", name(pins.algorithm));
  if (pins.radix) text += concat(" radix ", *pins.radix);
  if (pins.channels) text += concat(" channels ", *pins.channels);
  if (pins.order) text += concat(" order ", name(*pins.order));
  if (pins.tile_bytes) text += concat(" tile ", size_word(*pins.tile_bytes));
  if (rule.ranks) text += concat(" ranks ", *rule.ranks);
  return text;
}

Pins pins_of(const Candidate& candidate) {
  Pins pins{.algorithm = candidate.plan.algorithm, .tile_bytes = candidate.tile_bytes};
  if (candidate.plan.algorithm == Algorithm::knomial) pins.radix = candidate.plan.radix;
  if (candidate.plan.channels > 1) pins.channels = candidate.plan.channels;
  if (candidate.plan.arrangement) pins.order = order_of(candidate.plan);
  return pins;
}

}  // namespace rondo
