// The steps by which a rank becomes a member of the world: rank 0 leads, the others join.

#include "bootstrap/world.hpp"

#include <utility>

#include "base/text.hpp"
#include "bootstrap/address.hpp"
#include "bootstrap/gathering.hpp"
#include "bootstrap/joining.hpp"
#include "bootstrap/own_hello.hpp"
#include "bootstrap/rendezvous.hpp"
#include "bootstrap/roll_call.hpp"
#include "bootstrap/wire.hpp"

namespace rondo {

namespace {

using process::Clock;
using std::chrono::milliseconds;

/// The port at which rank 0 is found: a free one that the file will name, or an agreed one.
Result<process::Socket> open_rendezvous(const Launch& launch, const Rendezvous& place) {
  if (!place.path.empty()) {
    return process::listen_on(launch.listen.empty() ? loopback_address : launch.listen, 0);
  }
  const std::string& host = launch.listen.empty() ? place.host : launch.listen;
  for (int port = place.first_port;; ++port) {
    Result<process::Socket> listener = process::listen_on(host, static_cast<std::uint16_t>(port));
    if (!listener && port < place.last_port) continue;
    if (!listener) {
      return listener.error().with_prefix(
          concat("rank 0 has to listen at ", launch.rendezvous, " for the others: "));
    }
    return listener;
  }
}

/// A host's own name often leads to a loopback address, which the other hosts cannot reach.
Result<> require_reachable(const Launch& launch, const process::Address& bound) {
  if (!is_loopback(bound.host) || !launch.local_size || *launch.local_size == launch.size) {
    return {};
  }
  return Error(ErrorCode::join_failed,
               concat("rank 0 would listen on ", bound.host, ", which only its own host reaches, ",
                      "but ", launch.size - *launch.local_size,
                      " ranks are on other hosts: set RONDO_LISTEN to an address of this host that "
                      "they reach"));
}

Result<process::Membership> lead(const Launch& launch, const Rendezvous& place, wire::Hello hello,
                                 milliseconds join_timeout) {
  const Clock::time_point start = Clock::now();
  Result<process::Socket> rendezvous = open_rendezvous(launch, place);
  if (!rendezvous) return rendezvous.error();
  const Result<process::Address> bound = process::local_address(rendezvous.value());
  if (!bound) return bound.error();
  const Result<> reachable = require_reachable(launch, bound.value());
  if (!reachable) return reachable.error();
  process::Membership membership;
  Result<process::Socket> listener = open_listener(bound.value().host, hello);
  if (!listener) return listener.error();
  membership.listener = std::move(listener).value();
  const Result<> random = fill_random(membership.token);
  if (!random) return random.error();

  std::optional<Publication> publication;
  if (!place.path.empty()) {
    const bool everywhere = is_wildcard(bound.value().host);
    Result<Publication> written = Publication::write(
        place.path, {everywhere ? hello.host : bound.value().host, bound.value().port});
    if (!written) return written.error();
    publication.emplace(std::move(written).value());
  }
  Gathering gathering(std::move(rendezvous).value(), hello, start, start + join_timeout);
  const Result<> gathered = gathering.gather();
  if (!gathered) {
    gathering.tell(wire::encode_refusal(gathered.error().text()));
    return gathered.error();
  }
  membership.members = gathering.members();
  gathering.tell(wire::encode_world(membership.token, membership.members));
  return membership;
}

}  // namespace

Result<process::Membership> form_world(const Launch& launch, std::string_view agreement,
                                       milliseconds join_timeout) {
  Result<wire::Hello> hello = own_hello(launch, agreement);
  if (!hello) return hello.error();
  if (launch.size == 1) return alone();
  const Result<Rendezvous> place = parse_rendezvous("rendezvous", launch.rendezvous);
  if (!place) return place.error();
  process::Socket door = open_own_door(hello.value());
  Result<process::Membership> formed =
      launch.rank == 0 ? lead(launch, place.value(), std::move(hello).value(), join_timeout)
                       : join(launch, place.value(), std::move(hello).value(), join_timeout);
  if (formed) formed.value().door = std::move(door);
  return formed;
}

}  // namespace rondo
