#include "transport/shm/introduction.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/text.hpp"

namespace rondo::process {

namespace {

constexpr std::size_t passed_descriptors = 2;

struct alignas(cmsghdr) ControlBytes {
  std::array<char, CMSG_SPACE(passed_descriptors * sizeof(int))> bytes = {};
};

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
      return std::unique_ptr<Carrier>(std::make_unique<Mailbox>(own_, std::move(peer_)));
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
  own_ = boxes.value();
  return say(memory_->offer(own_), true);
}

// A Unix socket takes so few bytes whole, and first.
Result<> Introduction::say(const Offer& offer, bool with_descriptors) {
  Offer sent = offer;
  iovec part = {&sent, sizeof sent};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBytes control;
  if (with_descriptors) {
    const std::array<int, passed_descriptors> passed = {memory_->segment_fd(), memory_->bell()};
    message.msg_control = control.bytes.data();
    message.msg_controllen = control.bytes.size();
    cmsghdr* const head = CMSG_FIRSTHDR(&message);
    head->cmsg_level = SOL_SOCKET;
    head->cmsg_type = SCM_RIGHTS;
    head->cmsg_len = CMSG_LEN(sizeof passed);
    std::memcpy(CMSG_DATA(head), passed.data(), sizeof passed);
  }
  if (::sendmsg(socket_.fd(), &message, MSG_NOSIGNAL) == sizeof sent) return {};
  const int number = errno;
  if (number == EPIPE || number == ECONNRESET) return gone();
  return broken(system_error("cannot pass memory over a Unix socket", number).text());
}

// False while nothing has come.
Result<bool> Introduction::hear() {
  iovec part = {&heard_, sizeof heard_};
  msghdr message = {};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  ControlBytes control;
  message.msg_control = control.bytes.data();
  message.msg_controllen = control.bytes.size();
  const ssize_t n = ::recvmsg(socket_.fd(), &message, MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR)) return false;
  for (cmsghdr* head = n > 0 ? CMSG_FIRSTHDR(&message) : nullptr; head != nullptr;
       head = CMSG_NXTHDR(&message, head)) {
    if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS) continue;
    std::array<int, passed_descriptors> passed = {-1, -1};
    std::memcpy(passed.data(), CMSG_DATA(head),
                std::min<std::size_t>(head->cmsg_len - CMSG_LEN(0), sizeof passed));
    segment_ = Descriptor(passed[0]);
    bell_ = Descriptor(passed[1]);
  }
  if (n == 0 || (n < 0 && errno == ECONNRESET)) return gone();
  if (n != sizeof heard_ || heard_.magic != Offer::right_magic) {
    return broken("it said something else");
  }
  return true;
}

}  // namespace rondo::process
