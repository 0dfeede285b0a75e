#include "bootstrap/pmix.hpp"

#include <dlfcn.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <memory>
#include <mutex>
#include <optional>
#include <string>

#include "base/text.hpp"
#include "bootstrap/environment.hpp"

namespace rondo {

namespace {

constexpr const char* library = "libpmix.so.2";

// The ABI of the PMIx standard, as far as it is used here. What is here in C is there, too.
using Status = int;
struct Proc {
  char nspace[256];
  std::uint32_t rank;
};
struct Bytes {
  char* data;
  std::size_t size;
};
struct Value {
  std::uint16_t type;
  union {
    bool flag;
    int integer;
    Bytes bytes;
    char room[24];
  };
};
struct Info {
  char key[512];
  std::uint32_t flags;
  Value value;
};
static_assert(sizeof(Proc) == 260 && sizeof(Value) == 32 && sizeof(Info) == 552);
constexpr Status success = 0;
constexpr std::uint16_t type_bool = 1;
constexpr std::uint16_t type_int = 6;
constexpr std::uint16_t type_bytes = 27;
constexpr std::uint8_t scope_global = 3;

struct Functions {
  Status (*init)(Proc*, Info*, std::size_t) = nullptr;
  Status (*finalize)(const Info*, std::size_t) = nullptr;
  Status (*put)(std::uint8_t, const char*, Value*) = nullptr;
  Status (*commit)() = nullptr;
  Status (*fence)(const Proc*, std::size_t, const Info*, std::size_t) = nullptr;
  Status (*get)(const Proc*, const char*, const Info*, std::size_t, Value**) = nullptr;
  const char* (*error_string)(Status) = nullptr;
};

template <class Function>
bool find(void* loaded, const char* name, Function& function) {
  function = reinterpret_cast<Function>(::dlsym(loaded, name));
  return function != nullptr;
}

Result<Functions> load() {
  // Stays, like what it starts. An MPI library of this process uses the same.
  void* const loaded = ::dlopen(library, RTLD_NOW | RTLD_GLOBAL);
  Functions functions;
  const bool has_all =
      loaded != nullptr && find(loaded, "PMIx_Init", functions.init) &&
      find(loaded, "PMIx_Finalize", functions.finalize) &&
      find(loaded, "PMIx_Put", functions.put) && find(loaded, "PMIx_Commit", functions.commit) &&
      find(loaded, "PMIx_Fence", functions.fence) && find(loaded, "PMIx_Get", functions.get) &&
      find(loaded, "PMIx_Error_string", functions.error_string);
  if (has_all) return functions;
  const char* const reason = ::dlerror();
  return Error(ErrorCode::unsupported,
               concat("the ranks would meet over PMIx, but ", library,
                      " cannot be used: ", reason == nullptr ? "parts of it are missing" : reason,
                      "; install it, or set RONDO_ROOT=HOST:PORT, where HOST runs rank 0"));
}

Info limit(std::chrono::milliseconds patience) {
  Info info = {};
  std::strcpy(info.key, "pmix.timeout");
  info.value.type = type_int;
  info.value.integer = static_cast<int>(std::chrono::ceil<std::chrono::seconds>(patience).count());
  return info;
}

Info collect() {
  Info info = {};
  std::strcpy(info.key, "pmix.collect");
  info.value.type = type_bool;
  info.value.flag = true;
  return info;
}

struct Client {
  Functions functions;
  Proc own = {};
};

// The connection of this process to its server, made when first asked for. It ends with the
// process, and not before: PMIx does not begin a second time, and an MPI library may still want to.
// Who ends without a farewell has failed, for the launcher.
Result<Client> connect() {
  static std::mutex mutex;
  static std::optional<Client> connected;
  const std::lock_guard lock(mutex);
  if (connected) return *connected;
  const Result<Functions> functions = load();
  if (!functions) return functions.error();
  Client client{functions.value()};
  const Status status = client.functions.init(&client.own, nullptr, 0);
  if (status != success) {
    return Error(
        ErrorCode::join_failed,
        concat("the server of PMIx does not answer: ", client.functions.error_string(status),
               "; RONDO_ROOT=HOST:PORT, where HOST runs rank 0, needs none"));
  }
  static const Functions farewell = client.functions;
  static const pid_t owner = ::getpid();
  (void)std::atexit([] {
    if (::getpid() == owner) farewell.finalize(nullptr, 0);
  });
  connected = client;
  return client;
}

/// The ranks of the job, as PMIx knows them.
class Session {
 public:
  Session(const Client& client, int size, std::chrono::milliseconds patience)
      : functions_(client.functions), own_(client.own), size_(size), patience_(patience) {}

  void allgather(std::span<const std::byte> mine, std::span<std::byte> all) const {
    // Other worlds of the same job have other keys; every rank counts alike.
    static std::atomic<unsigned> calls = 0;
    const std::string key = concat("rondo.", calls++);
    Value value = {};
    value.type = type_bytes;
    value.bytes = {const_cast<char*>(reinterpret_cast<const char*>(mine.data())), mine.size()};
    require(functions_.put(scope_global, key.c_str(), &value), "PMIx_Put", -1);
    require(functions_.commit(), "PMIx_Commit", -1);
    const std::array<Info, 2> infos = {collect(), limit(patience_)};
    require(functions_.fence(nullptr, 0, infos.data(), infos.size()), "PMIx_Fence", -1);
    for (int rank = 0; rank < size_; ++rank) {
      fetch(rank, key, all.subspan(static_cast<std::size_t>(rank) * mine.size(), mine.size()));
    }
  }

 private:
  void fetch(int rank, const std::string& key, std::span<std::byte> place) const {
    Proc other = own_;
    other.rank = static_cast<std::uint32_t>(rank);
    const Info patience = limit(patience_);
    Value* value = nullptr;
    require(functions_.get(&other, key.c_str(), &patience, 1, &value), "PMIx_Get", rank);
    const bool fits = value->type == type_bytes && value->bytes.size == place.size();
    if (fits && !place.empty()) std::memcpy(place.data(), value->bytes.data, place.size());
    if (value->type == type_bytes) std::free(value->bytes.data);
    std::free(value);
    if (!fits) {
      throw Error(
          ErrorCode::join_failed, rank,
          concat("what PMIx has of rank ", rank, " is not what this version of rondo says"));
    }
  }

  void require(Status status, const char* call, int about) const {
    if (status == success) return;
    const std::string whom = about < 0 ? "" : concat(" of rank ", about);
    throw Error(ErrorCode::join_failed, about,
                concat("the ranks did not meet over PMIx: ", call, whom, ": ",
                       functions_.error_string(status),
                       "; RONDO_ROOT=HOST:PORT, where HOST runs rank 0, needs no PMIx"));
  }

  Functions functions_;
  Proc own_;
  int size_;
  std::chrono::milliseconds patience_;
};

}  // namespace

bool has_pmix(const Lookup& lookup) {
  return text_of(lookup, "PMIX_NAMESPACE") && text_of(lookup, "PMIX_RANK");
}

Result<OutOfBand> means_of_pmix(const Launch& launch, std::chrono::milliseconds patience) {
  const Result<Client> client = connect();
  if (!client) return client.error();
  const Proc& own = client.value().own;
  if (own.rank != static_cast<std::uint32_t>(launch.rank)) {
    return Error(ErrorCode::join_failed,
                 concat("PMIx says that this process is rank ", own.rank, " of its job, and ",
                        launch.launcher, " that it is rank ", launch.rank,
                        ": set RONDO_ROOT=HOST:PORT, where HOST runs rank 0"));
  }
  const auto session = std::make_shared<const Session>(client.value(), launch.size, patience);
  OutOfBand means;
  means.rank = launch.rank;
  means.size = launch.size;
  means.allgather = [session](std::span<const std::byte> mine, std::span<std::byte> all) {
    session->allgather(mine, all);
  };
  return means;
}

}  // namespace rondo
