#include "transport/tcp/data_link.hpp"

#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

namespace rondo::tcp {

Result<> DataLink::advance_dial(Clock::time_point now) {
  Result<Socket> socket = dial_->advance(now);
  if (!socket) return socket.error();
  if (socket.value()) {
    socket_ = std::move(socket).value();
    dial_.reset();
  }
  return {};
}

bool DataLink::connect(Socket socket) {
  // A peer whose connection broke before it was used opens another one.
  if (is_open() && (sent_frames_ > 0 || sent_ > 0 || received_frames_ > 0 || end_ > 0)) {
    return false;
  }
  socket_ = std::move(socket);
  ended_ = send_failed_ = false;
  readable_ = writable_ = true;
  return true;
}

void DataLink::post(Transfer& transfer) {
  (transfer.kind == Transfer::Kind::send ? sends_ : recvs_).push(transfer);
}

bool DataLink::move(const Frame& operation, Lending& lending) {
  const bool received = receive(operation, lending);
  const bool sent = send(operation);
  return received || sent;
}

bool DataLink::send(const Frame& operation) {
  bool moved = false;
  std::size_t budget = turn_bytes;
  while (!sends_.empty() && writable_ && !send_failed_ && is_open() && budget > 0) {
    Transfer& transfer = sends_.front();
    if (!stamped_) {
      outgoing_ = operation;
      if (operation.form == Form::exchange) outgoing_.dtype = transfer.dtype;
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
      sends_.pop();
      transfer.state.store(Transfer::State::done, std::memory_order_release);
    }
  }
  return moved;
}

bool DataLink::receive(const Frame& operation, Lending& lending) {
  bool moved = false;
  std::size_t budget = turn_bytes;
  while (!recvs_.empty() && is_open() && trouble_ == Trouble::none && budget > 0) {
    if (!in_message_ && buffered() >= sizeof(Frame)) {
      if (!take_frame(operation, lending)) break;
      moved = true;
    }
    if (in_message_) {
      take_buffered();
      if (received_ == recvs_.front().size) {
        complete_recv();
        continue;
      }
    }
    if (!readable_ || ended_) break;
    const std::size_t n = in_message_ ? read_payload() : fill();
    if (n == 0) break;
    moved = true;
    budget -= std::min(budget, n);
  }
  return moved;
}

// Nothing of a message is written to its destination before its frame has been judged.
bool DataLink::take_frame(const Frame& operation, Lending& lending) {
  std::memcpy(&frame_, buffer_.data() + begin_, sizeof frame_);
  trouble_ = judge(frame_, operation);
  Transfer& transfer = recvs_.front();
  const bool is_wrong = frame_.bytes != transfer.size ||
                        (operation.form == Form::exchange && frame_.dtype != transfer.dtype);
  if (trouble_ == Trouble::none && is_wrong) trouble_ = Trouble::wrong_size;
  if (trouble_ != Trouble::none) return false;
  begin_ += sizeof frame_;
  last_heard_ = frame_.sequence;
  in_message_ = true;
  received_ = 0;
  if (transfer.borrow) transfer.data = lending.lend(transfer.size);
  return true;
}

DataLink::Trouble DataLink::judge(const Frame& frame, const Frame& operation) const {
  const bool is_next = is_sound(frame) && frame.context == operation.context &&
                       frame.channel == channel_ && frame.position == received_frames_;
  if (!is_next) return Trouble::garbage;
  // The ranks count their exchanges each for itself.
  if (operation.form == Form::exchange && frame.form == Form::exchange) return Trouble::none;
  const bool agrees = frame.sequence == operation.sequence && frame.call() == operation.call();
  return agrees ? Trouble::none : Trouble::disagreement;
}

void DataLink::take_buffered() {
  const Transfer& transfer = recvs_.front();
  const std::size_t n = std::min(buffered(), transfer.size - received_);
  if (n == 0) return;
  std::memcpy(transfer.data + received_, buffer_.data() + begin_, n);
  begin_ += n;
  received_ += n;
}

template <class Read>
std::size_t DataLink::note_received(Read read) {
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
std::size_t DataLink::read_payload() {
  const Transfer& transfer = recvs_.front();
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

std::size_t DataLink::fill() {
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

void DataLink::complete_recv() {
  in_message_ = false;
  ++received_frames_;
  Transfer& transfer = recvs_.front();
  recvs_.pop();
  transfer.state.store(Transfer::State::done, std::memory_order_release);
}

void DataLink::glance(const Frame& operation) {
  if (!is_open() || !recvs_.empty() || trouble_ != Trouble::none) return;
  if (buffered() < sizeof(Frame) && readable_ && !ended_) (void)fill();
  if (buffered() < sizeof(Frame)) return;
  Frame next;
  std::memcpy(&next, buffer_.data() + begin_, sizeof next);
  const Trouble found = judge(next, operation);
  if (found != Trouble::garbage) last_heard_ = std::max(last_heard_, next.sequence);
  // The peer may have finished this operation and begun the next one.
  if (found == Trouble::disagreement && next.sequence > operation.sequence) return;
  trouble_ = found;
  frame_ = next;
}

void DataLink::close() {
  sends_.give_up();
  recvs_.give_up();
  dial_.reset();
  socket_.close();
}

}  // namespace rondo::tcp
