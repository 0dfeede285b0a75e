// How a link gets its medium. Of two ranks the one with the higher rank in the world goes to the
// other one: to its door where they may share memory, else, or when that fails, to its port.

#include <algorithm>
#include <iostream>

#include "base/text.hpp"
#include "transport/fabric/fabric_link.hpp"
#include "transport/route/transport.hpp"
#include "transport/tcp/stream.hpp"

namespace rondo::process {

// Alike on all ranks, wherever each of them lives: plans depend on it.
std::string_view RoutedTransport::name_for(const Endpoint& endpoint, std::span<const int> members,
                                           const Fabric* fabric) {
  if (endpoint.medium() == Medium::shm) return "shm";
  if (endpoint.medium() == Medium::tcp) return "tcp";
  if (endpoint.medium() == Medium::fabric) return fabric->name();
  std::vector<std::uint64_t> places;
  for (const int member : members) {
    const Member& one = endpoint.member(member);
    if (one.locality != 0 && one.door != 0) places.push_back(one.locality);
  }
  std::sort(places.begin(), places.end());
  const bool none_share = std::adjacent_find(places.begin(), places.end()) == places.end();
  const bool all_share = places.size() == members.size() && places.front() == places.back();
  if (all_share) return "shm";
  if (fabric != nullptr) return none_share ? fabric->name() : endpoint.shm_and_fabric();
  return none_share ? "tcp" : "shm+tcp";
}

Result<> RoutedTransport::require_reach(int peer) const {
  if (endpoint_->medium() != Medium::shm || endpoint_->may_share_memory(members_[peer])) return {};
  return Error(
      ErrorCode::unsupported, peer,
      concat(name_of(peer), " cannot share memory with rank ", rank(),
             ": it is on another host, in another namespace or another user's; set "
             "RONDO_TRANSPORT to auto, which uses TCP where shared memory does not reach"));
}

void RoutedTransport::open(DataLink& link) {
  const int peer = members_[link.peer()];
  if (peer > endpoint_->rank()) return;
  dial(link);
  advance_openings();
}

void RoutedTransport::dial(DataLink& link) {
  const int peer = members_[link.peer()];
  const bool is_memory = endpoint_->may_share_memory(peer) && !link.is_memory_refused();
  const auto kind = is_memory ? Hello::Kind::memory : Hello::Kind::data;
  const Hello hello = endpoint_->introduce(kind, peer, context_, link.channel());
  const Address address = is_memory ? endpoint_->door(peer) : endpoint_->address(peer);
  link.dial(Dial(address, hello, epoll_.fd(), link.tag()));
  opening_ = true;
}

void RoutedTransport::advance_openings() {
  opening_ = false;
  for (const auto& link : links_) {
    if (link->is_opening()) advance(*link);
    opening_ |= link->is_opening();
  }
  count_kinds();
}

void RoutedTransport::advance(DataLink& link) {
  if (link.dial()) {
    const bool is_memory = link.dial()->is_at_door();
    Result<Socket> socket = link.dial()->advance(Clock::now());
    if (!socket && is_memory && socket.error().code() == ErrorCode::unsupported) {
      return open_otherwise(link, socket.error());
    }
    if (!socket) return fail(socket.error());
    if (!socket.value()) return;
    link.dial().reset();
    if (!is_memory) {
      return connect(link, std::move(socket).value());
    }
    link.introduce(Introduction(std::move(socket).value(), Introduction::Side::dialler, memory_));
  }
  Result<std::unique_ptr<Carrier>> carrier = link.introduction()->advance();
  if (!carrier && carrier.error().code() == ErrorCode::peer_lost) {
    // It has left, which the control links tell, or it comes again.
    link.introduction().reset();
    if (members_[link.peer()] < endpoint_->rank()) dial(link);
    return;
  }
  if (!carrier) return open_otherwise(link, carrier.error());
  if (!carrier.value()) return;
  link.introduction().reset();
  link.carry(std::move(carrier).value());
}

// A connection carries the messages itself, or goes with a fabric's.
void RoutedTransport::connect(DataLink& link, Socket socket) {
  const int peer = members_[link.peer()];
  if (fabric_ != nullptr && !endpoint_->may_share_memory(peer)) {
    link.carry(std::make_unique<FabricLink>(std::move(socket), *fabric_, peer, link.channel()));
  } else {
    link.carry(std::make_unique<Stream>(std::move(socket), link.channel(), lending_));
  }
}

// Who went to the door comes over the network then; the other side waits for that.
void RoutedTransport::open_otherwise(DataLink& link, const Error& reason) {
  link.refuse_memory();
  const std::string text =
      concat(name_of(link.peer()), " cannot share memory with rank ", rank(), ": ", reason.text());
  if (endpoint_->medium() == Medium::shm) {
    return fail(Error(ErrorCode::unsupported, link.peer(),
                      concat(text, "; with the transport 'auto' such ranks use TCP")));
  }
  const bool is_first = endpoint_->note_fallback();
  if (members_[link.peer()] > endpoint_->rank()) return;
  if (is_first) {
    std::clog << concat("rondo: ", text,
                        "; they use TCP, and so do others of which no more is said\n");
  }
  dial(link);
}

void RoutedTransport::take_guest(Guest guest) {
  const int peer = index_[guest.hello.from];
  if (peer < 0 || is_closed_) return;
  DataLink& used = link(peer, guest.hello.channel);
  if (!used.may_be_replaced()) return;
  if (Result<> watched = watch(epoll_.fd(), guest.socket.fd(), used.tag()); !watched) {
    return fail(watched.error());
  }
  if (guest.hello.kind == Hello::Kind::memory) {
    used.introduce(Introduction(std::move(guest.socket), Introduction::Side::other, memory_));
    advance_openings();
    return;
  }
  used.introduction().reset();
  connect(used, std::move(guest.socket));
  count_kinds();
}

}  // namespace rondo::process
