#pragma once

// What ranks write reaches our own output as whole lines, each with its rank in front.

#include <cstddef>
#include <string>
#include <string_view>

#include "cli/pipe.hpp"

namespace rondo::cli {

/// One of our own output streams. What its reader does not take yet waits here, so that a slow
/// reader never keeps us from looking after the ranks.
class Sink {
 public:
  explicit Sink(int fd);

  void put(std::string_view text) { waiting_ += text; }
  /// Writes as much as goes without blocking.
  void flush();

  int fd() const { return fd_; }
  bool has_waiting() const { return !waiting_.empty(); }
  /// Nothing more should be put for now: the ranks have to wait for the reader.
  bool is_full() const { return waiting_.size() >= full_bytes; }
  /// The reader is gone.
  bool is_broken() const { return broken_; }

 private:
  static constexpr std::size_t full_bytes = 1 << 20;

  int fd_;
  bool never_blocks_;
  bool broken_ = false;
  std::string waiting_;
};

/// Carries one stream of one rank to a sink, line by line. A line ends with a newline or, as in
/// progress bars, with a carriage return.
class LineRelay {
 public:
  /// An empty prefix passes the bytes as they are, whole lines at a time.
  LineRelay(Descriptor source, std::string prefix, Sink& sink);

  int fd() const { return source_.fd(); }
  bool is_open() const { return static_cast<bool>(source_); }
  bool may_read() const { return is_open() && !sink_->is_full(); }
  /// Reads what is there; at the end of the stream a last line without a newline is passed on too.
  void read();
  /// Stops reading: later writes of the rank fail as they would without us in between.
  void close();

 private:
  void pass_lines();
  void pass(std::string_view line);

  Descriptor source_;
  std::string prefix_;
  Sink* sink_;
  std::string line_;  ///< what came of a line so far
};

}  // namespace rondo::cli
