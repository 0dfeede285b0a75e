#include "transport/shm/introduction.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <span>

#include "base/text.hpp"
#include "transport/shm/passing.hpp"

namespace rondo::process {

namespace {

Error gone() {
  return Error(ErrorCode::peer_lost, "it ended the conversation");
}

Error broken(std::string_view what) {
  return Error(ErrorCode::unsupported, std::string(what));
}

}  // namespace

Result<std::unique_ptr<Carrier>> Introduction::advance() {
  for (;;) {
    const Result<bool> moved = step();
    if (!moved && moved.error().code() == ErrorCode::peer_lost) return moved.error();
    if (!moved) {
      Offer refusal;
      refusal.kind = Offer::Kind::refusal;
      const std::string& text = moved.error().text();
      std::copy_n(text.data(), std::min(text.size(), Offer::reason_bytes), refusal.reason.data());
      (void)say(refusal, false);
      return moved.error();
    }
    if (stage_ == Stage::agreed) {
      const std::unique_ptr<const OwnBoxes> own(own_.release());
      return std::unique_ptr<Carrier>(std::make_unique<Mailbox>(
          *own, std::move(peer_), std::move(socket_), memory_->publisher()));
    }
    if (!moved.value()) return std::unique_ptr<Carrier>();
  }
}

// True when it went on.
Result<bool> Introduction::step() {
  if (side_ == Side::dialler && stage_ == Stage::begin) {
    if (Result<> said = say_offer(); !said) return said.error();
    stage_ = Stage::offered;
    return true;
  }
  const Result<bool> heard = hear();
  if (!heard || !heard.value()) return heard;
  if (heard_.kind == Offer::Kind::refusal) {
    const std::string_view reason(heard_.reason.data(), Offer::reason_bytes);
    return broken(concat("it refused: ", reason.substr(0, reason.find('\0'))));
  }
  const bool is_last = side_ == Side::other && stage_ == Stage::offered;
  if (is_last != (heard_.kind == Offer::Kind::agreed)) return broken("it speaks out of turn");
  if (!is_last) {
    Result<PeerBoxes> adopted = memory_->adopt(heard_, std::move(segment_), std::move(bell_));
    if (!adopted) return adopted.error();
    peer_ = std::move(adopted).value();
    Offer agreed;
    agreed.kind = Offer::Kind::agreed;
    Result<> said = side_ == Side::other ? say_offer() : say(agreed, false);
    if (!said) return said.error();
  }
  stage_ = is_last || side_ == Side::dialler ? Stage::agreed : Stage::offered;
  return true;
}

Result<> Introduction::say_offer() {
  const Result<OwnBoxes> boxes = memory_->allocate();
  if (!boxes) return boxes.error();
  own_ = {new OwnBoxes(boxes.value()), TakeBack{memory_}};
  return say(memory_->offer(*own_), true);
}

// A Unix socket takes so few bytes whole, and first.
Result<> Introduction::say(const Offer& offer, bool with_descriptors) {
  const std::array<int, 2> descriptors = {memory_->bell(),
                                          with_descriptors ? memory_->segment_fd() : -1};
  const std::span<const int> passed(descriptors);
  const int number =
      pass(socket_, std::as_bytes(std::span(&offer, 1)), passed.first(with_descriptors ? 2 : 0));
  if (number == 0) return {};
  if (number == EPIPE || number == ECONNRESET) return gone();
  return broken(system_error("cannot pass memory over a Unix socket", number).text());
}

// False while nothing has come.
Result<bool> Introduction::hear() {
  std::array<Descriptor, 2> passed;
  const ssize_t n = take_passed(socket_, std::as_writable_bytes(std::span(&heard_, 1)), passed);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  bell_ = std::move(passed[0]);
  segment_ = std::move(passed[1]);
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return gone();
  if (n != sizeof heard_ || heard_.magic != Offer::right_magic) {
    return broken("it said something else");
  }
  return true;
}

}  // namespace rondo::process
