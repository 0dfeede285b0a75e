#pragma once

#include <memory>

#include "execute/engine.hpp"
#include "rondo/persistent.hpp"

namespace rondo {

struct RONDO_LOCAL Persistent::State {
  std::shared_ptr<Engine*> engine;  ///< null when it is gone
  std::shared_ptr<PendingOperation> pending;
  bool is_active = false;  ///< started, and its end not told yet

  /// Throws the Error of what was started.
  void end();
};

}  // namespace rondo
