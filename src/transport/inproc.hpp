#pragma once

// Ranks as threads of one process: a memory transport without any buffering. A send and its recv
// complete only together, so that a program which passes here needs no buffers anywhere.

#include <memory>
#include <vector>

#include "rondo/transport.hpp"

namespace rondo {

std::vector<std::unique_ptr<Transport>> make_inproc(int ranks);

}  // namespace rondo
