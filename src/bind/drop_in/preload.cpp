// librondo-mpi: the drop-in as a preloaded library.
//
// It stands for the MPI_ and the PMPI_ name of each collective. Fortran's wrappers call one or the
// other, depending on the MPI, after they have turned handles and constants into those of C: so all
// languages come this way, and nothing has to be said of Fortran here. Tools that stand for the
// MPI_ names above go on to see every call.

#include <mpi.h>

#include <atomic>
#include <climits>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

#include "bind/drop_in/below.hpp"
#include "bind/drop_in/calls.hpp"
#include "bind/drop_in/drop_in.hpp"
#include "bind/drop_in/gathering.hpp"
#include "bind/drop_in/member.hpp"

namespace {

using namespace rondo::bind;

struct Below {
  // The program goes on calling this library.
  void put_back(Kind) const {}
#define RONDO_BELOW(name, Name, parameters, arguments, glance) \
  int name parameters const {                                  \
    return functions().name arguments;                         \
  }
  RONDO_MPI_COLLECTIVES(RONDO_BELOW)
#undef RONDO_BELOW
};

void let_move_on() {
  int is_there = 0;
  functions().iprobe(MPI_ANY_SOURCE, 0, comm_self(), &is_there, MPI_STATUS_IGNORE);
}

Surroundings surroundings(MPI_Comm comm, int rank, int size) {
  Surroundings around;
  around.rank = rank;
  around.size = size;
  around.progress = let_move_on;
  around.fail = [comm] {
    functions().comm_call_errhandler(comm, MPI_ERR_OTHER);
    return MPI_ERR_OTHER;
  };
  around.exchange = [comm](const void* mine, void* all, std::size_t bytes) {
    const int count = static_cast<int>(bytes);
    return bytes <= INT_MAX && functions().allgather(mine, count, byte_type(), all, count,
                                                     byte_type(), comm) == MPI_SUCCESS;
  };
  return around;
}

std::string version() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = {};
  int length = 0;
  if (functions().get_library_version(text, &length) != MPI_SUCCESS) return "MPI";
  const std::string all(text, static_cast<std::size_t>(length));
  return all.substr(0, all.find_first_of(",\n"));
}

// Known before MPI begins, where Preload cannot be made yet.
const Settings& settings() {
  static const Settings read = read_settings(environment);
  return read;
}

// One of the program's communicators.
struct Entry {
  Entry(DropIn& drop_in, MPI_Comm comm, int rank, int size)
      : left{.rank = rank, .ranks = size, .ways = {}},
        member(drop_in, surroundings(comm, rank, size)) {}

  rondo_left_table left;
  Member member;
};

// What the calling thread has found last. Communicators that go are forgotten by all threads: they
// make another generation.
struct Seen {
  MPI_Comm comm = {};
  Entry* entry = nullptr;
  unsigned generation = 0;  // none
};
constinit std::atomic<unsigned> generation = 1;
// Such a library is there when the program starts, and has room beside its variables.
[[gnu::tls_model("initial-exec")]] constinit thread_local Seen seen;

// The program's communicators, while it has them.
class Preload {
 public:
  static Preload& get() {
    static Preload preload;
    return preload;
  }

  const Handles& handles() const { return handles_; }

  /// Null where all calls on it go below.
  Entry* entry(MPI_Comm comm) {
    const unsigned now = generation.load(std::memory_order_acquire);
    seen = {comm, drop_in_.is_on() ? find_or_make(comm) : nullptr, now};
    return seen.entry;
  }

  void forget(MPI_Comm comm) {
    std::unique_ptr<Entry> gone;
    const std::lock_guard lock(mutex_);
    const auto found = entries_.find(comm);
    if (found == entries_.end()) return;
    gone = std::move(found->second);
    entries_.erase(found);
    generation.fetch_add(1, std::memory_order_release);
  }

  void end() {
    {
      const std::lock_guard lock(mutex_);
      entries_.clear();
      has_ended_ = true;
      generation.fetch_add(1, std::memory_order_release);
    }
    drop_in_.gather([&](const void* mine, void* all, std::size_t bytes) {
      return gather_in_time(functions().igather, functions().test, comm_world(), byte_type(), mine,
                            all, bytes, ranks_);
    });
    drop_in_.end();
  }

 private:
  Preload() {
    int rank = 0;
    int ranks = 1;
    functions().comm_rank(comm_world(), &rank);
    functions().comm_size(comm_world(), &ranks);
    ranks_ = static_cast<std::size_t>(ranks);
    drop_in_.introduce(rank, ranks, version());
  }

  Entry* find_or_make(MPI_Comm comm) {
    const std::lock_guard lock(mutex_);
    if (has_ended_) return nullptr;  // a call inside MPI_Finalize
    const auto [place, is_new] = entries_.try_emplace(comm);
    if (is_new) place->second = make(comm);
    return place->second.get();
  }

  std::unique_ptr<Entry> make(MPI_Comm comm) {
    int is_inter = 1;
    int rank = 0;
    int size = 1;
    if (functions().comm_test_inter(comm, &is_inter) != MPI_SUCCESS || is_inter != 0 ||
        functions().comm_rank(comm, &rank) != MPI_SUCCESS ||
        functions().comm_size(comm, &size) != MPI_SUCCESS || size < 2) {
      return nullptr;
    }
    return std::make_unique<Entry>(drop_in_, comm, rank, size);
  }

  DropIn drop_in_{settings(), "preload"};
  const Handles handles_{mpi_below()};
  std::mutex mutex_;
  std::unordered_map<MPI_Comm, std::unique_ptr<Entry>> entries_;
  bool has_ended_ = false;
  std::size_t ranks_ = 1;
};

bool is_there(MPI_Comm comm) {
  if (comm == comm_null()) return false;
  int flag = 0;
  functions().initialized(&flag);
  return flag != 0;
}

Entry* look_up(MPI_Comm comm) {
  return is_there(comm) ? Preload::get().entry(comm) : nullptr;
}

template <class Free>
int forget_and(MPI_Comm* comm, Free free) {
  if (comm != nullptr && is_there(*comm)) Preload::get().forget(*comm);
  return free(comm);
}

}  // namespace

#define RONDO_EXPORT extern "C" __attribute__((visibility("default")))

// What is left below takes a glance and a jump; the others are apart, so that it saves no
// registers.
#define RONDO_STAND_FOR(name, Name, parameters, arguments, glance)                                 \
  namespace {                                                                                      \
  [[gnu::noinline]] int take_##name(Entry& entry, RONDO_MPI_LIST parameters) {                     \
    const Below below;                                                                             \
    return Calls<Below>(Preload::get().handles(), entry.member, below, entry.left).name arguments; \
  }                                                                                                \
  [[gnu::noinline]] int look_up_and_##name parameters {                                            \
    Entry* const entry = look_up(comm);                                                            \
    if (entry == nullptr) return functions().name arguments;                                       \
    return take_##name(*entry, RONDO_MPI_LIST arguments);                                          \
  }                                                                                                \
  }                                                                                                \
  RONDO_EXPORT int MPI_##Name parameters {                                                         \
    if (seen.comm != comm || seen.generation != generation.load(std::memory_order_acquire))        \
        [[unlikely]] {                                                                             \
      return look_up_and_##name arguments;                                                         \
    }                                                                                              \
    Entry* const entry = seen.entry;                                                               \
    const Functions& known = *found_functions.load(std::memory_order_relaxed);                     \
    if (entry == nullptr) return known.name arguments;                                             \
    const rondo_left_table* left = &entry->left;                                                   \
    if (RONDO_IS_LEFT(name, glance)) return known.name arguments;                                  \
    return take_##name(*entry, RONDO_MPI_LIST arguments);                                          \
  }                                                                                                \
  RONDO_EXPORT int PMPI_##Name parameters __attribute__((alias("MPI_" #Name)));
RONDO_MPI_COLLECTIVES(RONDO_STAND_FOR)

// Nonblocking ones are counted on their way.
#define RONDO_COUNT(name, Name, parameters, arguments, glance)                    \
  RONDO_EXPORT int MPI_I##name(RONDO_MPI_LIST parameters, MPI_Request* request) { \
    Entry* const entry = settings().counts() ? look_up(comm) : nullptr;           \
    if (entry != nullptr) entry->member.count(Kind::name, Reason::nonblocking);   \
    return functions().i##name(RONDO_MPI_LIST arguments, request);                \
  }                                                                               \
  RONDO_EXPORT int PMPI_I##name(RONDO_MPI_LIST parameters, MPI_Request* request)  \
      __attribute__((alias("MPI_I" #name)));
RONDO_MPI_COLLECTIVES(RONDO_COUNT)

RONDO_EXPORT int MPI_Comm_free(MPI_Comm* comm) {
  return forget_and(comm, functions().comm_free);
}
RONDO_EXPORT int PMPI_Comm_free(MPI_Comm* comm) __attribute__((alias("MPI_Comm_free")));

RONDO_EXPORT int MPI_Comm_disconnect(MPI_Comm* comm) {
  return forget_and(comm, functions().comm_disconnect);
}
RONDO_EXPORT int PMPI_Comm_disconnect(MPI_Comm* comm) __attribute__((alias("MPI_Comm_disconnect")));

RONDO_EXPORT int MPI_Finalize() {
  if (is_there(comm_world())) Preload::get().end();
  return functions().finalize();
}
RONDO_EXPORT int PMPI_Finalize() __attribute__((alias("MPI_Finalize")));
