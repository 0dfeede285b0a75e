#include "execute/device/packet_exchange.hpp"

namespace rondo {

namespace {

// Which ranks send, to which, and which part of their buffer.
struct Pattern {
  bool from_all = true;
  bool to_all = true;
  bool has_block_of_each = false;  ///< what is sent
  bool folds = false;
};

Pattern pattern_of(Collective collective) {
  switch (collective) {
    case Collective::allreduce:
      return {.folds = true};
    case Collective::reduce:
      return {.to_all = false, .folds = true};
    case Collective::reduce_scatter:
      return {.has_block_of_each = true, .folds = true};
    case Collective::alltoall:
      return {.has_block_of_each = true};
    case Collective::broadcast:
      return {.from_all = false};
    default:
      return {};  // allgather
  }
}

}  // namespace

PacketExchange packets_of(const ErasedCall& call, int rank, int ranks) {
  const Pattern pattern = pattern_of(call.collective);
  const auto sends = [&](int from) { return pattern.from_all || from == call.root; };
  const auto gets = [&](int to) { return pattern.to_all || to == call.root; };
  PacketExchange made;
  made.bytes = call.count * size_of(call.dtype);
  made.folds = pattern.folds;
  if (call.op == Op::avg && pattern.folds) made.divisor = ranks;
  const auto* const send = static_cast<const std::byte*>(call.send);
  auto* const receive = static_cast<std::byte*>(call.receive);
  const auto block = [&](int of) { return static_cast<std::size_t>(of) * made.bytes; };
  const auto part = [&](int to) { return send + (pattern.has_block_of_each ? block(to) : 0); };
  for (int peer = 0; peer < ranks; ++peer) {
    const bool is_sent = peer != rank && sends(rank) && gets(peer);
    const bool is_gotten = peer != rank && sends(peer) && gets(rank);
    made.sends.push_back(is_sent ? part(peer) : nullptr);
    made.gets.push_back(is_gotten);
    if (pattern.folds) continue;
    const bool is_stored = is_gotten || (peer == rank && sends(rank));
    made.receives.push_back(is_stored ? receive + (pattern.from_all ? block(peer) : 0) : nullptr);
  }
  if (sends(rank)) made.own = part(rank);
  if (pattern.folds) made.receives.push_back(gets(rank) ? receive : nullptr);
  return made;
}

}  // namespace rondo
