#pragma once

// What is typed reaches rank 0 although only our own process group may read the terminal.

#include <string>

#include "cli/pipe.hpp"

namespace rondo::cli {

/// Carries a terminal's lines into a pipe.
class TerminalRelay {
 public:
  TerminalRelay(int terminal, Descriptor pipe);

  int terminal() const { return terminal_; }
  int pipe() const { return pipe_.fd(); }
  /// While we are in the background, reading would stop us.
  bool may_read() const;
  bool has_waiting() const { return pipe_ && !waiting_.empty(); }
  void read();
  void write();

 private:
  int terminal_;
  Descriptor pipe_;
  bool ended_ = false;
  std::string waiting_;
};

}  // namespace rondo::cli
