// The C functions of rondo/rondo.h that make, split, end and ask communicators and works, and give
// memory.

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <new>
#include <optional>
#include <span>
#include <string>
#include <type_traits>
#include <utility>
#include <vector>

#include "api/c_handles.hpp"
#include "base/text.hpp"
#include "rondo/memory.hpp"
#include "rondo/rondo.h"
#include "rondo/simulate.hpp"
#include "rondo/topology.hpp"

namespace rondo::c {

LastError& thread_error() noexcept {
  static thread_local LastError error;
  return error;
}

rondo_status record(LastError& last, rondo_status status, int peer, const char* text) noexcept {
  last.peer = peer;
  try {
    last.text = text;
  } catch (const std::bad_alloc&) {
    last.text.clear();
  }
  return status;
}

rondo_status null_argument(const char* name) noexcept {
  return guarded(thread_error(), [&] { refuse(concat(name, " must not be a null pointer")); });
}

void give_text(const std::string& text, char** place) {
  char* copy = static_cast<char*>(std::malloc(text.size() + 1));
  if (copy == nullptr) throw std::bad_alloc();
  std::memcpy(copy, text.c_str(), text.size() + 1);
  *place = copy;
}

}  // namespace rondo::c

namespace {

using namespace rondo::c;
using rondo::Communicator;
using rondo::concat;
using rondo::Error;
using rondo::ErrorCode;
using rondo::refuse;

static_assert(to_status(ErrorCode::invalid_argument) == RONDO_INVALID_ARGUMENT);
static_assert(to_status(ErrorCode::mismatch) == RONDO_MISMATCH);
static_assert(to_status(ErrorCode::timeout) == RONDO_TIMEOUT);
static_assert(to_status(ErrorCode::peer_lost) == RONDO_PEER_LOST);
static_assert(to_status(ErrorCode::peer_left) == RONDO_PEER_LEFT);
static_assert(to_status(ErrorCode::aborted) == RONDO_ABORTED);
static_assert(to_status(ErrorCode::join_failed) == RONDO_JOIN_FAILED);
static_assert(to_status(ErrorCode::protocol) == RONDO_PROTOCOL);
static_assert(to_status(ErrorCode::unsupported) == RONDO_UNSUPPORTED);
static_assert(to_status(ErrorCode::resource) == RONDO_RESOURCE);
static_assert(to_status(ErrorCode::io) == RONDO_IO);
static_assert(to_status(ErrorCode::internal) == RONDO_INTERNAL);
static_assert(RONDO_F64 == static_cast<int>(rondo::DType::f64));
static_assert(RONDO_F8E5M2 == static_cast<int>(rondo::DType::f8e5m2) && rondo::dtype_count == 14);
static_assert(RONDO_LXOR == static_cast<int>(rondo::Op::lxor) && rondo::op_count == 11);
static_assert(RONDO_EXSCAN == static_cast<int>(rondo::Collective::exscan));
static_assert(RONDO_CHAIN_TREE == static_cast<int>(rondo::Algorithm::chain_tree));
static_assert(RONDO_SEND == static_cast<int>(rondo::Message::Kind::send));
static_assert(RONDO_RECV == static_cast<int>(rondo::Message::Kind::recv));
static_assert(rondo::collective_count <= RONDO_MOST_COLLECTIVES);
static_assert(rondo::collective_count == 11 && rondo::algorithm_count == 15);

// The layout is part of the ABI: fields may only be added at the end.
static_assert(std::is_standard_layout_v<rondo_options>);
static_assert(sizeof(rondo_options) ==
              40 + 6 * sizeof(char*) + RONDO_MOST_COLLECTIVES * sizeof(rondo_algorithm));
static_assert(offsetof(rondo_options, algorithm) == 24);
static_assert(offsetof(rondo_options, transport) == 40);

rondo::Options to_options(const rondo_options* given) {
  const rondo_options initial = RONDO_OPTIONS_INIT;
  const rondo_options complete = completed(given == nullptr ? initial : *given, initial,
                                           "rondo_options", "RONDO_OPTIONS_INIT");
  if (complete.timeout_ms < 0 || complete.join_timeout_ms < 0 || complete.radix < 0) {
    refuse("rondo_options has a negative timeout_ms, join_timeout_ms or radix");
  }
  rondo::Options options;
  if (complete.timeout_ms != 0) options.timeout.emplace(complete.timeout_ms);
  if (complete.join_timeout_ms != 0) options.join_timeout.emplace(complete.join_timeout_ms);
  if (complete.algorithm != RONDO_AUTOMATIC) {
    options.algorithm =
        checked<rondo::Algorithm>(complete.algorithm, rondo::algorithm_count, "rondo_algorithm");
  }
  if (complete.radix != 0) options.radix = complete.radix;
  if (complete.tile_bytes != 0) options.tile_bytes = complete.tile_bytes;
  if (complete.transport != nullptr) options.transport = complete.transport;
  if (complete.topology != nullptr) options.topology = complete.topology;
  if (complete.costs != nullptr) options.costs = complete.costs;
  if (complete.plan_file != nullptr) options.plan_file = complete.plan_file;
  if (complete.progress != nullptr) {
    options.progress = [call = complete.progress, user = complete.progress_user] { call(user); };
  }
  for (int i = 0; i < RONDO_MOST_COLLECTIVES; ++i) {
    const rondo_algorithm algorithm = complete.algorithms[i];
    if (algorithm == RONDO_AUTOMATIC) continue;
    options.algorithms.emplace_back(
        checked<rondo::Collective>(i, rondo::collective_count, "rondo_collective"),
        checked<rondo::Algorithm>(algorithm, rondo::algorithm_count, "rondo_algorithm"));
  }
  return options;
}

rondo_comm* wrap(Communicator comm) {
  return new rondo_comm{.value = std::move(comm)};
}

}  // namespace

std::uint32_t rondo_version(void) {
  return 10000 * RONDO_VERSION_MAJOR + 100 * RONDO_VERSION_MINOR + RONDO_VERSION_PATCH;
}

const char* rondo_version_text(void) {
  return RONDO_VERSION_TEXT;
}

const char* rondo_status_name(rondo_status status) {
  if (status == RONDO_OK) return "ok";
  if (status < 0 || status > RONDO_INTERNAL) return "unknown status";
  return rondo::name(static_cast<ErrorCode>(status - 1)).data();  // a literal, so it ends with 0
}

const char* rondo_last_error(const rondo_comm* comm) {
  return (comm == nullptr ? thread_error() : *comm->last_error).text.c_str();
}

std::int32_t rondo_last_error_peer(const rondo_comm* comm) {
  return (comm == nullptr ? thread_error() : *comm->last_error).peer;
}

rondo_status rondo_comm_from_env(const rondo_options* options, rondo_comm** comm) {
  if (comm == nullptr) return null_argument("comm");
  return guarded(thread_error(),
                 [&] { *comm = wrap(Communicator::from_env(to_options(options))); });
}

rondo_status rondo_comm_join(std::int32_t rank, std::int32_t size,
                             rondo_allgather_function allgather, void* user,
                             const rondo_options* options, rondo_comm** comm) {
  if (comm == nullptr) return null_argument("comm");
  if (allgather == nullptr && size != 1) return null_argument("allgather");
  return guarded(thread_error(), [&] {
    rondo::OutOfBand outside;
    outside.rank = rank;
    outside.size = size;
    outside.allgather = [&](std::span<const std::byte> mine, std::span<std::byte> all) {
      const std::int32_t code = allgather(user, mine.data(), all.data(), mine.size());
      if (code == 0) return;
      throw Error(ErrorCode::join_failed, rank,
                  concat("the allgather that rank ", rank, " of ", size,
                         " gave to rondo_comm_join failed with code ", code));
    };
    *comm = wrap(Communicator::join(outside, to_options(options)));
  });
}

rondo_status rondo_comm_local(std::int32_t ranks, const rondo_options* options,
                              rondo_comm** comms) {
  if (comms == nullptr) return null_argument("comms");
  return guarded(thread_error(), [&] {
    std::vector<std::unique_ptr<rondo_comm>> world;
    for (Communicator& comm : Communicator::local(ranks, to_options(options))) {
      world.emplace_back(wrap(std::move(comm)));
    }
    for (std::unique_ptr<rondo_comm>& comm : world) *comms++ = comm.release();
  });
}

void rondo_comm_free(rondo_comm* comm) {
  delete comm;
}

std::int32_t rondo_comm_rank(const rondo_comm* comm) {
  return comm == nullptr ? -1 : comm->value.rank();
}

std::int32_t rondo_comm_size(const rondo_comm* comm) {
  return comm == nullptr ? -1 : comm->value.size();
}

rondo_status rondo_comm_split(rondo_comm* comm, std::int32_t color, std::int32_t key,
                              rondo_comm** child) {
  if (comm == nullptr) return null_argument("comm");
  if (child == nullptr) return null_argument("child");
  return guarded(*comm->last_error, [&] {
    // The memory comes first: a communicator that the others count on must not be lost.
    auto made = std::make_unique<rondo_comm>();
    made->value = comm->value.split(color, key);
    *child = made->value ? made.release() : nullptr;
  });
}

rondo_status rondo_comm_duplicate(rondo_comm* comm, rondo_comm** copy) {
  if (comm == nullptr) return null_argument("comm");
  if (copy == nullptr) return null_argument("copy");
  return guarded(*comm->last_error, [&] {
    auto made = std::make_unique<rondo_comm>();
    made->value = comm->value.duplicate();
    *copy = made.release();
  });
}

rondo_status rondo_comm_subgroup(rondo_comm* comm, const std::int32_t* members, std::int32_t count,
                                 std::uint64_t context, rondo_comm** child) {
  if (comm == nullptr) return null_argument("comm");
  if (members == nullptr) return null_argument("members");
  if (child == nullptr) return null_argument("child");
  // Several threads may be here, so a failure must not touch the communicator's text.
  return guarded(thread_error(), [&] {
    if (count < 0) refuse(concat("a communicator of ", count, " ranks does not exist"));
    auto made = std::make_unique<rondo_comm>();
    made->value =
        comm->value.subgroup(std::span(members, static_cast<std::size_t>(count)), context);
    *child = made.release();
  });
}

rondo_status rondo_comm_abort(rondo_comm* comm, const char* reason) {
  if (comm == nullptr) return null_argument("comm");
  // Any thread may be here, so a failure must not touch the communicator's text.
  return guarded(thread_error(), [&] {
    if (reason == nullptr) {
      comm->value.abort();
    } else {
      comm->value.abort(reason);
    }
  });
}

rondo_status rondo_comm_set_timeout(rondo_comm* comm, std::int64_t timeout_ms) {
  if (comm == nullptr) return null_argument("comm");
  return guarded(*comm->last_error,
                 [&] { comm->value.set_timeout(std::chrono::milliseconds(timeout_ms)); });
}

rondo_status rondo_comm_status(const rondo_comm* comm) {
  if (comm == nullptr) return null_argument("comm");
  return guarded(*comm->last_error, [&] {
    if (const std::optional<Error> error = comm->value.error()) throw Error(*error);
  });
}

rondo_status rondo_explain(const rondo_comm* comm, rondo_collective collective, std::size_t count,
                           rondo_dtype dtype, char** text) {
  if (comm == nullptr) return null_argument("comm");
  if (text == nullptr) return null_argument("text");
  return guarded(*comm->last_error, [&] {
    const std::string explained = comm->value.explain(
        checked<rondo::Collective>(collective, rondo::collective_count, "rondo_collective"), count,
        checked<rondo::DType>(dtype, rondo::dtype_count, "rondo_dtype"));
    give_text(explained, text);
  });
}

rondo_status rondo_explainv(const rondo_comm* comm, rondo_collective collective,
                            const std::size_t* counts, rondo_dtype dtype, char** text) {
  if (comm == nullptr) return null_argument("comm");
  if (text == nullptr) return null_argument("text");
  return guarded(*comm->last_error, [&] {
    const auto ranks = static_cast<std::size_t>(comm->value.size());
    const std::string explained = comm->value.explain(
        checked<rondo::Collective>(collective, rondo::collective_count, "rondo_collective"),
        counts == nullptr ? rondo::Counts() : rondo::Counts(counts, ranks),
        checked<rondo::DType>(dtype, rondo::dtype_count, "rondo_dtype"));
    give_text(explained, text);
  });
}

rondo_status rondo_topology(const rondo_comm* comm, char** text) {
  if (comm == nullptr) return null_argument("comm");
  if (text == nullptr) return null_argument("text");
  return guarded(*comm->last_error,
                 [&] { give_text(rondo::to_text(comm->value.topology()), text); });
}

rondo_status rondo_costs(rondo_comm* comm, char** text) {
  if (comm == nullptr) return null_argument("comm");
  if (text == nullptr) return null_argument("text");
  return guarded(*comm->last_error, [&] { give_text(rondo::to_text(comm->value.costs()), text); });
}

void rondo_string_free(char* text) {
  std::free(text);
}

rondo_status rondo_allocate(std::size_t bytes, void** memory) {
  if (memory == nullptr) return null_argument("memory");
  return guarded(thread_error(), [&] { *memory = rondo::allocate(bytes); });
}

void rondo_deallocate(void* memory) {
  rondo::deallocate(memory);
}

rondo_status rondo_register_memory(void* memory, std::size_t bytes) {
  return guarded(thread_error(), [&] { rondo::register_memory(memory, bytes); });
}

rondo_status rondo_deregister_memory(void* memory) {
  return guarded(thread_error(), [&] { rondo::deregister_memory(memory); });
}

rondo_status rondo_work_wait(rondo_work* work) {
  if (work == nullptr) return null_argument("work");
  return guarded(*work->last_error, [&] { work->value.wait(); });
}

rondo_status rondo_work_wait_for(rondo_work* work, std::int64_t patience_ms, std::int32_t* done) {
  if (work == nullptr) return null_argument("work");
  if (done == nullptr) return null_argument("done");
  return guarded(*work->last_error, [&] {
    *done = 1;  // also when it throws
    *done = work->value.wait_for(std::chrono::milliseconds(patience_ms)) ? 1 : 0;
  });
}

rondo_status rondo_work_test(rondo_work* work, std::int32_t* done) {
  return rondo_work_wait_for(work, 0, done);
}

void rondo_work_free(rondo_work* work) {
  delete work;
}
