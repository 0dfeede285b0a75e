#include "transport/control/frame.hpp"

#include <algorithm>
#include <cstring>

namespace rondo::process {

namespace {

std::uint32_t check_of(Frame frame) {
  frame.check = 0;
  const auto words = std::bit_cast<std::array<std::uint64_t, 8>>(frame);
  std::uint64_t hash = 0x9e3779b97f4a7c15u;
  for (const std::uint64_t word : words) {
    hash = (hash ^ word) * 0xff51afd7ed558ccdu;
    hash ^= hash >> 32;
  }
  return static_cast<std::uint32_t>(hash);
}

}  // namespace

Call Frame::call() const {
  return {collective, dtype, op, root, count, plan_hash, form};
}

Frame make_frame(std::uint64_t context, std::uint64_t sequence, const Call& call) {
  Frame frame;
  frame.context = context;
  frame.sequence = sequence;
  frame.count = call.count;
  frame.plan_hash = call.plan_hash;
  frame.root = call.root;
  frame.collective = call.collective;
  frame.dtype = call.dtype;
  frame.op = call.op;
  frame.form = call.form;
  return frame;
}

void stamp(Frame& frame, std::uint8_t channel, std::uint32_t position, std::uint64_t bytes) {
  frame.channel = channel;
  frame.position = position;
  frame.bytes = bytes;
  frame.check = check_of(frame);
}

bool is_sound(const Frame& frame) {
  return frame.magic == Frame::right_magic && frame.check == check_of(frame) &&
         static_cast<int>(frame.collective) < collective_count &&
         static_cast<int>(frame.dtype) < dtype_count && static_cast<int>(frame.op) < op_count &&
         static_cast<int>(frame.form) < form_count;
}

void Notice::set_text(std::string_view text) {
  const std::size_t size = std::min(text.size(), body_bytes);
  std::copy_n(text.data(), size, body.data());
  body_size = static_cast<std::uint16_t>(size);
}

std::optional<Frame> Notice::frame() const {
  Frame frame;
  std::memcpy(&frame, body.data(), sizeof frame);
  if (!is_sound(frame)) return std::nullopt;
  return frame;
}

void Notice::set_frame(Frame frame) {
  stamp(frame, 0, 0, 0);
  std::memcpy(body.data(), &frame, sizeof frame);
  body_size = sizeof frame;
}

std::vector<int> Notice::ranks() const {
  std::vector<int> ranks(body_size);
  if (!ranks.empty()) std::memcpy(ranks.data(), body.data(), ranks.size() * sizeof(int));
  return ranks;
}

// Of very many ranks some are enough: any one of them continues the chain of waiting ranks.
void Notice::set_ranks(std::span<const int> ranks) {
  const std::size_t count = std::min(ranks.size(), body_bytes / sizeof(int));
  if (count > 0) std::memcpy(body.data(), ranks.data(), count * sizeof(int));
  body_size = static_cast<std::uint16_t>(count);
}

Notice failure_notice(std::uint64_t context, std::uint64_t sequence, const Error& error) {
  Notice notice;
  notice.kind = Notice::Kind::failure;
  notice.code = error.code();
  notice.culprit = error.peer();
  notice.context = context;
  notice.sequence = sequence;
  notice.set_text(error.text());
  return notice;
}

bool is_sound(const Notice& notice, int world_size) {
  if (notice.magic != Notice::right_magic || notice.kind > Notice::Kind::farewell) return false;
  if (notice.code > ErrorCode::internal) return false;
  if (notice.origin < 0 || notice.origin >= world_size) return false;
  if (notice.culprit < -1 || notice.culprit >= world_size) return false;
  const std::size_t item = notice.kind == Notice::Kind::testimony ? sizeof(int) : 1;
  return notice.body_size * item <= Notice::body_bytes;
}

}  // namespace rondo::process
