#include "execute/engine.hpp"

#include <algorithm>

#include "base/text.hpp"

namespace rondo {

namespace {

using std::chrono::microseconds;

constexpr unsigned moves_between_looks_at_clock = 64;
// Longest sleep: bounds how late a deadline is noticed.
constexpr microseconds longest_sleep(20'000);
// The same where others have to be let move on meanwhile, from whom no event comes.
constexpr microseconds longest_sleep_with_progress(100);
// Letting them move on may take as long as many polls.
constexpr unsigned polls_between_progress = 32;
// No event says that buffers were handed over.
constexpr unsigned looks_before_sleep = 100;
constexpr microseconds sleep_between_looks(20);

}  // namespace

Engine::Engine(std::unique_ptr<Transport> transport, bool may_spin)
    : transport_(std::move(transport)),
      may_spin_(may_spin),
      out_of_memory_(ErrorCode::resource, transport_->rank(),
                     concat("rank ", transport_->rank(), " is out of memory")) {}

Engine::~Engine() {
  finish();
}

void Engine::finish() {
  {
    Lock lock(mutex_);
    await_idle(lock);
    {
      const Turn turn(*this, lock);
      finish_begun();
    }
    stopping_ = true;
    arrived_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

void Engine::require_own_process() const {
  if (is_own_process()) return;
  throw Error(ErrorCode::invalid_argument,
              "this communicator belongs to the process that made it, and this one was forked from "
              "it; make a world of its own after fork()");
}

// The short way into a turn.
bool Engine::enter(unsigned from) {
  return gate_.compare_exchange_strong(from, in_use, std::memory_order_acquire,
                                       std::memory_order_relaxed);
}

// Ends a turn that began in either way.
void Engine::leave() noexcept {
  unsigned from = in_use;
  const unsigned to = begun_ ? resumable : 0;
  if (gate_.compare_exchange_strong(from, to, std::memory_order_release,
                                    std::memory_order_relaxed)) {
    return;
  }
  Lock lock(mutex_);
  give_back(lock);
}

// Under the mutex. Whoever is inside will see to it that those who wait look again; nobody else
// gets in past the mutex.
bool Engine::is_free() {
  return (gate_.fetch_or(attention, std::memory_order_acquire) & in_use) == 0;
}

void Engine::await_idle(Lock& lock) {
  idle_.wait(lock, [this] { return is_free() && queue_.empty(); });
}

// A turn for a thread that brings its own operation; false where others are before it.
bool Engine::take_turn() {
  if (enter(0)) return true;
  const Lock lock(mutex_);
  if (!is_free() || !queue_.empty()) return false;
  gate_.store(in_use | attention, std::memory_order_relaxed);
  return true;
}

Result<> Engine::run(const Operation& operation) {
  require_own_process();
  if (!take_turn()) {
    const std::shared_ptr<PendingOperation> pending = start(operation);
    pending->wait();
    if (pending->error()) return *pending->error();
    return {};
  }
  finish_begun();
  Result<> result = carry_out(operation, nullptr);
  leave();
  return result;
}

void Engine::start_here(const std::shared_ptr<PendingOperation>& pending) {
  require_own_process();
  if (!take_turn()) return enqueue(pending);
  if (begun_) {  // from now on the engine's thread takes charge of both
    leave();
    return enqueue(pending);
  }
  begun_ = pending;
  begun_pace_ = {};
  go_on_with_begun([&](const Operation& operation) -> Result<bool> {
    if (const auto refused = refusal()) return *refused;
    if (Result<> started = begin(operation); !started) return poison(operation, started.error());
    return has_ended(operation);
  });
  leave();
}

void Engine::wait(PendingOperation& pending) {
  require_own_process();
  if (pending.done()) return;
  if (enter(resumable) || take_turn()) {
    finish_begun();
    leave();
  }
  pending.wait();
}

bool Engine::test(PendingOperation& pending) {
  require_own_process();
  if (pending.done()) return true;
  if (!enter(resumable) && !take_turn()) return false;
  if (begun_.get() == &pending) {
    begun_pace_.sleep = microseconds(0);
    go_on_with_begun([&](const Operation& operation) -> Result<bool> {
      Result<> moved = go_on(begun_pace_, operation, true);
      if (!moved) return poison(operation, moved.error());
      return has_ended(operation);
    });
  }
  leave();
  return pending.done();
}

// Ends a turn, under the mutex. An abort that came too late for an operation is told to the other
// ranks here, and ends what was begun.
void Engine::give_back(Lock& lock) noexcept {
  if (abort_requested_ && !failure_) {
    lock.unlock();
    const Error verdict = verdict_on(abort_error());
    lock.lock();
    failure_ = verdict;
    lock.unlock();
    tell_partner();
    if (begun_) std::exchange(begun_, nullptr)->complete(verdict);
    lock.lock();
  }
  const bool is_quiet = queue_.empty() && !failure_ && !abort_requested_;
  gate_.store((begun_ ? resumable : 0) | (is_quiet ? 0 : attention), std::memory_order_release);
  if (queue_.empty()) {
    idle_.notify_all();
  } else {
    arrived_.notify_all();
  }
}

// Whatever goes wrong inside, also a bug or a lack of memory, ends as an Error of this operation.
Result<> Engine::carry_out(const Operation& operation, const PendingOperation* pending) noexcept {
  Result<> result = guarded(operation, [&]() -> Result<> {
    if (const auto refused = refusal()) return *refused;
    return drive(operation, pending);
  });
  if (!postings_.empty()) postings_.clear();
  return result;
}

template <class Body>
Result<> Engine::guarded(const Operation& operation, Body body) noexcept {
  try {
    return body();
  } catch (const std::bad_alloc&) {
    return poison(operation, out_of_memory_);
  } catch (const Error& error) {
    return poison(operation, error);
  } catch (const std::exception& bug) {
    return poison(operation, bug_error(bug.what()));
  }
}

Error Engine::bug_error(const char* text) const noexcept {
  try {
    return Error(ErrorCode::internal, transport_->rank(), text);
  } catch (const std::bad_alloc&) {
    return out_of_memory_;
  }
}

// All of them, or the first chunk. Nothing moves meanwhile, as between operations: other ranks may
// be in this one already. But a stream may wait for an operation that came later, and only then
// come to this one.
Result<> Engine::await_buffers(Handover& handover) {
  for (unsigned look = 0;; ++look) {
    if (abort_requested_.load(std::memory_order_acquire)) return abort_error();
    const Result<std::uint32_t> given = handover.given();
    if (!given) return given.error();
    if (given.value() > 0) return {};
    if (carry_out_overtaker()) {
      if (const auto refused = refusal()) return *refused;
      look = 0;
      continue;
    }
    if (look < looks_before_sleep) {
      std::this_thread::yield();
    } else {
      std::this_thread::sleep_for(sleep_between_looks);
    }
  }
}

Result<> Engine::drive(const Operation& operation, const PendingOperation* pending) {
  if (operation.handover) {
    const Result<> given = await_buffers(*operation.handover);
    if (!given) return poison(operation, given.error());
  }
  if (Result<> begun = begin(operation); !begun) return poison(operation, begun.error());
  Pace pace;
  if (!postings_.empty()) pace.deadline = postings_.front().deadline;
  return go_on_to_end(pace, operation, pending);
}

Result<> Engine::go_on_to_end(Pace& pace, const Operation& operation,
                              const PendingOperation* pending) {
  while (!has_ended(operation)) {
    const bool is_awaited = pending == nullptr || pending->is_awaited();
    if (Result<> moved = go_on(pace, operation, is_awaited); !moved) {
      return poison(operation, moved.error());
    }
  }
  return {};
}

// Goes as far as possible without waiting.
bool Engine::has_ended(const Operation& operation) {
  if (!operation.program) return postings_.front().is_done();
  return route_ != nullptr ? has_arrived(operation) : executor_.advance();
}

// The same by a route, which may turn out to be none.
bool Engine::has_arrived(const Operation& operation) {
  if (!is_by_messages_) {
    const Route::State state = route_->advance();
    if (state == Route::State::under_way) return false;
    is_by_messages_ = state == Route::State::by_messages;
    if (is_by_messages_) {
      const Route::Buffers buffers = route_->buffers();
      executor_.start(*operation.sized, buffers.in, buffers.out, *transport_);
    }
  }
  if (is_by_messages_) {
    if (!executor_.advance()) return false;
    route_->finish_messages();
  }
  route_ = nullptr;
  return true;
}

// In a turn: what was begun goes before all else.
void Engine::finish_begun() noexcept {
  if (!begun_) return;
  go_on_with_begun([&](const Operation& operation) -> Result<bool> {
    Result<> gone = go_on_to_end(begun_pace_, operation, nullptr);
    if (!gone) return gone.error();
    return true;
  });
}

// In a turn: carries on what was begun as `body` does, which says whether it has ended.
template <class Body>
void Engine::go_on_with_begun(Body body) noexcept {
  std::optional<Error> error;
  const Operation& operation = begun_->operation();
  bool is_done = true;
  const Result<> result = guarded(operation, [&]() -> Result<> {
    const Result<bool> ended = body(operation);
    if (!ended) return ended.error();
    is_done = ended.value();
    return {};
  });
  if (!result) error = result.error();
  if (error || is_done) std::exchange(begun_, nullptr)->complete(std::move(error));
}

Result<> Engine::begin(const Operation& operation) {
  if (operation.route) {
    Route& route = *operation.route;
    Result<> begun =
        transport_->begin(++sequence_, operation.call, route.links(operation.program->links));
    if (!begun) return begun;
    route_ = &route;
    is_by_messages_ = false;
    route.start(operation, *transport_);
    return begun;
  }
  if (operation.program) {
    Crossing* const crossing = operation.chunks ? &crossing_ : nullptr;
    if (crossing != nullptr) {
      crossing->start(*operation.sized, *operation.chunks, *operation.handover);
    }
    executor_.start(*operation.sized, operation.in, operation.out, *transport_, crossing);
    return transport_->begin(++sequence_, operation.call, operation.program->links);
  }
  Posting& posting = postings_.emplace_back();
  posting.deadline = Clock::now() + operation.timeout;
  const std::vector<Link> links = Posting::links(operation.messages, transport_->rank());
  Result<> begun = transport_->begin(++sequence_, operation.call, links);
  if (begun) posting.start(operation.messages, *transport_);
  return begun;
}

// Moves what can be moved, or sleeps a while; the error that ends what is under way.
Result<> Engine::go_on(Pace& pace, const Operation& operation, bool is_awaited) {
  if (abort_requested_.load(std::memory_order_acquire)) return abort_error();
  const Result<bool> polled = transport_->poll(pace.sleep);
  if (!polled) return polled.error();
  if (polled.value()) {
    if (!pace.was_moving && may_spin_ && is_awaited) note_end_of_wait(pace);
    pace.was_moving = true;
    pace.sleep = microseconds(0);
    if (++pace.moves % moves_between_looks_at_clock != 0) return {};
  } else if (progress_ &&
             (pace.sleep.count() > 0 || ++pace.idle_polls % polls_between_progress == 0)) {
    progress_();
  }
  const auto now = Clock::now();
  if (!pace.deadline) pace.deadline = now + operation.timeout;
  if (pace.was_moving) pace.idle_since = now;
  pace.was_moving = polled.value();
  if (now >= *pace.deadline) {
    return Error(ErrorCode::timeout, concat("not done after ", operation.timeout.count(), " ms"));
  }
  if (pace.sleep.count() == 0) pace.asleep_since = now;
  pace.sleep =
      std::min(patience(pace.idle_since, now, is_awaited),
               std::chrono::duration_cast<microseconds>(*pace.deadline - now) + microseconds(1));
  // No event says that a stream is through, either.
  const bool awaits_route = route_ != nullptr && !is_by_messages_ && route_->is_impatient();
  if (awaits_route || (operation.chunks && !crossing_.has_all_input())) {
    pace.sleep = std::min(pace.sleep, sleep_between_looks);
  }
  return {};
}

// Carries out the exchanges that are pending, and those that come meanwhile, side by side.
void Engine::serve_exchanges(Lock& lock) noexcept {
  const Turn turn(*this, lock);
  const std::shared_ptr<PendingOperation> first = [&] {
    const Lock look(mutex_);
    return queue_.front();
  }();
  const Result<> result = guarded(first->operation(), [&] { return drive_exchanges(); });
  if (result) return;
  for (std::size_t i = std::max<std::size_t>(1, postings_.size()); i > 0; --i) {
    complete_exchange(0, result.error());
  }
}

Result<> Engine::drive_exchanges() {
  Pace pace;
  for (;;) {
    if (const auto refused = refusal()) return *refused;
    if (Result<> begun = begin_new_exchanges(); !begun) return begun;
    for (std::size_t i = postings_.size(); i-- > 0;) {
      if (postings_[i].is_done()) complete_exchange(i, std::nullopt);
    }
    if (postings_.empty()) return {};
    std::size_t next = 0;  // to reach its deadline
    bool is_awaited = false;
    std::shared_ptr<PendingOperation> pending;
    {
      const Lock look(mutex_);
      for (std::size_t i = 0; i < postings_.size(); ++i) {
        is_awaited |= queue_[i]->is_awaited();
        if (postings_[i].deadline < postings_[next].deadline) next = i;
      }
      pending = queue_[next];
    }
    const Operation& operation = pending->operation();
    pace.deadline = postings_[next].deadline;
    Result<> moved = go_on(pace, operation, is_awaited);
    if (!moved) return poison(operation, moved.error());
  }
}

Result<> Engine::begin_new_exchanges() {
  for (;;) {
    std::shared_ptr<PendingOperation> next;
    {
      const Lock look(mutex_);
      if (postings_.size() == queue_.size()) return {};
      next = queue_[postings_.size()];
    }
    const Operation& operation = next->operation();
    if (Result<> begun = begin(operation); !begun) return poison(operation, begun.error());
  }
}

void Engine::complete_exchange(std::size_t index, const std::optional<Error>& error) noexcept {
  const auto offset = static_cast<std::ptrdiff_t>(index);
  std::shared_ptr<PendingOperation> pending;
  {
    const Lock lock(mutex_);
    pending = queue_[index];
    queue_.erase(queue_.begin() + offset);
  }
  if (index < postings_.size()) {
    postings_.erase(postings_.begin() + offset);
  }
  pending->complete(error);
}

void Engine::note_end_of_wait(const Pace& pace) {
  if (pace.sleep.count() == 0) {
    spinning_.came_in_time();
  } else if (!spinning_.pays() || pace.asleep_since - pace.idle_since >= Spinning::longest) {
    spinning_.came_late(std::chrono::duration_cast<microseconds>(Clock::now() - pace.asleep_since));
  }
}

microseconds Engine::patience(Clock::time_point idle_since, Clock::time_point now,
                              bool is_awaited) const {
  // A rank that shares its core gives it away at once.
  const bool spins = may_spin_ && is_awaited && spinning_.pays();
  if (spins && now - idle_since < Spinning::longest) return microseconds(0);
  return progress_ ? longest_sleep_with_progress : longest_sleep;
}

}  // namespace rondo
