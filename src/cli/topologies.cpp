#include "cli/topologies.hpp"

#include "base/text.hpp"
#include "plan/default_costs.hpp"

namespace rondo::cli {

Result<Topology> read_topology(const std::string& path, bool xml) {
  const std::string text = read_file(path);
  Result<Topology> topology = xml ? import_hwloc_xml(text) : parse_topology(text);
  if (!topology) return topology.error().with_prefix(concat(path, ": "));
  return topology;
}

CostTable read_costs(const std::string& path) {
  Result<CostTable> costs = parse_costs_file(read_file(path));
  if (!costs) throw costs.error().with_prefix(concat(path, ": "));
  return std::move(costs).value();
}

std::optional<Result<Topology>> take_topology(Arguments& arguments) {
  const std::optional<std::string> xml = arguments.value("--xml");
  const std::optional<std::string> synthetic = arguments.value("--synthetic");
  const std::optional<std::string> file = arguments.word();
  if (xml.has_value() + synthetic.has_value() + file.has_value() > 1) {
    throw UsageError("give one of FILE, --xml and --synthetic");
  }
  if (synthetic) return synthetic_topology(*synthetic);
  if (xml) return read_topology(*xml, true);
  if (file) return read_topology(*file, false);
  return std::nullopt;
}

Topology with_ranks(Topology topology) {
  if (!topology.ranks.empty()) return topology;
  for (std::size_t i = 0; i < topology.hosts.size(); ++i) {
    const auto index = static_cast<std::size_t>(topology.hosts[i].machine);
    const Machine& machine = topology.machines.at(index);
    const int host = static_cast<int>(i);
    const int gpus = static_cast<int>(machine.gpus.size());
    for (int gpu = 0; gpus > 1 && gpu < gpus; ++gpu) topology.ranks.push_back({host, {}, gpu});
    if (gpus > 1) continue;
    for (const Core& core : machine.cores) topology.ranks.push_back({host, core.pus});
  }
  return topology;
}

}  // namespace rondo::cli
