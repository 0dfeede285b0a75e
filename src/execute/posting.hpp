#pragma once

// The messages of one exchange under way: all posted at once, so that their order can't block them.

#include <deque>
#include <vector>

#include "rondo/erased_call.hpp"
#include "rondo/transport.hpp"

namespace rondo {

class Posting {
 public:
  Posting() = default;
  Posting(Posting&&) = default;
  Posting& operator=(Posting&&) = default;

  /// The connections that these messages use on this rank.
  static std::vector<Link> links(const std::vector<Message>& messages, int rank);

  /// Carries out the messages to oneself and hands over the others. The caller has called
  /// transport.begin(). The buffers belong to the transport until is_done(), or until cancel().
  void start(const std::vector<Message>& messages, Transport& transport);

  bool is_done() const;
  /// The other sides of messages that have not passed, once or more.
  void add_waiting_for(std::vector<int>& peers) const;

  Transport::Clock::time_point deadline = {};

 private:
  std::deque<Transfer> transfers_;  // they stay in place
};

}  // namespace rondo
