#include "bootstrap/address.hpp"

#include <arpa/inet.h>
#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>

namespace rondo {

bool is_loopback(std::string_view host) {
  return host == "localhost" || host.starts_with("127.") || host == "::1";
}

bool is_wildcard(std::string_view host) {
  return host == "0.0.0.0" || host == "::";
}

bool is_numeric(std::string_view host) {
  std::array<unsigned char, sizeof(in6_addr)> parsed;
  // A link-local address has its interface behind a percent sign.
  const std::string plain(host.substr(0, host.find('%')));
  return ::inet_pton(AF_INET, plain.c_str(), parsed.data()) == 1 ||
         ::inet_pton(AF_INET6, plain.c_str(), parsed.data()) == 1;
}

std::optional<std::string> peer_address(const process::Socket& socket) {
  sockaddr_storage storage = {};
  socklen_t length = sizeof storage;
  auto* const address = reinterpret_cast<sockaddr*>(&storage);
  std::array<char, NI_MAXHOST> host;
  if (::getpeername(socket.fd(), address, &length) != 0) return std::nullopt;
  if (::getnameinfo(address, length, host.data(), host.size(), nullptr, 0, NI_NUMERICHOST) != 0) {
    return std::nullopt;
  }
  return host.data();
}

std::string host_name() {
  std::array<char, 256> name = {};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "unknown host";
  return name.data();
}

}  // namespace rondo
