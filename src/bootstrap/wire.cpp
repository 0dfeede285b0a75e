#include "bootstrap/wire.hpp"

#include <algorithm>
#include <concepts>
#include <utility>

#include "bootstrap/address.hpp"

namespace rondo::wire {

namespace {

constexpr std::string_view hello_magic = "rondo-hi";
constexpr std::string_view reply_magic = "rondo-ok";
static_assert(hello_magic.size() == 8 && reply_magic.size() == 8);

class Writer {
 public:
  template <std::integral Number>
  void put(Number number) {
    const auto bits = static_cast<std::make_unsigned_t<Number>>(number);
    for (std::size_t i = 0; i < sizeof(Number); ++i) {
      bytes_.push_back(static_cast<std::byte>(static_cast<std::uint64_t>(bits) >> (8 * i)));
    }
  }
  void put(std::span<const std::byte> bytes) {
    bytes_.insert(bytes_.end(), bytes.begin(), bytes.end());
  }
  void put(std::string_view text) { put(std::as_bytes(std::span(text.data(), text.size()))); }
  void put_with_length(std::string_view text) {
    put(static_cast<std::uint16_t>(text.size()));
    put(text);
  }
  Bytes take() { return std::move(bytes_); }

 private:
  Bytes bytes_;
};

/// Reads what a Writer wrote. Past the end it gives zeros and is no longer ok().
class Reader {
 public:
  explicit Reader(std::span<const std::byte> bytes) : bytes_(bytes) {}

  template <std::integral Number>
  Number get() {
    std::uint64_t bits = 0;
    const std::span<const std::byte> part = take(sizeof(Number));
    for (std::size_t i = 0; i < part.size(); ++i) {
      bits |= static_cast<std::uint64_t>(part[i]) << (8 * i);
    }
    return static_cast<Number>(bits);
  }
  template <std::size_t n>
  std::array<std::byte, n> get_array() {
    std::array<std::byte, n> array = {};
    const std::span<const std::byte> part = take(n);
    std::copy(part.begin(), part.end(), array.begin());
    return array;
  }
  /// Texts end up on terminals and in logs: what does not print becomes a question mark.
  std::string get_text(std::size_t length) {
    std::string text;
    for (const std::byte byte : take(length)) {
      const char letter = static_cast<char>(byte);
      const bool prints = letter == '\n' || (letter >= ' ' && letter <= '~');
      text.push_back(prints ? letter : '?');
    }
    return text;
  }
  bool starts_with(std::string_view magic) { return get_text(magic.size()) == magic; }
  bool ok() const { return ok_; }
  bool at_end() const { return ok_ && bytes_.empty(); }

 private:
  std::span<const std::byte> take(std::size_t length) {
    if (length > bytes_.size()) {
      ok_ = false;
      bytes_ = {};
      return {};
    }
    const std::span<const std::byte> part = bytes_.first(length);
    bytes_ = bytes_.subspan(length);
    return part;
  }

  std::span<const std::byte> bytes_;
  bool ok_ = true;
};

constexpr std::size_t body_numbers_bytes = 2 * sizeof(std::uint64_t);

struct BodyLengths {
  std::size_t address = 0;
  std::size_t host = 0;
  std::size_t agreement = 0;
};

std::optional<BodyLengths> body_lengths(std::span<const std::byte, hello_header_bytes> header) {
  Reader reader(header.last<6>());
  const BodyLengths lengths = {reader.get<std::uint16_t>(), reader.get<std::uint16_t>(),
                               reader.get<std::uint16_t>()};
  if (lengths.address > address_bytes_most || lengths.host > host_bytes_most ||
      lengths.agreement > agreement_bytes_most) {
    return std::nullopt;
  }
  return lengths;
}

Bytes reply(ReplyKind kind, std::span<const std::byte> body) {
  Writer writer;
  writer.put(reply_magic);
  writer.put(protocol_version);
  writer.put(static_cast<std::uint32_t>(kind));
  writer.put(static_cast<std::uint32_t>(body.size()));
  writer.put(std::uint32_t{0});
  writer.put(body);
  return writer.take();
}

// The last letters have hardly reached the upper bits of the bare hash.
std::uint64_t digest(std::string_view text, std::uint64_t state) {
  return splitmix(fnv1a(std::as_bytes(std::span(text)), state));
}

}  // namespace

Key key_of(std::string_view job) {
  Writer writer;
  writer.put(digest(job, fnv1a_start));
  writer.put(digest(job, splitmix(fnv1a_start)));
  const Bytes bytes = writer.take();
  Key key = {};
  std::copy(bytes.begin(), bytes.end(), key.begin());
  return key;
}

Bytes encode(const Hello& hello) {
  const std::string_view address = std::string_view(hello.address).substr(0, address_bytes_most);
  const std::string_view host = std::string_view(hello.host).substr(0, host_bytes_most);
  Writer writer;
  writer.put(hello_magic);
  writer.put(hello.version);
  writer.put(static_cast<std::int32_t>(hello.rank));
  writer.put(static_cast<std::int32_t>(hello.size));
  writer.put(static_cast<std::uint32_t>(hello.patience.count()));
  writer.put(hello.key);
  writer.put(hello.incarnation);
  writer.put(hello.pid);
  writer.put(hello.port);
  writer.put(static_cast<std::uint16_t>(address.size()));
  writer.put(static_cast<std::uint16_t>(host.size()));
  writer.put(static_cast<std::uint16_t>(hello.agreement.size()));
  writer.put(hello.locality);
  writer.put(hello.door);
  writer.put(address);
  writer.put(host);
  writer.put(std::string_view(hello.agreement));
  return writer.take();
}

std::optional<Hello> decode_header(std::span<const std::byte, hello_header_bytes> header) {
  Reader reader(header);
  if (!reader.starts_with(hello_magic)) return std::nullopt;
  Hello hello;
  hello.version = reader.get<std::uint32_t>();
  hello.rank = reader.get<std::int32_t>();
  hello.size = reader.get<std::int32_t>();
  hello.patience = std::chrono::milliseconds(reader.get<std::uint32_t>());
  hello.key = reader.get_array<16>();
  hello.incarnation = reader.get<std::uint64_t>();
  hello.pid = reader.get<std::int64_t>();
  hello.port = reader.get<std::uint16_t>();
  return hello;
}

std::optional<std::size_t> body_bytes(std::span<const std::byte, hello_header_bytes> header) {
  const std::optional<BodyLengths> lengths = body_lengths(header);
  if (!lengths) return std::nullopt;
  return body_numbers_bytes + lengths->address + lengths->host + lengths->agreement;
}

bool decode_body(std::span<const std::byte> message, Hello& hello) {
  if (message.size() < hello_header_bytes) return false;
  const std::optional<BodyLengths> lengths = body_lengths(message.first<hello_header_bytes>());
  if (!lengths) return false;
  Reader reader(message.subspan(hello_header_bytes));
  hello.locality = reader.get<std::uint64_t>();
  hello.door = reader.get<std::uint64_t>();
  hello.address = reader.get_text(lengths->address);
  hello.host = reader.get_text(lengths->host);
  hello.agreement = reader.get_text(lengths->agreement);
  return reader.at_end() && (hello.address.empty() || is_numeric(hello.address));
}

Bytes encode_welcome() {
  return reply(ReplyKind::welcome, {});
}

Bytes encode_refusal(std::string_view reason) {
  reason = reason.substr(0, refusal_bytes_most);
  return reply(ReplyKind::refused, std::as_bytes(std::span(reason.data(), reason.size())));
}

Bytes encode_world(const Token& token, std::span<const process::Member> members) {
  Writer writer;
  writer.put(token);
  for (const process::Member& member : members) {
    writer.put(member.port);
    writer.put(member.pid);
    writer.put(member.locality);
    writer.put(member.door);
    writer.put_with_length(member.address);
    writer.put_with_length(member.host);
  }
  return reply(ReplyKind::world, writer.take());
}

std::optional<ReplyHeader> decode_reply(std::span<const std::byte, reply_header_bytes> header) {
  Reader reader(header);
  if (!reader.starts_with(reply_magic)) return std::nullopt;
  ReplyHeader decoded;
  decoded.version = reader.get<std::uint32_t>();
  decoded.kind = static_cast<ReplyKind>(reader.get<std::uint32_t>());
  decoded.length = reader.get<std::uint32_t>();
  return decoded;
}

std::size_t reply_bytes_most(ReplyKind kind, int size) {
  constexpr std::size_t member_bytes_most =
      2 + 8 + 8 + 8 + 2 + address_bytes_most + 2 + host_bytes_most;
  switch (kind) {
    case ReplyKind::welcome:
      return 0;
    case ReplyKind::world:
      return sizeof(Token) + static_cast<std::size_t>(size) * member_bytes_most;
    case ReplyKind::refused:
      return refusal_bytes_most;
  }
  return 0;
}

std::string decode_refusal(std::span<const std::byte> body) {
  return Reader(body).get_text(body.size());
}

bool decode_world(std::span<const std::byte> body, int size, Token& token,
                  std::vector<process::Member>& members) {
  Reader reader(body);
  token = reader.get_array<16>();
  members.clear();
  for (int rank = 0; rank < size && reader.ok(); ++rank) {
    process::Member& member = members.emplace_back();
    member.port = reader.get<std::uint16_t>();
    member.pid = reader.get<std::int64_t>();
    member.locality = reader.get<std::uint64_t>();
    member.door = reader.get<std::uint64_t>();
    member.address = reader.get_text(reader.get<std::uint16_t>());
    member.host = reader.get_text(reader.get<std::uint16_t>());
    if (!is_numeric(member.address)) return false;
  }
  return reader.at_end();
}

}  // namespace rondo::wire
