#include "api/c_calls.hpp"

#include "api/c_handles.hpp"
#include "rondo/erased_call.hpp"

namespace rondo::c {

namespace {

Blocks to_blocks(const RawBlocks& raw, const Communicator& comm) {
  const auto ranks = static_cast<std::size_t>(comm.size());
  Blocks blocks;
  if (raw.counts != nullptr) blocks.counts = {raw.counts, ranks};
  if (raw.displacements != nullptr) blocks.displacements = {raw.displacements, ranks};
  return blocks;
}

// Where the own block lies in `receive`.
const void* own_block(const RawCall& raw, const ErasedCall& call, const Communicator& comm) {
  const auto rank = static_cast<std::size_t>(comm.rank());
  const bool is_told = !call.receive_blocks.counts.empty();
  const std::size_t before =
      raw.uneven && is_told ? erase::begin_of_block(call.receive_blocks, rank) : raw.count * rank;
  return static_cast<const std::byte*>(raw.receive) + before * size_of(call.dtype);
}

void put_in_place(const RawCall& raw, ErasedCall& call, const Communicator& comm) {
  const bool at_root = !is_rooted(raw.collective) || comm.rank() == raw.root;
  if (gets_own_block(raw.collective) || !at_root) {
    refuse(concat(name(raw.collective), ": RONDO_IN_PLACE has no meaning here"));
  }
  call.send = raw.receive;
  if (raw.collective == Collective::alltoall) call.send_blocks = call.receive_blocks;
  if (gives_own_block(raw.collective) && raw.receive != nullptr) {
    call.send = own_block(raw, call, comm);
  }
}

// What the v calls do not tell, since all ranks give all counts.
std::size_t count_of(const RawCall& raw, const Communicator& comm) {
  if (!raw.uneven) return raw.count;
  const bool gathers = raw.collective == Collective::allgather;
  if (!gathers && raw.collective != Collective::reduce_scatter) return raw.count;
  const std::size_t* counts = gathers ? raw.receive_blocks.counts : raw.send_blocks.counts;
  if (counts == nullptr || !comm) return 0;  // refused later on
  return counts[comm.rank()];
}

}  // namespace

ErasedCall to_call(const RawCall& raw, const Communicator& comm) {
  if (raw.receive == RONDO_IN_PLACE) {
    refuse(concat(name(raw.collective), ": RONDO_IN_PLACE is for send buffers"));
  }
  ErasedCall call = {.collective = raw.collective,
                     .send = raw.send,
                     .receive = raw.receive,
                     .count = count_of(raw, comm),
                     .dtype = checked<DType>(raw.dtype, dtype_count, "rondo_dtype"),
                     .op = checked<Op>(raw.op, op_count, "rondo_op"),
                     .root = raw.root,
                     .uneven = raw.uneven,
                     .send_blocks = to_blocks(raw.send_blocks, comm),
                     .receive_blocks = to_blocks(raw.receive_blocks, comm)};
  if (raw.send == RONDO_IN_PLACE) put_in_place(raw, call, comm);
  return call;
}

}  // namespace rondo::c
