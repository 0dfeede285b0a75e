#include "cli/arguments.hpp"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <iostream>
#include <iterator>

#include "api/text_file.hpp"
#include "base/text.hpp"
#include "cli/algorithms.hpp"
#include "cli/machines.hpp"
#include "schedule/generators.hpp"

namespace rondo::cli {

namespace {

// More than anybody draws or reads, and little enough for any machine.
constexpr std::uint64_t most_direct_ranks = 4096;

// Schedules of all pairs and rings grow with the square of the ranks.
Result<> check_size(const Plan& plan) {
  const bool tree =
      plan.algorithm == Algorithm::double_tree || plan.algorithm == Algorithm::knomial;
  if (tree || static_cast<std::uint64_t>(plan.ranks) <= most_direct_ranks) return {};
  return Error(ErrorCode::unsupported,
               concat("the programs of all ranks of a ", name(plan.algorithm),
                      " are made for up to ", most_direct_ranks, " ranks here, not ", plan.ranks));
}

// Gives the algorithms with groups the hosts for them.
Result<> put_on_hosts(Plan& plan, TwoLevel hosts) {
  if (!has_groups(plan.algorithm)) return {};
  hosts.ranks = plan.ranks;
  const Result<CostModel> model = make_cost_model(hosts);
  if (!model) return model.error();
  const PlanMaker plans(hosts_of(plan.ranks, hosts.ranks_per_host), model.value());
  const Plan made = plans.make(plan.algorithm, plan.collective, plan.radix);
  plan.arrangement = made.arrangement;
  plan.channels = made.channels;
  if (hosts.ranks_per_host == everybody) {
    std::cerr << "rondo: all ranks of this " << name(plan.algorithm)
              << " are on one host; --per-host K makes hosts of K ranks\n";
  }
  return {};
}

}  // namespace

std::size_t count_own_words(std::span<char* const> args,
                            std::initializer_list<std::string_view> with_values) {
  bool is_value = false;
  std::size_t count = 0;
  for (; count < args.size(); ++count) {
    const std::string_view word = args[count];
    if (word == "--" || (!is_value && !word.starts_with('-'))) break;
    is_value =
        !is_value && std::find(with_values.begin(), with_values.end(), word) != with_values.end();
  }
  return count;
}

bool Arguments::flag(std::string_view name) {
  return std::erase(words_, std::string(name)) > 0;
}

std::optional<std::string> Arguments::value(std::string_view name) {
  const std::string assignment = concat(name, "=");
  for (auto word = words_.begin(); word != words_.end(); ++word) {
    if (word->starts_with(assignment)) {
      const std::string value = word->substr(assignment.size());
      words_.erase(word);
      return value;
    }
    if (*word != name) continue;
    if (word + 1 == words_.end()) throw UsageError(concat("option ", name, " needs a value"));
    const std::string value = *(word + 1);
    words_.erase(word, word + 2);
    return value;
  }
  return std::nullopt;
}

int Arguments::number(std::string_view name, int otherwise, int low, int high) {
  const std::optional<std::string> text = value(name);
  return text ? parse_number(concat("option ", name), *text, low, high) : otherwise;
}

std::optional<std::string> Arguments::word() {
  const auto word = std::find_if(words_.begin(), words_.end(), [](const std::string& w) {
    return w == "-" || !w.starts_with("-");
  });
  if (word == words_.end()) return std::nullopt;
  const std::string found = *word;
  words_.erase(word);
  return found;
}

void Arguments::finish() const {
  if (words_.empty()) return;
  const bool option = words_.front().starts_with("-");
  throw UsageError(
      concat(option ? "unknown option '" : "unexpected argument '", words_.front(), "'"));
}

int parse_number(std::string_view what, std::string_view text, int low, int high) {
  int value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < low || value > high) {
    throw UsageError(concat(what, " is a number from ", low, " to ", high, ", not '", text, "'"));
  }
  return value;
}

std::string read_file(const std::string& path) {
  if (path == "-") return std::string(std::istreambuf_iterator<char>(std::cin), {});
  Result<std::string> text = read_text_file(path);
  if (!text) throw text.error().with_prefix(concat("cannot read ", path, ": "));
  return std::move(text).value();
}

Result<Schedule> read_schedule(const std::string& path) {
  Result<Schedule> schedule = parse_schedule(read_file(path));
  if (!schedule && path != "-") return schedule.error().with_prefix(concat(path, ": "));
  return schedule;
}

Result<Schedule> take_schedule(Arguments& arguments, TwoLevel hosts) {
  Plan plan;
  plan.root = arguments.number("--root", 0, 0, max_ranks);
  plan.radix = arguments.number("--radix", 2, 2, max_radix);
  std::vector<std::string> words;
  while (std::optional<std::string> word = arguments.word()) words.push_back(std::move(*word));
  arguments.finish();
  if (words.size() == 1) return read_schedule(words[0]);
  if (words.size() != 3) {
    throw UsageError("expected FILE or ALGORITHM COLLECTIVE RANKS");
  }
  if (parse_collective(words[0])) std::swap(words[0], words[1]);  // either order reads well
  plan.algorithm = parse_known_algorithm(words[0]);
  plan.collective = parse_known_collective(words[1]);
  require_supported(plan.algorithm, plan.collective);
  plan.ranks = parse_number("the number of ranks", words[2], 1, max_ranks);
  if (Result<> size = check_size(plan); !size) return size.error();
  if (Result<> done = put_on_hosts(plan, hosts); !done) return done.error();
  return make_schedule(plan);
}

void write_file(const std::string& path, const std::string& text) {
  if (path == "-") {
    std::cout << text;
    return;
  }
  std::ofstream file(path);
  file << text;
  file.close();
  if (!file) throw Error(ErrorCode::io, concat("cannot write ", path));
}

}  // namespace rondo::cli
