#include "rondo/simulate.hpp"

#include <algorithm>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <set>

#include "base/text.hpp"
#include "cli/algorithms.hpp"
#include "cli/amounts.hpp"
#include "cli/arguments.hpp"
#include "cli/chart.hpp"
#include "cli/machines.hpp"
#include "cli/shared_links.hpp"
#include "cli/verbs.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo simulate [ALGORITHM …] [OPTION …]\n"
    "\n"
    "The time that schedules would take on a machine, against the size of the vector or the "
    "number\n"
    "of ranks. Without ALGORITHM all that know the collective are compared.\n"
    "\n"
    "  --collective C   which one; default allreduce\n"
    "  --size S         bytes of the vector: 1M, 4K,64K or a range 4:64M (default), times 4 each\n"
    "  --ranks N        8 (default), 3,5,8 or a range 2:65536, times 2 each; FROM:TO:FACTOR also\n"
    "                   goes; either ranks or sizes may be several\n"
    "  --tile S         bytes of a segment moved at once, default 256K; 0: whole segments\n"
    "  --json           a line of JSON for each point\n"
    "  --svg FILE       a chart of the times; '-' is standard output\n"
    "  --trace FILE     the steps of one run, for chrome://tracing or ui.perfetto.dev\n"
    "  --radix K        of knomial, default 2\n"
    "\n";

std::string help_text() {
  return help + algorithms_help("  ALGORITHM", 19) + collectives_help("  C", 19) + "\n" +
         machine_help() + shared_links_help();
}

constexpr std::uint64_t most_ranks = 1 << 20;
constexpr std::uint64_t most_bytes = std::uint64_t{1} << 40;
// Beyond, viewers of traces give up.
constexpr std::uint64_t most_traced_steps = 1 << 20;

struct Request {
  std::vector<Algorithm> algorithms;
  Collective collective = Collective::allreduce;
  std::vector<std::uint64_t> ranks;
  std::vector<std::uint64_t> sizes;
  std::uint64_t tile_bytes = 0;
  int radix = 2;
  NamedMachine machine;

  bool against_ranks() const { return ranks.size() > 1; }
  std::size_t rows() const { return std::max(ranks.size(), sizes.size()); }
  int ranks_of(std::size_t row) const { return static_cast<int>(ranks[against_ranks() ? row : 0]); }
  std::uint64_t bytes_of(std::size_t row) const { return sizes[against_ranks() ? 0 : row]; }
  std::shared_ptr<const Arrangement> hosts(std::size_t row) const {
    return hosts_of(ranks_of(row), machine.hosts.ranks_per_host);
  }
  Workload workload(std::size_t row) const {
    return {.bytes = bytes_of(row), .tile_bytes = tile_bytes};
  }
  std::string about() const {
    return against_ranks() ? concat(name(collective), " of ", bytes_text(sizes[0]))
                           : concat(name(collective), " of ", ranks[0], " ranks");
  }
  std::string place() const {
    std::string text = concat("simulated on ", machine.name);
    const int per_host = machine.hosts.ranks_per_host;
    if (per_host > 1 && per_host < static_cast<int>(most_ranks)) {
      text += concat(", ", per_host, " ranks a host");
    }
    return text + (tile_bytes == 0 ? ", untiled" : concat(", tiles of ", bytes_text(tile_bytes)));
  }
};

using Row = std::vector<Result<Simulation>>;  // one for each algorithm

CostModel cost_model_of(const Request& request, std::size_t row) {
  TwoLevel hosts = request.machine.hosts;
  hosts.ranks = request.ranks_of(row);
  Result<CostModel> model = make_cost_model(hosts);
  if (!model) throw model.error();
  return std::move(model).value();
}

Row simulate_row(const Request& request, std::size_t row) {
  const CostModel model = cost_model_of(request, row);
  const PlanMaker plans(request.hosts(row), model);
  Row results;
  for (const Algorithm algorithm : request.algorithms) {
    const Plan plan = plans.make(algorithm, request.collective, request.radix);
    results.push_back(simulate(plan, model, request.workload(row)));
    const bool failed = !results.back().ok();
    if (failed && results.back().error().code() != ErrorCode::unsupported) {
      throw results.back().error();
    }
  }
  return results;
}

Request take_request(Arguments& arguments) {
  Request request;
  request.collective = take_collective(arguments);
  const std::optional<std::string> ranks = arguments.value("--ranks");
  const std::optional<std::string> sizes = arguments.value("--size");
  request.ranks = parse_amounts("--ranks", ranks.value_or("8"), 1, most_ranks, 2);
  const bool many_ranks = request.ranks.size() > 1;
  const char* usual_sizes = request.collective == Collective::barrier ? "0"
                            : many_ranks                              ? "1M"
                                                                      : "4:64M";
  request.sizes = parse_amounts("--size", sizes.value_or(usual_sizes), 0, most_bytes, 4);
  if (many_ranks && request.sizes.size() > 1) {
    throw UsageError("several --ranks and several --size don't fit into one table");
  }
  if (request.collective == Collective::barrier && request.sizes != std::vector<std::uint64_t>{0}) {
    throw UsageError("a barrier moves no bytes: leave --size out");
  }
  const std::string tile = arguments.value("--tile").value_or("256K");
  request.tile_bytes = parse_amounts("--tile", tile, 0, most_bytes, 2).front();
  request.radix = arguments.number("--radix", 2, 2, max_radix);
  request.machine = take_machine(arguments);
  request.algorithms = take_algorithms(arguments, request.collective);
  return request;
}

// The fastest, or nullptr where nothing could be simulated.
const Result<Simulation>* fastest(const Row& row) {
  const Result<Simulation>* best = nullptr;
  for (const Result<Simulation>& result : row) {
    if (result && (best == nullptr || result.value().seconds < best->value().seconds)) {
      best = &result;
    }
  }
  return best;
}

// Of the name of an algorithm and its times, two characters after each of these.
int column_of(Algorithm algorithm) {
  return std::max(14, static_cast<int>(name(algorithm).size()) + 2);
}

std::set<std::string> reasons_of(const std::vector<Row>& rows) {
  std::set<std::string> reasons;
  for (const Row& row : rows) {
    for (const Result<Simulation>& result : row) {
      if (!result) reasons.insert(result.error().text());
    }
  }
  return reasons;
}

void print_table(const Request& request, const std::vector<Row>& rows) {
  std::cout << request.about() << ", " << request.place() << "\n\n"
            << std::setw(9) << (request.against_ranks() ? "ranks" : "size");
  for (const Algorithm algorithm : request.algorithms) {
    std::cout << std::setw(column_of(algorithm)) << name(algorithm);
  }
  std::cout << "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::cout << std::setw(9)
              << (request.against_ranks() ? concat(request.ranks_of(i))
                                          : bytes_text(request.bytes_of(i)));
    const Result<Simulation>* best = fastest(rows[i]);
    for (std::size_t a = 0; a < rows[i].size(); ++a) {
      const Result<Simulation>& result = rows[i][a];
      std::string text = "-";
      if (result) text = seconds_text(result.value().seconds) + (&result == best ? " *" : "  ");
      // Columns are counted in characters, of which µ is one of two bytes.
      const int wide = text.find("µ") == std::string::npos ? 0 : 1;
      std::cout << std::setw(column_of(request.algorithms[a]) + wide) << text;
    }
    std::cout << "\n";
  }
  std::cout << "\n* the fastest\n";
  for (const std::string& reason : reasons_of(rows)) std::cout << "- " << reason << "\n";
}

void print_json(const Request& request, const std::vector<Row>& rows) {
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t a = 0; a < request.algorithms.size(); ++a) {
      const Result<Simulation>& result = rows[i][a];
      std::cout << "{\"algorithm\":\"" << name(request.algorithms[a]) << "\",\"collective\":\""
                << name(request.collective) << "\",\"machine\":\"" << request.machine.name
                << "\",\"ranks\":" << request.ranks_of(i) << ",\"bytes\":" << request.bytes_of(i);
      if (result) {
        const Simulation& found = result.value();
        std::cout << ",\"seconds\":" << std::setprecision(9) << found.seconds
                  << ",\"tiles\":" << found.tiles
                  << ",\"simulated_tiles\":" << found.simulated_tiles
                  << ",\"simulated_ranks\":" << found.simulated_ranks
                  << ",\"simulated_steps\":" << found.simulated_steps << "}\n";
      } else {
        std::cout << ",\"error\":" << json_text(result.error().text()) << "}\n";
      }
    }
  }
}

std::string chart_of(const Request& request, const std::vector<Row>& rows) {
  const bool ranks = request.against_ranks();
  const auto count_text = [](double x) { return concat(static_cast<std::uint64_t>(x)); };
  const auto size_text = [](double x) { return bytes_text(static_cast<std::uint64_t>(x)); };
  Chart chart{.title = request.about(),
              .subtitle = request.place(),
              .x_axis = ranks ? "ranks" : "size of the vector",
              .y_axis = "time",
              .x_text = size_text,
              .y_text = seconds_text,
              .series = {}};
  if (ranks) chart.x_text = count_text;
  for (std::size_t a = 0; a < request.algorithms.size(); ++a) {
    Series series{std::string(name(request.algorithms[a])), {}};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const auto x = static_cast<double>(ranks ? static_cast<std::uint64_t>(request.ranks_of(i))
                                               : request.bytes_of(i));
      // What takes no time or has no size has no place on a logarithmic axis.
      if (rows[i][a] && rows[i][a].value().seconds > 0 && x > 0) {
        series.points.emplace_back(x, rows[i][a].value().seconds);
      }
    }
    std::sort(series.points.begin(), series.points.end());
    chart.series.push_back(std::move(series));
  }
  return draw_chart(chart);
}

std::string trace_of(const Request& request) {
  const CostModel model = cost_model_of(request, 0);
  const Plan plan = PlanMaker(request.hosts(0), model)
                        .make(request.algorithms.front(), request.collective, request.radix);
  const Result<Program> first = make_program(plan, 0);
  if (!first) throw first.error();
  if (first.value().steps.size() * static_cast<std::uint64_t>(plan.ranks) > most_traced_steps) {
    throw Error(ErrorCode::unsupported,
                concat("a trace of ", plan.ranks, " ranks has more than ", most_traced_steps,
                       " steps, too many for its viewers; take fewer --ranks"));
  }
  const Result<Schedule> schedule = make_schedule(plan);
  if (!schedule) throw schedule.error();
  const Result<Simulation> simulation =
      simulate(schedule.value(), model, request.workload(0), {.record = true});
  if (!simulation) throw simulation.error();
  return to_chrome_trace(schedule.value(), simulation.value().steps);
}

}  // namespace

int simulate_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help_text();
    return success;
  }
  if (arguments.flag("--flows")) return simulate_on_shared_links(arguments);
  const bool json = arguments.flag("--json");
  const std::optional<std::string> svg = arguments.value("--svg");
  const std::optional<std::string> trace = arguments.value("--trace");
  const Request request = take_request(arguments);
  arguments.finish();
  if (svg && request.rows() < 2) {
    throw UsageError("a chart needs several --ranks or several --size");
  }
  if (trace && (request.rows() > 1 || request.algorithms.size() > 1)) {
    throw UsageError("a trace is of one ALGORITHM, one of --ranks and one of --size");
  }
  if (trace) write_file(*trace, trace_of(request));
  std::vector<Row> rows;
  for (std::size_t row = 0; row < request.rows(); ++row) {
    rows.push_back(simulate_row(request, row));
  }
  if (svg) write_file(*svg, chart_of(request, rows));
  const bool any =
      std::any_of(rows.begin(), rows.end(), [](const Row& row) { return fastest(row) != nullptr; });
  if (json) {
    print_json(request, rows);
  } else if (!any) {
    for (const std::string& reason : reasons_of(rows))
      std::cerr << "rondo simulate: " << reason << "\n";
  } else if (svg.value_or("") != "-" && trace.value_or("") != "-") {
    print_table(request, rows);
  }
  return any ? success : failure;
}

}  // namespace rondo::cli
