#include "bootstrap/joining.hpp"

#include <algorithm>
#include <array>
#include <optional>
#include <thread>
#include <utility>

#include "base/text.hpp"
#include "bootstrap/own_hello.hpp"
#include "bootstrap/roll_call.hpp"

namespace rondo {

namespace {

using process::Clock;
using std::chrono::milliseconds;

/// A root that is there says welcome at once; whoever does not is somebody else.
constexpr auto welcome_deadline = std::chrono::seconds(2);
/// By how much the others' patience is longer than what rank 0 is told, for the verdict's way.
constexpr auto verdict_slack = std::chrono::seconds(2);
constexpr auto shortest_attempt = milliseconds(20);
constexpr auto longest_attempt = milliseconds(1000);
constexpr auto shortest_pause = milliseconds(1);
constexpr auto longest_pause = milliseconds(50);

/// A rank on its way to rank 0. Until it was welcomed, every failure is a reason to try again.
class Joining {
 public:
  Joining(const Launch& launch, const Rendezvous& place, wire::Hello hello,
          milliseconds join_timeout)
      : launch_(launch),
        place_(place),
        hello_(std::move(hello)),
        join_timeout_(join_timeout),
        deadline_(Clock::now() + join_timeout) {}

  Result<process::Membership> join() {
    milliseconds pause = shortest_pause;
    for (int attempt = 0; Clock::now() < deadline_; ++attempt) {
      if (const std::optional<process::Address> root = where(attempt)) {
        tried_ = to_text(*root);
        std::optional<Result<process::Membership>> outcome = attempt_at(*root);
        if (outcome) return std::move(*outcome);
      } else if (tried_.empty()) {
        trouble_ = "the file is not there";
      }
      const auto left = std::chrono::ceil<milliseconds>(deadline_ - Clock::now());
      std::this_thread::sleep_for(
          std::clamp(pause, milliseconds(0), std::max(left, milliseconds(0))));
      pause = std::min(pause * 2, longest_pause);
    }
    return unreachable();
  }

 private:
  std::optional<process::Address> where(int attempt) const {
    if (!place_.path.empty()) return read_publication(place_.path);
    const int ports = place_.last_port - place_.first_port + 1;
    return process::Address{place_.host,
                            static_cast<std::uint16_t>(place_.first_port + attempt % ports)};
  }

  /// Nothing when it is worth trying again; `trouble_` says why.
  std::optional<Result<process::Membership>> attempt_at(const process::Address& root) {
    Result<process::Socket> connected =
        process::connect_until(root, std::min(deadline_, Clock::now() + patience_));
    patience_ = std::min(patience_ * 2, longest_attempt);
    if (!connected) {
      if (connected.error().code() == ErrorCode::resource) return connected.error();
      trouble_ = connected.error().text();
      return std::nullopt;
    }
    const process::Socket& socket = connected.value();
    if (const std::optional<Error> failure = prepare_listener(socket)) return *failure;
    const auto left = std::chrono::floor<milliseconds>(deadline_ - Clock::now());
    hello_.patience = std::max(left, milliseconds(1));
    Result<> told = process::write_all(socket, wire::encode(hello_), deadline_);
    std::string text;
    if (told) {
      const Clock::time_point end = std::min(deadline_, Clock::now() + welcome_deadline);
      const Result<wire::ReplyHeader> first = read_header(socket, end);
      if (first && first.value().kind == wire::ReplyKind::refused)
        return refused(socket, first.value());
      if (first && first.value().kind == wire::ReplyKind::welcome) return verdict(socket);
      told = first ? Error(ErrorCode::protocol, "it did not say welcome") : first.error();
    }
    trouble_ = concat("whoever listens there is not rank 0 of this job: ", told.error().text());
    return std::nullopt;
  }

  std::optional<Error> prepare_listener(const process::Socket& socket) {
    const Result<process::Address> local = process::local_address(socket);
    if (!local) return local.error();
    const std::string& host = launch_.listen.empty() ? local.value().host : launch_.listen;
    if (listener_ && host == listening_on_) return std::nullopt;
    Result<process::Socket> listener = open_listener(host, hello_);
    if (!listener) return listener.error();
    listener_ = std::move(listener).value();
    listening_on_ = host;
    return std::nullopt;
  }

  Result<wire::ReplyHeader> read_header(const process::Socket& socket,
                                        Clock::time_point end) const {
    std::array<std::byte, wire::reply_header_bytes> bytes;
    const Result<> read = process::read_all(socket, bytes, end);
    if (!read) return read.error();
    const std::optional<wire::ReplyHeader> header = wire::decode_reply(bytes);
    if (!header || header->length > wire::reply_bytes_most(header->kind, launch_.size)) {
      return Error(ErrorCode::protocol, "its answer is no answer of rondo");
    }
    return *header;
  }

  Result<wire::Bytes> read_body(const process::Socket& socket,
                                const wire::ReplyHeader& header) const {
    wire::Bytes body(header.length);
    const Result<> read = process::read_all(socket, body, deadline_ + verdict_slack);
    if (!read) return read.error();
    return body;
  }

  Error refused(const process::Socket& socket, const wire::ReplyHeader& header) const {
    const Result<wire::Bytes> body = read_body(socket, header);
    if (!body) return body.error();
    return Error(ErrorCode::join_failed, wire::decode_refusal(body.value()));
  }

  /// Nothing when rank 0 went away: another one may take its place.
  std::optional<Result<process::Membership>> verdict(const process::Socket& socket) {
    const Result<wire::ReplyHeader> header = read_header(socket, deadline_ + verdict_slack);
    if (header && header.value().kind == wire::ReplyKind::refused) {
      return refused(socket, header.value());
    }
    const Result<wire::Bytes> body =
        header ? read_body(socket, header.value()) : Result<wire::Bytes>(header.error());
    if (!body) {
      trouble_ =
          concat("rank 0 had this rank wait and then did not say more: ", body.error().text());
      return std::nullopt;
    }
    process::Membership membership;
    membership.rank = launch_.rank;
    if (!wire::decode_world(body.value(), launch_.size, membership.token, membership.members)) {
      return Error(ErrorCode::protocol,
                   concat("rank 0 at ", tried_, " sent a broken table of ranks"));
    }
    membership.listener = std::move(listener_);
    return membership;
  }

  Error unreachable() const {
    const std::string from =
        place_.path.empty() ? "" : concat(", which rank 0 writes into ", place_.path);
    const std::string address = tried_.empty() ? launch_.rendezvous : concat(tried_, from);
    return Error(ErrorCode::join_failed, 0,
                 concat("rank ", launch_.rank, " did not find rank 0 within ",
                        to_text(join_timeout_), ": tried ", address, ", last: ", trouble_,
                        "; is rank 0 running, and are RONDO_ROOT, RONDO_JOB and the like the same "
                        "on all ranks?"));
  }

  const Launch& launch_;
  const Rendezvous& place_;
  wire::Hello hello_;
  milliseconds join_timeout_;
  Clock::time_point deadline_;
  milliseconds patience_ = shortest_attempt;
  process::Socket listener_;
  std::string listening_on_;
  std::string tried_;
  std::string trouble_;
};

}  // namespace

Result<process::Membership> join(const Launch& launch, const Rendezvous& place, wire::Hello hello,
                                 milliseconds join_timeout) {
  return Joining(launch, place, std::move(hello), join_timeout).join();
}

}  // namespace rondo
