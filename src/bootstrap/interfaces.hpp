#pragma once

// By which of its addresses another host is reached, where nothing but their lists is known.

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace rondo {

/// Of a network interface that is up: a numeric address, and how many of its first bits its whole
/// network has in common.
struct InterfaceAddress {
  std::string host;
  int prefix_bits = 0;

  friend bool operator==(const InterfaceAddress&, const InterfaceAddress&) = default;
};

/// Those of this host, without loopback and link-local ones. Empty where the system tells none.
std::vector<InterfaceAddress> interface_addresses();

/// "10.0.0.3/24 fd00::1/64", and back; what is no such text is left out.
std::string to_text(std::span<const InterfaceAddress> addresses);
std::vector<InterfaceAddress> parse_interfaces(std::string_view text);

/// Of the addresses of another host the one in a network that this host is in, too; else the first,
/// IPv4 before IPv6. Addresses that this host has itself lead here: bridges of containers have the
/// same one everywhere. Empty where none is left.
std::string address_of_peer(std::span<const InterfaceAddress> own,
                            std::span<const InterfaceAddress> theirs);

}  // namespace rondo
