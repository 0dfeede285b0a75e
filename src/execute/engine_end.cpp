// How an engine ends before its time: errors, aborts, and what the ranks tell each other of them.

#include <algorithm>
#include <utility>

#include "base/text.hpp"
#include "execute/engine.hpp"

namespace rondo {

// Ends this communicator, with what the ranks agree on as the reason.
Error Engine::poison(const Operation& operation, const Error& finding) noexcept {
  Error failure = verdict_on(finding);
  try {
    failure = failure.with_prefix(concat("rank ", transport_->rank(), ", operation ", sequence_,
                                         " (", describe(operation.call), "): "));
  } catch (const std::bad_alloc&) {
    failure = out_of_memory_;
  }
  {
    const Lock lock(mutex_);
    if (failure_) return *failure_;
    failure_ = failure;
    gate_.fetch_or(attention, std::memory_order_relaxed);
  }
  tell_partner();
  return failure;
}

// Tells the other ranks, hears them, and takes back all that is under way.
Error Engine::verdict_on(const Error& finding) noexcept {
  Error verdict = finding;
  try {
    // The partner has judged its timeout.
    const bool is_judged =
        abort_requested_ && is_partners_fate_ && finding.code() == ErrorCode::timeout;
    verdict = transport_->conclude(
        is_judged ? Error(ErrorCode::aborted, finding.peer(), finding.text()) : finding,
        waiting_for());
    if (is_judged) verdict = finding;
  } catch (const std::bad_alloc&) {
    verdict = out_of_memory_;
  }
  transport_->cancel();
  if (route_ != nullptr) std::exchange(route_, nullptr)->abandon();
  return verdict;
}

std::vector<int> Engine::waiting_for() const {
  std::vector<int> peers = executor_.waiting_for();
  if (route_ != nullptr && !is_by_messages_) route_->add_waiting_for(peers);
  for (const Posting& posting : postings_) posting.add_waiting_for(peers);
  std::sort(peers.begin(), peers.end());
  peers.erase(std::unique(peers.begin(), peers.end()), peers.end());
  return peers;
}

void Engine::tell_partner() noexcept {
  std::optional<Error> fate;
  {
    const Lock lock(mutex_);
    if (!is_partners_fate_) fate = failure_;
  }
  if (fate && partner_ != nullptr) partner_->end(*fate, true);
}

// In a turn.
std::optional<Error> Engine::refusal() const {
  if ((gate_.load(std::memory_order_relaxed) & attention) == 0) return std::nullopt;
  const Lock lock(mutex_);
  if (!failure_) return std::nullopt;
  return failure_->with_prefix("this communicator has ended: ");
}

Error Engine::abort_error() const {
  const Lock lock(mutex_);
  return *abort_;
}

void Engine::abort(const std::string& reason) {
  require_own_process();
  end(Error(ErrorCode::aborted, transport_->rank(),
            concat("rank ", transport_->rank(), " aborted: ", reason)),
      false);
}

// What is under way finds out by itself; where nothing is, the other ranks are told at once.
void Engine::end(const Error& error, bool is_partners) {
  Lock lock(mutex_);
  if (failure_ || abort_requested_) return;
  abort_ = error;
  is_partners_fate_ = is_partners;
  abort_requested_.store(true, std::memory_order_release);
  if (!is_free()) return transport_->wake();
  const Turn turn(*this, lock);
}

std::optional<Error> Engine::failure() const {
  const Lock lock(mutex_);
  return failure_;
}

}  // namespace rondo
