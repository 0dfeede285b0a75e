// `rondo verify`: every generator for every number of ranks, or one schedule from a file.

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <iomanip>
#include <iostream>
#include <mutex>
#include <set>
#include <sstream>
#include <thread>

#include "base/text.hpp"
#include "check/arranged.hpp"
#include "check/theory.hpp"
#include "cli/algorithms.hpp"
#include "cli/arguments.hpp"
#include "cli/verbs.hpp"
#include "schedule/text.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo verify [--max-ranks N] [--algorithm A] [--collective C] [--threads T] [--json]\n"
    "       rondo verify FILE [--json]\n"
    "\n"
    "Proves for each generator and 1 to N ranks that every output holds each contribution exactly\n"
    "once, in place and out of place, with the same bits on all ranks; that nothing deadlocks, "
    "even\n"
    "without any buffering; that no two unordered steps touch the same memory; and that links,\n"
    "rounds and bytes are those of theory. With a FILE ('-': standard input): the same for that\n"
    "schedule text.\n"
    "\n"
    "  --max-ranks N   default 64. All roots up to 16 ranks, above that 0, 1, the middle, the "
    "last\n"
    "  --threads T     default 2\n"
    "  --json          one object a line\n";

constexpr const char* meaning =
    "\n"
    "Rounds and bytes sent (by the busiest rank; n: bytes of the vector) are those of the largest\n"
    "number of ranks; where there are groups, H of up to L ranks, with S stripes. Orders: in how\n"
    "many orders the segments are summed.\n"
    "Exit code 0: all correct; 1: something is not.\n";

std::string help_text() {
  return help + algorithms_help("  --algorithm A", 18) + collectives_help("  --collective C", 18) +
         meaning;
}

constexpr int all_roots_up_to = 16;
constexpr int most_ranks = 1024;

struct Row {
  Algorithm algorithm = Algorithm::ring;
  Collective collective = Collective::allreduce;
  int ranks = 0;
  std::uint64_t schedules = 0;
  std::uint64_t steps = 0;
  double seconds = 0;
  Proof largest = {};  // of the largest number of ranks
  std::optional<Error> error = {};
};

std::vector<Plan> plans_of(const Row& row, int ranks) {
  const bool rooted = is_rooted(row.collective);
  std::set<int> roots = {0};
  if (rooted && ranks > all_roots_up_to) roots = {0, 1, ranks / 2, ranks - 1};
  if (rooted && ranks <= all_roots_up_to) {
    for (int root = 1; root < ranks; ++root) roots.insert(root);
  }
  std::vector<int> radices = {2};
  if (row.algorithm == Algorithm::knomial) radices = {8, 5, 4, 3, 2};
  std::vector<Plan> plans;
  for (const int radix : radices) {
    for (const int root : roots)
      plans.push_back({row.algorithm, row.collective, ranks, root, radix});
  }
  for (const int root : roots) {
    for (Plan& plan : arranged_plans(row.algorithm, row.collective, ranks, root)) {
      plans.push_back(std::move(plan));
    }
  }
  return plans;
}

// Shares out (row, number of ranks), large ones first, over threads.
class Sweep {
 public:
  Sweep(std::vector<Row> rows, int max_ranks) : rows_(std::move(rows)), max_ranks_(max_ranks) {}

  std::vector<Row> run(int threads) {
    std::vector<std::jthread> workers;
    for (int i = 0; i < threads; ++i) workers.emplace_back([this] { work(); });
    workers.clear();
    if (progress_) std::cerr << "\r\033[K";
    return std::move(rows_);
  }

 private:
  void work() {
    const int jobs = static_cast<int>(rows_.size()) * max_ranks_;
    for (int job = next_++; job < jobs; job = next_++) {
      Row& row = rows_[static_cast<std::size_t>(job) % rows_.size()];
      const int ranks = max_ranks_ - job / static_cast<int>(rows_.size());
      for (const Plan& plan : plans_of(row, ranks)) prove(row, plan);
      if (progress_) {
        const std::lock_guard lock(mutex_);
        std::cerr << "\r" << 100 * std::int64_t{job} / jobs << " %" << std::flush;
      }
    }
  }

  void prove(Row& row, const Plan& plan) {
    const auto begin = std::chrono::steady_clock::now();
    const Result<Schedule> schedule = make_schedule(plan);
    const Result<Proof> proof =
        schedule ? verify(schedule.value()) : Result<Proof>(schedule.error());
    const std::chrono::duration<double> took = std::chrono::steady_clock::now() - begin;
    const std::lock_guard lock(mutex_);
    ++row.schedules;
    row.seconds += took.count();
    if (proof) {
      row.steps += proof.value().steps;
      if (plan.ranks == max_ranks_) row.largest = proof.value();
    } else if (!row.error) {
      row.error = proof.error().with_prefix(concat(to_text(plan), ": "));
    }
  }

  std::vector<Row> rows_;
  int max_ranks_;
  std::atomic<int> next_ = 0;
  bool progress_ = isatty(STDERR_FILENO) != 0;
  std::mutex mutex_;
};

void print_json(const Row& row) {
  std::cout << "{\"algorithm\":\"" << name(row.algorithm) << "\",\"collective\":\""
            << name(row.collective) << "\",\"ranks\":" << row.ranks
            << ",\"schedules\":" << row.schedules << ",\"steps\":" << row.steps
            << ",\"rounds\":" << row.largest.rounds << ",\"segments\":" << row.largest.segments
            << ",\"max_sent\":" << row.largest.max_sent
            << ",\"total_sent\":" << row.largest.total_sent << ",\"orders\":" << row.largest.orders
            << ",\"seconds\":" << row.seconds << ",\"correct\":" << (row.error ? "false" : "true");
  if (row.error) std::cout << ",\"error\":" << json_text(row.error->text());
  std::cout << "}\n";
}

void print_heading() {
  std::cout << std::left << std::setw(20) << "algorithm" << std::setw(15) << "collective"
            << std::right << std::setw(7) << "ranks" << std::setw(11) << "schedules"
            << std::setw(11) << "steps" << std::setw(8) << "rounds"
            << "  = " << std::left << std::setw(25) << "formula" << std::right << std::setw(9)
            << "sent"
            << "  = " << std::left << std::setw(14) << "formula" << std::right << std::setw(7)
            << "orders" << std::setw(10) << "seconds"
            << "\n";
}

void print_table_row(const Row& row) {
  const Formula formula = formula_of({.algorithm = row.algorithm, .collective = row.collective});
  std::ostringstream sent;
  sent << std::setprecision(4)
       << static_cast<double>(row.largest.max_sent) / std::max(1u, row.largest.segments) << " n";
  std::cout << std::left << std::setw(20) << name(row.algorithm) << std::setw(15)
            << name(row.collective) << std::right << std::setw(7) << concat("1-", row.ranks)
            << std::setw(11) << row.schedules << std::setw(11) << row.steps << std::setw(8)
            << row.largest.rounds << "  = " << std::left << std::setw(25) << formula.rounds
            << std::right << std::setw(9) << sent.str() << "  = " << std::left << std::setw(14)
            << formula.sent << std::right << std::setw(7) << row.largest.orders << std::setw(10)
            << std::fixed << std::setprecision(2) << row.seconds << std::defaultfloat << "\n";
  if (row.error) std::cout << "  WRONG: " << row.error->text() << "\n";
}

int verify_file(const std::string& path, bool json) {
  const Result<Schedule> schedule = read_schedule(path);
  if (!schedule) throw schedule.error();
  const Plan& plan = schedule.value().plan;
  const Result<Proof> proof = verify(schedule.value());
  if (json) {
    Row row{.algorithm = plan.algorithm, .collective = plan.collective, .ranks = plan.ranks};
    row.schedules = 1;
    if (proof) row.largest = proof.value();
    if (!proof) row.error = proof.error();
    row.steps = row.largest.steps;
    print_json(row);
    return proof ? success : failure;
  }
  if (!proof) throw proof.error().with_prefix("wrong: ");
  const Proof& found = proof.value();
  std::cout << "correct: " << name(plan.algorithm) << " " << name(plan.collective) << " of "
            << plan.ranks << " ranks, " << found.steps << " steps, " << found.rounds
            << " rounds; the busiest rank sends " << found.max_sent << " of " << found.segments
            << " segments, all ranks " << found.total_sent << "\n";
  return success;
}

std::vector<Row> take_rows(Arguments& arguments, int max_ranks) {
  std::optional<Algorithm> algorithm;
  std::optional<Collective> collective;
  if (const auto word = arguments.value("--algorithm")) algorithm = parse_known_algorithm(*word);
  if (const auto word = arguments.value("--collective")) collective = parse_known_collective(*word);
  if (algorithm && collective) require_supported(*algorithm, *collective);
  std::vector<Row> rows;
  for (int a = 0; a < algorithm_count; ++a) {
    for (int c = 0; c < collective_count; ++c) {
      const Row row{.algorithm = static_cast<Algorithm>(a),
                    .collective = static_cast<Collective>(c),
                    .ranks = max_ranks};
      if (!is_supported(row.algorithm, row.collective)) continue;
      if (algorithm && *algorithm != row.algorithm) continue;
      if (collective && *collective != row.collective) continue;
      rows.push_back(row);
    }
  }
  return rows;
}

}  // namespace

int verify_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help_text();
    return success;
  }
  const bool json = arguments.flag("--json");
  const int max_ranks = arguments.number("--max-ranks", 64, 1, most_ranks);
  const int threads = arguments.number("--threads", 2, 1, 256);
  std::vector<Row> rows = take_rows(arguments, max_ranks);
  const std::optional<std::string> path = arguments.word();
  arguments.finish();
  if (path) return verify_file(*path, json);
  rows = Sweep(std::move(rows), max_ranks).run(threads);
  if (!json) print_heading();
  for (const Row& row : rows) json ? print_json(row) : print_table_row(row);
  const bool correct =
      std::none_of(rows.begin(), rows.end(), [](const Row& row) { return row.error.has_value(); });
  return correct ? success : failure;
}

}  // namespace rondo::cli
