#include "plan/default_costs.hpp"

#include <algorithm>

namespace rondo {

namespace {

constexpr double us = 1e-6;
constexpr double per_gb = 1e-9;  // seconds a byte at 1 GB/s

// Through memory: the receiver takes the bytes where the sender, or a copy of its, has them.
constexpr LinkCost memory{
    .latency_s = 0.3 * us, .overhead_s = 0.2 * us, .overhead_byte_s = per_gb / 20};

// Loopback: the system copies the bytes in and out, and all time is the processors'.
constexpr LinkCost loopback{.latency_s = 4 * us,
                            .overhead_s = 1 * us,
                            .overhead_byte_s = per_gb / 14,
                            .window_bytes = 1 << 20};

// Ethernet of 10 Gbit/s: the slowest that is still common among hosts that compute together.
constexpr LinkCost ethernet{.latency_s = 20 * us,
                            .overhead_s = 2 * us,
                            .byte_s = per_gb / 1.175,
                            .overhead_byte_s = per_gb / 14,
                            .window_bytes = 4 << 20};

}  // namespace

CostTable default_costs(std::string_view transport) {
  CostTable costs{
      .links = {}, .start_s = 0, .reduce_byte_s = per_gb / 20, .copy_byte_s = per_gb / 14};
  const bool in_process = transport == "inproc";
  const bool shares_memory = transport.starts_with("shm");
  const bool in_host = in_process || shares_memory;
  LinkCost near = in_host ? memory : loopback;
  if (shares_memory) near.published_bytes = shared_publication_bytes;
  for (int i = 0; i < path_class_count; ++i) {
    const auto path = static_cast<PathClass>(i);
    const bool far = path == PathClass::rack || path == PathClass::network;
    costs.links[static_cast<std::size_t>(i)] = far && !in_process ? ethernet : near;
  }
  return costs;
}

bool has_links(const CostTable& costs) {
  return std::any_of(costs.links.begin(), costs.links.end(),
                     [](const auto& link) { return link.has_value(); });
}

bool has_devices(const CostTable& costs) {
  return std::any_of(costs.devices.begin(), costs.devices.end(),
                     [](const auto& device) { return device.has_value(); });
}

Result<CostTable> parse_costs_file(std::string_view text) {
  Result<CostTable> costs = parse_cost_table(text);
  if (!costs || has_links(costs.value())) return costs;
  return Error(ErrorCode::invalid_argument, "the file names no class of paths");
}

CostTable costs_or_default(const CostTable& costs, std::string_view transport) {
  return has_links(costs) ? costs : default_costs(transport);
}

}  // namespace rondo
