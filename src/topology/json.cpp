// A topology as JSON, for other programs. What is unknown is null.

#include <sstream>

#include "base/text.hpp"
#include "topology/text.hpp"

namespace rondo {

namespace {

std::string text_or_null(std::string_view value) {
  return value.empty() || value == "-" ? "null" : json_text(value);
}
std::string index(int value) {
  return value == unknown ? "null" : concat(value);
}
std::string rate(std::uint32_t value) {
  return value == 0 ? "null" : concat(value);
}

std::string numbers(const std::vector<int>& values) {
  return json_list(values, [](int value) { return concat(value); });
}

std::string json(const Core& core) {
  return concat("{\"package\":", index(core.package), ",\"numa\":", index(core.numa),
                ",\"l3\":", index(core.l3), ",\"l2\":", index(core.l2),
                ",\"pus\":", numbers(core.pus), "}");
}

std::string json(const Device& device) {
  return concat("{\"names\":", json_list(device.names, json_text),
                ",\"model\":", text_or_null(device.model), ",\"pci\":", text_or_null(device.pci),
                ",\"via\":", json_list(device.via, json_text),
                ",\"package\":", index(device.package), ",\"numa\":", index(device.numa),
                ",\"pci_mbytes_per_s\":", rate(device.pci_mbytes_per_s),
                ",\"speed_mbits_per_s\":", rate(device.speed_mbits_per_s), "}");
}

std::string json(const Matrix& matrix) {
  return concat(
      "{\"name\":", json_text(matrix.name), ",\"bandwidth\":", matrix.bandwidth ? "true" : "false",
      ",\"objects\":",
      json_list(matrix.objects, [](const Object& object) { return json_text(to_text(object)); }),
      ",\"values\":", json_list(matrix.values, [](std::uint64_t value) { return concat(value); }),
      "}");
}

std::string json(const Machine& machine) {
  const auto item = [](const auto& value) { return json(value); };
  return concat("{\"cores_known\":", machine.cores_known ? "true" : "false",
                ",\"devices_known\":", machine.devices_known ? "true" : "false",
                ",\"cores\":", json_list(machine.cores, item),
                ",\"gpus\":", json_list(machine.gpus, item),
                ",\"nics\":", json_list(machine.nics, item),
                ",\"matrices\":", json_list(machine.matrices, item), "}");
}

std::string json(const Host& host) {
  return concat("{\"id\":", text_or_null(host.id), ",\"machine\":", host.machine,
                ",\"groups\":", numbers(host.groups),
                ",\"gpu_uuids\":", json_list(host.gpu_uuids, text_or_null), "}");
}

std::string json(const Rank& rank) {
  return concat("{\"host\":", rank.host, ",\"pus\":", numbers(rank.pus),
                ",\"gpu\":", index(rank.gpu), "}");
}

std::string json(const NetworkLevel& level) {
  return concat("{\"name\":", json_text(level.name), ",\"uplink_percent\":", level.uplink_percent,
                "}");
}

}  // namespace

std::string to_json(const Topology& topology) {
  const auto item = [](const auto& value) { return json(value); };
  return concat("{\"hash\":", json_text(hash_word(to_text(topology))),
                ",\"network\":{\"kind\":", json_text(name(topology.network.kind)),
                ",\"levels\":", json_list(topology.network.levels, item),
                "},\"machines\":", json_list(topology.machines, item),
                ",\"hosts\":", json_list(topology.hosts, item),
                ",\"ranks\":", json_list(topology.ranks, item),
                ",\"remarks\":", json_list(remarks(topology), json_text), "}\n");
}

}  // namespace rondo
