// The collectives of rondo/rondo.h.

#include "api/c_calls.hpp"
#include "api/c_handles.hpp"

namespace {

using namespace rondo::c;
using rondo::Communicator;

rondo_status run(rondo_comm* comm, const RawCall& raw) noexcept {
  if (comm == nullptr) return null_argument("comm");
  return guarded(*comm->last_error, [&] { comm->value.run(to_call(raw, comm->value)); });
}

rondo_status start(rondo_comm* comm, const RawCall& raw, rondo_work** work) noexcept {
  return started(comm, work, [&](Communicator& value) { return value.start(to_call(raw, value)); });
}

RawCall allgatherv_call(const void* send, void* receive, const RawBlocks& blocks,
                        rondo_dtype dtype) {
  return {rondo::Collective::allgather, send, receive, 0, dtype, RONDO_SUM, 0, true, {}, blocks};
}

RawCall reduce_scatterv_call(const void* send, void* receive, const std::size_t* counts,
                             rondo_dtype dtype, rondo_op op) {
  return {rondo::Collective::reduce_scatter, send, receive, 0, dtype, op, 0, true, {counts}, {}};
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
  return run(comm, allgatherv_call(send, receive, {counts, displacements}, dtype));
}

rondo_status rondo_iallgatherv(rondo_comm* comm, const void* send, void* receive,
                               const std::size_t* counts, const std::size_t* displacements,
                               rondo_dtype dtype, rondo_work** work) {
  return start(comm, allgatherv_call(send, receive, {counts, displacements}, dtype), work);
}

rondo_status rondo_reduce_scatterv(rondo_comm* comm, const void* send, void* receive,
                                   const std::size_t* counts, rondo_dtype dtype, rondo_op op) {
  return run(comm, reduce_scatterv_call(send, receive, counts, dtype, op));
}

rondo_status rondo_ireduce_scatterv(rondo_comm* comm, const void* send, void* receive,
                                    const std::size_t* counts, rondo_dtype dtype, rondo_op op,
                                    rondo_work** work) {
  return start(comm, reduce_scatterv_call(send, receive, counts, dtype, op), work);
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
