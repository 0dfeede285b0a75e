#pragma once

#include <chrono>
#include <functional>
#include <optional>
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
    std::chrono::milliseconds patience{0};             ///< of wait() without a time; 0: none
    std::string waiting_for{};                         ///< " rank 1", for the text of a timeout
    std::optional<c10::Device> device = std::nullopt;  ///< of the tensors, if not the host
    /// Of what is given to a stream, which completes it some time later: sees to it that this hears
    /// of it.
    std::function<void()> look = {};
  };
  explicit RondoWork(What what);

  /// Carries the operation out, and completes this with its outcome. In any thread, once.
  void carry_out(const std::function<void()>& operation);
  void complete();
  /// The same where `operation` gives all to the current stream: the future is complete then, and
  /// this is when it is told so. An error that comes so late has no way into the future.
  void give_to_stream(const std::function<void()>& operation);
  void finish_on_stream(const std::exception_ptr& error);
  /// Completes `whole` when all parts are complete, or failed, with the first failure among them.
  static void complete_after(const c10::intrusive_ptr<RondoWork>& whole,
                             const std::vector<c10::intrusive_ptr<RondoWork>>& parts);
  void fail(const std::exception_ptr& error);
  /// That `patience` is over.
  std::exception_ptr late(std::chrono::milliseconds patience) const;
  void set_source(int rank) { source_ = rank; }

  bool isCompleted() override;
  bool isSuccess() const override;
  /// Blocks until it is complete. Where the tensors are on a device, blocks the current stream, and
  /// nobody who has given all to a stream.
  bool wait(std::chrono::milliseconds timeout) override;
  void synchronize() override { wait(kNoTimeout); }
  void blockCurrentStream() override { wait(kNoTimeout); }
  std::vector<at::Tensor> tensors() const;
  int sourceRank() const override { return source_; }
  std::vector<at::Tensor> result() override { return outputs_; }
  std::uint64_t getSequencenumber() const override { return sequence_; }
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override { return future_; }

 private:
  bool attempt(const std::function<void()>& operation);

  const char* title_;
  std::vector<at::Tensor> outputs_;
  std::vector<at::Tensor> inputs_;  // until it is carried out
  std::uint64_t sequence_;
  std::chrono::milliseconds patience_;
  std::string waiting_for_;
  int source_ = -1;
  std::function<void()> look_;
  c10::intrusive_ptr<c10::ivalue::Future> future_;
};

}  // namespace rondo_torch
