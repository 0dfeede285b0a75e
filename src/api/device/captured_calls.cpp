#include "api/device/captured_calls.hpp"

#include <algorithm>
#include <atomic>
#include <iostream>
#include <utility>

#include "api/value_or_throw.hpp"
#include "base/text.hpp"

namespace rondo {

namespace {

// Of a word: the operation has ended.
constexpr std::uint32_t pending = 0;
constexpr std::uint32_t ended = 1;

Operation without_buffers(const Operation& operation) {
  Operation shown;
  shown.call = operation.call;
  return shown;
}

}  // namespace

PinnedPool::Area PinnedPool::take(const std::shared_ptr<PinnedPool>& pool, int device,
                                  std::size_t bytes) {
  const std::size_t wanted = page + (bytes + page - 1) / page * page;
  {
    const std::lock_guard lock(pool->mutex_);
    std::vector<Piece>& unused = pool->unused_;
    const auto best = std::min_element(unused.begin(), unused.end(), [&](Piece a, Piece b) {
      return std::pair(a.bytes < wanted, a.bytes) < std::pair(b.bytes < wanted, b.bytes);
    });
    if (best != unused.end() && best->bytes >= wanted) {
      const Piece piece = *best;
      unused.erase(best);
      return {pool, piece.begin, piece.bytes};
    }
    unused.reserve(++pool->made_);
  }
  void* const memory = value_or_throw(pool->runtime_.allocate(Allocation::pinned, device, wanted));
  return {pool, static_cast<std::byte*>(memory), wanted};
}

void PinnedPool::give_back(Piece piece) noexcept {
  const std::lock_guard lock(mutex_);
  unused_.push_back(piece);
}

void PinnedPool::free() {
  std::vector<Piece> unused;
  {
    const std::lock_guard lock(mutex_);
    unused = std::exchange(unused_, {});
    unused_.reserve(made_);
  }
  for (const Piece& piece : unused) {
    static_cast<void>(runtime_.deallocate(Allocation::pinned, piece.begin).ok());
  }
}

class CapturedCall : public std::enable_shared_from_this<CapturedCall> {
 public:
  CapturedCall(Engine& engine, Operation operation, PinnedPool::Area area)
      : shown(std::make_shared<PendingOperation>(without_buffers(operation))),
        engine_(&engine),
        collective_(operation.call.collective),
        operation_(std::move(operation)),
        area_(std::move(area)) {
    write(ended);
    shown->complete(std::nullopt);
  }

  const std::shared_ptr<PendingOperation> shown;

  std::uint32_t* word() const { return area_.word(); }

  // The host function. Others of its graph, and of other graphs, come before it or after it.
  void queue() noexcept {
    const std::lock_guard lock(mutex_);
    if (engine_ == nullptr) return tell_that_it_is_left_out();
    write(pending);
    shown->reopen();
    try {
      std::optional<Error> refusal;
      if (turns_++ > 0) {
        refusal.emplace(ErrorCode::invalid_argument,
                        "a graph came to the call before the one before it was through with it: "
                        "of instances of one graph only one may be carried out at a time");
      }
      Operation operation = operation_;
      operation.may_overtake = true;
      operation.handover = std::make_shared<Turn>(shared_from_this(), std::move(refusal));
      engine_->start(std::move(operation));
    } catch (const Error& error) {
      end_turn(error);
    } catch (const std::bad_alloc&) {
      end_turn(Error(ErrorCode::resource, "out of memory"));
    }
  }

  void detach() {
    const std::lock_guard lock(mutex_);
    engine_ = nullptr;
    operation_ = {};  // refers to what the communicator has
  }

 private:
  // One time that the call is carried out.
  class Turn final : public Handover {
   public:
    Turn(std::shared_ptr<CapturedCall> call, std::optional<Error> refusal)
        : call_(std::move(call)), refusal_(std::move(refusal)) {}
    Result<std::uint32_t> given() override {
      if (refusal_) return *refusal_;
      return 1;
    }
    void take(std::uint32_t) noexcept override {}
    void take_back(const std::optional<Error>& error) noexcept override {
      const std::lock_guard lock(call_->mutex_);
      call_->end_turn(error);
    }

   private:
    const std::shared_ptr<CapturedCall> call_;
    const std::optional<Error> refusal_;
  };

  // Under the mutex. First for the host: the stream may come back at once.
  void end_turn(const std::optional<Error>& error) noexcept {
    if (!failure_) failure_ = error;
    if (--turns_ > 0) return;
    shown->complete(failure_);
    write(ended);
  }

  void write(std::uint32_t value) const noexcept {
    std::atomic_ref(*word()).store(value, std::memory_order_release);
  }

  void tell_that_it_is_left_out() noexcept {
    if (std::exchange(has_told_, true)) return;
    std::clog << concat("rondo: ", name(collective_),
                        " of a graph is left out: its communicator has ended\n");
  }

  std::mutex mutex_;
  Engine* engine_;  // null when it has ended
  const Collective collective_;
  Operation operation_;
  const PinnedPool::Area area_;
  int turns_ = 0;  // queued: more than one is a mistake, of which all streams wait for the end
  std::optional<Error> failure_;
  bool has_told_ = false;
};

CapturedCalls::CapturedCalls(Engine& engine, DeviceRuntime& runtime)
    : engine_(engine), runtime_(runtime), pool_(std::make_shared<PinnedPool>(runtime)) {}

CapturedCalls::~CapturedCalls() {
  pool_->free();
}

bool CapturedCalls::is_captured(DeviceRuntime& runtime, DeviceStream stream,
                                Collective collective) {
  const Capture state = value_or_throw(runtime.capture_of(stream));
  if (state != Capture::broken) return state == Capture::active;
  throw Error(ErrorCode::invalid_argument,
              concat(name(collective),
                     ": the stream can take no work: its capture into a graph is broken, or it is "
                     "the default stream, and another one is captured"));
}

PinnedPool::Area CapturedCalls::reserve(int device, std::size_t bytes) {
  return PinnedPool::take(pool_, device, bytes);
}

std::shared_ptr<PendingOperation> CapturedCalls::capture(DeviceStream stream, Operation operation,
                                                         PinnedPool::Area area, const Work& before,
                                                         const Work& after) {
  engine_.prepare_to_start();
  const auto call = std::make_shared<CapturedCall>(engine_, std::move(operation), std::move(area));
  std::erase_if(calls_, [](const auto& each) { return each.expired(); });
  calls_.push_back(call);
  using Kept = std::shared_ptr<CapturedCall>;
  Kept* const kept = new Kept(call);
  Result<> done = runtime_.keep_in_graph(
      stream, [](void* object) { delete static_cast<Kept*>(object); }, kept);
  if (done && before) done = before();
  if (done) {
    done = runtime_.call_host(
        stream, [](void* object) { (*static_cast<Kept*>(object))->queue(); }, kept);
  }
  if (done) done = runtime_.wait_value(stream, call->word(), ended);
  if (done && after) done = after();
  if (!done) throw done.error();
  return call->shown;
}

void CapturedCalls::detach() {
  for (const std::weak_ptr<CapturedCall>& each : calls_) {
    if (const std::shared_ptr<CapturedCall> call = each.lock()) call->detach();
  }
}

}  // namespace rondo
