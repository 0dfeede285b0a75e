#include "bind/torch/registered.hpp"

#include <pthread.h>
#include <unistd.h>

#include <cstdlib>
#include <string_view>
#include <utility>

#include "rondo/rondo.h"

namespace rondo_torch {

namespace {

// Below this, copies stay in the caches and cost less than system calls.
constexpr std::size_t least_bytes = 256 * 1024;
// What comes so often will come again: registering it takes about as long as two calls.
constexpr int uses_before = 3;
// Each takes a file descriptor, of which a process may have 1024, and ranks remember 256 of each
// other.
constexpr std::size_t most_registered = 128;

// A large tensor that is all of its storage: the rest of one may be in use meanwhile.
bool is_whole(const at::Tensor& tensor) {
  const auto bytes = tensor.nbytes();
  return bytes >= least_bytes && tensor.storage().nbytes() == bytes;
}

bool is_wanted() {
  const char* const asked = std::getenv("RONDO_TORCH_REGISTER");
  return asked == nullptr || std::string_view(asked) != "0";
}

}  // namespace

// Only of memory that PyTorch allocated: other memory may be freed by somebody else.
bool RegisteredMemory::replace_deleter(at::DataPtr& held) {
  return held.get_context() == held.get() &&
         held.compare_exchange_deleter(c10::GetDefaultCPUAllocator()->raw_deleter(), release);
}

RegisteredMemory& RegisteredMemory::of_process() {
  static auto* const all = new RegisteredMemory;
  return *all;
}

RegisteredMemory::Use::Use(std::vector<at::Tensor> tensors) : tensors_(std::move(tensors)) {
  static const bool wanted = is_wanted();
  if (!wanted) return;
  for (const at::Tensor& tensor : tensors_) {
    if (!tensor.device().is_cpu() || tensor.layout() != at::kStrided) continue;
    at::DataPtr& held = mutable_data_ptr_of(*tensor.storage().unsafeGetStorageImpl());
    if (of_process().take(held, tensor)) memory_.push_back(held.get());
  }
}

RegisteredMemory::Use::~Use() {
  for (void* const memory : memory_) of_process().give_back(memory);
}

// False for memory that is left alone.
bool RegisteredMemory::take(at::DataPtr& held, const at::Tensor& tensor) {
  const bool whole = is_whole(tensor);
  const std::lock_guard lock(mutex_);
  if (held.get_deleter() != release && !(whole && replace_deleter(held))) return false;
  Piece& piece = pieces_[held.get()];
  piece.bytes = tensor.storage().nbytes();
  if (whole && piece.users == 0) {
    ++piece.uses;
    consider(held.get(), piece);
  }
  ++piece.users;
  return true;
}

void RegisteredMemory::consider(void* memory, Piece& piece) {
  if (piece.is_registered || piece.is_refused) return;
  if (piece.uses < uses_before || registered_ >= most_registered) return;
  piece.is_registered = rondo_register_memory(memory, piece.bytes) == RONDO_OK;
  piece.is_refused = !piece.is_registered;
  if (!piece.is_registered) return;
  piece.owner = getpid();
  ++registered_;
  // After rondo's own, which is to come after this one: that of the last one comes first.
  static const int guarded =
      pthread_atfork([] { of_process().mutex_.lock(), of_process().end_all(); },
                     [] { of_process().mutex_.unlock(); }, [] { of_process().mutex_.unlock(); });
  (void)guarded;
}

void RegisteredMemory::give_back(void* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = pieces_.find(memory);
  if (found != pieces_.end()) --found->second.users;
}

// Before a fork, with the lock.
void RegisteredMemory::end_all() {
  for (auto& [memory, piece] : pieces_) {
    if (!piece.is_registered || piece.users > 0) continue;
    if (rondo_deregister_memory(memory) != RONDO_OK) continue;
    piece.is_registered = false;
    piece.uses = 0;
    --registered_;
  }
}

// Whether it can be freed.
bool RegisteredMemory::end(void* memory) {
  const std::lock_guard lock(mutex_);
  const auto found = pieces_.find(memory);
  if (found == pieces_.end()) return true;
  const Piece piece = found->second;
  pieces_.erase(found);
  if (!piece.is_registered) return true;
  // A child must not use memory for other things that it shares with its parent.
  if (piece.owner != getpid() || rondo_deregister_memory(memory) != RONDO_OK) return false;
  --registered_;
  return true;
}

// In place of the allocator's own.
void RegisteredMemory::release(void* memory) {
  if (of_process().end(memory)) c10::GetDefaultCPUAllocator()->raw_deleter()(memory);
}

}  // namespace rondo_torch
