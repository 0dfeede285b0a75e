#include "plan/device_order.hpp"

namespace rondo {

std::optional<DeviceOrder> parse_device_order(std::string_view text) {
  for (const DeviceOrder order : {DeviceOrder::streams, DeviceOrder::kernels}) {
    if (text == name(order)) return order;
  }
  return std::nullopt;
}

std::string_view name(std::optional<DeviceOrder> order) {
  if (!order) return known_device_orders[0];
  return known_device_orders[*order == DeviceOrder::streams ? 1 : 2];
}

DeviceOrder order_for(bool same_process, bool same_device) {
  return same_device && !same_process ? DeviceOrder::streams : DeviceOrder::kernels;
}

bool has_bits_of_packets(const Plan& plan, DType dtype, Op op) {
  const bool sums_up = plan.collective == Collective::allreduce ||
                       plan.collective == Collective::reduce ||
                       plan.collective == Collective::reduce_scatter;
  const bool is_floating = !is_defined(Op::band, dtype);
  const bool rounds = is_floating && op != Op::min && op != Op::max;
  return !sums_up || !rounds || plan.algorithm == Algorithm::one_shot ||
         plan.algorithm == Algorithm::two_shot;
}

}  // namespace rondo
