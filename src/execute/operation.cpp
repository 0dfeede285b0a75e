#include "execute/operation.hpp"

#include <utility>

namespace rondo {

void Operation::set_program(std::shared_ptr<const PreparedProgram> prepared, Amount amount) {
  sized = std::make_shared<const SizedProgram>(prepared->program, std::move(amount));
  program = std::move(prepared);
}

const std::optional<Error> PendingOperation::no_error;

// Who waits says so, and then looks; who completes it says so, and then looks: one of the two sees
// the other. So it takes no mutex where nobody waits.
bool PendingOperation::wait(std::optional<std::chrono::milliseconds> patience) {
  if (done()) return true;
  const auto is_done = [this] { return done_.load(std::memory_order_seq_cst); };
  waiters_.fetch_add(1, std::memory_order_seq_cst);
  std::unique_lock lock(mutex_);
  if (patience) {
    (void)finished_.wait_for(lock, *patience, is_done);
  } else {
    finished_.wait(lock, is_done);
  }
  waiters_.fetch_sub(1, std::memory_order_relaxed);
  return is_done();
}

void PendingOperation::complete(std::optional<Error> error) {
  if (error && !has_failed_.load(std::memory_order_relaxed)) {
    error_ = std::move(error);
    has_failed_.store(true, std::memory_order_release);
  }
  done_.store(true, std::memory_order_seq_cst);
  if (waiters_.load(std::memory_order_seq_cst) == 0) return;
  const std::lock_guard lock(mutex_);
  finished_.notify_all();
}

void PendingOperation::rearm() {
  error_.reset();
  has_failed_.store(false, std::memory_order_relaxed);
  done_.store(false, std::memory_order_relaxed);
}

}  // namespace rondo
