#include "cli/shared_links.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <iterator>
#include <set>
#include <sstream>

#include "api/value_or_throw.hpp"
#include "base/text.hpp"
#include "cli/algorithms.hpp"
#include "cli/amounts.hpp"
#include "cli/chart.hpp"
#include "cli/topologies.hpp"
#include "plan/arrange.hpp"
#include "rondo/simulate.hpp"

namespace rondo::cli {

namespace {

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 40;
constexpr std::size_t most_links_shown = 4;

struct Request {
  std::vector<Algorithm> algorithms;
  Collective collective = Collective::allreduce;
  std::vector<std::uint64_t> sizes;
  std::uint64_t tile_bytes = 0;
  int radix = 2;
  Routing routing = Routing::minimal;
  std::string machine;  // in words, or the name of its file
  Topology topology;
  CostModel model;

  int ranks() const { return model.ranks; }
  std::string about() const { return concat(name(collective), " of ", ranks(), " ranks"); }
  std::string place() const {
    return concat(
        "simulated on ", machine,
        tile_bytes == 0 ? std::string(", untiled") : concat(", tiles of ", bytes_text(tile_bytes)));
  }
};

struct Outcome {
  Result<Simulation> alone;        // each message as if it had the network for itself
  Result<FlowSimulation> sharing;  // links
  bool ok() const { return alone.ok() && sharing.ok(); }
};
using Row = std::vector<Outcome>;  // one for each algorithm

void take_world(Arguments& arguments, Request& request) {
  const std::optional<std::string> file = arguments.value("--topo");
  const std::optional<std::string> words = arguments.value("--machine");
  const std::optional<std::string> costs = arguments.value("--costs");
  if (file.has_value() == words.has_value()) {
    throw UsageError("--flows needs a network: one of --topo FILE and --machine \"WORDS\"");
  }
  request.machine = file ? *file : *words;
  request.topology =
      value_or_throw(file ? read_topology(*file, false) : synthetic_topology(*words));
  const CostTable table =
      costs ? read_costs(*costs) : value_or_throw(nominal_costs(request.topology));
  request.model = value_or_throw(make_cost_model(request.topology, table));
}

Request take_request(Arguments& arguments) {
  Request request;
  request.collective = take_collective(arguments);
  const bool barrier = request.collective == Collective::barrier;
  const std::string sizes = arguments.value("--size").value_or(barrier ? "0" : "4:64M");
  request.sizes = parse_amounts("--size", sizes, 0, most_bytes, 4);
  const std::string tile = arguments.value("--tile").value_or("256K");
  request.tile_bytes = parse_amounts("--tile", tile, 0, most_bytes, 2).front();
  request.radix = arguments.number("--radix", 2, 2, max_radix);
  const std::string routing = arguments.value("--routing").value_or("minimal");
  if (routing != "minimal" && routing != "spread") {
    throw UsageError(concat("--routing is minimal or spread, not '", routing, "'"));
  }
  request.routing = routing == "spread" ? Routing::spread : Routing::minimal;
  take_world(arguments, request);
  request.algorithms = take_algorithms(arguments, request.collective);
  return request;
}

Outcome simulate_one(const Request& request, const Plan& plan, std::uint64_t bytes) {
  const Workload load{.bytes = bytes, .tile_bytes = request.tile_bytes};
  Outcome outcome{simulate(plan, request.model, load),
                  simulate_flows(plan, request.topology, request.model, load, {}, request.routing)};
  for (const Error* error : {outcome.alone ? nullptr : &outcome.alone.error(),
                             outcome.sharing ? nullptr : &outcome.sharing.error()}) {
    if (error != nullptr && error->code() != ErrorCode::unsupported) throw *error;
  }
  return outcome;
}

// Columns are counted in characters, of which µ is one of two bytes.
void print_cell(const std::string& text, int width) {
  std::cout << std::setw(width + (text.find("µ") == std::string::npos ? 0 : 1)) << text;
}

const Outcome* fastest(const Row& row) {
  const Outcome* best = nullptr;
  const auto seconds = [](const Outcome& o) { return o.sharing.value().simulation.seconds; };
  for (const Outcome& outcome : row) {
    if (outcome.ok() && (best == nullptr || seconds(outcome) < seconds(*best))) best = &outcome;
  }
  return best;
}

void print_links(const Request& request, const Row& last) {
  std::cout << "\nLinks at " << bytes_text(request.sizes.back())
            << ", by how much of the time the busiest of a kind is taken:\n";
  for (std::size_t a = 0; a < last.size(); ++a) {
    if (!last[a].ok()) continue;
    std::cout << "\n  " << name(request.algorithms[a]) << "\n";
    const std::vector<LinkUse>& links = last[a].sharing.value().links;
    for (std::size_t i = 0; i < std::min(links.size(), most_links_shown); ++i) {
      const LinkUse& use = links[i];
      std::ostringstream line;
      line << std::fixed << std::setprecision(0) << std::setw(6) << use.share * 100 << " %  "
           << std::left << std::setw(16) << use.kind << std::right << std::setprecision(1)
           << std::setw(8) << use.bytes_per_s * 1e-9 << " GB/s  " << use.busiest << "; "
           << std::setprecision(0) << use.mean_share * 100 << " % on average of " << use.links;
      std::cout << line.str() << "\n";
    }
  }
}

std::set<std::string> reasons_of(const std::vector<Row>& rows) {
  std::set<std::string> reasons;
  for (const Row& row : rows) {
    for (const Outcome& outcome : row) {
      if (!outcome.alone) reasons.insert(outcome.alone.error().text());
      if (!outcome.sharing) reasons.insert(outcome.sharing.error().text());
    }
  }
  return reasons;
}

void print_table(const Request& request, const std::vector<Row>& rows) {
  constexpr int width = 13;
  std::cout << request.about() << ", " << request.place() << "\n\n" << std::setw(9) << "";
  for (const Algorithm algorithm : request.algorithms) {
    std::cout << std::setw(2 * width) << name(algorithm);
  }
  std::cout << "\n" << std::setw(9) << "size";
  for (std::size_t a = 0; a < request.algorithms.size(); ++a) {
    std::cout << std::setw(width) << "alone" << std::setw(width) << "sharing  ";
  }
  std::cout << "\n";
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::cout << std::setw(9) << bytes_text(request.sizes[i]);
    const Outcome* best = fastest(rows[i]);
    for (const Outcome& outcome : rows[i]) {
      print_cell(outcome.alone ? seconds_text(outcome.alone.value().seconds) : "-", width);
      std::string text = "-  ";
      if (outcome.sharing) {
        text = seconds_text(outcome.sharing.value().simulation.seconds) +
               (&outcome == best ? " *" : "  ");
      }
      print_cell(text, width);
    }
    std::cout << "\n";
  }
  std::cout << "\nalone: messages take turns at ports only; sharing: on all links of the network\n"
            << "* the fastest\n";
  for (const std::string& reason : reasons_of(rows)) std::cout << "- " << reason << "\n";
  print_links(request, rows.back());
}

void print_json(const LinkUse& use) {
  std::cout << "{\"kind\":\"" << use.kind << "\",\"links\":" << use.links
            << ",\"share\":" << use.share << ",\"mean_share\":" << use.mean_share
            << ",\"busiest\":\"" << use.busiest << "\",\"bytes_per_s\":" << use.bytes_per_s
            << ",\"bytes\":" << use.bytes << "}";
}

void print_json(const Request& request, const std::vector<Row>& rows) {
  std::cout << std::setprecision(9);
  for (std::size_t i = 0; i < rows.size(); ++i) {
    for (std::size_t a = 0; a < request.algorithms.size(); ++a) {
      const Outcome& outcome = rows[i][a];
      std::cout << "{\"algorithm\":\"" << name(request.algorithms[a]) << "\",\"collective\":\""
                << name(request.collective) << "\",\"machine\":" << json_text(request.machine)
                << ",\"ranks\":" << request.ranks() << ",\"bytes\":" << request.sizes[i];
      if (!outcome.ok()) {
        const Error& error = outcome.alone ? outcome.sharing.error() : outcome.alone.error();
        std::cout << ",\"error\":" << json_text(error.text()) << "}\n";
        continue;
      }
      const FlowSimulation& found = outcome.sharing.value();
      std::cout << ",\"seconds\":" << found.simulation.seconds
                << ",\"seconds_alone\":" << outcome.alone.value().seconds
                << ",\"tiles\":" << found.simulation.tiles
                << ",\"simulated_tiles\":" << found.simulation.simulated_tiles
                << ",\"simulated_ranks\":" << found.simulation.simulated_ranks << ",\"links\":[";
      for (std::size_t link = 0; link < found.links.size(); ++link) {
        if (link > 0) std::cout << ",";
        print_json(found.links[link]);
      }
      std::cout << "]}\n";
    }
  }
}

std::string chart_of(const Request& request, const std::vector<Row>& rows) {
  const auto size_text = [](double x) { return bytes_text(static_cast<std::uint64_t>(x)); };
  Chart chart{.title = request.about(),
              .subtitle = request.place() + "; dashed: without sharing links",
              .x_axis = "size of the vector",
              .y_axis = "time",
              .x_text = size_text,
              .y_text = seconds_text,
              .series = {}};
  for (std::size_t a = 0; a < request.algorithms.size(); ++a) {
    Series sharing{std::string(name(request.algorithms[a])), {}};
    Series alone{sharing.name + " without sharing", {}, Series::Style::reference};
    for (std::size_t i = 0; i < rows.size(); ++i) {
      const Outcome& outcome = rows[i][a];
      const auto x = static_cast<double>(request.sizes[i]);
      if (!outcome.ok() || x == 0 || outcome.alone.value().seconds <= 0) continue;
      sharing.points.emplace_back(x, outcome.sharing.value().simulation.seconds);
      alone.points.emplace_back(x, outcome.alone.value().seconds);
    }
    std::sort(sharing.points.begin(), sharing.points.end());
    std::sort(alone.points.begin(), alone.points.end());
    chart.series.push_back(std::move(sharing));
    chart.series.push_back(std::move(alone));
  }
  return draw_chart(chart);
}

}  // namespace

const char* shared_links_help() {
  return "\nOn the links of a network, which messages share; ranks are those of the network:\n\n"
         "  --flows               times without and with sharing, and which links are busiest\n"
         "  --machine \"WORDS\"     a made-up network, as for 'rondo topo --synthetic':\n"
         "                        \"64 x dgx-h100, fat tree of 8 hosts tapered 2:1\"\n"
         "  --topo FILE           or one that 'rondo topo --text' has written\n"
         "  --costs FILE          of links, as text; without it, their nominal speeds\n"
         "  --routing R           through a dragonfly: minimal (default) or spread\n";
}

int simulate_on_shared_links(Arguments& arguments) {
  const bool json = arguments.flag("--json");
  const std::optional<std::string> svg = arguments.value("--svg");
  for (const char* other : {"--ranks", "--per-host", "--ports", "--trace"}) {
    if (arguments.value(other)) throw UsageError(concat("--flows does not go with ", other));
  }
  const Request request = take_request(arguments);
  arguments.finish();
  if (svg && request.sizes.size() < 2) throw UsageError("a chart needs several --size");
  const PlanMaker plans(value_or_throw(arrangement_for(request.topology)), request.model);
  std::vector<Row> rows;
  for (const std::uint64_t bytes : request.sizes) {
    Row row;
    for (const Algorithm algorithm : request.algorithms) {
      const Plan plan = plans.make(algorithm, request.collective, request.radix);
      row.push_back(simulate_one(request, plan, bytes));
    }
    rows.push_back(std::move(row));
  }
  if (svg) write_file(*svg, chart_of(request, rows));
  const bool any =
      std::any_of(rows.begin(), rows.end(), [](const Row& row) { return fastest(row) != nullptr; });
  if (json) {
    print_json(request, rows);
  } else if (!any) {
    for (const std::string& reason : reasons_of(rows))
      std::cerr << "rondo simulate: " << reason << "\n";
  } else if (svg.value_or("") != "-") {
    print_table(request, rows);
  }
  return any ? success : failure;
}

}  // namespace rondo::cli
