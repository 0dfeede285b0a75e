#include "bench/suite.hpp"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <iomanip>
#include <ostream>

#include "base/text.hpp"
#include "bench/arena.hpp"
#include "bench/json.hpp"
#include "bench/measure.hpp"
#include "bench/table.hpp"

namespace rondo::bench {

namespace {

std::string who_am_i(const Library& library) {
  std::array<char, 64> host = {};
  gethostname(host.data(), host.size() - 1);
  return concat("Rank ", library.rank(), " Group 0 Pid ", getpid(), " on ", host.data(), " device ",
                library.place());
}

void print_header(std::ostream& out, const Report& report, const Options& options) {
  out << "# " << report.library << "\n# Collective test starting: " << name_of(options.collective)
      << "\n# ranks " << report.ranks.size() << " minBytes " << options.min_bytes << " maxBytes "
      << options.max_bytes << " step: ";
  if (options.step_bytes != 0) {
    out << options.step_bytes << "(bytes)";
  } else {
    out << options.step_factor << "(factor)";
  }
  out << " warmup iters: " << options.warmup << " iters: ";
  if (options.iterations > 0) {
    out << options.iterations;
  } else {
    out << "auto";
  }
  out << " validation: " << static_cast<int>(options.check)
      << " blocking: " << (options.blocking ? 1 : 0) << " graph: " << (options.graph ? 1 : 0)
      << "\n#\n# Using devices\n";
  for (const std::string& rank : report.ranks) out << "#  " << rank << "\n";
  out << table_header() << std::flush;
}

Summary summarize(const std::vector<Line>& lines) {
  Summary summary;
  double bus_gbps = 0;
  int sides = 0;
  for (const Line& line : lines) {
    for (const std::optional<Side>& side : {line.out_of_place, line.in_place}) {
      if (!side) continue;
      bus_gbps += side->bus_gbps;
      ++sides;
      if (!side->findings) continue;
      summary.wrong += side->findings->wrong;
      summary.max_ulp = std::max(summary.max_ulp, side->findings->max_ulp);
    }
  }
  summary.average_bus_gbps = sides == 0 ? 0 : bus_gbps / sides;
  return summary;
}

Line measure_line(Library& library, Arena& arena, const Case& c, const Options& options,
                  std::uint64_t seed) {
  Line line;
  line.what = c;
  if (options.sides != Sides::in_place) {
    line.out_of_place = measure(library, arena, c, options, seed);
  }
  const bool has_sides = c.collective && c.collective != Collective::barrier;
  if (has_sides && options.sides != Sides::out_of_place) {
    Case in_place = c;
    in_place.in_place = true;
    line.in_place = measure(library, arena, in_place, options, seed + 1);
  }
  return line;
}

void write_json(const Report& report, const Options& options) {
  std::ofstream file(options.json_file, std::ios::trunc);
  file << to_json(report, options) << std::flush;
  if (!file) {
    throw Error(ErrorCode::io, concat("--json ", options.json_file, ": cannot be written"));
  }
}

// Now rather than after minutes of measuring.
void require_writable(const std::string& file) {
  if (file.empty() || std::ofstream(file, std::ios::app)) return;
  throw Error(ErrorCode::invalid_argument, concat("--json ", file, ": cannot be written"));
}

}  // namespace

std::vector<Case> all_cases(const Options& options, int ranks) {
  Case c;
  c.collective = options.collective;
  c.ranks = ranks;
  if (c.collective == Collective::barrier) return {c};
  const std::vector<Op> ops = c.reduces() ? options.ops : std::vector<Op>{Op::sum};
  const int first_root = options.all_roots || !c.has_root() ? 0 : options.root;
  const int last_root = options.all_roots && c.has_root() ? ranks - 1 : first_root;
  const std::vector<std::size_t> sizes =
      sweep(options.min_bytes, options.max_bytes, options.step_factor, options.step_bytes);
  std::vector<Case> cases;
  for (c.root = first_root; c.root <= last_root; ++c.root) {
    for (const DType dtype : options.dtypes) {
      for (const Op op : ops) {
        if (!is_defined(op, dtype)) continue;
        for (const std::size_t size : sizes) {
          c.dtype = dtype;
          c.op = op;
          c.count = count_for(c.collective, dtype, ranks, size);
          cases.push_back(c);
        }
      }
    }
  }
  return cases;
}

int run_suite(Library& library, const Options& options, std::ostream& out) {
  const bool prints = library.rank() == 0;
  const std::vector<Case> cases = all_cases(options, library.size());
  if (cases.front().has_root() && options.root >= library.size()) {
    // One message is enough: all ranks have the same flags.
    if (!prints) return exit_usage;
    throw Error(
        ErrorCode::invalid_argument,
        concat("-r ", options.root, ": the ranks of this world go from 0 to ", library.size() - 1));
  }
  BufferMemory& memory = memory_for(library, options);
  if (prints) require_writable(options.json_file);
  std::size_t largest = 0;
  for (const Case& c : cases) largest = std::max(largest, c.bytes());

  Report report;
  report.library = library.name();
  report.ranks = gather_lines(library, who_am_i(library));
  if (prints) print_header(out, report, options);
  Arena arena(largest, most_places, memory);
  std::uint64_t seed = 1;
  for (const Case& c : cases) {
    report.lines.push_back(measure_line(library, arena, c, options, seed));
    seed += 2;
    if (prints) out << table_line(report.lines.back()) << std::flush;
  }
  report.summary = summarize(report.lines);
  if (prints) {
    out << table_footer(report.summary, options) << std::flush;
    if (!options.json_file.empty()) write_json(report, options);
  }
  return report.summary.wrong == 0 ? 0 : exit_wrong;
}

}  // namespace rondo::bench
