#include "bootstrap/out_of_band.hpp"

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/text.hpp"
#include "bootstrap/address.hpp"
#include "bootstrap/interfaces.hpp"
#include "bootstrap/own_hello.hpp"
#include "bootstrap/roll_call.hpp"
#include "bootstrap/wire.hpp"

namespace rondo {

namespace {

constexpr std::size_t interfaces_bytes_most = 1024;
constexpr std::size_t trouble_bytes_most = 512;

constexpr const char* everywhere = "0.0.0.0";

/// What comes first: as long in all versions.
struct Announcement {
  static constexpr std::uint64_t right_magic = 0x31626f6f646e6f72u;  // "rondoob1"

  std::uint64_t magic = right_magic;
  std::uint32_t version = wire::protocol_version;
  std::int32_t rank = 0;
  std::int32_t size = 0;
  std::uint32_t card_bytes = 0;
  std::uint64_t locality = 0;
  std::array<std::byte, 16> random = {};  // those of rank 0 become the world's token
  std::uint64_t reserved = 0;
};
static_assert(sizeof(Announcement) == 56 && std::is_trivially_copyable_v<Announcement>);

/// What begins a card: a hello and a list of interfaces, or why this rank cannot take part.
struct CardHead {
  std::uint32_t trouble_bytes = 0;
  std::uint32_t hello_bytes = 0;
  std::uint32_t interfaces_bytes = 0;
};

struct Card {
  std::string trouble = {};
  wire::Hello hello = {};
  std::vector<InterfaceAddress> interfaces = {};
};

std::span<const std::byte> bytes_of(std::string_view text) {
  return std::as_bytes(std::span(text.data(), text.size()));
}

wire::Bytes encode(const Card& card, std::size_t bytes) {
  const wire::Bytes hello = card.trouble.empty() ? encode(card.hello) : wire::Bytes{};
  const std::string interfaces = to_text(card.interfaces).substr(0, interfaces_bytes_most);
  const std::string trouble = card.trouble.substr(0, trouble_bytes_most);
  const CardHead head = {static_cast<std::uint32_t>(trouble.size()),
                         static_cast<std::uint32_t>(hello.size()),
                         static_cast<std::uint32_t>(interfaces.size())};
  const auto head_bytes = std::as_bytes(std::span(&head, 1));
  wire::Bytes encoded(head_bytes.begin(), head_bytes.end());
  for (const std::span<const std::byte> part :
       {bytes_of(trouble), std::span<const std::byte>(hello), bytes_of(interfaces)}) {
    encoded.insert(encoded.end(), part.begin(), part.end());
  }
  encoded.resize(bytes);
  return encoded;
}

std::optional<wire::Hello> decode_hello(std::span<const std::byte> bytes) {
  if (bytes.size() < wire::hello_header_bytes) return std::nullopt;
  std::optional<wire::Hello> hello = wire::decode_header(bytes.first<wire::hello_header_bytes>());
  if (!hello || !wire::decode_body(bytes, *hello)) return std::nullopt;
  return hello;
}

std::optional<Card> decode(std::span<const std::byte> bytes) {
  CardHead head;
  if (bytes.size() < sizeof head) return std::nullopt;
  std::memcpy(&head, bytes.data(), sizeof head);
  bytes = bytes.subspan(sizeof head);
  const auto take = [&](std::size_t count) {
    const std::span<const std::byte> part = bytes.first(std::min(count, bytes.size()));
    bytes = bytes.subspan(part.size());
    return part;
  };
  Card card;
  const auto trouble = take(head.trouble_bytes);
  card.trouble = wire::decode_refusal(trouble);
  if (!card.trouble.empty()) return card;
  std::optional<wire::Hello> hello = decode_hello(take(head.hello_bytes));
  if (!hello) return std::nullopt;
  card.hello = std::move(*hello);
  const auto interfaces = take(head.interfaces_bytes);
  card.interfaces =
      parse_interfaces({reinterpret_cast<const char*>(interfaces.data()), interfaces.size()});
  return card;
}

/// The largest card that this rank may have to show.
std::size_t most_bytes(const wire::Hello& hello) {
  const std::size_t told = encode(hello).size() + wire::address_bytes_most + interfaces_bytes_most;
  return sizeof(CardHead) + std::max(told, trouble_bytes_most);
}

/// The same on all ranks, since all of them judge the same cards.
class Meeting {
 public:
  Meeting(const Launch& launch, const OutOfBand& outside, Result<wire::Hello> hello)
      : launch_(launch), outside_(outside) {
    if (hello) {
      hello_ = std::move(hello).value();
    } else {
      trouble_ = hello.error();
    }
  }

  Result<process::Membership> hold() {
    process::Membership membership;
    membership.rank = launch_.rank;
    membership.door = open_own_door(hello_);
    if (Result<> announced = announce(); !announced) return announced.error();
    membership.listener = listen();
    if (Result<> shown = show_cards(); !shown) return shown.error();
    if (Result<> agreed = compare(); !agreed) return agreed.error();
    membership.token = announced_[0].random;
    for (int rank = 0; rank < launch_.size; ++rank) membership.members.push_back(member(rank));
    return membership;
  }

 private:
  void note(const Result<>& result) {
    if (!result && !trouble_) trouble_ = result.error();
  }

  Result<> announce() {
    Announcement own;
    own.rank = launch_.rank;
    own.size = launch_.size;
    own.locality = hello_.locality;
    own.card_bytes = static_cast<std::uint32_t>(most_bytes(hello_));
    note(fill_random(own.random));
    announced_.resize(static_cast<std::size_t>(launch_.size));
    outside_.allgather(std::as_bytes(std::span(&own, 1)),
                       std::as_writable_bytes(std::span(announced_)));
    for (int rank = 0; rank < launch_.size; ++rank) {
      const Announcement& other = announced(rank);
      if (other.magic != Announcement::right_magic || other.version != own.version) {
        return not_formed(rank, concat("rank ", rank, " speaks another version of the protocol ",
                                       "than rank ", launch_.rank, ": use the same rondo"));
      }
      if (other.rank != rank || other.size != launch_.size) {
        return not_formed(rank, concat("what came from rank ", rank, " of ", launch_.size,
                                       " says that it is rank ", other.rank, " of ", other.size,
                                       ": the allgather that was given mixes up ranks"));
      }
    }
    return {};
  }

  bool is_near(int rank) const {
    const bool is_here = hello_.locality != 0 && announced(rank).locality == hello_.locality;
    return is_here || rank == launch_.rank;
  }

  process::Socket listen() {
    bool is_one_host = true;
    for (int rank = 0; rank < launch_.size; ++rank) is_one_host &= is_near(rank);
    const std::string host = !launch_.listen.empty() ? launch_.listen
                             : is_one_host           ? loopback_address
                                                     : everywhere;
    Result<process::Socket> listener = open_listener(host, hello_);
    if (listener) return std::move(listener).value();
    note(listener.error());
    return {};
  }

  Result<> show_cards() {
    Card own{trouble_ ? trouble_->text() : "", hello_, interface_addresses()};
    std::size_t bytes = 0;
    for (const Announcement& one : announced_) {
      bytes = std::max<std::size_t>(bytes, one.card_bytes);
    }
    wire::Bytes all(bytes * announced_.size());
    outside_.allgather(encode(own, bytes), all);
    if (trouble_) return *trouble_;
    for (int rank = 0; rank < launch_.size; ++rank) {
      const auto offset = static_cast<std::size_t>(rank) * bytes;
      std::optional<Card> card = decode(std::span(all).subspan(offset, bytes));
      if (!card)
        return not_formed(rank, concat("what rank ", rank, " said was damaged on its way"));
      if (!card->trouble.empty()) {
        return not_formed(rank, concat("rank ", rank, " cannot take part: ", card->trouble));
      }
      cards_.push_back(std::move(*card));
    }
    return {};
  }

  Result<> compare() const {
    RollCall call(cards_[0].hello);
    for (std::size_t rank = 1; rank < cards_.size(); ++rank) call.take(cards_[rank].hello);
    if (Result<> verdict = call.verdict({}, false); !verdict) return verdict;
    for (int rank = 0; rank < launch_.size; ++rank) {
      if (is_near(rank) || !address_of(rank).empty()) continue;
      const std::string& host = cards_[static_cast<std::size_t>(rank)].hello.host;
      return not_formed(
          rank, concat("rank ", rank, " (host ", host, ") has no address at which ", "rank ",
                       launch_.rank, " could reach it: set RONDO_LISTEN to ", "one on its host"));
    }
    return {};
  }

  std::string address_of(int rank) const {
    const Card& card = cards_[static_cast<std::size_t>(rank)];
    if (!card.hello.address.empty()) return card.hello.address;
    if (is_near(rank)) return loopback_address;
    return address_of_peer(cards_[static_cast<std::size_t>(launch_.rank)].interfaces,
                           card.interfaces);
  }

  process::Member member(int rank) const {
    const wire::Hello& hello = cards_[static_cast<std::size_t>(rank)].hello;
    return {address_of(rank), hello.port, hello.host, hello.pid, hello.locality, hello.door};
  }

  const Announcement& announced(int rank) const {
    return announced_[static_cast<std::size_t>(rank)];
  }

  Error not_formed(int rank, std::string_view why) const {
    return Error(ErrorCode::join_failed, rank,
                 concat("the world of ", launch_.size, " ranks was not formed: ", why));
  }

  const Launch& launch_;
  const OutOfBand& outside_;
  wire::Hello hello_;
  std::optional<Error> trouble_;
  std::vector<Announcement> announced_;
  std::vector<Card> cards_;
};

}  // namespace

Result<process::Membership> form_world(const Launch& launch, const OutOfBand& outside,
                                       const Result<std::string>& agreement) {
  Result<wire::Hello> hello = own_hello(launch, agreement ? agreement.value() : "");
  if (!agreement) hello = agreement.error();
  if (launch.size < 1 || launch.rank < 0 || launch.rank >= launch.size) return hello.error();
  if (launch.size == 1) return hello ? alone() : Result<process::Membership>(hello.error());
  if (!outside.allgather) {
    return Error(ErrorCode::invalid_argument, "OutOfBand::allgather is not set");
  }
  return Meeting(launch, outside, std::move(hello)).hold();
}

}  // namespace rondo
