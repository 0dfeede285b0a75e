// Collectives as structures tell them, of rondo/rondo.h and rondo/cuda.h: with a plan of the
// caller's choice, persistent ones, and those on a stream.

#include <type_traits>
#include <vector>

#include "api/c_calls.hpp"
#include "api/c_handles.hpp"
#include "rondo/cuda.h"

namespace {

using namespace rondo::c;
using rondo::refuse;

static_assert(std::is_standard_layout_v<rondo_call> && std::is_standard_layout_v<rondo_plan>);
static_assert(sizeof(rondo_call) == 32 + 6 * sizeof(void*) + sizeof(std::size_t));
static_assert(sizeof(rondo_plan) == 32 + 3 * sizeof(void*));

RawCall to_raw(const rondo_call& given) {
  const rondo_call call = completed(given, RONDO_CALL_INIT, "rondo_call", "RONDO_CALL_INIT");
  if (call.reserved != 0) refuse("rondo_call.reserved must be 0");
  return {checked<rondo::Collective>(call.collective, rondo::collective_count, "rondo_collective"),
          call.send,
          call.receive,
          call.count,
          call.dtype,
          call.op,
          call.root,
          call.uneven != 0,
          {call.send_counts, call.send_displacements},
          {call.receive_counts, call.receive_displacements}};
}

template <class Number>
std::vector<Number> listed(const Number* numbers, std::size_t count) {
  if (numbers == nullptr) return {};
  return {numbers, numbers + count};
}

std::shared_ptr<const rondo::Arrangement> to_arrangement(const rondo_plan& plan, int ranks) {
  if (plan.groups < 0) refuse("rondo_plan.groups is negative");
  if ((plan.groups > 0) != (plan.group_sizes != nullptr)) {
    refuse("rondo_plan.groups and rondo_plan.group_sizes go together");
  }
  if (plan.order == nullptr && plan.groups == 0 && plan.weights == nullptr) return nullptr;
  const auto count = static_cast<std::size_t>(ranks);
  std::vector<int> order = listed(plan.order, count);
  for (int rank = 0; plan.order == nullptr && rank < ranks; ++rank) order.push_back(rank);
  auto made = rondo::Arrangement::make(
      std::move(order), listed(plan.group_sizes, static_cast<std::size_t>(plan.groups)),
      listed(plan.weights, count));
  if (!made) throw made.error();
  return std::move(made).value();
}

rondo::Plan to_plan(const rondo_plan& plan, const rondo::Communicator& comm) {
  rondo::Plan own;
  own.algorithm =
      checked<rondo::Algorithm>(plan.algorithm, rondo::algorithm_count, "rondo_algorithm");
  if (own.algorithm == rondo::Algorithm::automatic) {
    refuse("rondo_plan.algorithm is not set; for the planner's choice pass no plan");
  }
  own.ranks = comm.size();
  if (plan.radix != 0) own.radix = plan.radix;
  if (plan.channels != 0) own.channels = plan.channels;
  own.arrangement = to_arrangement(plan, comm.size());
  return own;
}

// `body` makes something of the call, and of the plan and its tiles where there are any.
template <class Body>
auto with_plan(const rondo::Communicator& comm, const rondo_call& call, const rondo_plan* given,
               Body body) {
  const rondo::ErasedCall erased = to_call(to_raw(call), comm);
  if (given == nullptr) return body(erased);
  const rondo_plan plan = completed(*given, RONDO_PLAN_INIT, "rondo_plan", "RONDO_PLAN_INIT");
  return body(erased, to_plan(plan, comm), plan.tile_bytes);
}

}  // namespace

rondo_status rondo_run(rondo_comm* comm, const rondo_call* call, const rondo_plan* plan) {
  if (comm == nullptr) return null_argument("comm");
  if (call == nullptr) return null_argument("call");
  return guarded(*comm->last_error, [&] {
    with_plan(comm->value, *call, plan,
              [&](const auto&... arguments) { comm->value.run(arguments...); });
  });
}

rondo_status rondo_persistent_init(rondo_comm* comm, const rondo_call* call, const rondo_plan* plan,
                                   rondo_persistent** made) {
  if (comm == nullptr) return null_argument("comm");
  if (call == nullptr) return null_argument("call");
  if (made == nullptr) return null_argument("made");
  return guarded(*comm->last_error, [&] {
    auto handle = std::make_unique<rondo_persistent>();
    handle->last_error = comm->last_error;
    handle->value = with_plan(comm->value, *call, plan, [&](const auto&... arguments) {
      return comm->value.init(arguments...);
    });
    *made = handle.release();
  });
}

rondo_status rondo_persistent_start(rondo_persistent* persistent) {
  if (persistent == nullptr) return null_argument("persistent");
  return guarded(*persistent->last_error, [&] { persistent->value.start(); });
}

rondo_status rondo_persistent_wait(rondo_persistent* persistent) {
  if (persistent == nullptr) return null_argument("persistent");
  return guarded(*persistent->last_error, [&] { persistent->value.wait(); });
}

rondo_status rondo_persistent_test(rondo_persistent* persistent, std::int32_t* done) {
  if (persistent == nullptr) return null_argument("persistent");
  if (done == nullptr) return null_argument("done");
  return guarded(*persistent->last_error, [&] {
    *done = 1;  // also when it throws
    *done = persistent->value.test() ? 1 : 0;
  });
}

void rondo_persistent_free(rondo_persistent* persistent) {
  delete persistent;
}

rondo_status rondo_start_on_stream(rondo_comm* comm, const rondo_call* call, CUstream_st* stream,
                                   rondo_work** work) {
  if (call == nullptr) return null_argument("call");
  return started(comm, work, [&](rondo::Communicator& own) {
    return own.start(to_call(to_raw(*call), own), stream);
  });
}

rondo_status rondo_connect_devices(rondo_comm* comm, std::int32_t device, std::int32_t* connected) {
  if (comm == nullptr) return null_argument("comm");
  if (connected == nullptr) return null_argument("connected");
  return guarded(*comm->last_error,
                 [&] { *connected = comm->value.connect_devices(device) ? 1 : 0; });
}

rondo_status rondo_share_memory(rondo_comm* comm, const void* memory, std::int32_t* shared) {
  if (comm == nullptr) return null_argument("comm");
  if (shared == nullptr) return null_argument("shared");
  return guarded(*comm->last_error, [&] { *shared = comm->value.share_memory(memory) ? 1 : 0; });
}

rondo_status rondo_unshare_memory(rondo_comm* comm, const void* memory) {
  if (comm == nullptr) return null_argument("comm");
  return guarded(*comm->last_error, [&] { comm->value.unshare_memory(memory); });
}
