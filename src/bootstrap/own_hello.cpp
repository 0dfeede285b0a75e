#include "bootstrap/own_hello.hpp"

#include <sys/random.h>
#include <unistd.h>

#include <cerrno>

#include "base/text.hpp"
#include "bootstrap/address.hpp"
#include "transport/shm/door.hpp"

namespace rondo {

Result<> fill_random(std::span<std::byte> bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::getrandom(bytes.data(), bytes.size(), 0);
    if (count < 0 && errno != EINTR) return system_error("no random bits", errno);
    if (count > 0) bytes = bytes.subspan(static_cast<std::size_t>(count));
  }
  return {};
}

Result<wire::Hello> own_hello(const Launch& launch, std::string_view agreement) {
  if (launch.size < 1 || launch.rank < 0 || launch.rank >= launch.size) {
    return Error(ErrorCode::invalid_argument,
                 concat("rank ", launch.rank, " of ", launch.size, " ranks does not exist"));
  }
  if (agreement.size() > wire::agreement_bytes_most) {
    return Error(ErrorCode::invalid_argument,
                 concat("the options to agree on take ", agreement.size(), " bytes; at most ",
                        wire::agreement_bytes_most, " can be compared"));
  }
  wire::Hello hello;
  hello.rank = launch.rank;
  hello.size = launch.size;
  hello.key = wire::key_of(launch.job);
  hello.pid = ::getpid();
  hello.host = host_name();
  hello.agreement = agreement;
  const Result<> random = fill_random(std::as_writable_bytes(std::span(&hello.incarnation, 1)));
  if (!random) return random.error();
  return hello;
}

Result<process::Socket> open_listener(const std::string& host, wire::Hello& hello) {
  Result<process::Socket> listener = process::listen_on(host, 0);
  if (!listener) return listener;
  const Result<process::Address> bound = process::local_address(listener.value());
  if (!bound) return bound.error();
  hello.address = is_wildcard(bound.value().host) ? "" : bound.value().host;
  hello.port = bound.value().port;
  return listener;
}

process::Socket open_own_door(wire::Hello& hello) {
  Result<process::Door> door = process::open_door();
  if (!door) return {};
  hello.locality = process::locality();
  hello.door = door.value().id;
  return std::move(door.value().listener);
}

Result<process::Membership> alone() {
  process::Membership membership;
  membership.members = {{loopback_address, 0, host_name(), ::getpid(), 0, 0}};
  const Result<> random = fill_random(membership.token);
  if (!random) return random.error();
  return membership;
}

}  // namespace rondo
