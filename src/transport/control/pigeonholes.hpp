#pragma once

// Where the endpoint puts what comes for each communicator.
//
// Notices spread over the whole world, so that a rank hears of communicators that it is no member
// of, and of others before it has made them itself: it cannot tell which of these it will need.
// What came for communicators that are not here is therefore kept within a bound, the latest of it.
// A member asks for it at once after a collective call; between the two there are few notices.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <vector>

#include "transport/control/doorman.hpp"
#include "transport/control/frame.hpp"

namespace rondo::process {

/// What came for one communicator.
struct News {
  std::vector<Guest> guests;
  std::vector<Notice> notices;
  std::optional<Error> trouble;  ///< why an awaited connection will not come
};

struct Pigeonhole {
  std::atomic<bool> filled = false;
  int wake_fd = -1;  ///< an eventfd, once the communicator exists
  News news;         ///< guarded by the endpoint
};

class Pigeonholes {
 public:
  static constexpr std::size_t most_closed = 4096;  ///< that are remembered

  explicit Pigeonholes(int world_size);

  std::shared_ptr<Pigeonhole> attach(std::uint64_t context, int wake_fd,
                                     const std::vector<Notice>& losses);
  /// What comes for it from now on is thrown away.
  void close(std::uint64_t context);
  bool is_closed(std::uint64_t context) const { return closed_.contains(context); }

  void put(std::uint64_t context, Guest guest);
  void put(std::uint64_t context, const Notice& notice);
  /// Into those of communicators that exist.
  void put_everywhere(const Notice& notice);
  void put_everywhere(const Error& trouble);

  std::size_t size() const { return holes_.size(); }

 private:
  using Holes = std::map<std::uint64_t, std::shared_ptr<Pigeonhole>>;

  Pigeonhole& hole(std::uint64_t context);
  void forget_oldest();
  static void ring(Pigeonhole& hole);

  Holes holes_;
  std::deque<std::uint64_t> unclaimed_;  // a context for each notice kept, the oldest first
  std::size_t most_unclaimed_;
  std::set<std::uint64_t> closed_;
  std::deque<std::uint64_t> closing_order_;
};

}  // namespace rondo::process
