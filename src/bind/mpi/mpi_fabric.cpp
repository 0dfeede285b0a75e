#include "bind/mpi/mpi_fabric.hpp"

#include <sched.h>

#include <chrono>
#include <cstdlib>
#include <new>
#include <string>

namespace rondo::mpi {

namespace {

constexpr auto farewell_time = std::chrono::milliseconds(200);
constexpr std::size_t line_bytes = 64;

struct Free {
  void operator()(std::byte* memory) const { std::free(memory); }
};

const char* name_of_level(int level) {
  switch (level) {
    case MPI_THREAD_SINGLE:
      return "MPI_THREAD_SINGLE";
    case MPI_THREAD_FUNNELED:
      return "MPI_THREAD_FUNNELED";
    case MPI_THREAD_SERIALIZED:
      return "MPI_THREAD_SERIALIZED";
    default:
      return "MPI_THREAD_MULTIPLE";
  }
}

}  // namespace

Error error_of(std::string_view call, int code) {
  char text[MPI_MAX_ERROR_STRING] = {};
  int length = 0;
  if (PMPI_Error_string(code, text, &length) != MPI_SUCCESS) length = 0;
  return Error(ErrorCode::io, std::string(call) + ": " +
                                  (length > 0 ? std::string(text, static_cast<std::size_t>(length))
                                              : "error " + std::to_string(code)));
}

struct MpiFabric::Slot : Packet {
  Slot() {
    constexpr std::size_t bytes = (packet_bytes + line_bytes - 1) / line_bytes * line_bytes;
    memory.reset(static_cast<std::byte*>(std::aligned_alloc(line_bytes, bytes)));
    if (!memory) throw std::bad_alloc();
    data = memory.get();
  }

  std::unique_ptr<std::byte, Free> memory;
  MPI_Request request = MPI_REQUEST_NULL;
  bool is_receive = false;
};

MpiFabric::MpiFabric(MPI_Comm comm) : comm_(comm) {
  PMPI_Comm_set_errhandler(comm_, MPI_ERRORS_RETURN);
  PMPI_Query_thread(&level_);
  void* most = nullptr;
  int is_set = 0;
  if (PMPI_Comm_get_attr(MPI_COMM_WORLD, MPI_TAG_UB, &most, &is_set) == MPI_SUCCESS &&
      is_set != 0) {
    most_streams_ = static_cast<unsigned>(*static_cast<int*>(most));
  }
}

// A packet that MPI may still touch keeps its memory for ever.
MpiFabric::~MpiFabric() {
  const auto end = std::chrono::steady_clock::now() + farewell_time;
  while (!orphans_.empty() && require_mpi() && std::chrono::steady_clock::now() < end) {
    reap_orphans();
    ::sched_yield();
  }
  for (std::unique_ptr<Slot>& slot : orphans_) (void)slot.release();
  if (require_mpi()) PMPI_Comm_free(&comm_);
}

Result<> MpiFabric::require_mpi() const {
  int is_over = 0;
  PMPI_Finalized(&is_over);
  if (is_over == 0) return {};
  return Error(ErrorCode::invalid_argument,
               "MPI_Finalize was called before the communicator over MPI was destroyed");
}

Result<> MpiFabric::permits_caller() const {
  if (Result<> here = require_mpi(); !here) return here;
  if (level_ >= MPI_THREAD_SERIALIZED) return {};
  int is_main = 0;
  PMPI_Is_thread_main(&is_main);
  if (is_main != 0) return {};
  return Error(ErrorCode::unsupported,
               std::string("MPI was initialised with ") + name_of_level(level_) +
                   ", so that only the main thread may make calls that use MPI's messages; ask "
                   "MPI_Init_thread for MPI_THREAD_MULTIPLE, or use another transport than mpi");
}

Result<> MpiFabric::permits_every_thread() const {
  if (level_ == MPI_THREAD_MULTIPLE) return {};
  return Error(ErrorCode::unsupported,
               std::string("MPI was initialised with ") + name_of_level(level_) +
                   ", so that no thread of rondo may call it, as nonblocking calls need over MPI's "
                   "messages; ask MPI_Init_thread for MPI_THREAD_MULTIPLE, use blocking calls, or "
                   "another transport than mpi");
}

// A tag comes back only after all others: what nobody received is found then, as its frame says
// where it belongs.
int MpiFabric::open_stream() {
  return static_cast<int>(streams_.fetch_add(1, std::memory_order_relaxed) % most_streams_);
}

Fabric::Packet* MpiFabric::take() {
  {
    const std::lock_guard lock(mutex_);
    if (!orphans_.empty()) reap_orphans();
    if (!idle_.empty()) {
      Slot* const slot = idle_.back().release();
      idle_.pop_back();
      return slot;
    }
  }
  return new Slot();
}

// What cannot be withdrawn any more comes to its end some time.
void MpiFabric::give_back(Packet* packet) {
  std::unique_ptr<Slot> slot(static_cast<Slot*>(packet));
  const std::lock_guard lock(mutex_);
  if (slot->request == MPI_REQUEST_NULL) {
    idle_.push_back(std::move(slot));
    return;
  }
  if (slot->is_receive && require_mpi()) PMPI_Cancel(&slot->request);
  orphans_.push_back(std::move(slot));
}

void MpiFabric::reap_orphans() {
  std::erase_if(orphans_, [&](std::unique_ptr<Slot>& slot) {
    int is_done = 0;
    if (PMPI_Test(&slot->request, &is_done, MPI_STATUS_IGNORE) != MPI_SUCCESS || is_done == 0) {
      return false;
    }
    idle_.push_back(std::move(slot));
    return true;
  });
}

Result<> MpiFabric::send(Packet& packet, int to, int stream) {
  Slot& slot = static_cast<Slot&>(packet);
  slot.is_receive = false;
  const int code = PMPI_Isend(slot.data, static_cast<int>(slot.size), MPI_BYTE, to, stream, comm_,
                              &slot.request);
  if (code != MPI_SUCCESS) return error_of("MPI_Isend", code);
  return {};
}

Result<> MpiFabric::receive(Packet& packet, int from, int stream) {
  Slot& slot = static_cast<Slot&>(packet);
  slot.is_receive = true;
  const int code = PMPI_Irecv(slot.data, static_cast<int>(packet_bytes), MPI_BYTE, from, stream,
                              comm_, &slot.request);
  if (code != MPI_SUCCESS) return error_of("MPI_Irecv", code);
  return {};
}

Result<bool> MpiFabric::is_done(Packet& packet) {
  Slot& slot = static_cast<Slot&>(packet);
  if (slot.request == MPI_REQUEST_NULL) return true;
  int is_done = 0;
  MPI_Status status;
  const int code = PMPI_Test(&slot.request, &is_done, &status);
  if (code != MPI_SUCCESS) return error_of("MPI_Test", code);
  if (is_done == 0) return false;
  if (slot.is_receive) {
    int bytes = 0;
    PMPI_Get_count(&status, MPI_BYTE, &bytes);
    slot.size = static_cast<std::size_t>(bytes);
  }
  return true;
}

}  // namespace rondo::mpi
