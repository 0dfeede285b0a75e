#pragma once

// What is measured: one rank's view of a collective library. rondo-perf measures rondo, the
// programs in compare/ measure others in exactly the same way.

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "bench/memory.hpp"
#include "bench/options.hpp"
#include "rondo/communicator.hpp"

namespace rondo::bench {

class Library {
 public:
  virtual ~Library() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;
  /// For the header: "rondo 0.1.0 over tcp".
  virtual std::string name() const = 0;
  /// Carries the call out and returns when this rank's part is done; throws Error.
  virtual void run(const ErasedCall& call) = 0;
  /// The same for messages between two ranks; Error{unsupported} unless overridden.
  virtual void exchange(const std::vector<Message>& messages);

  // What is measured may differ: calls whose buffers lie elsewhere, and that return before their
  // end.

  /// Where the buffers of begin() lie, for the header and as memory; null: where the options say.
  virtual std::string place() const { return "cpu"; }
  virtual BufferMemory* memory() { return nullptr; }
  /// Whether begin() returns before the call is done: finish() waits for all of them.
  virtual bool is_ordered_by_stream() const { return false; }
  virtual void begin(const ErasedCall& call) { run(call); }
  virtual void finish() {}

  void barrier() { run(ErasedCall{}); }
};

/// Element-wise over all ranks, with the library that is measured: its results are trusted here,
/// so no rank may rely on them alone for its own verdict.
void combine(Library& library, std::span<double> values, Op op);
void combine(Library& library, std::span<std::uint64_t> values, Op op);

/// The memory for buffers that library and options ask for. Throws Error where that is not the
/// same.
BufferMemory& memory_for(Library& library, const Options& options);

/// One line of text from each rank, in rank order, cut at 128 bytes.
std::vector<std::string> gather_lines(Library& library, const std::string& line);

}  // namespace rondo::bench
