#pragma once

#include <chrono>
#include <memory>
#include <optional>

#include "rondo/error.hpp"
#include "rondo/export.hpp"

namespace rondo {

class PendingOperation;

/// A collective under way. Its buffers belong to the library until it is done; memory given to the
/// library comes back exactly once, also after an error. The destructor waits, so that a buffer is
/// never written after its Work is gone; it swallows the error, which the communicator still keeps.
class [[nodiscard]] RONDO_API Work {
 public:
  Work() = default;  ///< already done
  explicit Work(std::shared_ptr<PendingOperation> pending) : pending_(std::move(pending)) {}
  Work(Work&&) noexcept = default;
  Work& operator=(Work&& other) noexcept;
  ~Work();

  /// Never blocks, never throws.
  bool done() const noexcept;
  /// Blocks until done; throws the operation's Error. Every operation ends by its deadline, which
  /// counts from when its turn comes.
  void wait();
  /// False when it is not done after `patience`; throws the operation's Error once it has one.
  bool wait_for(std::chrono::milliseconds patience);
  /// The error of a failed operation; nothing while it runs or after it succeeded.
  std::optional<Error> error() const;

 private:
  std::shared_ptr<PendingOperation> pending_;
};

}  // namespace rondo
