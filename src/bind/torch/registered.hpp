#pragma once

// Large tensors that come again and again, as DDP's buckets do: other ranks of this host read them
// where they are.

#include <cstddef>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "bind/torch/torch_version.hpp"

namespace rondo_torch {

/// What rondo_register_memory is told of PyTorch's memory. A registration ends with the memory, and
/// before a fork: the child has a copy of all memory, as without rondo. What an operation is using
/// at that moment stays as it is, and is shared with the child.
class RegisteredMemory {
 public:
  /// Never destroyed: tensors may outlive everything else.
  static RegisteredMemory& of_process();

  /// Tensors of an operation, while it is carried out. Any thread.
  class Use {
   public:
    explicit Use(std::vector<at::Tensor> tensors);
    ~Use();
    Use(const Use&) = delete;
    Use& operator=(const Use&) = delete;

   private:
    const std::vector<at::Tensor> tensors_;  // do not end meanwhile
    std::vector<void*> memory_;
  };

 private:
  struct Piece {
    std::size_t bytes = 0;
    int uses = 0;   // so far
    int users = 0;  // at this time
    int owner = 0;  // process that registered it
    bool is_registered = false;
    bool is_refused = false;  // and will be again
  };

  static bool replace_deleter(at::DataPtr& held);
  bool take(at::DataPtr& held, const at::Tensor& tensor);
  void give_back(void* memory);
  void consider(void* memory, Piece& piece);
  bool end(void* memory);
  void end_all();
  static void release(void* memory);

  std::mutex mutex_;
  std::unordered_map<void*, Piece> pieces_;  // by address; of living storages only
  std::size_t registered_ = 0;
};

}  // namespace rondo_torch
