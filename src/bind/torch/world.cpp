#include "bind/torch/world.hpp"

#include <algorithm>
#include <cstring>

namespace rondo_torch {

namespace {

using std::chrono::milliseconds;
using std::chrono::steady_clock;

// Ranks exchange bytes by keys of the store. A process that destroys its group and makes it anew in
// the same store meets the keys of last time: ranks count how often they have come.
class Meeting {
 public:
  Meeting(c10d::Store& store, const Member& member, milliseconds timeout)
      : store_(store), member_(member), deadline_(steady_clock::now() + timeout) {
    const std::string mine = "rondo/visits/" + std::to_string(member.rank);
    prefix_ = "rondo/" + std::to_string(store.add(mine, 1)) + "/";
  }

  static std::int32_t allgather(void* self, const void* mine, void* all, std::size_t bytes) {
    auto& meeting = *static_cast<Meeting*>(self);
    try {
      meeting.exchange(static_cast<const std::uint8_t*>(mine), static_cast<std::uint8_t*>(all),
                       bytes);
      return 0;
    } catch (const std::exception& error) {
      meeting.failure_ = text_of(error);
      return 1;
    }
  }

  const std::string& failure() const { return failure_; }

 private:
  std::string key(int round, int rank) const {
    return prefix_ + std::to_string(round) + "/" + std::to_string(rank);
  }

  void exchange(const std::uint8_t* mine, std::uint8_t* all, std::size_t bytes) {
    const int round = round_++;
    store_.set(key(round, member_.rank), std::vector<std::uint8_t>(mine, mine + bytes));
    for (int rank = 0; rank < member_.size; ++rank) {
      const std::vector<std::uint8_t> block = take(key(round, rank), rank);
      if (block.size() != bytes) {
        throw std::runtime_error("rank " + std::to_string(rank) + member_.global_name(rank) +
                                 " gave " + std::to_string(block.size()) + " bytes instead of " +
                                 std::to_string(bytes) + "; do all ranks use one rondo?");
      }
      std::memcpy(all + static_cast<std::size_t>(rank) * bytes, block.data(), bytes);
    }
  }

  std::vector<std::uint8_t> take(const std::string& name, int rank) {
    const auto left = std::chrono::duration_cast<milliseconds>(deadline_ - steady_clock::now());
    try {
      store_.wait({name}, std::max(left, milliseconds(1)));
      return store_.get(name);
    } catch (const std::exception& error) {
      throw std::runtime_error("rank " + std::to_string(rank) + member_.global_name(rank) +
                               " has not come: " + text_of(error));
    }
  }

  c10d::Store& store_;
  const Member& member_;
  steady_clock::time_point deadline_;
  std::string prefix_;
  int round_ = 0;
  std::string failure_;
};

std::int64_t at_least_one(milliseconds time) {
  return std::max<std::int64_t>(1, time.count());
}

}  // namespace

std::string text_of(const std::exception& error) {
  const auto* torch_error = dynamic_cast<const c10::Error*>(&error);
  return torch_error != nullptr ? torch_error->what_without_backtrace() : error.what();
}

std::string Member::text() const {
  return "rondo, rank " + std::to_string(rank) + " of " + std::to_string(size) +
         (group.empty() ? "" : " in group '" + group + "'");
}

std::string Member::global_name(int of_rank) const {
  const auto at = static_cast<std::size_t>(of_rank);
  if (of_rank < 0 || at >= global_ranks.size() || global_ranks[at] == at) return "";
  return " (global rank " + std::to_string(global_ranks[at]) + ")";
}

Comm join_world(c10d::Store& store, const Member& member, milliseconds timeout) {
  Meeting meeting(store, member, timeout);
  rondo_options options = RONDO_OPTIONS_INIT;
  options.timeout_ms = options.join_timeout_ms = at_least_one(timeout);
  rondo_comm* comm = nullptr;
  const rondo_status status =
      rondo_comm_join(member.rank, member.size, Meeting::allgather, &meeting, &options, &comm);
  if (status != RONDO_OK) {
    const std::string why =
        meeting.failure().empty() ? rondo_last_error(nullptr) : meeting.failure();
    C10_THROW_ERROR(DistBackendError, member.text() + ": cannot join: " + why);
  }
  return Comm(comm);
}

void require(rondo_status status, const rondo_comm* comm, const Member& member) {
  if (status == RONDO_OK) return;
  const int peer = rondo_last_error_peer(comm);
  const std::string global = member.global_name(peer);
  C10_THROW_ERROR(DistBackendError,
                  member.text() + " failed with " + rondo_status_name(status) + " in " +
                      rondo_last_error(comm) +
                      (global.empty() ? "" : "; rank " + std::to_string(peer) + global));
}

void set_deadline(rondo_comm* comm, milliseconds wanted, milliseconds& shown) {
  if (wanted == shown) return;
  if (rondo_comm_set_timeout(comm, at_least_one(wanted)) == RONDO_OK) shown = wanted;
}

}  // namespace rondo_torch
