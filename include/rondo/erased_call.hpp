#pragma once

// Calls with their types erased, as the C API and bindings make them, and the way from the buffers
// of C++ to them: erase::allreduce() and the others check what only the buffers' sizes tell.

#include <cstddef>
#include <cstdint>
#include <ranges>
#include <span>
#include <type_traits>

#include "rondo/export.hpp"
#include "rondo/types.hpp"

namespace rondo {

/// How many elements belong to each rank, in rank order.
using Counts = std::span<const std::size_t>;

/// The blocks of a buffer, one a rank.
struct Blocks {
  Counts counts = {};
  Counts displacements = {};  ///< elements before each block; none: one after the other
};

struct ErasedCall {
  Collective collective = Collective::barrier;
  const void* send = nullptr;  ///< equal to `receive` for in place, see each collective
  void* receive = nullptr;
  std::size_t count = 0;  ///< elements; of one block where there are blocks
  DType dtype = DType::u8;
  Op op = Op::sum;
  int root = 0;
  /// allgatherv, reduce_scatterv, gatherv, scatterv, alltoallv: blocks of different lengths, told
  /// by the blocks of the buffer that has one for each rank. `count` is that of the own block, and
  /// means nothing for alltoallv. All are read during the call only.
  bool uneven = false;
  Blocks send_blocks = {};
  Blocks receive_blocks = {};
};

/// One message of an exchange; see send_to() and recv_from().
struct Message {
  enum class Kind : std::uint8_t { send, recv };

  Kind kind = Kind::send;
  int peer = 0;
  void* data = nullptr;  ///< only read where the message is sent
  std::size_t count = 0;
  DType dtype = DType::u8;
};

/// `buffer` for rank `peer`, as a part of Communicator::exchange().
template <LastingSendBuffer S>
Message send_to(int peer, S&& buffer) {
  const void* data = std::ranges::data(buffer);
  return {Message::Kind::send, peer, const_cast<void*>(data), std::ranges::size(buffer),
          dtype_of_range<S>};
}

/// What comes from rank `peer` into `buffer`, as a part of Communicator::exchange().
template <RecvBuffer R>
Message recv_from(int peer, R&& buffer) {
  return {Message::Kind::recv, peer, std::ranges::data(buffer), std::ranges::size(buffer),
          dtype_of_range<R>};
}

namespace erase {

/// The rank that makes a call, and the number of ranks.
struct Caller {
  int rank = 0;
  int size = 1;
  std::size_t own() const { return static_cast<std::size_t>(rank); }
  std::size_t ranks() const { return static_cast<std::size_t>(size); }
};

/// Throws Error{invalid_argument}: "send elements (3) must equal receive elements (4)".
RONDO_API void require_equal(const char* what, std::size_t left, const char* with,
                             std::size_t right);
/// Throws Error{invalid_argument} where the blocks are not one a rank, or don't fill the `elements`
/// of their buffer; with displacements, don't fit into it.
RONDO_API void require_blocks(const char* what, const Blocks& blocks, std::size_t elements,
                              Caller caller);
/// Elements before the block of a rank.
RONDO_API std::size_t begin_of_block(const Blocks& blocks, std::size_t rank);

template <class S, class R>
constexpr void require_same_type() {
  static_assert(dtype_of_range<S> == dtype_of_range<R>,
                "send and receive buffer must have the same element type");
}

template <class S, class R>
ErasedCall any(Collective collective, const S& send, R& receive, std::size_t count, Op op = Op::sum,
               int root = 0) {
  require_same_type<S, R>();
  return {.collective = collective,
          .send = std::ranges::data(send),
          .receive = std::ranges::data(receive),
          .count = count,
          .dtype = dtype_of_range<R>,
          .op = op,
          .root = root};
}

/// allreduce, scan, exscan, and in place broadcast: two buffers of one size.
template <class S, class R>
ErasedCall alike(Collective collective, const S& send, R& receive, Op op = Op::sum, int root = 0) {
  require_equal("send elements", std::ranges::size(send), "receive elements",
                std::ranges::size(receive));
  return any(collective, send, receive, std::ranges::size(send), op, root);
}

template <class S, class R>
ErasedCall reduce(Caller caller, const S& send, R& receive, Op op, int root) {
  if (caller.rank == root) return alike(Collective::reduce, send, receive, op, root);
  return any(Collective::reduce, send, receive, std::ranges::size(send), op, root);
}

/// The count of each block of a buffer that has one for each rank.
template <class R>
std::size_t block_count(Caller caller, const char* what, const R& buffer) {
  const std::size_t elements = std::ranges::size(buffer);
  require_equal(what, elements, "size() times a whole count",
                elements / caller.ranks() * caller.ranks());
  return elements / caller.ranks();
}

/// The own block of a buffer that has one for each rank.
template <class R>
auto own_block(Caller caller, const char* what, R& buffer) {
  const std::size_t count = block_count(caller, what, buffer);
  return std::span(std::ranges::data(buffer), std::ranges::size(buffer))
      .subspan(count * caller.own(), count);
}

template <class S, class R>
ErasedCall allgather(Caller caller, const S& send, R& receive) {
  require_equal("send elements times size()", std::ranges::size(send) * caller.ranks(),
                "receive elements", std::ranges::size(receive));
  return any(Collective::allgather, send, receive, std::ranges::size(send));
}

template <class S, class R>
ErasedCall reduce_scatter(Caller caller, const S& send, R& receive, Op op) {
  require_equal("send elements", std::ranges::size(send), "receive elements times size()",
                std::ranges::size(receive) * caller.ranks());
  return any(Collective::reduce_scatter, send, receive, std::ranges::size(receive), op);
}

template <class S, class R>
ErasedCall gather(Caller caller, const S& send, R& receive, int root) {
  if (caller.rank == root) {
    require_equal("send elements times size()", std::ranges::size(send) * caller.ranks(),
                  "receive elements at the root", std::ranges::size(receive));
  }
  return any(Collective::gather, send, receive, std::ranges::size(send), Op::sum, root);
}
template <class R>
ErasedCall gather(Caller caller, R& buffer, int root) {
  if (caller.rank == root) {
    return gather(caller, own_block(caller, "elements at the root", buffer), buffer, root);
  }
  return gather(caller, buffer, buffer, root);
}

template <class S, class R>
ErasedCall scatter(Caller caller, const S& send, R& receive, int root) {
  if (caller.rank == root) {
    require_equal("send elements at the root", std::ranges::size(send),
                  "receive elements times size()", std::ranges::size(receive) * caller.ranks());
  }
  return any(Collective::scatter, send, receive, std::ranges::size(receive), Op::sum, root);
}
template <class R>
ErasedCall scatter(Caller caller, R& buffer, int root) {
  if (caller.rank == root) {
    auto own = own_block(caller, "elements at the root", buffer);
    return scatter(caller, buffer, own, root);
  }
  return scatter(caller, buffer, buffer, root);
}

template <class S, class R>
ErasedCall alltoall(Caller caller, const S& send, R& receive) {
  ErasedCall call = alike(Collective::alltoall, send, receive);
  call.count = block_count(caller, "send elements", send);
  return call;
}

/// The block of one rank.
template <class R>
auto block(R& buffer, const Blocks& blocks, std::size_t rank) {
  return std::span(std::ranges::data(buffer), std::ranges::size(buffer))
      .subspan(begin_of_block(blocks, rank), blocks.counts[rank]);
}

template <class S, class R>
ErasedCall allgatherv(Caller caller, const S& send, R& receive, const Blocks& blocks) {
  require_blocks("allgatherv: receive", blocks, std::ranges::size(receive), caller);
  require_equal("send elements", std::ranges::size(send), "counts[rank()]",
                blocks.counts[caller.own()]);
  ErasedCall call = any(Collective::allgather, send, receive, std::ranges::size(send));
  call.uneven = true;
  call.receive_blocks = blocks;
  return call;
}
template <class R>
ErasedCall allgatherv(Caller caller, R& buffer, const Blocks& blocks) {
  require_blocks("allgatherv: receive", blocks, std::ranges::size(buffer), caller);
  return allgatherv(caller, block(buffer, blocks, caller.own()), buffer, blocks);
}

template <class S, class R>
ErasedCall reduce_scatterv(Caller caller, const S& send, R& receive, Counts counts, Op op) {
  require_blocks("reduce_scatterv: send", {counts}, std::ranges::size(send), caller);
  require_equal("receive elements", std::ranges::size(receive), "counts[rank()]",
                counts[caller.own()]);
  ErasedCall call = any(Collective::reduce_scatter, send, receive, std::ranges::size(receive), op);
  call.uneven = true;
  call.send_blocks = {counts};
  return call;
}

template <class S, class R>
ErasedCall gatherv(Caller caller, const S& send, R& receive, const Blocks& blocks, int root) {
  ErasedCall call = any(Collective::gather, send, receive, std::ranges::size(send), Op::sum, root);
  call.uneven = true;
  if (caller.rank != root) return call;
  require_blocks("gatherv: receive", blocks, std::ranges::size(receive), caller);
  require_equal("send elements at the root", std::ranges::size(send), "counts[rank()]",
                blocks.counts[caller.own()]);
  call.receive_blocks = blocks;
  return call;
}
template <class R>
ErasedCall gatherv(Caller caller, R& buffer, const Blocks& blocks, int root) {
  if (caller.rank != root) return gatherv(caller, buffer, buffer, blocks, root);
  require_blocks("gatherv: receive", blocks, std::ranges::size(buffer), caller);
  return gatherv(caller, block(buffer, blocks, caller.own()), buffer, blocks, root);
}

template <class S, class R>
ErasedCall scatterv(Caller caller, const S& send, R& receive, const Blocks& blocks, int root) {
  ErasedCall call =
      any(Collective::scatter, send, receive, std::ranges::size(receive), Op::sum, root);
  call.uneven = true;
  if (caller.rank != root) return call;
  require_blocks("scatterv: send", blocks, std::ranges::size(send), caller);
  require_equal("receive elements at the root", std::ranges::size(receive), "counts[rank()]",
                blocks.counts[caller.own()]);
  call.send_blocks = blocks;
  return call;
}
template <class R>
ErasedCall scatterv(Caller caller, R& buffer, const Blocks& blocks, int root) {
  if (caller.rank != root) return scatterv(caller, buffer, buffer, blocks, root);
  require_blocks("scatterv: send", blocks, std::ranges::size(buffer), caller);
  auto own = block(buffer, blocks, caller.own());
  return scatterv(caller, buffer, own, blocks, root);
}

template <class S, class R>
ErasedCall alltoallv(Caller caller, const S& send, const Blocks& send_blocks, R& receive,
                     const Blocks& receive_blocks) {
  require_blocks("alltoallv: send", send_blocks, std::ranges::size(send), caller);
  require_blocks("alltoallv: receive", receive_blocks, std::ranges::size(receive), caller);
  ErasedCall call = any(Collective::alltoall, send, receive, 0);
  call.uneven = true;
  call.send_blocks = send_blocks;
  call.receive_blocks = receive_blocks;
  return call;
}

}  // namespace erase

}  // namespace rondo
