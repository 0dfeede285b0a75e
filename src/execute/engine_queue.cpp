// What is queued, and the engine's own thread, which carries it out.

#include <pthread.h>
#include <signal.h>

#include <system_error>
#include <utility>

#include "base/text.hpp"
#include "execute/engine.hpp"

namespace rondo {

std::shared_ptr<PendingOperation> Engine::start(Operation operation) {
  require_own_process();
  auto pending = std::make_shared<PendingOperation>(std::move(operation));
  enqueue(pending);
  return pending;
}

void Engine::enqueue(const std::shared_ptr<PendingOperation>& pending) {
  const Lock lock(mutex_);
  require_thread();
  queue_.push_back(pending);
  if (pending->operation().may_overtake) ++overtakers_;
  arrived_.notify_all();
  const bool may_join = !is_free() && pending->operation().call.form == Form::exchange;
  if (may_join) transport_->wake();
}

void Engine::prepare_to_start() {
  require_own_process();
  const Lock lock(mutex_);
  require_thread();
}

// Under the mutex.
void Engine::require_thread() {
  if (thread_.joinable()) return;
  if (const Result<> permitted = transport_->permits_own_threads(); !permitted) {
    throw Error(permitted.error());
  }
  start_thread();
}

// The program's signals are for its own threads.
void Engine::start_thread() {
  sigset_t all;
  sigset_t before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);
  std::optional<Error> refused;
  try {
    thread_ = std::thread(&Engine::serve, this);
  } catch (const std::system_error& error) {
    refused.emplace(ErrorCode::resource,
                    concat("no thread for nonblocking operations: ", error.what()));
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  if (refused) throw Error(*refused);
}

// The engine's thread.
void Engine::serve() noexcept {
  Lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return stopping_ || (!queue_.empty() && is_free()); });
    if (queue_.empty()) return;
    if (queue_.front()->operation().call.form == Form::exchange) {
      serve_exchanges(lock);
      continue;
    }
    const std::shared_ptr<PendingOperation> pending = take(0);
    Result<> result;
    {
      const Turn turn(*this, lock);
      finish_begun();
      result = carry_out(pending->operation(), pending.get());
    }
    lock.unlock();
    hand_back(*pending, result);
    lock.lock();
  }
}

void Engine::hand_back(PendingOperation& pending, const Result<>& result) noexcept {
  std::optional<Error> error;
  if (!result) error = result.error();
  if (pending.operation().handover) pending.operation().handover->take_back(error);
  pending.complete(std::move(error));
}

// Under the mutex: out of the queue.
std::shared_ptr<PendingOperation> Engine::take(std::size_t index) {
  std::shared_ptr<PendingOperation> pending = std::move(queue_[index]);
  queue_.erase(queue_.begin() + static_cast<std::ptrdiff_t>(index));
  if (pending->operation().may_overtake) --overtakers_;
  return pending;
}

// In a turn, between operations. False where there is none.
bool Engine::carry_out_overtaker() noexcept {
  if (overtakers_.load(std::memory_order_acquire) == 0) return false;
  std::shared_ptr<PendingOperation> pending;
  {
    const Lock lock(mutex_);
    std::size_t index = 0;
    while (!queue_[index]->operation().may_overtake) ++index;
    pending = take(index);
  }
  hand_back(*pending, carry_out(pending->operation(), pending.get()));
  return true;
}

}  // namespace rondo
