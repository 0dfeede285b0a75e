#pragma once

// Persistent collectives: what is the same in every call is worked out once, and each call is then
// a start() and a wait(). They are those of MPI 4.0 (chapter 6, "Persistent Collective
// Operations"), with errors as in all of rondo.
//
//   rondo::Persistent sum = comm.allreduce_init(gradient);
//   for (int step = 0; step < steps; ++step) {
//     compute(gradient);
//     sum.start();
//     compute_something_else();
//     sum.wait();
//   }

#include <cstddef>
#include <memory>
#include <ranges>
#include <utility>

#include "rondo/erased_call.hpp"
#include "rondo/export.hpp"
#include "rondo/types.hpp"

namespace rondo {

/// A collective with its buffers, ready to be started again and again.
///
/// Making one moves nothing, and is no collective itself; no rank waits in it. start() counts as
/// the call: all ranks start alike, in one order among all their collectives, whatever way these
/// are called, and it does not matter which of them are persistent.
///
/// The buffers stay where they are, as long as the object is used, and may hold new values each
/// time. They belong to the library from start() until it is done, and to the caller otherwise.
///
/// What was started begins at once, and goes on inside wait() and test(), and when another call
/// follows on the communicator, but not on its own: a program that computes meanwhile calls test()
/// in between, or uses the nonblocking form. With nothing else under way all of it happens in the
/// thread that calls. Several may be under way at once; they are carried out in the order of their
/// start().
///
/// One thread at a time, as of its communicator. The deadline is that of the communicator when the
/// object was made, and counts from when its turn comes.
class [[nodiscard]] RONDO_API Persistent {
 public:
  struct State;

  Persistent() noexcept;  ///< no collective; calls on it throw Error{invalid_argument}
  explicit Persistent(std::unique_ptr<State> state) noexcept;
  Persistent(Persistent&&) noexcept;
  /// Waits as the destructor does.
  Persistent& operator=(Persistent&&) noexcept;
  /// Waits for what was started, so that no buffer is written after its object is gone; it swallows
  /// the error, which the communicator still keeps.
  ~Persistent();
  explicit operator bool() const noexcept { return state_ != nullptr; }

  /// Throws Error{invalid_argument} where the last start() has not been waited for, or where the
  /// communicator is gone. What else goes wrong is told by wait().
  void start();
  /// Blocks until what was started is done; throws its Error, once. Without a start() it returns at
  /// once.
  void wait();
  /// Never blocks. True when nothing is under way any more, so that start() may follow; throws the
  /// Error of what was started, once.
  bool test();

 private:
  State& state() const;
  void drop() noexcept;

  std::unique_ptr<State> state_;
};

/// The persistent form of every collective of Communicator, which says what the buffers hold, and
/// where a collective may be in place. Lengths and displacements are read during the call only.
/// Errors: invalid_argument, unsupported.
template <class Comm>
class PersistentCollectives {
 public:
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent allreduce_init(S&& send, R&& receive, Op op = Op::sum) {
    return init(erase::alike(Collective::allreduce, send, receive, op));
  }
  template <RecvBuffer R>
  Persistent allreduce_init(R&& buffer, Op op = Op::sum) {
    return init(erase::alike(Collective::allreduce, buffer, buffer, op));
  }
  template <RecvBuffer R>
  Persistent broadcast_init(R&& buffer, int root) {
    return init(erase::alike(Collective::broadcast, buffer, buffer, Op::sum, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent reduce_init(S&& send, R&& receive, Op op, int root) {
    return init(erase::reduce(caller(), send, receive, op, root));
  }
  template <RecvBuffer R>
  Persistent reduce_init(R&& buffer, Op op, int root) {
    return init(erase::reduce(caller(), buffer, buffer, op, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent scan_init(S&& send, R&& receive, Op op = Op::sum) {
    return init(erase::alike(Collective::scan, send, receive, op));
  }
  template <RecvBuffer R>
  Persistent scan_init(R&& buffer, Op op = Op::sum) {
    return init(erase::alike(Collective::scan, buffer, buffer, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent exscan_init(S&& send, R&& receive, Op op = Op::sum) {
    return init(erase::alike(Collective::exscan, send, receive, op));
  }
  template <RecvBuffer R>
  Persistent exscan_init(R&& buffer, Op op = Op::sum) {
    return init(erase::alike(Collective::exscan, buffer, buffer, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent allgather_init(S&& send, R&& receive) {
    return init(erase::allgather(caller(), send, receive));
  }
  template <RecvBuffer R>
  Persistent allgather_init(R&& buffer) {
    return init(
        erase::allgather(caller(), erase::own_block(caller(), "receive elements", buffer), buffer));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent reduce_scatter_init(S&& send, R&& receive, Op op = Op::sum) {
    return init(erase::reduce_scatter(caller(), send, receive, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent gather_init(S&& send, R&& receive, int root) {
    return init(erase::gather(caller(), send, receive, root));
  }
  template <RecvBuffer R>
  Persistent gather_init(R&& buffer, int root) {
    return init(erase::gather(caller(), buffer, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent scatter_init(S&& send, R&& receive, int root) {
    return init(erase::scatter(caller(), send, receive, root));
  }
  template <RecvBuffer R>
  Persistent scatter_init(R&& buffer, int root) {
    return init(erase::scatter(caller(), buffer, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent alltoall_init(S&& send, R&& receive) {
    return init(erase::alltoall(caller(), send, receive));
  }
  template <RecvBuffer R>
  Persistent alltoall_init(R&& buffer) {
    return init(erase::alltoall(caller(), buffer, buffer));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent allgatherv_init(S&& send, R&& receive, Counts counts, Counts displacements = {}) {
    return init(erase::allgatherv(caller(), send, receive, {counts, displacements}));
  }
  template <RecvBuffer R>
  Persistent allgatherv_init(R&& buffer, Counts counts, Counts displacements = {}) {
    return init(erase::allgatherv(caller(), buffer, {counts, displacements}));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent reduce_scatterv_init(S&& send, R&& receive, Counts counts, Op op = Op::sum) {
    return init(erase::reduce_scatterv(caller(), send, receive, counts, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent gatherv_init(S&& send, R&& receive, int root, Counts counts,
                          Counts displacements = {}) {
    return init(erase::gatherv(caller(), send, receive, {counts, displacements}, root));
  }
  template <RecvBuffer R>
  Persistent gatherv_init(R&& buffer, int root, Counts counts, Counts displacements = {}) {
    return init(erase::gatherv(caller(), buffer, {counts, displacements}, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent scatterv_init(S&& send, R&& receive, int root, Counts counts,
                           Counts displacements = {}) {
    return init(erase::scatterv(caller(), send, receive, {counts, displacements}, root));
  }
  template <RecvBuffer R>
  Persistent scatterv_init(R&& buffer, int root, Counts counts, Counts displacements = {}) {
    return init(erase::scatterv(caller(), buffer, {counts, displacements}, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Persistent alltoallv_init(S&& send, const Blocks& send_blocks, R&& receive,
                            const Blocks& receive_blocks) {
    return init(erase::alltoallv(caller(), send, send_blocks, receive, receive_blocks));
  }
  template <RecvBuffer R>
  Persistent alltoallv_init(R&& buffer, const Blocks& blocks) {
    return init(erase::alltoallv(caller(), buffer, blocks, buffer, blocks));
  }
  Persistent barrier_init() { return init(ErasedCall{}); }

 protected:
  PersistentCollectives() = default;
  PersistentCollectives(PersistentCollectives&&) noexcept = default;
  PersistentCollectives& operator=(PersistentCollectives&&) noexcept = default;
  ~PersistentCollectives() = default;

 private:
  Persistent init(const ErasedCall& call) { return static_cast<Comm*>(this)->init(call); }
  erase::Caller caller() const { return static_cast<const Comm*>(this)->caller(); }
};

}  // namespace rondo
