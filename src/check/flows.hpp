#pragma once

// Messages that share links: at any time their rates are max-min fair, and change when a message
// starts or ends.
//
// Messages of one path always have the same rate. So a path counts the bytes that a message on it
// has been given so far, and a message ends when that count has grown by its size. Only paths that
// are connected to a change, over links that they share, get new rates; and a set of paths that has
// been seen before gets the rates that it had then. So the repeated rounds of a schedule are solved
// once. A link connects nobody as long as all that could come over it has room: such are most links
// inside a network.

#include <cstdint>
#include <queue>
#include <unordered_map>
#include <utility>
#include <vector>

#include "check/link_map.hpp"
#include "check/max_min.hpp"

namespace rondo {

using PathId = std::uint32_t;

class Flows {
 public:
  using Time = std::int64_t;  // picoseconds
  static constexpr Time never = INT64_MAX;

  explicit Flows(LinkMap& links) : links_(links) {}

  /// For a run from time 0 of a world with this period. What is known about rates stays.
  void begin(int period);

  PathId path(int from, int to);

  /// `tag` comes back from take_ended().
  void start(PathId path, std::uint64_t bytes, std::uint32_t tag, Time now);
  /// Gives each message its rate, after all that starts and ends now.
  void settle(Time now);
  /// After settle(), when the next message ends if nothing starts before; or never.
  Time next_end();
  /// Takes a message that ends now, if there is one.
  bool take_ended(Time now, std::uint32_t& tag);
  void finish(Time now) { finished_ = now; }

  /// After settle(): the messages of a path, and what each of them gets, in bytes a second.
  std::size_t messages(PathId path) const { return paths_[path].endings.size(); }
  double rate(PathId path) const { return paths_[path].rate * 1e12; }

  /// By kind of link, busiest first.
  std::vector<LinkUse> use() const;
  std::uint64_t solved() const { return solved_; }
  std::uint64_t remembered() const { return remembered_; }

 private:
  struct Ending {
    double given = 0;  // by the path, when the message ends
    std::uint32_t tag = 0;
    friend bool operator<(const Ending& a, const Ending& b) {
      return std::pair(a.given, a.tag) > std::pair(b.given, b.tag);
    }
  };
  struct Path {
    std::vector<LinkId> links = {};
    double narrowest = 0;  // of the links, in bytes a second: all its messages get no more
    double rate = 0;       // of each message, in bytes a picosecond
    double given = 0;      // to a message that has been there since the path was last idle
    Time since = 0;        // when `given` was up to date
    std::priority_queue<Ending> endings = {};
    std::uint32_t version = 0;  // of what is queued
    bool is_changed = false;
    bool is_found = false;  // in the present search
  };
  struct NextEnd {
    Time time = 0;
    PathId path = 0;
    std::uint32_t version = 0;
    friend bool operator<(const NextEnd& a, const NextEnd& b) {
      return std::pair(a.time, a.path) > std::pair(b.time, b.path);
    }
  };
  struct PatternHash {
    std::size_t operator()(const std::vector<std::uint32_t>& pattern) const;
  };

  static void bring_up_to_date(Path& path, Time now);
  void change(PathId id);
  void queue_end(PathId id);
  void join_links(PathId id);
  void leave_links(PathId id);
  bool may_be_full(LinkId link) const;
  std::vector<PathId> connected(PathId start);
  const std::vector<double>& rates_of(const std::vector<PathId>& paths);

  LinkMap& links_;
  std::vector<Path> paths_;
  std::unordered_map<std::uint64_t, PathId> known_paths_;  // by ranks
  std::vector<std::vector<PathId>> active_on_;             // per link
  std::vector<double> demand_;                             // per link: that its paths can give it
  std::vector<bool> is_link_found_;                        // in the present search
  std::vector<PathId> changed_;
  std::priority_queue<NextEnd> ends_;
  std::vector<std::uint32_t> free_ends_;  // messages that no link holds up
  std::vector<std::uint64_t> carried_;    // bytes, per link
  Time finished_ = 0;
  int period_ = 0;
  MaxMin max_min_;
  std::unordered_map<std::vector<std::uint32_t>, std::vector<double>, PatternHash> memory_;
  std::size_t words_remembered_ = 0;
  std::uint64_t solved_ = 0;
  std::uint64_t remembered_ = 0;
};

}  // namespace rondo
