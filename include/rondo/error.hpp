#pragma once

// What can go wrong in the world, as a value. A bug in rondo itself is an invariant, not an Error.

#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "rondo/export.hpp"

namespace rondo {

enum class ErrorCode : std::uint8_t {
  invalid_argument,  ///< a call no rank could carry out: wrong sizes, root, option, text
  mismatch,          ///< two ranks called different things; the text names both calls
  timeout,           ///< the deadline passed; `peer` is the rank that did not answer, if any
  peer_lost,         ///< a rank died or its link broke; `peer` names it
  peer_left,         ///< a rank closed its communicator while others still waited for it
  aborted,           ///< somebody called abort(); `peer` names the rank that did
  join_failed,       ///< the world could not be formed; the text lists who is missing or disagrees
  protocol,          ///< a peer sent something that this version does not understand
  unsupported,       ///< valid, but not available in this build or on this transport
  resource,          ///< out of memory, file descriptors or ports
  io,                ///< the operating system refused an operation
  internal,          ///< a bug in rondo; please report it with its text
};

RONDO_API std::string_view name(ErrorCode code);

/// Thrown by the C++ API, carried by Result inside, and turned into a code by the C API.
/// After any error in a collective the communicator is poisoned: every later call on it throws the
/// same first cause, and the contents of receive buffers of unfinished calls are unspecified.
class RONDO_API Error : public std::exception {
 public:
  Error(ErrorCode code, std::string text) : Error(code, -1, std::move(text)) {}
  Error(ErrorCode code, int peer, std::string text)
      : code_(code), peer_(peer), text_(std::make_shared<const std::string>(std::move(text))) {}

  ErrorCode code() const noexcept { return code_; }
  /// The rank that caused it, or -1 where no single rank did.
  int peer() const noexcept { return peer_; }
  const char* what() const noexcept override { return text_->c_str(); }
  const std::string& text() const noexcept { return *text_; }

  /// The same error with words put before its text.
  Error with_prefix(std::string_view prefix) const {
    return Error(code_, peer_, std::string(prefix) + *text_);
  }

 private:
  ErrorCode code_;
  int peer_;
  std::shared_ptr<const std::string> text_;  // shared, so that copies never throw
};

/// A value, or the Error that prevented it.
template <class T = void>
class [[nodiscard]] Result {
 public:
  Result(T value) : state_(std::in_place_index<0>, std::move(value)) {}
  Result(Error error) : state_(std::in_place_index<1>, std::move(error)) {}

  bool ok() const noexcept { return state_.index() == 0; }
  explicit operator bool() const noexcept { return ok(); }
  T& value() & { return std::get<0>(state_); }
  const T& value() const& { return std::get<0>(state_); }
  T&& value() && { return std::get<0>(std::move(state_)); }
  const Error& error() const { return std::get<1>(state_); }

 private:
  std::variant<T, Error> state_;
};

template <>
class [[nodiscard]] Result<void> {
 public:
  Result() = default;
  Result(Error error) : error_(std::move(error)) {}

  bool ok() const noexcept { return !error_; }
  explicit operator bool() const noexcept { return ok(); }
  const Error& error() const { return *error_; }

 private:
  std::optional<Error> error_;
};

}  // namespace rondo
