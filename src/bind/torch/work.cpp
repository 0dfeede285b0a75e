#include "bind/torch/work.hpp"

#include <atomic>
#include <memory>
#include <utility>

#include "bind/torch/registered.hpp"

namespace rondo_torch {

RondoWork::RondoWork(What what)
    : Work(what.rank, what.op, what.title, what.inputs),
      title_(what.title),
      outputs_(std::move(what.outputs)),
      inputs_(std::move(what.inputs).value_or(std::vector<at::Tensor>())),
      sequence_(what.sequence),
      patience_(what.patience),
      waiting_for_(std::move(what.waiting_for)),
      look_(std::move(what.look)),
      future_(c10::make_intrusive<c10::ivalue::Future>(
          c10::ListType::create(c10::TensorType::get()),
          what.device ? std::vector<c10::Device>{*what.device} : std::vector<c10::Device>())) {}

bool RondoWork::attempt(const std::function<void()>& operation) {
  try {
    const at::NoGradGuard no_grad;
    operation();
    return true;
  } catch (...) {
    fail(std::current_exception());
    return false;
  }
}

void RondoWork::carry_out(const std::function<void()>& operation) {
  const bool is_done = attempt([&] {
    const RegisteredMemory::Use use_of_outputs(outputs_);
    const RegisteredMemory::Use use_of_inputs(std::exchange(inputs_, {}));
    operation();
  });
  if (is_done) complete();
}

// The future first: whoever waits for the work finds it complete as well.
void RondoWork::complete() {
  future_->markCompleted(c10::IValue(outputs_));
  finish();
}

void RondoWork::give_to_stream(const std::function<void()>& operation) {
  if (!attempt(operation)) return;
  inputs_.clear();
  future_->markCompleted(c10::IValue(outputs_));
}

void RondoWork::finish_on_stream(const std::exception_ptr& error) {
  if (!Work::isCompleted()) finish(error);
}

std::vector<at::Tensor> RondoWork::tensors() const {
  std::vector<at::Tensor> all = outputs_;
  all.insert(all.end(), inputs_.begin(), inputs_.end());
  return all;
}

void RondoWork::complete_after(const c10::intrusive_ptr<RondoWork>& whole,
                               const std::vector<c10::intrusive_ptr<RondoWork>>& parts) {
  // One more than there are parts: a part may complete while this goes on.
  const auto left = std::make_shared<std::atomic<std::size_t>>(parts.size() + 1);
  const auto count_down = [whole, parts, left] {
    if (--*left > 0) return;
    for (const auto& part : parts) {
      if (!part->future_->hasError()) continue;
      whole->fail(part->future_->exception_ptr());
      return;
    }
    // On devices: whoever waits for the whole waits for the streams of all parts.
    for (const auto& part : parts) part->future_->wait();
    whole->complete();
  };
  for (const auto& part : parts) {
    part->future_->addCallback([count_down](c10::ivalue::Future&) { count_down(); });
  }
  count_down();
}

void RondoWork::fail(const std::exception_ptr& error) {
  future_->setError(error);
  finish(error);
}

std::exception_ptr RondoWork::late(std::chrono::milliseconds patience) const {
  try {
    C10_THROW_ERROR(DistBackendError, std::string(title_) + ": timed out after " +
                                          std::to_string(patience.count()) + " ms" + waiting_for_);
  } catch (...) {
    return std::current_exception();
  }
}

bool RondoWork::isCompleted() {
  if (look_) look_();
  return Work::isCompleted();
}

bool RondoWork::isSuccess() const {
  if (look_) look_();
  return Work::isSuccess();
}

bool RondoWork::wait(std::chrono::milliseconds timeout) {
  if (look_) look_();
  std::unique_lock lock(mutex_);
  const auto patience = timeout == kNoTimeout ? patience_ : timeout;
  const auto is_completed = [this] { return completed_ || look_; };
  if (patience == kNoTimeout) {
    cv_.wait(lock, is_completed);
  } else if (!cv_.wait_for(lock, patience, is_completed)) {
    lock.unlock();
    std::rethrow_exception(late(patience));
  }
  if (exception_) std::rethrow_exception(exception_);
  lock.unlock();
  future_->wait();  // makes the current stream wait
  return true;
}

}  // namespace rondo_torch
