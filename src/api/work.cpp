#include "rondo/work.hpp"

#include "execute/engine.hpp"

namespace rondo {

Work& Work::operator=(Work&& other) noexcept {
  if (this != &other) {
    if (pending_) pending_->wait();
    pending_ = std::move(other.pending_);
  }
  return *this;
}

Work::~Work() {
  if (pending_) pending_->wait();
}

bool Work::done() const noexcept {
  return !pending_ || pending_->done();
}

void Work::wait() {
  if (!pending_) return;
  pending_->wait();
  if (pending_->error()) throw *pending_->error();
}

bool Work::wait_for(std::chrono::milliseconds patience) {
  if (!pending_) return true;
  if (!pending_->wait(patience)) return false;
  if (pending_->error()) throw *pending_->error();
  return true;
}

std::optional<Error> Work::error() const {
  if (!done() || !pending_) return std::nullopt;
  return pending_->error();
}

}  // namespace rondo
