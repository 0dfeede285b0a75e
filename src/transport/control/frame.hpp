#pragma once

// What travels between ranks, byte for byte: plain little-endian structs of fixed size.
//
//   Hello   the first 64 bytes of every connection, in both directions; the accepting side answers
//           only those that know the token, so that each side knows the other one before anything
//           else is said
//   Frame   on data links, before the bytes of every message; in shared memory beside them
//   Notice  on control links: what ended an operation, and who has left

#include <array>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

#include "base/hash.hpp"
#include "rondo/transport.hpp"

namespace rondo::process {

static_assert(std::endian::native == std::endian::little, "the wire format is little-endian");

inline constexpr std::uint16_t protocol_version = 2;

using Token = Bits128;

/// Magic, version and token keep their places in all versions, so that versions can tell each other
/// apart.
struct Hello {
  enum class Kind : std::uint8_t { control, data, memory };

  static constexpr std::uint32_t right_magic = 0x6f646e72;  // "rndo"

  std::uint32_t magic = right_magic;
  std::uint16_t version = protocol_version;
  Kind kind = Kind::control;
  std::uint8_t channel = 0;
  Token token = {};
  std::uint64_t context = 0;
  std::int32_t from = 0;  ///< ranks of the world
  std::int32_t to = 0;
  std::int32_t size = 0;
  std::array<std::byte, 20> reserved = {};
};
static_assert(sizeof(Hello) == 64 && std::is_trivially_copyable_v<Hello>);

struct Frame {
  static constexpr std::uint32_t right_magic = 0x31667272;  // "rrf1"

  std::uint32_t magic = right_magic;
  std::uint32_t check = 0;  ///< over all other fields
  std::uint64_t context = 0;
  std::uint64_t sequence = 0;
  std::uint64_t bytes = 0;  ///< of the message that follows
  std::uint64_t count = 0;
  std::uint64_t plan_hash = 0;
  std::int32_t root = 0;
  std::uint32_t position = 0;  ///< counts the frames of one direction of a link
  Collective collective = Collective::barrier;
  DType dtype = DType::u8;
  Op op = Op::sum;
  std::uint8_t channel = 0;
  Form form = Form::even;
  std::uint8_t reserved = 0;
  std::uint16_t epoch = 0;  ///< of the membership, which never changes yet

  Call call() const;
};
static_assert(sizeof(Frame) == 64 && std::is_trivially_copyable_v<Frame>);

Frame make_frame(std::uint64_t context, std::uint64_t sequence, const Call& call);
/// Fills in what differs from message to message, and the check.
void stamp(Frame& frame, std::uint8_t channel, std::uint32_t position, std::uint64_t bytes);
/// Whether a frame is undamaged and all its fields have a meaning.
bool is_sound(const Frame& frame);

struct Notice {
  enum class Kind : std::uint8_t {
    failure,    ///< `code`, `culprit`, text: ends the operation of `context` everywhere
    testimony,  ///< the deadline passed at the origin, which waits for `waiting_for`; asks all
                ///< others
    claim,      ///< the origin has been waiting for a while in the operation that its frame tells
    leave,      ///< the origin closed `context` after its operation `sequence`
    lost,       ///< the origin's control link to `culprit` ended without a farewell
    farewell,   ///< the origin is about to close its control links
  };

  static constexpr std::uint32_t right_magic = 0x316e7272;  // "rrn1"
  static constexpr std::size_t body_bytes = 464;

  std::uint32_t magic = right_magic;
  Kind kind = Kind::failure;
  ErrorCode code = ErrorCode::io;
  std::uint16_t body_size = 0;  ///< characters of the text, or number of ranks
  std::uint64_t context = 0;
  std::uint64_t sequence = 0;
  std::uint64_t id = 0;       ///< counts the notices of one origin
  std::int32_t origin = 0;    ///< rank of the world
  std::int32_t culprit = -1;  ///< lost: rank of the world; failure: rank of the communicator
  std::uint64_t reserved = 0;
  std::array<char, body_bytes> body = {};

  std::string_view text() const { return {body.data(), body_size}; }
  void set_text(std::string_view text);
  /// claim: what the origin's frames look like; nothing when it is damaged.
  std::optional<Frame> frame() const;
  void set_frame(Frame frame);
  std::vector<int> ranks() const;
  void set_ranks(std::span<const int> ranks);
};
static_assert(sizeof(Notice) == 512 && std::is_trivially_copyable_v<Notice>);

/// That `error` ended operation `sequence` of `context`.
Notice failure_notice(std::uint64_t context, std::uint64_t sequence, const Error& error);

bool is_sound(const Notice& notice, int world_size);

}  // namespace rondo::process
