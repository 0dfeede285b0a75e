#include <algorithm>
#include <sstream>

#include "base/text.hpp"
#include "plan/arrange.hpp"
#include "plan/draw_ring.hpp"
#include "plan/ring_route.hpp"

namespace rondo {

namespace {

constexpr std::size_t widest = 96;  // columns
const std::string indent(20, ' ');

// The package of a rank, or of the GPU that it works with.
int package_of(const Topology& topology, const Rank& rank) {
  const Host& host = topology.hosts.at(static_cast<std::size_t>(rank.host));
  const Machine& machine = topology.machines.at(static_cast<std::size_t>(host.machine));
  if (rank.gpu == unknown) return place_of(machine, rank.pus).package;
  return machine.gpus.at(static_cast<std::size_t>(rank.gpu)).package;
}

std::string in_column(std::string text, std::size_t width) {
  text.resize(std::max(width, text.size() + 1), ' ');
  return text;
}

std::string number_of(int count, std::string_view one, std::string_view many) {
  return concat(count, " ", count == 1 ? one : many);
}

// "0 ─NVL─ 1 ─NVL─ 2", in lines that begin at the same column.
std::string stops_text(const RingVisit& visit) {
  std::string text;
  std::size_t column = indent.size();
  for (std::size_t i = 0; i < visit.stops.size(); ++i) {
    const std::string rank = std::to_string(visit.stops[i].rank);
    if (i == 0) {
      text += rank;
      column += rank.size();
      continue;
    }
    const std::string_view path = name(visit.stops[i - 1].onward);
    const std::size_t width = path.size() + rank.size() + 4;
    if (column + width > widest) {
      text += concat("\n", indent);
      column = indent.size();
    }
    text += concat(column == indent.size() ? "" : " ", "─", path, "─ ", rank);
    column += width;
  }
  return text;
}

void add_crossings(std::ostream& out, const Topology& topology, const Arrangement& arrangement) {
  const Crossings ours = crossings(arrangement.order(), topology);
  const Crossings fewest = fewest_crossings(topology);
  if (ours == Crossings{std::vector<int>(ours.network.size()), 0, 0, 0, 0}) return;
  out << "crosses:\n";
  const auto line = [&](std::string_view what, int count, int least) {
    if (count == 0) return;
    out << "  " << in_column(std::string(what), 18) << count << " times"
        << (count == least ? ", as few as can be" : concat("; ", least, " would be the fewest"))
        << "\n";
  };
  for (std::size_t level = 0; level < ours.network.size(); ++level) {
    line(topology.network.levels[level].name, ours.network[level], fewest.network[level]);
  }
  line("host", ours.hosts, fewest.hosts);
  line("package", ours.packages, fewest.packages);
  line("NUMA node", ours.numas, fewest.numas);
  if (fewest.l3s != fewest.numas) line("L3 cache", ours.l3s, fewest.l3s);
}

}  // namespace

RingRoute route_of(const Topology& topology, const Arrangement& arrangement) {
  RingRoute route;
  std::map<int, int> hosts;
  const int ranks = arrangement.ranks();
  for (int position = 0; position < ranks; ++position) {
    const int index = arrangement.rank_at(position);
    const int next = arrangement.rank_at((position + 1) % ranks);
    const Rank& rank = topology.ranks.at(static_cast<std::size_t>(index));
    const int package = package_of(topology, rank);
    ++hosts[rank.host];
    const bool stays = !route.visits.empty() && route.visits.back().host == rank.host &&
                       route.visits.back().package == package;
    if (!stays) route.visits.push_back({rank.host, package, {}});
    const PathClass onward = path_class(topology, index, next);
    route.visits.back().stops.push_back({index, onward});
    ++route.paths[onward];
  }
  route.title = concat("ring of ", number_of(ranks, "rank", "ranks"), " on ",
                       number_of(static_cast<int>(hosts.size()), "host", "hosts"));
  return route;
}

std::string draw_ring_text(const Topology& topology, const Arrangement& arrangement) {
  const RingRoute route = route_of(topology, arrangement);
  std::ostringstream out;
  out << route.title << "\n\n";
  int host = unknown;
  for (const RingVisit& visit : route.visits) {
    const std::string named = visit.host == host ? "" : concat("host ", visit.host);
    const std::string package = visit.package == unknown ? "" : concat("package ", visit.package);
    host = visit.host;
    out << in_column(named, 9) << in_column(package, 11) << stops_text(visit) << "\n";
    out << indent << "│ " << name(visit.stops.back().onward) << "\n";
  }
  out << indent << arrangement.rank_at(0) << " again\n\n";
  add_crossings(out, topology, arrangement);
  out << "paths:\n";
  for (const auto& [path, count] : route.paths) {
    out << "  " << in_column(concat(count, " × ", name(path)), 18) << meaning(path) << "\n";
  }
  return out.str();
}

}  // namespace rondo
