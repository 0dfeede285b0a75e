#pragma once

// A link whose messages travel in the packets of a fabric. A TCP connection goes with it: over it
// each side says at first which stream leads to it, and at last how many packets it has sent and
// taken, and its end is how the death of a peer shows.
//
// A message is one packet, its frame first, or one with the frame and others with the rest.

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <optional>
#include <vector>

#include "rondo/fabric.hpp"
#include "transport/route/carrier.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo::process {

class FabricLink final : public Carrier {
 public:
  /// `peer` is a rank of the world. The fabric must outlive it.
  FabricLink(Socket socket, Fabric& fabric, int peer, std::uint8_t channel);
  ~FabricLink() override;

  bool send(Traffic& traffic, const Operation& operation) override;
  bool receive(Traffic& traffic, const Operation& operation) override;
  bool release(Transfer& transfer, const Operation& operation) override;
  void glance(Traffic& traffic, const Operation& operation) override;
  bool is_stuck(const Traffic& traffic, bool is_gone) const override;
  bool is_unused() const override { return sent_ == 0 && taken_ == 0; }
  void close() override;
  bool is_polled() const override { return true; }

 private:
  using Packet = Fabric::Packet;
  static constexpr std::size_t payload_bytes = Fabric::packet_bytes - sizeof(Frame);
  static constexpr std::size_t window = 4;  // packets under way in each direction

  /// What a side says on the connection, in this order.
  struct Words {
    std::uint64_t stream = 0;
    std::uint64_t sent = 0;
    std::uint64_t taken = 0;
  };
  static constexpr std::size_t first_word = sizeof(std::uint64_t);

  void tell(const void* words, std::size_t bytes);
  void listen();
  bool knows_stream() const { return heard_ >= first_word; }
  bool knows_end() const { return heard_ == sizeof(Words); }

  bool stage(const Transfer& transfer, const Operation& operation);
  bool reap(Traffic& traffic);
  void expect_packets();
  Packet* arrived();
  bool take_frame(const Packet& packet, Traffic& traffic, const Operation& operation);
  void take_payload(Traffic& traffic);
  bool check(const Result<>& result);
  void report(Traffic& traffic) const;

  Socket socket_;
  Fabric& fabric_;
  int peer_;
  std::uint8_t channel_;
  Words own_;
  Words peers_;
  std::size_t heard_ = 0;  // bytes of peers_
  bool ended_ = false;     // the connection
  std::optional<Error> failure_;

  struct Outgoing {
    Packet* packet;
    bool ends_message;
  };
  std::deque<Outgoing> outgoing_;
  std::size_t staged_ = 0;        // transfers all of whose packets are under way
  std::size_t staged_bytes_ = 0;  // of the one after them
  bool is_frame_staged_ = false;  // the same
  std::uint32_t sent_frames_ = 0;
  std::uint64_t sent_ = 0;  // packets

  std::deque<Packet*> incoming_;  // in the order in which they will come
  struct Lent {
    Packet* packet;
    const std::byte* data;
  };
  std::vector<Lent> lent_;
  bool in_message_ = false;
  std::size_t received_ = 0;  // of the message, with what is lent of it
  std::uint32_t received_frames_ = 0;
  std::uint64_t taken_ = 0;  // packets
};

}  // namespace rondo::process
