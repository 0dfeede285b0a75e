#include "rondo/persistent.hpp"

#include "api/persistent_state.hpp"
#include "api/refuse.hpp"
#include "base/text.hpp"

namespace rondo {

Persistent::Persistent() noexcept = default;
Persistent::Persistent(std::unique_ptr<State> state) noexcept : state_(std::move(state)) {}
Persistent::Persistent(Persistent&&) noexcept = default;

Persistent& Persistent::operator=(Persistent&& other) noexcept {
  if (this != &other) {
    drop();
    state_ = std::move(other.state_);
  }
  return *this;
}

Persistent::~Persistent() {
  drop();
}

Persistent::State& Persistent::state() const {
  if (!state_) refuse("this persistent collective is empty: default made, or moved away");
  return *state_;
}

void Persistent::start() {
  State& own = state();
  const auto title = [&] { return name(own.pending->operation().call.collective); };
  if (own.is_active) {
    refuse(concat("start() of a persistent ", title(), " whose last start() was not waited for"));
  }
  Engine* const engine = *own.engine;
  if (engine == nullptr) {
    refuse(concat("start() of a persistent ", title(), " whose communicator is gone"));
  }
  own.pending->rearm();
  engine->start_here(own.pending);
  own.is_active = true;
}

void Persistent::wait() {
  State& own = state();
  if (!own.is_active) return;
  if (*own.engine != nullptr) (*own.engine)->wait(*own.pending);
  own.end();
}

bool Persistent::test() {
  State& own = state();
  if (!own.is_active) return true;
  if (*own.engine != nullptr && !(*own.engine)->test(*own.pending)) return false;
  own.end();
  return true;
}

void Persistent::State::end() {
  is_active = false;
  if (pending->error()) throw *pending->error();
}

// A communicator that is gone has finished everything before. In a forked child nothing ever ends
// that was under way in the parent.
void Persistent::drop() noexcept {
  const bool is_under_way = state_ && state_->is_active && *state_->engine != nullptr;
  if (is_under_way && (*state_->engine)->is_own_process()) {
    (*state_->engine)->wait(*state_->pending);
  }
  state_.reset();
}

}  // namespace rondo
