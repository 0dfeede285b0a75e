// Costs as JSON, for other programs: seconds, and seconds a byte.

#include <array>
#include <charconv>

#include "base/text.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

namespace {

// Shortest that is read as the same number.
std::string number(double value) {
  std::array<char, 32> text{};
  const auto [end, error] = std::to_chars(text.data(), text.data() + text.size(), value);
  return {text.data(), end};
}

std::string json(PathClass path, const LinkCost& link) {
  return concat("{\"path\":", json_text(name(path)), ",\"latency_s\":", number(link.latency_s),
                ",\"overhead_s\":", number(link.overhead_s), ",\"byte_s\":", number(link.byte_s),
                ",\"overhead_byte_s\":", number(link.overhead_byte_s),
                ",\"window_bytes\":", link.window_bytes, "}");
}

std::string json(PathClass path, const DeviceCost& device) {
  return concat("{\"path\":", json_text(name(path)), ",\"latency_s\":", number(device.latency_s),
                ",\"read_byte_s\":", number(device.read_byte_s),
                ",\"write_byte_s\":", number(device.write_byte_s), "}");
}

// Of the classes that have any.
template <class Costs>
std::string by_class(const Costs& costs) {
  std::string list;
  for (int i = 0; i < path_class_count; ++i) {
    const auto& one = costs[static_cast<std::size_t>(i)];
    if (one) list += concat(list.empty() ? "" : ",", json(static_cast<PathClass>(i), *one));
  }
  return concat("[", list, "]");
}

std::string json(const PortCost& port) {
  return concat("{\"host\":", json_text(port.host), ",\"byte_s\":", number(port.byte_s), "}");
}

}  // namespace

std::string to_json(const CostTable& costs) {
  return concat(
      "{\"start_s\":", number(costs.start_s), ",\"reduce_byte_s\":", number(costs.reduce_byte_s),
      ",\"copy_byte_s\":", number(costs.copy_byte_s), ",\"switch_s\":", number(costs.switch_s),
      ",\"kernel_s\":", number(costs.kernel_s), ",\"links\":", by_class(costs.links),
      ",\"devices\":", by_class(costs.devices),
      ",\"ports\":", json_list(costs.ports, [](const PortCost& port) { return json(port); }),
      "}\n");
}

}  // namespace rondo
