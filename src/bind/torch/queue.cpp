#include "bind/torch/queue.hpp"

#include <pthread.h>

#include <utility>

namespace rondo_torch {

void Queue::end() {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  state.is_ending = true;
  // A callback of the last job may have held the last reference to the owner, and then nobody is
  // left whom other jobs could concern.
  const bool is_own_thread = state.is_own_thread();
  if (is_own_thread) state.jobs.clear();
  lock.unlock();
  state.changed.notify_all();
  if (!thread_.joinable()) return;
  if (is_own_thread) {
    thread_.detach();
  } else {
    thread_.join();
  }
}

void Queue::post(Job job) {
  std::unique_lock lock(state_->mutex);
  // What a callback of a job asks for comes directly after that job, on all ranks alike, and may be
  // waited for.
  if (state_->is_own_thread()) {
    lock.unlock();
    job();
    return;
  }
  push(std::move(job));
}

void Queue::post_or_run(Job job) {
  const std::shared_ptr<State> state = state_;
  std::unique_lock lock(state->mutex);
  if (!state->is_own_thread() && (state->is_busy || !state->jobs.empty())) {
    push(std::move(job));
    return;
  }
  const bool was_busy = std::exchange(state->is_busy, true);
  lock.unlock();
  job();
  lock.lock();
  state->is_busy = was_busy;
  lock.unlock();
  state->changed.notify_all();
}

bool Queue::wait_until_idle(std::chrono::milliseconds patience) {
  State& state = *state_;
  std::unique_lock lock(state.mutex);
  if (state.is_own_thread()) return true;
  return state.changed.wait_for(lock, patience,
                                [&] { return state.jobs.empty() && !state.is_busy; });
}

void Queue::push(Job job) {
  state_->jobs.push_back(std::move(job));
  if (!thread_.joinable()) {
    thread_ = std::thread([state = state_] { carry_out(state); });
    state_->thread = thread_.get_id();
    pthread_setname_np(thread_.native_handle(), thread_name_.substr(0, 15).c_str());
  }
  state_->changed.notify_all();
}

void Queue::carry_out(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  while (true) {
    state->changed.wait(
        lock, [&] { return !state->is_busy && (!state->jobs.empty() || state->is_ending); });
    if (state->jobs.empty()) return;
    state->is_busy = true;
    {
      const Job job = std::move(state->jobs.front());
      state->jobs.pop_front();
      lock.unlock();
      job();
    }  // what it holds goes without the lock
    lock.lock();
    state->is_busy = false;
    state->changed.notify_all();
  }
}

}  // namespace rondo_torch
