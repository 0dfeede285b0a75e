#pragma once

// Messages between two ranks, matched by source and tag as PyTorch does it.

#include <chrono>
#include <condition_variable>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>

#include "bind/torch/on_device.hpp"
#include "bind/torch/queue.hpp"
#include "bind/torch/reduction.hpp"
#include "bind/torch/work.hpp"
#include "bind/torch/world.hpp"

namespace rondo_torch {

/// rondo's messages have no tags and are received from a named rank. So each tensor follows a
/// header that has its tag, and each direction between two ranks is a communicator and a thread of
/// its own, made by the first message: what waits there holds up nobody else.
class Messages {
 public:
  using Work = c10::intrusive_ptr<RondoWork>;

  /// `world` outlives this.
  Messages(rondo_comm* world, const Member& member) : world_(world), member_(member) {}
  ~Messages();

  /// Both complete `work`, whose one tensor is `tensor`. Those of a device go through the host.
  void send(const at::Tensor& tensor, int to, int tag, Work work);
  /// From any rank where `from` is negative. Fails when no message has begun to come within
  /// `patience`; messages that come later are for others.
  void receive(const at::Tensor& tensor, int from, int tag, std::chrono::milliseconds patience,
               Work work);

  bool wait_until_sent(std::chrono::milliseconds patience);
  void abort(const std::string& reason);

 private:
  struct Header {
    std::int64_t tag;
    std::uint64_t bytes;
  };
  struct Arrived {
    int from;
    std::int64_t tag;
    std::vector<std::uint8_t> bytes;
  };
  // One direction. Its communicator is made and used in the thread of the queue.
  struct Channel {
    Channel(int peer_, const std::string& thread_name) : peer(peer_), queue(thread_name) {}

    int peer;
    Comm comm;
    std::exception_ptr failure;
    std::deque<Arrived> unexpected;
    Queue queue;  // last, so that it ends first
  };
  struct Wanted {
    at::Tensor tensor;
    StreamPoint free;  // of what the caller did with the tensor before
    int from;
    int tag;
    std::chrono::milliseconds patience;
    std::chrono::steady_clock::time_point deadline;
    Work work;
  };
  // Who fails those that wait for too long may outlive this, by a callback of what it fails.
  struct Waiting {
    std::mutex mutex;
    std::condition_variable changed;
    std::deque<Wanted> wanted;
    std::chrono::steady_clock::time_point next;  // when whoever watches looks again
    bool is_watched = false;
    bool is_over = false;
  };
  using Channels = std::map<int, std::unique_ptr<Channel>>;

  Channel& channel(Channels& channels, int peer, const char* name);
  void open(Channel& channel, int from, int to);
  static void watch(const std::shared_ptr<Waiting>& waiting);
  void receive_wanted(Channel& channel);
  void receive_one(Channel& channel);
  bool is_wanted_of(const Wanted& wanted, int peer) const {
    return wanted.from < 0 || wanted.from == peer;
  }
  std::optional<Wanted> take_wanted(int peer, std::int64_t tag);  // with the lock
  std::optional<Arrived> take_unexpected(const Wanted& wanted);   // with the lock
  void store(const Wanted& wanted, std::uint64_t bytes, int from,
             const std::function<void(void*)>& take) const;
  void deliver(const Wanted& wanted, const Arrived& arrived) const;
  void fail_wanted(Channel& channel, const std::exception_ptr& failure);

  rondo_comm* world_;
  const Member& member_;
  const std::shared_ptr<Waiting> waiting_ = std::make_shared<Waiting>();
  std::mutex& mutex_ = waiting_->mutex;
  std::deque<Wanted>& wanted_ = waiting_->wanted;
  bool is_aborted_ = false;
  std::string abort_reason_;
  Channels outgoing_;
  Channels incoming_;
  Queue clock_{"rondo-clock"};
};

}  // namespace rondo_torch
