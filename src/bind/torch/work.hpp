#pragma once

#include <chrono>
#include <functional>
#include <string>
#include <vector>

#include "bind/torch/torch_version.hpp"

namespace rondo_torch {

/// An operation and its outcome. The future has it as well: PyTorch's DDP waits for nothing else.
class RondoWork : public c10d::Work {
 public:
  struct What {
    int rank;
    c10d::OpType op;
    const char* title;  ///< as the profiler shows it: "rondo:all_reduce"
    std::optional<std::vector<at::Tensor>> inputs;
    std::vector<at::Tensor> outputs;  ///< what the future holds
    std::uint64_t sequence;
    std::chrono::milliseconds patience{0};  ///< of wait() without a time; 0: none
    std::string waiting_for;                ///< " rank 1", for the text of a timeout
  };
  explicit RondoWork(What what);

  /// Carries the operation out, and completes this with its outcome. In any thread, once.
  void carry_out(const std::function<void()>& operation);
  void complete();
  /// Completes `whole` when all parts are complete, or failed, with the first failure among them.
  static void complete_after(const c10::intrusive_ptr<RondoWork>& whole,
                             const std::vector<c10::intrusive_ptr<RondoWork>>& parts);
  void fail(const std::exception_ptr& error);
  void set_source(int rank) { source_ = rank; }

  bool wait(std::chrono::milliseconds timeout) override;
  int sourceRank() const override { return source_; }
  std::vector<at::Tensor> result() override { return outputs_; }
  std::uint64_t getSequencenumber() const override { return sequence_; }
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override { return future_; }

 private:
  const char* title_;
  std::vector<at::Tensor> outputs_;
  std::vector<at::Tensor> inputs_;  // until it is carried out
  std::uint64_t sequence_;
  std::chrono::milliseconds patience_;
  std::string waiting_for_;
  int source_ = -1;
  c10::intrusive_ptr<c10::ivalue::Future> future_;
};

}  // namespace rondo_torch
