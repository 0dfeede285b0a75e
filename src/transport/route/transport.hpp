#pragma once

// The transport of one communicator between processes. The caller's thread does everything.

#include <array>
#include <cstdint>
#include <initializer_list>
#include <limits>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "transport/blame.hpp"
#include "transport/control/endpoint.hpp"
#include "transport/route/data_link.hpp"
#include "transport/shm/shared_memory.hpp"
#include "transport/tcp/lending.hpp"

namespace rondo::process {

class RoutedTransport final : public Transport {
 public:
  /// `members` are ranks of the world, in the order of their ranks here. `fabric` carries data
  /// where no memory is shared; null: TCP does.
  static Result<std::unique_ptr<Transport>> make(std::shared_ptr<Endpoint> endpoint,
                                                 std::vector<int> members, std::uint64_t context,
                                                 Fabric* fabric);
  ~RoutedTransport() override;

  Result<> begin(std::uint64_t sequence, const Call& call, std::span<const Link> links) override;
  void post(Transfer& transfer) override;
  Result<bool> poll(std::chrono::microseconds patience) override;
  bool release(Transfer& transfer) override;
  void cancel() override;
  void wake() override;
  Error conclude(const Error& finding, std::span<const int> waiting_for) override;
  Result<std::unique_ptr<Transport>> split(std::span<const int> members,
                                           std::uint64_t context) override;
  /// Which ranks share memory in fact is known when they have tried.
  std::string_view name() const override {
    return has_fallen_back() && Transport::name() == "shm" ? "shm+tcp" : Transport::name();
  }
  bool has_fallen_back() const override { return endpoint_->has_fallen_back(); }
  Result<> permits_own_threads() const override;

  /// split() among ranks of the world, with another fabric, or none.
  Result<std::unique_ptr<Transport>> remake(std::vector<int> world, std::uint64_t context,
                                            Fabric* fabric) const;
  Fabric* fabric_of_world() const { return endpoint_->fabric(); }

 private:
  RoutedTransport(std::shared_ptr<Endpoint> endpoint, std::vector<int> members, int rank,
                  std::uint64_t context, Fabric* fabric, Socket epoll, Socket wakeup);

  // Which medium carries a link: opening.cpp.
  static std::string_view name_for(const Endpoint& endpoint, std::span<const int> members,
                                   const Fabric* fabric);
  Result<> require_reach(int peer) const;
  void open(DataLink& link);
  void dial(DataLink& link);
  void advance_openings();
  void advance(DataLink& link);
  void connect(DataLink& link, Socket socket);
  void open_otherwise(DataLink& link, const Error& reason);
  void take_guest(Guest guest);

  // Moving bytes: transport.cpp.
  DataLink& link(int peer, std::uint8_t channel);
  DataLink& add_link(int peer, std::uint8_t channel);
  bool uses(std::span<const Link> links) const;
  Result<> use(std::span<const Link> links);
  void count_kinds();
  bool move();
  bool move_patiently();
  bool yield_a_while(std::chrono::microseconds patience);
  bool sleep(std::chrono::microseconds patience);
  void look_around(bool insist);
  void check();
  void harvest(int patience_ms);
  int sleep_ms(std::chrono::microseconds patience) const;
  void drop_links();

  // What went wrong, and who is to blame: verdict.cpp.
  void fail(Error error);
  void check_departures();
  void check_links();
  bool is_stuck(const DataLink& link) const;
  void explain(const DataLink& stuck);
  bool is_loss_felt() const;
  void adopt_loss();
  void take_news();
  void take(const Notice& notice);
  void take_failure(const Notice& notice);
  void take_claim(int peer, Frame frame);  // by value: it replaces the one that is kept
  void recall_claims();
  void claim_after_a_while();
  void claim();
  bool may_hear_better(const DataLink& link);
  void adopt(const Notice& notice);
  Error trouble_of(const DataLink& link) const;
  Error disagreement(int peer, const Frame& frame) const;
  Error departure_of(int peer) const;
  Error loss_of(int peer) const;
  Error judge_timeout(std::span<const int> waiting_for);
  void await_testimonies();
  void tell(const Error& error);
  std::string name_of(int rank) const;
  std::string whereabouts_of(int rank) const;
  std::string whereabouts(std::initializer_list<int> ranks) const;
  std::string last_sign_of(int rank) const;

  static constexpr auto never = std::numeric_limits<std::uint64_t>::max();

  std::shared_ptr<Endpoint> endpoint_;
  std::vector<int> members_;  // ranks of the world
  std::vector<int> index_;    // by rank of the world: rank here, or -1
  std::uint64_t context_;
  Fabric* fabric_;  // the endpoint's, or null
  Socket epoll_;
  Socket wakeup_;  // an eventfd
  std::shared_ptr<Pigeonhole> pigeonhole_;

  SharedMemory memory_;
  Lending lending_;
  std::vector<std::unique_ptr<DataLink>> links_;    // the epoll tag counts from here
  std::vector<std::vector<DataLink*>> by_channel_;  // [channel][peer], nullptr where there is none
  std::vector<DataLink*> active_;                   // used by the current operation
  std::size_t streams_ = 0;                         // of these, those that epoll knows of
  std::size_t polled_ = 0;                          // of these, those that have to be looked at
  unsigned polls_ = 0;
  unsigned sleeps_without_yield_ = 0;  // to come, since a yield took long
  unsigned after_long_yield_ = 8;      // so many of them the next time
  bool woken_ = false;                 // wake() was called since the last poll()
  bool endpoint_ready_ = false;        // epoll said so
  bool opening_ = false;               // some link

  std::uint64_t sequence_ = 0;
  Call call_;
  Operation operation_;
  static constexpr std::size_t remembered_calls = 8;
  std::array<Call, remembered_calls> calls_ = {};  // by sequence, modulo

  bool is_closed_ = false;
  std::optional<Error> error_;      // what poll() returns
  std::optional<Error> verdict_;    // what others found; they have told everybody
  std::optional<Notice> deferred_;  // the failure of an operation that has not begun here
  std::optional<Clock::time_point> stuck_since_;
  struct Loss {
    int peer;
    Clock::time_point since;
  };
  std::optional<Loss> loss_;                        // the first member whose process is gone
  std::vector<bool> is_lost_;                       // by rank
  std::vector<std::optional<std::uint64_t>> left_;  // by rank: its last operation
  std::uint64_t first_departure_ = never;           // the smallest of these
  std::vector<Testimony> testimonies_;
  std::optional<Clock::time_point> idle_since_;  // in the current operation
  bool has_claimed_ = false;
  std::optional<Clock::time_point> ahead_since_;  // when a peer was found in a later operation
  std::vector<std::optional<Frame>> claims_;  // by rank: of an operation that has not begun here
  std::uint64_t first_claim_ = never;         // the smallest of these
  std::vector<std::uint64_t> heard_;          // by rank: the last operation it testified about
};

}  // namespace rondo::process
