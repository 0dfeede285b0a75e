#pragma once

// What the paths between connected devices cost, found out by their streams.

#include <chrono>
#include <string>
#include <string_view>

#include "api/device/path.hpp"
#include "api/exchange.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// How long others wait for a pair at most.
inline constexpr std::chrono::seconds patience_with_devices(10);

/// Name in the cache folder of what devices of this model cost on that machine.
std::string device_costs_name(const Machine& machine, std::string_view model);

/// What the cache folder has under that name, as far as `table` does not say it.
void add_cached_device_costs(const std::string& name, CostTable& table);

/// Collective: adds to `table`, which is alike on all ranks, the costs of those classes among the
/// ranks that it lacks. Rank 0 looks in its cache folder under `name`, if that is not empty; what
/// is not there either is measured, each class between one pair of ranks while the others wait, and
/// kept there. A pair lets words go to and fro, and one of it copies up to 16 MiB from the other
/// and to it several times, which takes 100 ms where a copy has 5 GB/s. False, with the reason,
/// where a device failed: then `path` is of no use any more. Errors: those of the transport. The
/// patience of `exchange` is longer than that with devices.
Result<bool> find_device_costs(Exchange& exchange, DevicePath& path, const std::string& name,
                               CostTable& table, std::string& why_not);

}  // namespace rondo
