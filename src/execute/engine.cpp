#include "execute/engine.hpp"

#include <pthread.h>
#include <signal.h>

#include <algorithm>
#include <system_error>

#include "base/text.hpp"

namespace rondo {

namespace {

using std::chrono::microseconds;

// How long to poll without sleeping after the last byte moved, where each rank has a core. Waking
// up costs about 25 µs on Linux, a poll below 1 µs.
constexpr microseconds spin_time(200);
// A rank that shares its core gives it away at once.
constexpr microseconds shared_core_spin_time(0);
constexpr unsigned moves_between_looks_at_clock = 64;
// Longest sleep: bounds how late a deadline is noticed.
constexpr microseconds longest_sleep(20'000);

}  // namespace

void PendingOperation::wait() {
  if (done()) return;
  waiters_.fetch_add(1, std::memory_order_relaxed);
  std::unique_lock lock(mutex_);
  finished_.wait(lock, [this] { return done(); });
  waiters_.fetch_sub(1, std::memory_order_relaxed);
}

bool PendingOperation::wait_for(std::chrono::milliseconds patience) {
  if (done()) return true;
  waiters_.fetch_add(1, std::memory_order_relaxed);
  std::unique_lock lock(mutex_);
  const bool in_time = finished_.wait_for(lock, patience, [this] { return done(); });
  waiters_.fetch_sub(1, std::memory_order_relaxed);
  return in_time;
}

void PendingOperation::complete(std::optional<Error> error) {
  const std::lock_guard lock(mutex_);
  error_ = std::move(error);
  done_.store(true, std::memory_order_release);
  finished_.notify_all();
}

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
    idle_.wait(lock, [this] { return !busy_ && queue_.empty(); });
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

Result<> Engine::run(const Operation& operation) {
  require_own_process();
  Lock lock(mutex_);
  if (busy_ || !queue_.empty()) {
    lock.unlock();
    const std::shared_ptr<PendingOperation> pending = start(operation);
    pending->wait();
    if (pending->error()) return *pending->error();
    return {};
  }
  const Turn turn(*this, lock);
  return carry_out(operation, nullptr);
}

std::shared_ptr<PendingOperation> Engine::start(Operation operation) {
  require_own_process();
  auto pending = std::make_shared<PendingOperation>(std::move(operation));
  const Lock lock(mutex_);
  if (!thread_.joinable()) start_thread();
  queue_.push_back(pending);
  arrived_.notify_all();
  const bool may_join = busy_ && pending->operation().call.form == Form::exchange;
  if (may_join) transport_->wake();
  return pending;
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

// Ends a turn. An abort that came too late for an operation is told to the other ranks here.
void Engine::give_back(Lock& lock) noexcept {
  if (abort_requested_ && !failure_) {
    lock.unlock();
    const Error verdict = verdict_on(abort_error());
    lock.lock();
    failure_ = verdict;
    lock.unlock();
    tell_partner();
    lock.lock();
  }
  busy_ = false;
  if (queue_.empty()) {
    idle_.notify_all();
  } else {
    arrived_.notify_all();
  }
}

// The engine's thread.
void Engine::serve() noexcept {
  Lock lock(mutex_);
  while (true) {
    arrived_.wait(lock, [this] { return stopping_ || (!busy_ && !queue_.empty()); });
    if (queue_.empty()) return;
    const std::shared_ptr<PendingOperation> pending = queue_.front();
    if (pending->operation().call.form == Form::exchange) {
      serve_exchanges(lock);
      continue;
    }
    std::optional<Error> error;
    {
      const Turn turn(*this, lock);
      const Result<> result = carry_out(pending->operation(), pending.get());
      if (!result) error = result.error();
    }
    queue_.pop_front();
    if (queue_.empty()) idle_.notify_all();
    lock.unlock();
    pending->complete(error);
    lock.lock();
  }
}

// Whatever goes wrong inside, also a bug or a lack of memory, ends as an Error of this operation.
Result<> Engine::carry_out(const Operation& operation, const PendingOperation* pending) noexcept {
  Result<> result = guarded(operation, [&]() -> Result<> {
    if (const auto refused = refusal()) return *refused;
    return drive(operation, pending);
  });
  postings_.clear();
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

Result<> Engine::drive(const Operation& operation, const PendingOperation* pending) {
  const auto deadline = Clock::now() + operation.timeout;
  if (Result<> begun = begin(operation); !begun) return poison(operation, begun.error());
  Pace pace;
  const auto is_done = [&] {
    return operation.program ? executor_.advance() : postings_.front().is_done();
  };
  while (!is_done()) {
    const bool is_awaited = pending == nullptr || pending->is_awaited();
    if (Result<> moved = go_on(pace, operation, deadline, is_awaited); !moved) {
      return poison(operation, moved.error());
    }
  }
  return {};
}

Result<> Engine::begin(const Operation& operation) {
  if (operation.program) {
    executor_.start(operation.program->program, operation.operands, *transport_);
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
Result<> Engine::go_on(Pace& pace, const Operation& operation, Clock::time_point deadline,
                       bool is_awaited) {
  if (abort_requested_.load(std::memory_order_acquire)) return abort_error();
  const Result<bool> polled = transport_->poll(pace.sleep);
  if (!polled) return polled.error();
  if (polled.value()) {
    pace.was_moving = true;
    pace.sleep = microseconds(0);
    if (++pace.moves % moves_between_looks_at_clock != 0) return {};
  }
  const auto now = Clock::now();
  if (pace.was_moving) pace.idle_since = now;
  pace.was_moving = polled.value();
  if (now >= deadline) {
    return Error(ErrorCode::timeout, concat("not done after ", operation.timeout.count(), " ms"));
  }
  pace.sleep = std::min(patience(pace.idle_since, now, is_awaited),
                        std::chrono::duration_cast<microseconds>(deadline - now) + microseconds(1));
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
    Result<> moved = go_on(pace, operation, postings_[next].deadline, is_awaited);
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

microseconds Engine::patience(Clock::time_point idle_since, Clock::time_point now,
                              bool is_awaited) const {
  const auto spin = may_spin_ && is_awaited ? spin_time : shared_core_spin_time;
  return now - idle_since < spin ? microseconds(0) : longest_sleep;
}

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
  return verdict;
}

std::vector<int> Engine::waiting_for() const {
  std::vector<int> peers = executor_.waiting_for();
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

std::optional<Error> Engine::refusal() const {
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
  if (busy_) return transport_->wake();
  const Turn turn(*this, lock);
}

std::optional<Error> Engine::failure() const {
  const Lock lock(mutex_);
  return failure_;
}

}  // namespace rondo
