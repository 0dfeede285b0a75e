#pragma once

// What carries data between hosts where the caller has brought a network: that one or TCP.

#include <memory>
#include <optional>
#include <span>
#include <utility>

#include "rondo/out_of_band.hpp"
#include "rondo/transport.hpp"
#include "transport/control/membership.hpp"

namespace rondo {

/// Context of the transport of a world that was made once more.
inline constexpr std::uint64_t remade_world_context = 2;

/// Two ranks that share no memory: the first one, and the first of those that are elsewhere.
std::optional<std::pair<int, int>> far_pair(std::span<const process::Member> members);

/// Times of the same exchanges over two networks. Of their ratios the product decides: none of the
/// sizes counts more than the others.
bool is_faster(std::span<const double> times, std::span<const double> others);

/// Collective, after make_transport(): measures both between two ranks, in some 10 ms, while the
/// others wait in `outside.allgather`. Null: TCP is as fast, or some rank's threads may not use the
/// network at all times, which rank 0 then says on standard error. Else the world once more, over
/// that network. Throws Error.
std::unique_ptr<Transport> choose_far(const Transport& world, const OutOfBand& outside,
                                      std::pair<int, int> pair, bool may_spin);

}  // namespace rondo
