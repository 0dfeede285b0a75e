#pragma once

// What a rank says of itself, in whatever way the ranks meet.

#include <chrono>
#include <span>
#include <string_view>

#include "bootstrap/wire.hpp"
#include "bootstrap/world.hpp"
#include "rondo/error.hpp"
#include "transport/control/membership.hpp"

namespace rondo {

Result<> fill_random(std::span<std::byte> bytes);

/// This rank's hello, but for its listener and door. Errors: invalid_argument, where the launch or
/// the options cannot be told.
Result<wire::Hello> own_hello(const Launch& launch, std::string_view agreement);

/// Opens the listener for the other ranks on a free port and writes into the hello where it is.
Result<process::Socket> open_listener(const std::string& host, wire::Hello& hello);

/// Where the other ranks of this host come to share memory; the hello tells. Where the system has
/// no such sockets, they don't.
process::Socket open_own_door(wire::Hello& hello);

/// A world of one.
Result<process::Membership> alone();

}  // namespace rondo
