#include "device/kernels/packets.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace rondo {

namespace {

Error refusal(const std::string& text) {
  return Error(ErrorCode::invalid_argument, concat("packets between devices: ", text));
}

}  // namespace

Result<PacketArguments> arguments_of(const DevicePackets& packets) {
  const std::size_t ranks = packets.inboxes.size();
  if (ranks < 1 || ranks > DevicePackets::most_ranks) {
    return refusal(concat(ranks, " ranks, but 1 to ", DevicePackets::most_ranks, " are possible"));
  }
  const std::size_t receives = packets.folds ? 1 : ranks;
  if (packets.sends.size() != ranks || packets.outboxes.size() != ranks ||
      packets.receives.size() != receives) {
    return refusal("not one place for each rank");
  }
  if (packets.flag == 0) return refusal("the flag is 0, which memory may have that is new");
  if (!is_defined(packets.op, packets.dtype)) {
    return Error(ErrorCode::unsupported, concat("packets between devices: there is no ",
                                                name(packets.op), " of ", name(packets.dtype)));
  }
  PacketArguments arguments = {};
  std::copy(packets.sends.begin(), packets.sends.end(), arguments.sends);
  std::copy(packets.outboxes.begin(), packets.outboxes.end(), arguments.outboxes);
  std::copy(packets.inboxes.begin(), packets.inboxes.end(), arguments.inboxes);
  std::copy(packets.receives.begin(), packets.receives.end(), arguments.receives);
  arguments.own = packets.own;
  arguments.rank = static_cast<std::uint32_t>(packets.rank);
  arguments.ranks = static_cast<std::uint32_t>(ranks);
  arguments.flag = packets.flag;
  arguments.folds = packets.folds;
  arguments.bytes = packets.bytes;
  arguments.divisor = packets.divisor;
  arguments.stop = packets.stop;
  return arguments;
}

}  // namespace rondo
