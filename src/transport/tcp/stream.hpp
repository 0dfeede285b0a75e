#pragma once

// A TCP connection that carries the messages of a link in both directions.

#include <array>
#include <cstddef>
#include <cstdint>

#include "transport/route/carrier.hpp"
#include "transport/tcp/lending.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::process {

class Stream final : public Carrier {
 public:
  Stream(Socket socket, std::uint8_t channel, Lending& lending)
      : socket_(std::move(socket)), channel_(channel), lending_(lending) {}

  bool send(Traffic& traffic, const Operation& operation) override;
  bool receive(Traffic& traffic, const Operation& operation) override;
  bool release(Transfer& transfer, const Operation&) override {
    lending_.take_back(transfer.data);
    return true;
  }
  void glance(Traffic& traffic, const Operation& operation) override;
  bool is_stuck(const Traffic& traffic, bool is_gone) const override;
  bool is_unused() const override;
  /// Without it the connection is believed to be ready until it has proved not to be.
  void set_ready(bool readable, bool writable) override {
    readable_ |= readable;
    writable_ |= writable;
  }

 private:
  static constexpr std::size_t buffer_bytes = 16 << 10;
  // Moved before other links get their turn. Larger pieces leave the cache.
  static constexpr std::size_t turn_bytes = 256 << 10;

  std::size_t buffered() const { return end_ - begin_; }
  bool take_frame(Traffic& traffic, const Operation& operation);
  void take_buffered(const Transfer& transfer);
  std::size_t read_payload(const Transfer& transfer);
  std::size_t fill();
  template <class Read>
  std::size_t note_received(Read read);

  Socket socket_;
  std::uint8_t channel_;
  Lending& lending_;
  bool readable_ = true;
  bool writable_ = true;
  bool ended_ = false;
  bool send_failed_ = false;

  Frame outgoing_;
  bool stamped_ = false;
  std::size_t sent_ = 0;  // of frame and message together
  std::uint32_t sent_frames_ = 0;

  bool in_message_ = false;
  std::size_t received_ = 0;  // of the message
  std::uint32_t received_frames_ = 0;
  std::size_t begin_ = 0;
  std::size_t end_ = 0;
  std::array<std::byte, buffer_bytes> buffer_;
};

}  // namespace rondo::process
