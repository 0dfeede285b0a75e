#pragma once

// The bytes with which a world is formed. Everything is little-endian and bounded, and nothing is
// allocated for a peer before it has shown the key of the job.
//
//   every rank → rank 0   Hello: 64 bytes that are the same in all protocol versions, then the rest
//   rank 0 → every rank   Reply "welcome" at once, so that a rank knows that it found its root,
//                         then Reply "world" with token and members, or "refused" with the reason

#include <array>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.hpp"
#include "transport/control/membership.hpp"

namespace rondo::wire {

inline constexpr std::uint32_t protocol_version = 2;
inline constexpr std::size_t hello_header_bytes = 64;
inline constexpr std::size_t reply_header_bytes = 24;
inline constexpr std::size_t agreement_bytes_most = 4096;
inline constexpr std::size_t address_bytes_most = 64;
inline constexpr std::size_t host_bytes_most = 255;
inline constexpr std::size_t refusal_bytes_most = 16384;

using Key = Bits128;
using Token = Bits128;
using Bytes = std::vector<std::byte>;

/// A digest of the job's name: it tells jobs apart and keeps stray connections out. Who knows the
/// name, or guesses it, knows the key.
Key key_of(std::string_view job);

struct Hello {
  std::uint32_t version = protocol_version;
  int rank = 0;
  int size = 0;
  std::chrono::milliseconds patience{0};  ///< how long this rank will still wait
  Key key = {};
  std::uint64_t incarnation = 0;  ///< random: the same rank trying again, or somebody else?
  std::int64_t pid = 0;
  std::uint16_t port = 0;      ///< of the listener for the other ranks
  std::uint64_t locality = 0;  ///< see process::Member, as are the others
  std::uint64_t door = 0;
  std::string address = {};  ///< of the listener, numeric
  std::string host = {};
  std::string agreement = {};  ///< options that must be alike, "key=value" lines
};

/// Texts that are too long are cut, except the agreement, which the caller has to keep in bounds.
Bytes encode(const Hello& hello);
/// Nothing for what is no hello. Only the fields of the header are filled.
std::optional<Hello> decode_header(std::span<const std::byte, hello_header_bytes> header);
/// Number of bytes that follow a header; nothing when that is more than a hello can have.
std::optional<std::size_t> body_bytes(std::span<const std::byte, hello_header_bytes> header);
/// Fills the texts. False when they are not what a hello carries.
bool decode_body(std::span<const std::byte> message, Hello& hello);

enum class ReplyKind : std::uint32_t { welcome = 1, world = 2, refused = 3 };

struct ReplyHeader {
  std::uint32_t version = protocol_version;
  ReplyKind kind = ReplyKind::welcome;
  std::uint32_t length = 0;  ///< bytes that follow
};

Bytes encode_welcome();
Bytes encode_refusal(std::string_view reason);
Bytes encode_world(const Token& token, std::span<const process::Member> members);
std::optional<ReplyHeader> decode_reply(std::span<const std::byte, reply_header_bytes> header);
/// The longest reply of this kind in a world of `size` ranks.
std::size_t reply_bytes_most(ReplyKind kind, int size);
std::string decode_refusal(std::span<const std::byte> body);
/// False when it is not a table of `size` members.
bool decode_world(std::span<const std::byte> body, int size, Token& token,
                  std::vector<process::Member>& members);

}  // namespace rondo::wire
