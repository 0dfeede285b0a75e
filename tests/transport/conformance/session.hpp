#pragma once

// The machinery of the checks: ranks as threads, messages whose bytes tell where they come from,
// and waits that end.

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "transport/conformance.hpp"

namespace rondo::conformance {

/// Thrown through a rank's body after a failure was recorded, here or on another rank.
struct Stop {};

/// One transfer with its memory. The bytes follow from the seed, which follows from the world, the
/// link, the operation and the place in its order: no two messages of a check are alike.
struct Message {
  Transfer transfer;
  std::vector<std::byte> memory;  // guard, bytes, guard; empty for a borrow
  std::uint64_t seed = 0;
  std::size_t passed = 0;  // of a borrow: bytes of parts that were released
  bool retired = false;
};

/// The call that ranks make when the check is not about calls.
inline constexpr Call agreed_call = {Collective::allreduce, DType::f32, Op::sum, 0, 64, 1};

class Session;

/// One rank of a world: its transport, and the messages of its operations.
class Rank {
 public:
  Rank(Session& session, Transport& transport, std::uint64_t salt)
      : session_(session),
        transport_(transport),
        rank_(transport.rank()),
        size_(transport.size()),
        salt_(salt) {}
  Rank(const Rank&) = delete;
  Rank& operator=(const Rank&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  Transport& transport() { return transport_; }
  const Options& options() const;

  /// The next operation. Fails the check if the transport refuses.
  void begin(const std::vector<Link>& links, const Call& call = agreed_call);

  /// Post a message. The i-th send on a link expects the i-th recv of the peer.
  Message& send(Link link, std::size_t size);
  Message& recv(Link link, std::size_t size);
  Message& borrow(Link link, std::size_t size);
  /// Sends a message that is made in the transport's memory; false where it has no room for it.
  bool make(Link link, std::size_t size);

  /// Polls until the message is done, or all are; checks the bytes.
  void complete(Message& message);
  void complete_all();
  /// The same, calling `meanwhile` after every poll in which something is missing.
  void complete_all(const std::function<void()>& meanwhile);
  bool done(const Message& message) const;
  /// The same for a transfer that the check made itself.
  void await_done(const Transfer& transfer, const std::string& what);
  /// The same for a borrow, which may come in parts: offset and bytes of each.
  void await_borrow(Transfer& transfer, const std::string& what,
                    const std::function<void(std::size_t, std::span<const std::byte>)>& take);
  /// The bytes of a completed borrow are still what was sent.
  void require_bytes(const Message& message);
  void release(Message& message);

  /// Polls until the transport reports an error.
  Error await_error();
  /// The same for some time in which there may be none.
  std::optional<Error> await_error_for(std::chrono::milliseconds time);
  /// Does what a communicator does when an operation ends with an error.
  Error end_operation(const Error& finding, const std::vector<int>& waiting_for);

  /// This rank among `members` of its world. The session owns it.
  Rank& split(const std::vector<int>& members, std::uint64_t context);

  /// Writes the memory of a message that was canceled, and checks that nobody else did.
  void overwrite(Message& message);
  void require_overwritten(const Message& message);

  /// Agreement besides the transport: this rank has reached a stage; wait until another one has,
  /// polling or (a rank that does nothing for the transport) not.
  void reach(int stage);
  void await(int other, int stage);
  void await_asleep(int other, int stage);
  /// Polls for some time in which nothing needs to happen.
  void idle(std::chrono::milliseconds time);
  /// Destroys this rank's transport.
  void leave();

  template <class... Parts>
  void require(bool condition, const Parts&... what) {
    if (!condition) fail(concat(what...));
  }
  [[noreturn]] void fail(const std::string& what);

  /// What must still hold when the check is over.
  void audit();

 private:
  friend class Session;
  std::uint64_t next_seed(Transfer::Kind kind, Link link);
  Message& post(Transfer::Kind kind, Link link, std::size_t size, bool borrow);
  void poll(std::chrono::milliseconds patience);
  void until(const std::function<bool()>& holds, const std::string& what);
  void retire(Message& message);
  std::span<const std::byte> bytes(const Message& message) const;
  void check_bytes(const Message& message);
  void check_bytes(const Message& message, std::span<const std::byte> found);
  void take_parts();
  void check_guards(const Message& message);
  std::string label(const Message& message) const;

  Session& session_;
  Transport& transport_;  // gone after leave()
  int rank_;
  int size_;
  std::uint64_t salt_;
  std::uint64_t sequence_ = 0;
  std::map<std::pair<Transfer::Kind, Link>, std::uint64_t> posted_;
  std::deque<Message> messages_;
};

/// A world and the threads of its ranks, or of the one that this process is.
class Session {
 public:
  Session(const Factory& factory, const Options& options, int ranks);
  ~Session();

  /// Runs the body on all ranks, each in its thread, and returns what went wrong.
  Failures run(const std::function<void(Rank&)>& body);

 private:
  friend class Rank;
  std::atomic<int>& stage_of(int rank);
  Rank& adopt(std::unique_ptr<Transport> transport, std::uint64_t salt);
  void run_rank(int index, const std::function<void(Rank&)>& body);
  void record(const std::string& failure);

  Rank& rank_at(int index);

  const Options options_;
  std::vector<std::unique_ptr<Transport>> world_;
  std::deque<std::atomic<int>> own_stages_;
  std::atomic<bool> own_stopped_ = false;
  std::atomic<bool>& stopped_;
  std::mutex mutex_;  // guards what follows
  Failures failures_;
  std::deque<Rank> ranks_;
  std::vector<std::unique_ptr<Transport>> children_;
};

/// Runs one body on a new world.
Failures on_ranks(const Factory& factory, const Options& options, int ranks,
                  const std::function<void(Rank&)>& body);

void append(Failures& to, const Failures& from);

/// Links on one channel to all ranks but this one.
std::vector<Link> links_to_all(const Rank& rank, int channel = 0);

std::vector<Check> message_checks();
std::vector<Check> waiting_checks();
std::vector<Check> failure_checks();
std::vector<Check> split_checks();

}  // namespace rondo::conformance
