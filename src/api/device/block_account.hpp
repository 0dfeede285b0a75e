#pragma once

// Thread blocks of kernels that wait, which must all be on their device at the same time: whatever
// communicators of this process may launch there is counted together, for one whose kernel finds no
// room keeps away what others wait for.

#include <memory>

#include "device/peer_cache.hpp"
#include "rondo/error.hpp"

namespace rondo {

/// What one rank of a communicator may take; given back with its end.
class BlockShare {
 public:
  /// `room`: what the device has room for, of all kernels that wait. Errors: resource.
  static Result<std::unique_ptr<BlockShare>> take(const ProcessName& process, int device,
                                                  int blocks, int room);
  BlockShare(const BlockShare&) = delete;
  BlockShare& operator=(const BlockShare&) = delete;
  ~BlockShare();

 private:
  struct Account;
  BlockShare(std::shared_ptr<Account> account, const ProcessName& process, int device, int blocks);

  const std::shared_ptr<Account> account_;
  const ProcessName process_;
  const int device_;
  const int blocks_;
};

}  // namespace rondo
