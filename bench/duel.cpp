#include "bench/duel.hpp"

#include <algorithm>
#include <iomanip>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "bench/arena.hpp"
#include "bench/measure.hpp"
#include "bench/suite.hpp"
#include "bench/table.hpp"

namespace rondo::bench {

namespace {

constexpr int time_width = 12;
constexpr int wrong_width = 8;
constexpr int case_width = 10;

struct Record {
  std::vector<double> p50_us = {};
  std::uint64_t wrong = 0;
  bool is_checked = false;
  bool is_missing = false;  // the library has no such call

  double median_us() const {
    std::vector<double> sorted = p50_us;
    std::sort(sorted.begin(), sorted.end());
    return quantile(sorted, 0.5);
  }
};

using Records = std::array<Record, 2>;

void add_round(Library& library, Arena& arena, const Case& c, const Options& options,
               std::uint64_t seed, Record& record) {
  if (record.is_missing) return;
  try {
    const Side side = measure(library, arena, c, options, seed);
    record.p50_us.push_back(side.timing.median_us);
    if (!side.findings) return;
    record.is_checked = true;
    record.wrong += side.findings->wrong;
  } catch (const Error& error) {
    if (error.code() != ErrorCode::unsupported) throw;
    record.is_missing = true;
  }
}

Records measure_both(const std::array<Library*, 2>& libraries, Arena& arena, const Case& c,
                     const Options& options) {
  Records records;
  for (int round = 0; round < duel_rounds; ++round) {
    for (int turn = 0; turn < 2; ++turn) {
      const auto which = static_cast<std::size_t>((turn + round) % 2);
      add_round(*libraries[which], arena, c, options, static_cast<std::uint64_t>(round + 1),
                records[which]);
    }
  }
  return records;
}

std::string line_of(const Case& c, const Records& records) {
  const bool typed = c.collective != Collective::barrier;
  std::ostringstream out;
  out << std::setw(case_width) << c.bytes() << std::setw(case_width) << c.count
      << std::setw(case_width) << (typed ? std::string(nccl_name(c.dtype)) : "none")
      << std::setw(case_width) << (c.reduces() ? std::string(name(c.op)) : "none")
      << std::setw(case_width) << (c.in_place ? "in" : "out");
  for (const Record& record : records) {
    out << std::setw(time_width)
        << (record.is_missing ? "N/A" : fit(record.median_us(), time_width - 2));
  }
  const bool both = !records[0].is_missing && !records[1].is_missing;
  out << std::setw(case_width)
      << (both ? fit(records[1].median_us() / records[0].median_us(), case_width - 2) : "N/A");
  for (const Record& record : records) {
    out << std::setw(wrong_width) << (record.is_checked ? std::to_string(record.wrong) : "N/A");
  }
  return out.str() + "\n";
}

std::string header(const std::array<Library*, 2>& libraries, const Options& options) {
  std::ostringstream out;
  for (int i = 0; i < 2; ++i) {
    out << "# "
        << "AB"[i] << ": " << libraries[static_cast<std::size_t>(i)]->name() << "\n";
  }
  out << "# " << name_of(options.collective) << " among " << libraries[0]->size()
      << " ranks, in turns; medians of " << duel_rounds << " rounds\n#";
  out << std::setw(case_width - 1) << "size";
  for (const char* title : {"count", "type", "redop", "place"}) {
    out << std::setw(case_width) << title;
  }
  for (const char* title : {"A p50 (us)", "B p50 (us)"}) out << std::setw(time_width) << title;
  out << std::setw(case_width) << "B / A";
  for (const char* title : {"A#wrong", "B#wrong"}) out << std::setw(wrong_width) << title;
  return out.str() + "\n";
}

std::vector<Case> cases_of(const Options& options, int ranks) {
  std::vector<Case> cases;
  for (const Case& c : all_cases(options, ranks)) {
    const bool has_sides = c.collective && c.collective != Collective::barrier;
    if (options.sides != Sides::in_place || !has_sides) cases.push_back(c);
    if (options.sides == Sides::out_of_place || !has_sides) continue;
    cases.push_back(c);
    cases.back().in_place = true;
  }
  return cases;
}

}  // namespace

int run_duel(const std::array<Library*, 2>& libraries, const Options& options, std::ostream& out) {
  const bool prints = libraries[0]->rank() == 0;
  const int ranks = libraries[0]->size();
  if (!options.json_file.empty()) {
    throw Error(ErrorCode::invalid_argument, "--json: a comparison of two writes no such file");
  }
  if (options.root >= ranks) {
    throw Error(ErrorCode::invalid_argument,
                concat("-r ", options.root, ": the ranks of this world go from 0 to ", ranks - 1));
  }
  const std::vector<Case> cases = cases_of(options, ranks);
  std::size_t largest = 0;
  for (const Case& c : cases) largest = std::max(largest, c.bytes());
  Arena arena(largest, most_places, memory_for(*libraries[0], options));
  if (prints) out << header(libraries, options) << std::flush;
  std::uint64_t wrong = 0;
  for (const Case& c : cases) {
    const Records records = measure_both(libraries, arena, c, options);
    for (const Record& record : records) wrong += record.wrong;
    if (prints) out << line_of(c, records) << std::flush;
  }
  return wrong == 0 ? 0 : exit_wrong;
}

}  // namespace rondo::bench
