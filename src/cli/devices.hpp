#pragma once

// The devices that communicators of this process can use, as `rondo topo` shows them.

#include <string>
#include <vector>

#include "device/runtime.hpp"
#include "rondo/topology.hpp"

namespace rondo::cli {

/// None is no error. Errors: without librondo-cuda, or a driver.
Result<std::vector<DeviceInfo>> find_devices();

/// Under what name the cache folder has what devices of this host cost; empty where there is none.
std::string known_devices_name(const Topology& topology);

/// A paragraph: one line for each, or why there is none.
std::string devices_text(const Result<std::vector<DeviceInfo>>& devices);

/// `json`, which is an object, with a member "devices", and "no_devices_because": null, or the
/// reason.
std::string with_devices(const std::string& json, const Result<std::vector<DeviceInfo>>& devices);

}  // namespace rondo::cli
