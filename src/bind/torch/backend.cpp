#include "bind/torch/backend.hpp"

#include "bind/torch/blocks.hpp"
#include "bind/torch/reduction.hpp"

namespace rondo_torch {

namespace {

using Holds = Flat::Holds;
using Tensors = RondoBackend::Tensors;
using TensorLists = RondoBackend::TensorLists;

void require_dense(const Tensors& tensors, const char* call) {
  for (const at::Tensor& tensor : tensors) {
    require_known_device(tensor.device(), std::string("rondo ") + call);
    TORCH_CHECK(tensor.layout() == at::kStrided, "rondo ", call, ": a tensor of layout ",
                tensor.layout(), "; only dense tensors are supported");
  }
}

const at::Tensor& only(const Tensors& tensors, const char* call) {
  TORCH_CHECK(tensors.size() == 1, "rondo ", call, ": requires a single tensor, got ",
              tensors.size());
  require_dense(tensors, call);
  return tensors[0];
}

void require_type(const at::Tensor& tensor, const at::Tensor& like, const char* call) {
  TORCH_CHECK(tensor.scalar_type() == like.scalar_type(), "rondo ", call,
              ": tensors of different types: ", like.scalar_type(), " and ", tensor.scalar_type());
}

// Blocks may have different lengths; as many elements in another shape are a mistake, as for gloo.
void require_shapes(const Tensors& tensors, const at::Tensor& like, const char* call) {
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    TORCH_CHECK(tensors[i].numel() != like.numel() || tensors[i].sizes() == like.sizes(), "rondo ",
                call, ": invalid tensor size at index ", i, " (expected ", like.sizes(), ", got ",
                tensors[i].sizes(), ")");
  }
}

// A list with a tensor for each rank.
const Tensors& of_all_ranks(const TensorLists& lists, const at::Tensor& like, int size,
                            const char* call) {
  TORCH_CHECK(lists.size() == 1, "rondo ", call, ": requires a single list of tensors, got ",
              lists.size());
  TORCH_CHECK(lists[0].size() == static_cast<std::size_t>(size), "rondo ", call, ": a list of ",
              lists[0].size(), " tensors in a group of ", size, " ranks");
  require_dense(lists[0], call);
  for (const at::Tensor& tensor : lists[0]) require_type(tensor, like, call);
  require_shapes(lists[0], like, call);
  return lists[0];
}

void require_root(int64_t root, int size, const char* call) {
  TORCH_CHECK(root >= 0 && root < size, "rondo ", call, ": invalid root rank: ", root,
              " in a group of ", size, " ranks");
}

// Where the tensors of a call are, if not on the host.
std::optional<c10::Device> device_of(const Tensors& inputs, const Tensors& outputs,
                                     const char* call) {
  std::optional<c10::Device> device;
  for (const Tensors* tensors : {&inputs, &outputs}) {
    for (const at::Tensor& tensor : *tensors) {
      TORCH_CHECK(!device || tensor.device() == *device, call, ": tensors on ", *device, " and on ",
                  tensor.device());
      device = tensor.device();
    }
  }
  return device && device->is_cpu() ? std::nullopt : device;
}

}  // namespace

RondoBackend::RondoBackend(const c10::intrusive_ptr<c10d::Store>& store, Member member,
                           Timeout timeout)
    : Backend(member.rank, member.size),
      member_(std::move(member)),
      timeout_(timeout),
      store_(store),
      comm_(join_world(*store, member_, timeout)),
      messages_(std::make_unique<Messages>(comm_.get(), member_)),
      queue_(std::make_unique<Queue>("rondo")) {
  init();
}

RondoBackend::Work RondoBackend::submit(Call call, Body body) {
  const auto device = device_of(call.inputs.value_or(Tensors()), call.outputs, call.title);
  const std::shared_ptr<OnDevice> there = device ? on_device(*device) : nullptr;
  RondoWork::What what = {
      rank_, call.op, call.title, std::move(call.inputs), std::move(call.outputs), ++sequence_};
  what.device = device;
  const Timeout wanted = deadline(call.timeout);
  what.waiting_for =
      "; " + member_.text() + ", call " + std::to_string(what.sequence) +
      "; which ranks are waited for is not known before the call's own deadline of " +
      std::to_string(wanted.count()) + " ms";
  if (there) {
    what.look = [seen = std::weak_ptr(there)] {
      if (const auto still = seen.lock()) still->look();
    };
  }
  const auto work = c10::make_intrusive<RondoWork>(std::move(what));
  note(work);
  if (there) {
    there->carry_out(work, call.is_async, wanted, body);
    return work;
  }
  auto job = [this, work, wanted, body = std::move(body)] {
    work->carry_out([&] {
      set_deadline(comm_.get(), wanted, shown_deadline_);
      body([this](const rondo_call& given) {
        require_done(rondo_run(comm_.get(), &given, nullptr));
      });
    });
  };
  if (call.is_async) {
    queue_->post([job = std::move(job), state = at::ThreadLocalState()] {
      const at::ThreadLocalStateGuard guard(state);
      job();
    });
  } else {
    queue_->post_or_run(std::move(job));
  }
  return work;
}

RondoBackend::Work RondoBackend::broadcast(Tensors& tensors,
                                           const c10d::BroadcastOptions& options) {
  const at::Tensor tensor = only(tensors, "broadcast");
  require_root(options.rootRank, size_, "broadcast");
  const auto root = static_cast<int>(options.rootRank);
  return submit({c10d::OpType::BROADCAST, title("broadcast"), tensors, tensors, options.timeout,
                 options.asyncOp},
                [this, tensor, root](const Run& run) {
                  const Flat flat(tensor, rank_ == root ? Holds::elements : Holds::nothing_yet);
                  const Elements all = elements(flat.tensor());
                  rondo_call call = call_of(RONDO_BROADCAST, all.data, all, all.count);
                  call.root = root;
                  run(call);
                  if (rank_ != root) flat.store();
                });
}

RondoBackend::Work RondoBackend::allreduce(Tensors& tensors,
                                           const c10d::AllreduceOptions& options) {
  if (tensors.size() == 1 && tensors[0].layout() == at::kSparse) {
    return allreduce_sparse(tensors, options);
  }
  const at::Tensor tensor = only(tensors, "allreduce");
  return submit({c10d::OpType::ALLREDUCE, title("all_reduce"), tensors, tensors, options.timeout,
                 options.asyncOp},
                [tensor, reduction = Reduction(options.reduceOp, tensor)](const Run& run) {
                  const Flat flat(tensor, Holds::elements);
                  reduction.allreduce(run, flat.tensor());
                  flat.store();
                });
}

RondoBackend::Work RondoBackend::allreduce_coalesced(
    Tensors& tensors, const c10d::AllreduceCoalescedOptions& options) {
  TORCH_CHECK(!tensors.empty(), "rondo allreduce_coalesced: requires non-empty tensor list");
  require_dense(tensors, "allreduce_coalesced");
  for (const at::Tensor& tensor : tensors) {
    require_type(tensor, tensors[0], "allreduce_coalesced");
  }
  return submit({c10d::OpType::ALLREDUCE_COALESCED, title("all_reduce"), tensors, tensors,
                 options.timeout, options.asyncOp},
                [tensors, reduction = Reduction(options.reduceOp, tensors[0])](const Run& run) {
                  const at::Tensor flat = joined(tensors);
                  reduction.allreduce(run, flat);
                  divide(flat, tensors);
                });
}

RondoBackend::Work RondoBackend::reduce(Tensors& tensors, const c10d::ReduceOptions& options) {
  const at::Tensor tensor = only(tensors, "reduce");
  require_root(options.rootRank, size_, "reduce");
  const auto root = static_cast<int>(options.rootRank);
  return submit(
      {c10d::OpType::REDUCE, title("reduce"), tensors, tensors, options.timeout, options.asyncOp},
      [this, tensor, root, reduction = Reduction(options.reduceOp, tensor)](const Run& run) {
        const Flat flat(tensor, Holds::elements);
        reduction.reduce(run, flat.tensor(), root, rank_ == root);
        if (rank_ == root) flat.store();
      });
}

RondoBackend::Work RondoBackend::allgather(TensorLists& outputs, Tensors& inputs,
                                           const c10d::AllgatherOptions& options) {
  const at::Tensor input = only(inputs, "allgather");
  const Tensors list = of_all_ranks(outputs, input, size_, "allgather");
  TORCH_CHECK(list[static_cast<std::size_t>(rank_)].numel() == input.numel(),
              "rondo allgather: invalid tensor size at index ", rank_, ": ",
              list[static_cast<std::size_t>(rank_)].sizes(), ", input has ", input.sizes());
  return submit({c10d::OpType::ALLGATHER, title("all_gather"), inputs, list, options.timeout,
                 options.asyncOp},
                [input, list](const Run& run) {
                  const Flat flat(input, Holds::elements);
                  const at::Tensor all = room_for(list);
                  const std::vector<std::size_t> counts = counts_of(list);
                  all_gather(run, flat.tensor(), all, counts);
                  divide(all, list);
                });
}

RondoBackend::Work RondoBackend::_allgather_base(at::Tensor& output, at::Tensor& input,
                                                 const c10d::AllgatherOptions& options) {
  require_dense({output, input}, "all_gather_into_tensor");
  require_type(output, input, "all_gather_into_tensor");
  TORCH_CHECK(output.numel() == input.numel() * size_,
              "rondo all_gather_into_tensor: output tensor size must be equal to world_size times "
              "input tensor size");
  return submit({c10d::OpType::_ALLGATHER_BASE,
                 title("_all_gather_base"),
                 Tensors{input},
                 {output},
                 options.timeout,
                 options.asyncOp},
                [output, input](const Run& run) {
                  const Flat from(input, Holds::elements);
                  const Flat to(output, Holds::nothing_yet);
                  all_gather(run, from.tensor(), to.tensor());
                  to.store();
                });
}

RondoBackend::Work RondoBackend::allgather_coalesced(TensorLists& outputs, Tensors& inputs,
                                                     const c10d::AllgatherOptions& options) {
  TORCH_CHECK(!inputs.empty(), "rondo allgather_coalesced: requires non-empty input tensor list");
  require_dense(inputs, "allgather_coalesced");
  TORCH_CHECK(outputs.size() == static_cast<std::size_t>(size_),
              "rondo allgather_coalesced: ", outputs.size(), " output lists in a group of ", size_,
              " ranks");
  Tensors all_outputs;
  for (const Tensors& list : outputs) {
    require_dense(list, "allgather_coalesced");
    TORCH_CHECK(list.size() == inputs.size(), "rondo allgather_coalesced: an output list of ",
                list.size(), " tensors for ", inputs.size(), " inputs");
    for (std::size_t i = 0; i < list.size(); ++i) {
      require_type(list[i], inputs[0], "allgather_coalesced");
      TORCH_CHECK(list[i].sizes() == inputs[i].sizes(),
                  "rondo allgather_coalesced: invalid tensor size at index ", i, " (expected ",
                  inputs[i].sizes(), ", got ", list[i].sizes(), ")");
      all_outputs.push_back(list[i]);
    }
  }
  return submit({c10d::OpType::ALLGATHER_COALESCED, title("all_gather"), inputs, all_outputs,
                 options.timeout, options.asyncOp},
                [inputs, all_outputs](const Run& run) {
                  const at::Tensor all = room_for(all_outputs);
                  all_gather(run, joined(inputs), all);
                  divide(all, all_outputs);
                });
}

RondoBackend::Work RondoBackend::allgather_into_tensor_coalesced(
    Tensors& outputs, Tensors& inputs, const c10d::AllgatherOptions& options) {
  require_dense(outputs, "allgather_into_tensor_coalesced");
  require_dense(inputs, "allgather_into_tensor_coalesced");
  TORCH_CHECK(outputs.size() == inputs.size(),
              "rondo allgather_into_tensor_coalesced: requires input and output tensor lists to "
              "have the same length");
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    require_type(outputs[i], inputs[i], "allgather_into_tensor_coalesced");
    TORCH_CHECK(outputs[i].numel() == inputs[i].numel() * size_,
                "rondo allgather_into_tensor_coalesced: output tensor size must be equal to "
                "world_size times input tensor size, at index ",
                i);
  }
  return submit({c10d::OpType::COALESCED, title("_all_gather_base"), inputs, outputs,
                 options.timeout, options.asyncOp},
                [outputs, inputs](const Run& run) {
                  for (std::size_t i = 0; i < inputs.size(); ++i) {
                    const Flat from(inputs[i], Holds::elements);
                    const Flat to(outputs[i], Holds::nothing_yet);
                    all_gather(run, from.tensor(), to.tensor());
                    to.store();
                  }
                });
}

RondoBackend::Work RondoBackend::gather(TensorLists& outputs, Tensors& inputs,
                                        const c10d::GatherOptions& options) {
  const at::Tensor input = only(inputs, "gather");
  require_root(options.rootRank, size_, "gather");
  const auto root = static_cast<int>(options.rootRank);
  const bool is_root = rank_ == root;
  TORCH_CHECK(is_root || outputs.empty(), "rondo gather: requires empty output on non-root");
  const Tensors list = is_root ? of_all_ranks(outputs, input, size_, "gather") : Tensors{};
  for (const at::Tensor& tensor : list) {
    TORCH_CHECK(tensor.numel() == input.numel(), "rondo gather: an output of ", tensor.sizes(),
                " for an input of ", input.sizes());
  }
  return submit(
      {c10d::OpType::GATHER, title("gather"), inputs, list, options.timeout, options.asyncOp},
      [input, list, root](const Run& run) {
        const Flat flat(input, Holds::elements);
        const Elements from = elements(flat.tensor());
        const at::Tensor all = list.empty() ? at::Tensor() : room_for(list);
        Elements to = from;
        to.data = list.empty() ? nullptr : elements(all).data;
        rondo_call call = call_of(RONDO_GATHER, from.data, to, from.count);
        call.root = root;
        run(call);
        if (!list.empty()) divide(all, list);
      });
}

RondoBackend::Work RondoBackend::scatter(Tensors& outputs, TensorLists& inputs,
                                         const c10d::ScatterOptions& options) {
  const at::Tensor output = only(outputs, "scatter");
  require_root(options.rootRank, size_, "scatter");
  const auto root = static_cast<int>(options.rootRank);
  const bool is_root = rank_ == root;
  TORCH_CHECK(is_root || inputs.empty(), "rondo scatter: requires empty input on non-root");
  const Tensors list = is_root ? of_all_ranks(inputs, output, size_, "scatter") : Tensors{};
  for (const at::Tensor& tensor : list) {
    TORCH_CHECK(tensor.numel() == output.numel(), "rondo scatter: an input of ", tensor.sizes(),
                " for an output of ", output.sizes());
  }
  return submit(
      {c10d::OpType::SCATTER, title("scatter"), list, outputs, options.timeout, options.asyncOp},
      [output, list, root](const Run& run) {
        const at::Tensor all = list.empty() ? at::Tensor() : joined(list);
        const Flat flat(output, Holds::nothing_yet);
        const Elements to = elements(flat.tensor());
        rondo_call call =
            call_of(RONDO_SCATTER, list.empty() ? nullptr : elements(all).data, to, to.count);
        call.root = root;
        run(call);
        flat.store();
      });
}

RondoBackend::Work RondoBackend::reduce_scatter(Tensors& outputs, TensorLists& inputs,
                                                const c10d::ReduceScatterOptions& options) {
  const at::Tensor output = only(outputs, "reduce_scatter");
  const Tensors list = of_all_ranks(inputs, output, size_, "reduce_scatter");
  TORCH_CHECK(list[static_cast<std::size_t>(rank_)].numel() == output.numel(),
              "rondo reduce_scatter: invalid tensor size at index ", rank_, ": ",
              list[static_cast<std::size_t>(rank_)].sizes(), ", output has ", output.sizes());
  return submit({c10d::OpType::REDUCE_SCATTER, title("reduce_scatter"), list, outputs,
                 options.timeout, options.asyncOp},
                [output, list, reduction = Reduction(options.reduceOp, output)](const Run& run) {
                  const Flat flat(output, Holds::nothing_yet);
                  reduction.reduce_scatter(run, joined(list), flat.tensor(), counts_of(list));
                  flat.store();
                });
}

RondoBackend::Work RondoBackend::_reduce_scatter_base(at::Tensor& output, at::Tensor& input,
                                                      const c10d::ReduceScatterOptions& options) {
  Tensors outputs{output};
  Tensors inputs{input};
  return reduce_scatter_tensor_coalesced(outputs, inputs, options);
}

RondoBackend::Work RondoBackend::reduce_scatter_tensor_coalesced(
    Tensors& outputs, Tensors& inputs, const c10d::ReduceScatterOptions& options) {
  require_dense(outputs, "reduce_scatter_tensor");
  require_dense(inputs, "reduce_scatter_tensor");
  TORCH_CHECK(outputs.size() == inputs.size() && !inputs.empty(),
              "rondo reduce_scatter_tensor: requires input and output tensor lists to have the "
              "same length");
  std::vector<Reduction> reductions;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    require_type(outputs[i], inputs[i], "reduce_scatter_tensor");
    TORCH_CHECK(inputs[i].numel() == outputs[i].numel() * size_,
                "rondo reduce_scatter_tensor: input tensor must be the same size as output size "
                "times world size");
    reductions.emplace_back(options.reduceOp, inputs[i]);
  }
  return submit({c10d::OpType::_REDUCE_SCATTER_BASE, title("_reduce_scatter_base"), inputs, outputs,
                 options.timeout, options.asyncOp},
                [this, outputs, inputs, reductions](const Run& run) {
                  for (std::size_t i = 0; i < inputs.size(); ++i) {
                    const Flat from(inputs[i], Holds::elements);
                    const Flat to(outputs[i], Holds::nothing_yet);
                    reductions[i].reduce_scatter(
                        run, from.tensor(), to.tensor(),
                        std::vector<std::size_t>(static_cast<std::size_t>(size_),
                                                 static_cast<std::size_t>(outputs[i].numel())));
                    to.store();
                  }
                });
}

RondoBackend::Work RondoBackend::alltoall_base(at::Tensor& output, at::Tensor& input,
                                               std::vector<int64_t>& output_splits,
                                               std::vector<int64_t>& input_splits,
                                               const c10d::AllToAllOptions& options) {
  require_dense({output, input}, "all_to_all_single");
  require_type(output, input, "all_to_all_single");
  c10d::checkSplitSizes(input_splits, input, size_);
  c10d::checkSplitSizes(output_splits, output, size_);
  const auto counts = [this](const at::Tensor& tensor, const std::vector<int64_t>& splits) {
    if (splits.empty()) {
      return std::vector<std::size_t>(static_cast<std::size_t>(size_),
                                      static_cast<std::size_t>(tensor.numel() / size_));
    }
    const int64_t row = tensor.size(0) == 0 ? 0 : tensor.numel() / tensor.size(0);
    std::vector<std::size_t> result;
    for (const int64_t rows : splits) result.push_back(static_cast<std::size_t>(rows * row));
    return result;
  };
  return submit({c10d::OpType::ALLTOALL_BASE,
                 title("all_to_all"),
                 Tensors{input},
                 {output},
                 options.timeout,
                 options.asyncOp},
                [output, input, to_counts = counts(output, output_splits),
                 from_counts = counts(input, input_splits)](const Run& run) {
                  const Flat from(input, Holds::elements);
                  const Flat to(output, Holds::nothing_yet);
                  all_to_all(run, from.tensor(), from_counts, to.tensor(), to_counts);
                  to.store();
                });
}

RondoBackend::Work RondoBackend::alltoall(Tensors& outputs, Tensors& inputs,
                                          const c10d::AllToAllOptions& options) {
  const auto ranks = static_cast<std::size_t>(size_);
  TORCH_CHECK(outputs.size() == ranks && inputs.size() == ranks, "rondo all_to_all: lists of ",
              inputs.size(), " and ", outputs.size(), " tensors in a group of ", size_, " ranks");
  require_dense(outputs, "all_to_all");
  require_dense(inputs, "all_to_all");
  for (const at::Tensor& tensor : inputs) require_type(tensor, inputs[0], "all_to_all");
  for (const at::Tensor& tensor : outputs) require_type(tensor, inputs[0], "all_to_all");
  require_shapes(inputs, inputs[0], "all_to_all");
  require_shapes(outputs, inputs[0], "all_to_all");
  return submit({c10d::OpType::ALLTOALL, title("all_to_all"), inputs, outputs, options.timeout,
                 options.asyncOp},
                [outputs, inputs](const Run& run) {
                  const at::Tensor all = room_for(outputs);
                  all_to_all(run, joined(inputs), counts_of(inputs), all, counts_of(outputs));
                  divide(all, outputs);
                });
}

RondoBackend::Work RondoBackend::barrier(const c10d::BarrierOptions& options) {
  const std::shared_ptr<OnDevice> there = on_device_.load();
  std::optional<c10::Stream> current;
  if (there) current = there->current_stream();
  return submit(
      {c10d::OpType::BARRIER, title("barrier"), std::nullopt, {}, options.timeout, options.asyncOp},
      [this, there, current](const Run&) {
        if (there) there->synchronize(*current);
        require_done(rondo_barrier(comm_.get()));
      });
}

}  // namespace rondo_torch
