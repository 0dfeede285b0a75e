// The collectives of rondo/rondo.h.

#include "api/c_handles.hpp"
#include "rondo/erased_call.hpp"

namespace {

using namespace rondo::c;
using rondo::Communicator;
using rondo::concat;

// A call as C makes it; the numbers are checked when it is carried out.
struct RawBlocks {
  const std::size_t* counts = nullptr;
  const std::size_t* displacements = nullptr;
};
struct RawCall {
  rondo::Collective collective;
  const void* send;
  void* receive;
  std::size_t count;
  rondo_dtype dtype;
  rondo_op op = RONDO_SUM;
  std::int32_t root = 0;
  bool uneven = false;
  RawBlocks send_blocks = {};
  RawBlocks receive_blocks = {};
};

rondo::Blocks to_blocks(const RawBlocks& raw, const Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  rondo::Blocks blocks;
  if (raw.counts != nullptr) blocks.counts = {raw.counts, ranks};
  if (raw.displacements != nullptr) blocks.displacements = {raw.displacements, ranks};
  return blocks;
}

// Where the own block lies in `receive`.
const void* own_block(const RawCall& raw, const rondo::ErasedCall& call, const Communicator& comm) {
  const auto rank = static_cast<std::size_t>(comm.rank());
  const bool is_told = !call.receive_blocks.counts.empty();
  const std::size_t before = raw.uneven && is_told
                                 ? rondo::erase::begin_of_block(call.receive_blocks, rank)
                                 : raw.count * rank;
  return static_cast<const std::byte*>(raw.receive) + before * rondo::size_of(call.dtype);
}

void put_in_place(const RawCall& raw, rondo::ErasedCall& call, const Communicator& comm) {
  const bool at_root = !rondo::is_rooted(raw.collective) || comm.rank() == raw.root;
  if (rondo::gets_own_block(raw.collective) || !at_root) {
    refuse(concat(rondo::name(raw.collective), ": RONDO_IN_PLACE has no meaning here"));
  }
  call.send = raw.receive;
  if (raw.collective == rondo::Collective::alltoall) call.send_blocks = call.receive_blocks;
  if (rondo::gives_own_block(raw.collective) && raw.receive != nullptr) {
    call.send = own_block(raw, call, comm);
  }
}

rondo::ErasedCall to_call(const RawCall& raw, const Communicator& comm) {
  if (raw.receive == RONDO_IN_PLACE) {
    refuse(concat(rondo::name(raw.collective), ": RONDO_IN_PLACE is for send buffers"));
  }
  rondo::ErasedCall call = {
      .collective = raw.collective,
      .send = raw.send,
      .receive = raw.receive,
      .count = raw.count,
      .dtype = checked<rondo::DType>(raw.dtype, rondo::dtype_count, "rondo_dtype"),
      .op = checked<rondo::Op>(raw.op, rondo::op_count, "rondo_op"),
      .root = raw.root,
      .uneven = raw.uneven,
      .send_blocks = to_blocks(raw.send_blocks, comm),
      .receive_blocks = to_blocks(raw.receive_blocks, comm)};
  if (raw.send == RONDO_IN_PLACE) put_in_place(raw, call, comm);
  return call;
}

rondo_status run(rondo_comm* comm, const RawCall& raw) noexcept {
  if (comm == nullptr) return null_argument("comm");
  return guarded(*comm->last_error, [&] { comm->value.run(to_call(raw, comm->value)); });
}

rondo_status start(rondo_comm* comm, const RawCall& raw, rondo_work** work) noexcept {
  return started(comm, work, [&](Communicator& value) { return value.start(to_call(raw, value)); });
}

// The own count of a call whose ranks all know all counts.
std::size_t own_count(const rondo_comm* comm, const std::size_t* counts) {
  if (comm == nullptr || counts == nullptr) return 0;  // refused later on
  return counts[comm->value.rank()];
}

RawCall allgatherv_call(const rondo_comm* comm, const void* send, void* receive,
                        const RawBlocks& blocks, rondo_dtype dtype) {
  return {rondo::Collective::allgather,
          send,
          receive,
          own_count(comm, blocks.counts),
          dtype,
          RONDO_SUM,
          0,
          true,
          {},
          blocks};
}

RawCall reduce_scatterv_call(const rondo_comm* comm, const void* send, void* receive,
                             const std::size_t* counts, rondo_dtype dtype, rondo_op op) {
  return {rondo::Collective::reduce_scatter,
          send,
          receive,
          own_count(comm, counts),
          dtype,
          op,
          0,
          true,
          {counts},
          {}};
}

RawCall barrier_call() {
  return {rondo::Collective::barrier, nullptr, nullptr, 0, RONDO_U8, RONDO_SUM, 0};
}

RawCall broadcast_call(void* buffer, std::size_t count, rondo_dtype dtype, std::int32_t root) {
  return {rondo::Collective::broadcast, buffer, buffer, count, dtype, RONDO_SUM, root};
}

}  // namespace

rondo_status rondo_allreduce(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                             rondo_dtype dtype, rondo_op op) {
  return run(comm, {rondo::Collective::allreduce, send, receive, count, dtype, op, 0});
}

rondo_status rondo_broadcast(rondo_comm* comm, void* buffer, std::size_t count, rondo_dtype dtype,
                             std::int32_t root) {
  return run(comm, broadcast_call(buffer, count, dtype, root));
}

rondo_status rondo_allgather(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                             rondo_dtype dtype) {
  return run(comm, {rondo::Collective::allgather, send, receive, count, dtype, RONDO_SUM, 0});
}

rondo_status rondo_reduce_scatter(rondo_comm* comm, const void* send, void* receive,
                                  std::size_t count, rondo_dtype dtype, rondo_op op) {
  return run(comm, {rondo::Collective::reduce_scatter, send, receive, count, dtype, op, 0});
}

rondo_status rondo_reduce(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                          rondo_dtype dtype, rondo_op op, std::int32_t root) {
  return run(comm, {rondo::Collective::reduce, send, receive, count, dtype, op, root});
}

rondo_status rondo_barrier(rondo_comm* comm) {
  return run(comm, barrier_call());
}

rondo_status rondo_iallreduce(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                              rondo_dtype dtype, rondo_op op, rondo_work** work) {
  return start(comm, {rondo::Collective::allreduce, send, receive, count, dtype, op, 0}, work);
}

rondo_status rondo_ibroadcast(rondo_comm* comm, void* buffer, std::size_t count, rondo_dtype dtype,
                              std::int32_t root, rondo_work** work) {
  return start(comm, broadcast_call(buffer, count, dtype, root), work);
}

rondo_status rondo_iallgather(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                              rondo_dtype dtype, rondo_work** work) {
  return start(comm, {rondo::Collective::allgather, send, receive, count, dtype, RONDO_SUM, 0},
               work);
}

rondo_status rondo_ireduce_scatter(rondo_comm* comm, const void* send, void* receive,
                                   std::size_t count, rondo_dtype dtype, rondo_op op,
                                   rondo_work** work) {
  return start(comm, {rondo::Collective::reduce_scatter, send, receive, count, dtype, op, 0}, work);
}

rondo_status rondo_ireduce(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                           rondo_dtype dtype, rondo_op op, std::int32_t root, rondo_work** work) {
  return start(comm, {rondo::Collective::reduce, send, receive, count, dtype, op, root}, work);
}

rondo_status rondo_ibarrier(rondo_comm* comm, rondo_work** work) {
  return start(comm, barrier_call(), work);
}

rondo_status rondo_gather(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                          rondo_dtype dtype, std::int32_t root) {
  return run(comm, {rondo::Collective::gather, send, receive, count, dtype, RONDO_SUM, root});
}

rondo_status rondo_igather(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                           rondo_dtype dtype, std::int32_t root, rondo_work** work) {
  return start(comm, {rondo::Collective::gather, send, receive, count, dtype, RONDO_SUM, root},
               work);
}

rondo_status rondo_scatter(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                           rondo_dtype dtype, std::int32_t root) {
  return run(comm, {rondo::Collective::scatter, send, receive, count, dtype, RONDO_SUM, root});
}

rondo_status rondo_iscatter(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                            rondo_dtype dtype, std::int32_t root, rondo_work** work) {
  return start(comm, {rondo::Collective::scatter, send, receive, count, dtype, RONDO_SUM, root},
               work);
}

rondo_status rondo_alltoall(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                            rondo_dtype dtype) {
  return run(comm, {rondo::Collective::alltoall, send, receive, count, dtype});
}

rondo_status rondo_ialltoall(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                             rondo_dtype dtype, rondo_work** work) {
  return start(comm, {rondo::Collective::alltoall, send, receive, count, dtype}, work);
}

rondo_status rondo_scan(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                        rondo_dtype dtype, rondo_op op) {
  return run(comm, {rondo::Collective::scan, send, receive, count, dtype, op});
}

rondo_status rondo_iscan(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                         rondo_dtype dtype, rondo_op op, rondo_work** work) {
  return start(comm, {rondo::Collective::scan, send, receive, count, dtype, op}, work);
}

rondo_status rondo_exscan(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                          rondo_dtype dtype, rondo_op op) {
  return run(comm, {rondo::Collective::exscan, send, receive, count, dtype, op});
}

rondo_status rondo_iexscan(rondo_comm* comm, const void* send, void* receive, std::size_t count,
                           rondo_dtype dtype, rondo_op op, rondo_work** work) {
  return start(comm, {rondo::Collective::exscan, send, receive, count, dtype, op}, work);
}

rondo_status rondo_allgatherv(rondo_comm* comm, const void* send, void* receive,
                              const std::size_t* counts, const std::size_t* displacements,
                              rondo_dtype dtype) {
  return run(comm, allgatherv_call(comm, send, receive, {counts, displacements}, dtype));
}

rondo_status rondo_iallgatherv(rondo_comm* comm, const void* send, void* receive,
                               const std::size_t* counts, const std::size_t* displacements,
                               rondo_dtype dtype, rondo_work** work) {
  return start(comm, allgatherv_call(comm, send, receive, {counts, displacements}, dtype), work);
}

rondo_status rondo_reduce_scatterv(rondo_comm* comm, const void* send, void* receive,
                                   const std::size_t* counts, rondo_dtype dtype, rondo_op op) {
  return run(comm, reduce_scatterv_call(comm, send, receive, counts, dtype, op));
}

rondo_status rondo_ireduce_scatterv(rondo_comm* comm, const void* send, void* receive,
                                    const std::size_t* counts, rondo_dtype dtype, rondo_op op,
                                    rondo_work** work) {
  return start(comm, reduce_scatterv_call(comm, send, receive, counts, dtype, op), work);
}

rondo_status rondo_gatherv(rondo_comm* comm, const void* send, std::size_t count, void* receive,
                           const std::size_t* counts, const std::size_t* displacements,
                           rondo_dtype dtype, std::int32_t root) {
  return run(comm, {rondo::Collective::gather,
                    send,
                    receive,
                    count,
                    dtype,
                    RONDO_SUM,
                    root,
                    true,
                    {},
                    {counts, displacements}});
}

rondo_status rondo_igatherv(rondo_comm* comm, const void* send, std::size_t count, void* receive,
                            const std::size_t* counts, const std::size_t* displacements,
                            rondo_dtype dtype, std::int32_t root, rondo_work** work) {
  return start(comm,
               {rondo::Collective::gather,
                send,
                receive,
                count,
                dtype,
                RONDO_SUM,
                root,
                true,
                {},
                {counts, displacements}},
               work);
}

rondo_status rondo_scatterv(rondo_comm* comm, const void* send, const std::size_t* counts,
                            const std::size_t* displacements, void* receive, std::size_t count,
                            rondo_dtype dtype, std::int32_t root) {
  return run(comm, {rondo::Collective::scatter,
                    send,
                    receive,
                    count,
                    dtype,
                    RONDO_SUM,
                    root,
                    true,
                    {counts, displacements},
                    {}});
}

rondo_status rondo_iscatterv(rondo_comm* comm, const void* send, const std::size_t* counts,
                             const std::size_t* displacements, void* receive, std::size_t count,
                             rondo_dtype dtype, std::int32_t root, rondo_work** work) {
  return start(comm,
               {rondo::Collective::scatter,
                send,
                receive,
                count,
                dtype,
                RONDO_SUM,
                root,
                true,
                {counts, displacements},
                {}},
               work);
}

rondo_status rondo_alltoallv(rondo_comm* comm, const void* send, const std::size_t* send_counts,
                             const std::size_t* send_displacements, void* receive,
                             const std::size_t* receive_counts,
                             const std::size_t* receive_displacements, rondo_dtype dtype) {
  return run(comm, {rondo::Collective::alltoall,
                    send,
                    receive,
                    0,
                    dtype,
                    RONDO_SUM,
                    0,
                    true,
                    {send_counts, send_displacements},
                    {receive_counts, receive_displacements}});
}

rondo_status rondo_ialltoallv(rondo_comm* comm, const void* send, const std::size_t* send_counts,
                              const std::size_t* send_displacements, void* receive,
                              const std::size_t* receive_counts,
                              const std::size_t* receive_displacements, rondo_dtype dtype,
                              rondo_work** work) {
  return start(comm,
               {rondo::Collective::alltoall,
                send,
                receive,
                0,
                dtype,
                RONDO_SUM,
                0,
                true,
                {send_counts, send_displacements},
                {receive_counts, receive_displacements}},
               work);
}
