#pragma once

// rondo as a backend of torch.distributed.

#include <atomic>
#include <functional>
#include <mutex>
#include <optional>

#include "bind/torch/messages.hpp"
#include "bind/torch/on_device.hpp"
#include "bind/torch/queue.hpp"
#include "bind/torch/torch_version.hpp"
#include "bind/torch/world.hpp"

namespace rondo_torch {

/// Collectives are carried out in the order in which the ranks call them: in the thread of a queue,
/// or in the caller's where it waits anyway and nothing is pending. Messages between two ranks go
/// beside them. Tensors live in the memory of the host, or on a device: their collectives are given
/// to its streams.
class RondoBackend : public c10d::Backend {
 public:
  using Tensors = std::vector<at::Tensor>;
  using TensorLists = std::vector<Tensors>;
  using Work = c10::intrusive_ptr<c10d::Work>;
  using Timeout = std::chrono::milliseconds;

  /// Joins the other ranks in `store`.
  RondoBackend(const c10::intrusive_ptr<c10d::Store>& store, Member member, Timeout timeout);
  ~RondoBackend() override;

  const std::string getBackendName() const override { return "rondo"; }
  c10::intrusive_ptr<Options> getBackendOptions() override;
  void setTimeout(Timeout timeout) override { timeout_ = timeout; }

  Work broadcast(Tensors& tensors, const c10d::BroadcastOptions& options) override;
  Work allreduce(Tensors& tensors, const c10d::AllreduceOptions& options) override;
  Work allreduce_sparse(Tensors& tensors, const c10d::AllreduceOptions& options) override;
  Work allreduce_coalesced(Tensors& tensors,
                           const c10d::AllreduceCoalescedOptions& options) override;
  Work reduce(Tensors& tensors, const c10d::ReduceOptions& options) override;
  Work allgather(TensorLists& outputs, Tensors& inputs,
                 const c10d::AllgatherOptions& options) override;
  Work _allgather_base(at::Tensor& output, at::Tensor& input,
                       const c10d::AllgatherOptions& options) override;
  Work allgather_coalesced(TensorLists& outputs, Tensors& inputs,
                           const c10d::AllgatherOptions& options) override;
  Work allgather_into_tensor_coalesced(Tensors& outputs, Tensors& inputs,
                                       const c10d::AllgatherOptions& options) override;
  Work gather(TensorLists& outputs, Tensors& inputs, const c10d::GatherOptions& options) override;
  Work scatter(Tensors& outputs, TensorLists& inputs, const c10d::ScatterOptions& options) override;
  Work reduce_scatter(Tensors& outputs, TensorLists& inputs,
                      const c10d::ReduceScatterOptions& options) override;
  Work _reduce_scatter_base(at::Tensor& output, at::Tensor& input,
                            const c10d::ReduceScatterOptions& options) override;
  Work reduce_scatter_tensor_coalesced(Tensors& outputs, Tensors& inputs,
                                       const c10d::ReduceScatterOptions& options) override;
  Work alltoall_base(at::Tensor& output, at::Tensor& input, std::vector<int64_t>& output_splits,
                     std::vector<int64_t>& input_splits,
                     const c10d::AllToAllOptions& options) override;
  Work alltoall(Tensors& outputs, Tensors& inputs, const c10d::AllToAllOptions& options) override;
  Work barrier(const c10d::BarrierOptions& options) override;
  void monitoredBarrier(const c10d::BarrierOptions& options, bool wait_for_all) override;

  Work send(Tensors& tensors, int to, int tag) override;
  Work recv(Tensors& tensors, int from, int tag) override;
  Work recvAnysource(Tensors& tensors, int tag) override;

  void setSequenceNumberForGroup() override {}
  std::uint64_t getSequenceNumberForGroup() override { return sequence_; }

  /// Calls in between go on side by side, as they would without; the end has one work for all.
  bool supportsCoalescing() const override { return true; }
  void startCoalescing() override;
  Work endCoalescing() override;

  bool supportsSplitting() const override { return true; }
  c10::intrusive_ptr<Backend> split(const c10::intrusive_ptr<c10d::Store>& store,
                                    const std::vector<int>& ranks,
                                    const c10::intrusive_ptr<Options>& options) override;

  c10d::ErrorType getError() override;
  void abort() override;
  /// Lets what is under way end for a while, then aborts it.
  void shutdown() override;

 private:
  struct Call {
    c10d::OpType op;
    const char* title;
    std::optional<Tensors> inputs;
    Tensors outputs;
    Timeout timeout;
    bool is_async;
  };
  Work submit(Call call, Body body);
  /// Makes it with the first call on the device, for which all ranks come.
  std::shared_ptr<OnDevice> on_device(c10::Device device);
  c10::intrusive_ptr<RondoWork> message(c10d::OpType op, const char* title, const Tensors& tensors,
                                        int peer);
  void note(const c10::intrusive_ptr<RondoWork>& work);
  const char* title(const char* call) const;
  Timeout deadline(Timeout asked) const { return asked.count() > 0 ? asked : timeout_.load(); }
  void require_done(rondo_status status) const { require(status, comm_.get(), member_); }
  void abort_for(const std::string& reason);

  Member member_;
  std::atomic<Timeout> timeout_;
  c10::intrusive_ptr<c10d::Store> store_;
  std::atomic<std::uint64_t> sequence_{0};
  std::uint64_t monitored_ = 0;
  std::mutex mutex_of_coalesced_;
  std::optional<std::vector<c10::intrusive_ptr<RondoWork>>> coalesced_;  // since the start
  Timeout shown_deadline_{0};                                            // of comm_
  Comm comm_;
  std::mutex mutex_of_device_;
  std::atomic<std::shared_ptr<OnDevice>> on_device_;
  std::unique_ptr<Messages> messages_;
  std::unique_ptr<Queue> queue_;  // last, so that it ends first
};

}  // namespace rondo_torch
