#pragma once

// What the C functions share: their handles, and guarded(), the only place where exceptions become
// codes.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <new>
#include <string>
#include <utility>

#include "api/refuse.hpp"
#include "base/text.hpp"
#include "rondo/communicator.hpp"
#include "rondo/rondo.h"

namespace rondo::c {

struct LastError {
  std::string text;
  int peer = -1;
};

/// Of calls that have no communicator.
LastError& thread_error() noexcept;

}  // namespace rondo::c

struct rondo_comm {
  rondo::Communicator value;
  std::shared_ptr<rondo::c::LastError> last_error = std::make_shared<rondo::c::LastError>();
};

struct rondo_work {
  rondo::Work value;
  std::shared_ptr<rondo::c::LastError> last_error;  // the communicator's, which may be gone before
};

struct rondo_persistent {
  rondo::Persistent value;
  std::shared_ptr<rondo::c::LastError> last_error;  // as in rondo_work
};

namespace rondo::c {

constexpr rondo_status to_status(ErrorCode code) {
  return static_cast<rondo_status>(code) + 1;
}

/// Keeps the text, and returns the status.
rondo_status record(LastError& last, rondo_status status, int peer, const char* text) noexcept;

// Carries out `body` and turns what it throws into a status, with the text kept in `last`.
template <class Body>
rondo_status guarded(LastError& last, Body body) noexcept {
  try {
    body();
    return RONDO_OK;
  } catch (const Error& error) {
    return record(last, to_status(error.code()), error.peer(), error.what());
  } catch (const std::bad_alloc&) {
    return record(last, RONDO_RESOURCE, -1, "out of memory");
  } catch (const std::exception& bug) {
    return record(last, RONDO_INTERNAL, -1, bug.what());
  } catch (...) {
    return record(last, RONDO_INTERNAL, -1, "rondo bug: an exception of unknown type");
  }
}

rondo_status null_argument(const char* name) noexcept;

constexpr std::size_t largest_struct = 4096;  // more than any version will have

/// A structure of the caller, that begins with its size. Takes programs that know fewer fields than
/// this library, and ones that know more as long as they leave those open.
template <class Struct>
Struct completed(const Struct& given, const Struct& initial, const char* what, const char* init) {
  if (given.size < sizeof given.size || given.size > largest_struct) {
    refuse(concat(what, ".size is not set; begin with ", init));
  }
  const auto* bytes = reinterpret_cast<const unsigned char*>(&given);
  for (std::size_t i = sizeof initial; i < given.size; ++i) {
    if (bytes[i] != 0) {
      refuse(concat(what, " has a field set that this version of rondo does not know"));
    }
  }
  Struct complete = initial;
  std::memcpy(&complete, &given, std::min<std::size_t>(given.size, sizeof complete));
  return complete;
}

/// Hands a text to the caller, who frees it with rondo_string_free().
void give_text(const std::string& text, char** place);

template <class Enum>
Enum checked(std::int32_t value, int count, const char* what) {
  if (value < 0 || value >= count) {
    refuse(concat(value, " is no ", what, "; they run from 0 to ", count - 1));
  }
  return static_cast<Enum>(value);
}

/// Makes a work of what `start` starts.
template <class Start>
rondo_status started(rondo_comm* comm, rondo_work** work, Start start) noexcept {
  if (comm == nullptr) return null_argument("comm");
  if (work == nullptr) return null_argument("work");
  return guarded(*comm->last_error, [&] {
    // The memory comes first: what has started must not be lost.
    auto made =
        std::make_unique<rondo_work>(rondo_work{.value = {}, .last_error = comm->last_error});
    made->value = start(comm->value);
    *work = made.release();
  });
}

}  // namespace rondo::c
