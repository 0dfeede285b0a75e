#include "transport/tcp/stream.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rondo::process {

bool Stream::send(Traffic& traffic, const Operation& operation) {
  bool moved = false;
  std::size_t budget = turn_bytes;
  while (!traffic.sends.empty() && writable_ && !send_failed_ && budget > 0) {
    const Transfer& transfer = traffic.sends.front();
    if (!stamped_) {
      outgoing_ = operation.frame;
      if (outgoing_.form == Form::exchange) outgoing_.dtype = transfer.dtype;
      stamp(outgoing_, channel_, sent_frames_, transfer.size);
      stamped_ = true;
    }
    iovec parts[2];
    msghdr message = {};
    message.msg_iov = parts;
    if (sent_ < sizeof outgoing_) {
      auto* frame = reinterpret_cast<std::byte*>(&outgoing_);
      parts[message.msg_iovlen++] = {frame + sent_, sizeof outgoing_ - sent_};
    }
    const std::size_t done = sent_ > sizeof outgoing_ ? sent_ - sizeof outgoing_ : 0;
    if (done < transfer.size) {
      parts[message.msg_iovlen++] = {transfer.data + done,
                                     std::min(transfer.size - done, turn_bytes)};
    }
    const ssize_t n = ::sendmsg(socket_.fd(), &message, MSG_NOSIGNAL);
    if (n < 0) {
      if (errno == EINTR) continue;
      if (errno == EAGAIN) {
        writable_ = false;
      } else {
        send_failed_ = true;
      }
      break;
    }
    moved = true;
    sent_ += static_cast<std::size_t>(n);
    budget -= std::min(budget, static_cast<std::size_t>(n));
    if (sent_ == sizeof outgoing_ + transfer.size) {
      sent_ = 0;
      stamped_ = false;
      ++sent_frames_;
      traffic.sends.finish();
    }
  }
  return moved;
}

bool Stream::receive(Traffic& traffic, const Operation& operation) {
  bool moved = false;
  std::size_t budget = turn_bytes;
  while (!traffic.recvs.empty() && traffic.trouble == Trouble::none && budget > 0) {
    if (!in_message_ && buffered() >= sizeof(Frame)) {
      if (!take_frame(traffic, operation)) break;
      moved = true;
    }
    const Transfer& transfer = traffic.recvs.front();
    if (in_message_) {
      take_buffered(transfer);
      if (received_ == transfer.size) {
        in_message_ = false;
        ++received_frames_;
        traffic.recvs.finish();
        continue;
      }
    }
    if (!readable_ || ended_) break;
    const std::size_t n = in_message_ ? read_payload(transfer) : fill();
    if (n == 0) break;
    moved = true;
    budget -= std::min(budget, n);
  }
  return moved;
}

// Nothing of a message is written to its destination before its frame has been judged.
bool Stream::take_frame(Traffic& traffic, const Operation& operation) {
  std::memcpy(&traffic.frame, buffer_.data() + begin_, sizeof traffic.frame);
  if (!accept_frame(traffic, operation, {channel_, received_frames_})) return false;
  begin_ += sizeof traffic.frame;
  in_message_ = true;
  received_ = 0;
  Transfer& transfer = traffic.recvs.front();
  if (transfer.borrow) {
    transfer.data = lending_.lend(transfer.size);
    transfer.offset = 0;
    transfer.part = transfer.size;
  }
  return true;
}

void Stream::take_buffered(const Transfer& transfer) {
  const std::size_t n = std::min(buffered(), transfer.size - received_);
  if (n == 0) return;
  std::memcpy(transfer.data + received_, buffer_.data() + begin_, n);
  begin_ += n;
  received_ += n;
}

template <class Read>
std::size_t Stream::note_received(Read read) {
  ssize_t n = read();
  while (n < 0 && errno == EINTR) n = read();
  if (n > 0) return static_cast<std::size_t>(n);
  if (n < 0 && errno == EAGAIN) {
    readable_ = false;
  } else {
    ended_ = true;
  }
  return 0;
}

// Reads the rest of the message to where it belongs and, in the same call, what follows it.
std::size_t Stream::read_payload(const Transfer& transfer) {
  const std::size_t rest = std::min(transfer.size - received_, turn_bytes);
  const bool ends_message = received_ + rest == transfer.size;
  begin_ = end_ = 0;
  iovec parts[2] = {{transfer.data + received_, rest}, {buffer_.data(), buffer_.size()}};
  msghdr message = {};
  message.msg_iov = parts;
  message.msg_iovlen = ends_message ? 2 : 1;
  const std::size_t n = note_received([&] { return ::recvmsg(socket_.fd(), &message, 0); });
  received_ += std::min(n, rest);
  end_ = n - std::min(n, rest);
  return n;
}

std::size_t Stream::fill() {
  if (begin_ > 0) {
    std::memmove(buffer_.data(), buffer_.data() + begin_, buffered());
    end_ -= begin_;
    begin_ = 0;
  }
  const std::size_t n = note_received(
      [&] { return ::recv(socket_.fd(), buffer_.data() + end_, buffer_.size() - end_, 0); });
  end_ += n;
  return n;
}

void Stream::glance(Traffic& traffic, const Operation& operation) {
  if (!traffic.recvs.empty() || traffic.trouble != Trouble::none) return;
  if (buffered() < sizeof(Frame) && readable_ && !ended_) (void)fill();
  if (buffered() < sizeof(Frame)) return;
  Frame next;
  std::memcpy(&next, buffer_.data() + begin_, sizeof next);
  note_early_frame(traffic, next, operation, {channel_, received_frames_});
}

// The kernel says when the connection has ended, after everything that came over it.
bool Stream::is_stuck(const Traffic& traffic, bool) const {
  const bool is_idle = traffic.sends.empty() && traffic.recvs.empty();
  return (ended_ && !is_idle) || (send_failed_ && !traffic.sends.empty());
}

bool Stream::is_unused() const {
  return sent_frames_ == 0 && sent_ == 0 && received_frames_ == 0 && end_ == 0;
}

}  // namespace rondo::process
