#include "bootstrap/interfaces.hpp"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <sys/socket.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstddef>
#include <cstring>
#include <memory>
#include <optional>

#include "base/text.hpp"
#include "base/words.hpp"
#include "bootstrap/environment.hpp"

namespace rondo {

namespace {

constexpr std::size_t most_told = 16;

using Bytes = std::vector<unsigned char>;

// The bytes of an address: 4 or 16 of them.
Bytes bytes_of(const sockaddr& address) {
  Bytes bytes;
  if (address.sa_family == AF_INET) {
    bytes.resize(4);
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in&>(address).sin_addr, 4);
  } else if (address.sa_family == AF_INET6) {
    bytes.resize(16);
    std::memcpy(bytes.data(), &reinterpret_cast<const sockaddr_in6&>(address).sin6_addr, 16);
  }
  return bytes;
}

Bytes bytes_of(const std::string& host) {
  Bytes bytes(16);
  if (::inet_pton(AF_INET, host.c_str(), bytes.data()) == 1) {
    bytes.resize(4);
  } else if (::inet_pton(AF_INET6, host.c_str(), bytes.data()) != 1) {
    bytes.clear();
  }
  return bytes;
}

bool is_link_local(const Bytes& bytes) {
  if (bytes.size() == 4) return bytes[0] == 169 && bytes[1] == 254;
  return bytes[0] == 0xfe && (bytes[1] & 0xc0) == 0x80;
}

int set_bits(const Bytes& mask) {
  int bits = 0;
  for (const unsigned char byte : mask) bits += std::popcount(byte);
  return bits;
}

int equal_bits(const Bytes& left, const Bytes& right) {
  if (left.size() != right.size()) return -1;
  int bits = 0;
  for (std::size_t i = 0; i < left.size(); ++i) {
    const auto difference = static_cast<unsigned char>(left[i] ^ right[i]);
    bits += std::countl_zero(difference);
    if (difference != 0) break;
  }
  return bits;
}

std::optional<InterfaceAddress> address_of(const ifaddrs& interface) {
  const bool is_up =
      (interface.ifa_flags & IFF_UP) != 0 && (interface.ifa_flags & IFF_RUNNING) != 0;
  if (!is_up || (interface.ifa_flags & IFF_LOOPBACK) != 0 || interface.ifa_addr == nullptr ||
      interface.ifa_netmask == nullptr) {
    return std::nullopt;
  }
  const Bytes bytes = bytes_of(*interface.ifa_addr);
  if (bytes.empty() || is_link_local(bytes)) return std::nullopt;
  std::array<char, INET6_ADDRSTRLEN> host;
  const int family = interface.ifa_addr->sa_family;
  if (::inet_ntop(family, bytes.data(), host.data(), host.size()) == nullptr) return std::nullopt;
  // The kernel may leave the mask's family open.
  sockaddr_storage mask = {};
  std::memcpy(&mask, interface.ifa_netmask,
              family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
  mask.ss_family = static_cast<sa_family_t>(family);
  return InterfaceAddress{host.data(), set_bits(bytes_of(reinterpret_cast<const sockaddr&>(mask)))};
}

}  // namespace

std::vector<InterfaceAddress> interface_addresses() {
  ifaddrs* first = nullptr;
  if (::getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, void (*)(ifaddrs*)> all(first, ::freeifaddrs);
  std::vector<InterfaceAddress> found;
  for (const ifaddrs* one = all.get(); one != nullptr; one = one->ifa_next) {
    const std::optional<InterfaceAddress> address = address_of(*one);
    if (address && found.size() < most_told) found.push_back(*address);
  }
  return found;
}

std::string to_text(std::span<const InterfaceAddress> addresses) {
  std::string text;
  for (const InterfaceAddress& address : addresses) {
    text += concat(text.empty() ? "" : " ", address.host, "/", address.prefix_bits);
  }
  return text;
}

std::vector<InterfaceAddress> parse_interfaces(std::string_view text) {
  std::vector<InterfaceAddress> found;
  for (const std::string_view word : split(text, ' ')) {
    const std::size_t slash = std::min(word.find('/'), word.size());
    const std::string host(word.substr(0, slash));
    const Bytes bytes = bytes_of(host);
    const std::string_view bits = word.substr(std::min(slash + 1, word.size()));
    const auto prefix = parse_integer(bits, 0, static_cast<std::int64_t>(8 * bytes.size()));
    if (!bytes.empty() && prefix) found.push_back({host, static_cast<int>(*prefix)});
  }
  return found;
}

std::string address_of_peer(std::span<const InterfaceAddress> own,
                            std::span<const InterfaceAddress> theirs) {
  std::string best;
  int best_rank = 0;  // by what is known of the way: 3 the same network, 2 IPv4, 1 IPv6
  for (const InterfaceAddress& candidate : theirs) {
    const Bytes bytes = bytes_of(candidate.host);
    int rank = bytes.size() == 4 ? 2 : 1;
    for (const InterfaceAddress& mine : own) {
      const int alike = equal_bits(bytes, bytes_of(mine.host));
      const bool is_mine = alike == static_cast<int>(8 * bytes.size());
      if (is_mine) rank = 0;
      if (is_mine) break;
      if (alike >= std::max(mine.prefix_bits, candidate.prefix_bits)) rank = 3;
    }
    if (rank > best_rank) {
      best = candidate.host;
      best_rank = rank;
    }
  }
  return best;
}

}  // namespace rondo
