#include "api/device/block_account.hpp"

#include <map>
#include <mutex>
#include <utility>

#include "base/text.hpp"

namespace rondo {

// Emulated processes have one of these together, so the name of the process counts.
struct BlockShare::Account {
  std::mutex mutex;
  std::map<std::pair<ProcessName, int>, int> taken;
};

Result<std::unique_ptr<BlockShare>> BlockShare::take(const ProcessName& process, int device,
                                                     int blocks, int room) {
  // Lives until the last share has ended, which may be in a destructor at the end of the program.
  static const std::shared_ptr<Account> account = std::make_shared<Account>();
  const std::lock_guard lock(account->mutex);
  int& taken = account->taken[{process, device}];
  if (blocks > room - taken) {
    return Error(ErrorCode::resource,
                 concat("device ", device, " has room for ", room, " thread blocks that wait, ",
                        "connected communicators may take ", taken, " of them, and ", blocks,
                        " more are needed"));
  }
  std::unique_ptr<BlockShare> made(new BlockShare(account, process, device, blocks));
  taken += blocks;
  return made;
}

BlockShare::BlockShare(std::shared_ptr<Account> account, const ProcessName& process, int device,
                       int blocks)
    : account_(std::move(account)), process_(process), device_(device), blocks_(blocks) {}

BlockShare::~BlockShare() {
  const std::lock_guard lock(account_->mutex);
  account_->taken[{process_, device_}] -= blocks_;
}

}  // namespace rondo
