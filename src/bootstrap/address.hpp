#pragma once

// What the bootstrap asks about addresses beyond the socket calls.

#include <optional>
#include <string>
#include <string_view>

#include "transport/tcp/socket.hpp"

namespace rondo {

inline constexpr const char* loopback_address = "127.0.0.1";

/// Reachable from this host only.
bool is_loopback(std::string_view host);
/// All interfaces.
bool is_wildcard(std::string_view host);
bool is_numeric(std::string_view host);
/// The other end's address.
std::optional<std::string> peer_address(const process::Socket& socket);
/// The name of this host.
std::string host_name();

}  // namespace rondo
