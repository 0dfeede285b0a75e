#pragma once

// Collectives of device memory, in the order of a CUDA stream. This header needs none of CUDA's:
// a cudaStream_t is a CUstream_st*.
//
//   rondo::DeviceSpan<float> gradient(device_pointer, n);
//   rondo::Work work = comm.allreduce(gradient, rondo::Op::sum, stream);
//   // what follows in `stream` finds the sum
//
// Rules, besides those of all collectives:
//   * A call returns at once. It begins when the stream has come to it, and what is given to the
//     stream later waits for its end. Other ranks may make the same call with device memory or
//     without.
//   * Collectives of a communicator are carried out in the order of the calls, whatever streams
//     they are in; a blocking one without a stream waits for all before it.
//   * The buffers are device, managed or pinned memory of one process, and no longer than that:
//     Error{invalid_argument} else, before anything has begun. They belong to the library until the
//     stream is through with the call.
//   * Work is done when the ranks have exchanged what they had to; it has the error, if there was
//     one. The stream goes on after an error, too, and the result is unspecified then. Its
//     destructor waits, as that of every Work: keep it until the stream has come so far.
//   * A stream that fails, with whatever the program has given to it, ends the communicator with
//     Error{io}, which names the cause.
//
//   * connect_devices(device): all ranks call it, and it blocks. True where one host has them all
//     and each one's device reaches the memory of all others, which is tried out. From then device
//     memory goes from device to device, in calls of ranks that all have some. Calls in which a
//     rank has other memory go by way of the host's, and take longer than without it. Where it is
//     false, rank 0 says on standard error what is in the way, and all stays as it is.
//   * What split() and duplicate() give is not connected until its ranks call connect_devices() on
//     it, also where their parent is; its calls go by way of the host's memory without that.
//   * Any number of communicators may be connected, and have calls under way at the same time.
//     Kernels that wait for other ranks are counted for each device: from the communicator on whose
//     kernels might find no room beside those of others in the process, streams wait instead, also
//     where kernels were asked for (Options::device_order). Rank 0 says so on standard error. What
//     a communicator took is free again when it ends.
//   * share(span): all ranks call it, too. What the span's allocations hold is used in place from
//     then on; other memory is copied through some of the communicator's, 32 MiB at most. False
//     where that cannot be. Before one of them is freed, all ranks call unshare(): the devices of
//     peers that still have it open fail for good.
//   * Both may wait for all streams of the device, and so for what those wait for.
//   * To free device or pinned memory is to wait for all streams of the device, also for those of
//     other ranks in this process, and so for what they wait for: not between collectives, then.
//     A communicator frees what it has when it ends.
//
// Without connect_devices() what is sent and received goes through pinned host memory, as much of
// it as the largest call has bytes, and from there as all else. Error{unsupported} without
// librondo-cuda or a driver.
//
// A call on a stream that is captured becomes part of the graph:
//
//   * Nothing is exchanged then. Each launch carries the call out, with what the buffers hold by
//     then; other ranks may launch graphs, too, or make calls.
//   * Its Work is done, except while a launch is at the call. wait() waits for that, and throws the
//     first error that any launch has met; it may be destroyed before the graph.
//   * A launch makes its calls when its stream comes to them, and all ranks must make theirs in the
//     same order, as ever. So what else is called on the communicator goes into the same stream,
//     before the launch or after it, or is ordered with it by events; a call without a stream comes
//     after the stream was synchronized. Ranks that meet in calls that differ get Error{mismatch},
//     which names both; of calls that are alike nobody can tell.
//   * Of the instances of a graph one is carried out at a time, else its calls end with
//     Error{invalid_argument}.
//   * As long as there is the graph, or an instance of it, it keeps pinned memory: as much as its
//     calls send and receive, and from device to device a page for each.
//   * The graph had better be destroyed before the communicator. Later launches leave its calls
//     out, and say so on standard error; the memory stays until the process ends.
//   * Error{invalid_argument} where the stream's capture is broken, or where it is the default
//     stream while another is captured. No connect_devices(), share() or unshare() meanwhile.

#include <cstddef>
#include <span>
#include <type_traits>

#include "rondo/erased_call.hpp"
#include "rondo/types.hpp"
#include "rondo/work.hpp"

struct CUstream_st;

namespace rondo {

/// Elements that the host may not touch.
template <Element T>
class DeviceSpan {
 public:
  DeviceSpan(T* data, std::size_t size) : data_(data), size_(size) {}
  template <class U>
  requires(std::is_same_v<const U, T>) DeviceSpan(DeviceSpan<U> other)
      : data_(other.data()), size_(other.size()) {}

  T* data() const { return data_; }
  std::size_t size() const { return size_; }

 private:
  T* data_;
  std::size_t size_;
};

/// The collectives of Communicator, which says what the buffers hold, on a stream; null is the
/// default stream of the buffers' device. Counts and displacements of blocks are on the host, and
/// read during the call only. Errors: invalid_argument, unsupported, resource.
template <class Comm>
class DeviceCollectives {
 public:
  using Stream = CUstream_st*;

  template <Element T>
  bool share(DeviceSpan<T> memory) {
    return static_cast<Comm*>(this)->share_memory(memory.data());
  }
  template <Element T>
  void unshare(DeviceSpan<T> memory) {
    static_cast<Comm*>(this)->unshare_memory(memory.data());
  }

  template <Element T>
  Work allreduce(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive, Op op,
                 Stream stream) {
    auto out = host(receive);
    return start(erase::alike(Collective::allreduce, host(send), out, op), stream);
  }
  template <Element T>
  Work allreduce(DeviceSpan<T> buffer, Op op, Stream stream) {
    return allreduce(DeviceSpan<const T>(buffer), buffer, op, stream);
  }
  template <Element T>
  Work broadcast(DeviceSpan<T> buffer, int root, Stream stream) {
    auto out = host(buffer);
    return start(erase::alike(Collective::broadcast, out, out, Op::sum, root), stream);
  }
  /// In place at the root.
  template <Element T>
  Work reduce(DeviceSpan<T> buffer, Op op, int root, Stream stream) {
    auto out = host(buffer);
    return start(erase::reduce(caller(), out, out, op, root), stream);
  }
  template <Element T>
  Work reduce(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive, Op op,
              int root, Stream stream) {
    auto out = host(receive);
    return start(erase::reduce(caller(), host(send), out, op, root), stream);
  }
  template <Element T>
  Work scan(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive, Op op,
            Stream stream) {
    auto out = host(receive);
    return start(erase::alike(Collective::scan, host(send), out, op), stream);
  }
  template <Element T>
  Work exscan(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive, Op op,
              Stream stream) {
    auto out = host(receive);
    return start(erase::alike(Collective::exscan, host(send), out, op), stream);
  }
  template <Element T>
  Work allgather(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive,
                 Stream stream) {
    auto out = host(receive);
    return start(erase::allgather(caller(), host(send), out), stream);
  }
  template <Element T>
  Work gather(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive, int root,
              Stream stream) {
    auto out = host(receive);
    return start(erase::gather(caller(), host(send), out, root), stream);
  }
  template <Element T>
  Work scatter(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive, int root,
               Stream stream) {
    auto out = host(receive);
    return start(erase::scatter(caller(), host(send), out, root), stream);
  }
  template <Element T>
  Work reduce_scatter(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive, Op op,
                      Stream stream) {
    auto out = host(receive);
    return start(erase::reduce_scatter(caller(), host(send), out, op), stream);
  }
  template <Element T>
  Work alltoall(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive,
                Stream stream) {
    auto out = host(receive);
    return start(erase::alltoall(caller(), host(send), out), stream);
  }

  template <Element T>
  Work allgatherv(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive,
                  const Blocks& blocks, Stream stream) {
    auto out = host(receive);
    return start(erase::allgatherv(caller(), host(send), out, blocks), stream);
  }
  template <Element T>
  Work reduce_scatterv(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive,
                       Counts counts, Op op, Stream stream) {
    auto out = host(receive);
    return start(erase::reduce_scatterv(caller(), host(send), out, counts, op), stream);
  }
  /// `blocks` is used at the root only; so it is by scatterv().
  template <Element T>
  Work gatherv(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive,
               const Blocks& blocks, int root, Stream stream) {
    auto out = host(receive);
    return start(erase::gatherv(caller(), host(send), out, blocks, root), stream);
  }
  template <Element T>
  Work scatterv(DeviceSpan<std::type_identity_t<const T>> send, DeviceSpan<T> receive,
                const Blocks& blocks, int root, Stream stream) {
    auto out = host(receive);
    return start(erase::scatterv(caller(), host(send), out, blocks, root), stream);
  }
  template <Element T>
  Work alltoallv(DeviceSpan<std::type_identity_t<const T>> send, const Blocks& send_blocks,
                 DeviceSpan<T> receive, const Blocks& receive_blocks, Stream stream) {
    auto out = host(receive);
    return start(erase::alltoallv(caller(), host(send), send_blocks, out, receive_blocks), stream);
  }

 protected:
  DeviceCollectives() = default;
  DeviceCollectives(DeviceCollectives&&) noexcept = default;
  DeviceCollectives& operator=(DeviceCollectives&&) noexcept = default;
  ~DeviceCollectives() = default;

 private:
  // Only its address and length are used.
  template <class T>
  static std::span<T> host(DeviceSpan<T> span) {
    return {span.data(), span.size()};
  }
  erase::Caller caller() const { return static_cast<const Comm*>(this)->caller(); }
  Work start(const ErasedCall& call, Stream stream) {
    return static_cast<Comm*>(this)->start(call, stream);
  }
};

}  // namespace rondo
