#include "bench/table.hpp"

#include <array>
#include <cmath>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"

namespace rondo::bench {

namespace {

constexpr std::array<int, 5> case_widths = {12, 12, 8, 6, 6};
constexpr std::array<int, 4> side_widths = {7, 6, 6, 6};
constexpr std::array<int, 2> spread_widths = {7, 7};

template <std::size_t n>
std::string row(const std::array<int, n>& widths, const std::array<std::string, n>& fields) {
  std::ostringstream out;
  for (std::size_t i = 0; i < n; ++i) out << "  " << std::setw(widths[i]) << fields[i];
  return out.str();
}

using SideFields = std::array<std::string, 4>;
using SpreadFields = std::array<std::string, 2>;

std::string side_columns(const std::optional<Side>& side) {
  if (!side) return row(side_widths, SideFields{"N/A", "N/A", "N/A", "N/A"});
  return row(
      side_widths,
      SideFields{fit(side->timing.time_us, side_widths[0]),
                 fit(side->algorithm_gbps, side_widths[1]), fit(side->bus_gbps, side_widths[2]),
                 side->findings ? std::to_string(side->findings->wrong) : "N/A"});
}

std::string spread_columns(const std::optional<Side>& side) {
  if (!side) return row(spread_widths, SpreadFields{"N/A", "N/A"});
  return row(spread_widths, SpreadFields{fit(side->timing.median_us, spread_widths[0]),
                                         fit(side->timing.p99_us, spread_widths[1])});
}

/// The columns of a case; the first of them is wide enough that a comment sign fits before it.
std::string comment_columns(const std::array<std::string, 5>& fields) {
  std::string columns = row(case_widths, fields).substr(2);
  columns[0] = '#';
  return columns;
}

std::string titles(const std::array<std::string, 5>& of_case, const SideFields& of_side,
                   const SpreadFields& of_spread) {
  const std::string side = row(side_widths, of_side);
  const std::string spread = row(spread_widths, of_spread);
  return concat(comment_columns(of_case), side, side, spread, spread, "\n");
}

std::string centered(std::string_view text, std::size_t width) {
  std::string line((width - text.size()) / 2, ' ');
  line += text;
  line.resize(width, ' ');
  return line;
}

}  // namespace

std::string fit(double value, int width) {
  if (std::isnan(value)) return "N/A";
  for (int decimals = 2; decimals >= 0; --decimals) {
    std::ostringstream out;
    out << std::fixed << std::setprecision(decimals) << std::setw(width) << value;
    if (out.str().size() <= static_cast<std::size_t>(width)) return out.str();
  }
  std::ostringstream out;
  out << std::scientific << std::setprecision(0) << std::setw(width) << value;
  return out.str();
}

std::string table_header() {
  const std::size_t side = row(side_widths, SideFields{}).size();
  const std::size_t spread = row(spread_widths, SpreadFields{}).size();
  return concat("#\n", comment_columns({}), centered("out-of-place", side),
                centered("in-place", side), centered("out-of-place", spread),
                centered("in-place", spread), "\n",
                titles({"size", "count", "type", "redop", "root"},
                       {"time", "algbw", "busbw", "#wrong"}, {"p50", "p99"}),
                titles({"(B)", "(elements)", "", "", ""}, {"(us)", "(GB/s)", "(GB/s)", ""},
                       {"(us)", "(us)"}));
}

std::string table_line(const Line& line) {
  const Case& c = line.what;
  const bool typed = c.collective != Collective::barrier;
  return row(case_widths, {std::to_string(c.bytes()), std::to_string(c.count),
                           typed ? std::string(nccl_name(c.dtype)) : "none",
                           c.reduces() ? std::string(name(c.op)) : "none",
                           std::to_string(c.has_root() ? c.root : -1)})
             .substr(2) +
         side_columns(line.out_of_place) + side_columns(line.in_place) +
         spread_columns(line.out_of_place) + spread_columns(line.in_place) + "\n";
}

std::string table_footer(const Summary& summary, const Options& options) {
  std::ostringstream out;
  if (options.check == Check::off) {
    out << "# Out of bounds values : N/A (not checked)\n";
  } else {
    out << "# Out of bounds values : " << summary.wrong << (summary.wrong == 0 ? " OK" : " FAILED")
        << "\n";
  }
  if (options.check == Check::reference) {
    out << "# Max error (ULP)      : " << std::setprecision(3) << summary.max_ulp << "\n";
  }
  out << "# Avg bus bandwidth    : " << std::setprecision(6) << summary.average_bus_gbps
      << "\n#\n# Collective test concluded: " << name_of(options.collective) << "\n";
  return out.str();
}

}  // namespace rondo::bench
