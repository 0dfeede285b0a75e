#pragma once

// Communicators and the collectives.
//
// Rules for all collectives:
//   * All ranks of a communicator call the same collectives in the same order with the same counts,
//     types, operations and roots. If they don't, the ranks get an Error{mismatch} that names both
//     calls. (Ranks whose own part is done, as in a broadcast or gather, may have returned by
//     then; they get it with their next call.)
//   * Counts are elements of the buffers' type; a count of zero is a valid, synchronising call.
//   * Send and receive buffer are the same memory ("in place") or do not overlap.
//   * The library reads and writes the buffers until the call returns, or until the Work is done.
//   * Every call ends by its deadline (Options::timeout, counted from when its turn comes), with an
//     Error that names the culprit.
//   * All ranks that get the same sum get the same bits. The same call on ranks in the same places
//     with the same options gives the same bits in every run where the costs of links are the same,
//     too: given (Options::costs), or measured once and kept.
//   * One thread at a time per communicator; abort() may come from any thread. Use duplicate() for
//     concurrent collectives. Nonblocking collectives are carried out in the order in which they
//     were made.
//   * After fork() a communicator is of use only in the process that made it: the child may drop
//     it, and gets an Error from calls on it.
//   * 16-bit floats are added in float32 and rounded once per reducing step: once in all for
//     one_shot and two_shot, once per hop for rings and trees.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <ranges>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "rondo/cuda.hpp"
#include "rondo/erased_call.hpp"
#include "rondo/error.hpp"
#include "rondo/export.hpp"
#include "rondo/options.hpp"
#include "rondo/out_of_band.hpp"
#include "rondo/persistent.hpp"
#include "rondo/schedule.hpp"
#include "rondo/types.hpp"
#include "rondo/work.hpp"

namespace rondo {

struct CostTable;
struct Topology;

class RONDO_API Communicator : public PersistentCollectives<Communicator>,
                               public DeviceCollectives<Communicator> {
 public:
  /// The world that the launcher made: `rondo run`, torchrun, mpirun, srun or RONDO_RANK,
  /// RONDO_SIZE and RONDO_ROOT; a world of one without any of them. All ranks call it.
  /// Errors: join_failed with the names of missing, duplicate or disagreeing ranks.
  static Communicator from_env(const Options& options = {});

  /// The world of ranks that can exchange bytes already. All of them call it; `outside` is used
  /// until it returns, by the calling thread alone. Errors: join_failed, alike on all ranks, naming
  /// those that cannot take part or disagree; or those that were not connected in time.
  static Communicator join(const OutOfBand& outside, const Options& options = {});

  /// `ranks` communicators of one world inside this process, one for each of your threads.
  static std::vector<Communicator> local(int ranks, const Options& options = {});

  Communicator();  ///< no communicator, as split() returns for color < 0
  Communicator(Communicator&&) noexcept;
  Communicator& operator=(Communicator&&) noexcept;
  /// Waits for pending work. Peers that still wait for this rank get Error{peer_left}.
  ~Communicator();
  /// False for a communicator that was moved away or that split() did not give. Calls on it throw
  /// Error{invalid_argument}; its rank() is -1 and its size() 0.
  explicit operator bool() const noexcept { return state_ != nullptr; }

  int rank() const noexcept;
  int size() const noexcept;
  /// "shm", "tcp", "mpi"; "shm+tcp" or "shm+mpi" where only some ranks share a host, or memory in
  /// fact; "inproc".
  std::string_view transport() const noexcept;
  /// Where the ranks of this communicator live, alike on all of them: what its schedules are
  /// chosen by. What could not be found out is `unknown` there, and remarks() says it in words.
  const Topology& topology() const;
  /// What its links cost, alike on all ranks. All ranks make the first call, as they do with a
  /// collective: what no file and no earlier run tells is then measured, in about 200 ms.
  const CostTable& costs();

  using DeviceCollectives::allgather, DeviceCollectives::allgatherv, DeviceCollectives::allreduce;
  using DeviceCollectives::alltoall, DeviceCollectives::alltoallv, DeviceCollectives::broadcast;
  using DeviceCollectives::exscan, DeviceCollectives::gather, DeviceCollectives::gatherv;
  using DeviceCollectives::reduce, DeviceCollectives::reduce_scatter,
      DeviceCollectives::reduce_scatterv;
  using DeviceCollectives::scan, DeviceCollectives::scatter, DeviceCollectives::scatterv;

  /// Element-wise reduction over all ranks; everybody gets the result.
  /// From `send` to `receive` of the same size, or in place with one buffer.
  template <SendBuffer S, RecvBuffer R>
  void allreduce(const S& send, R&& receive, Op op = Op::sum) {
    run(erase::alike(Collective::allreduce, send, receive, op));
  }
  template <RecvBuffer R>
  void allreduce(R&& buffer, Op op = Op::sum) {
    run(erase::alike(Collective::allreduce, buffer, buffer, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work iallreduce(S&& send, R&& receive, Op op = Op::sum) {
    return start(erase::alike(Collective::allreduce, send, receive, op));
  }
  template <RecvBuffer R>
  Work iallreduce(R&& buffer, Op op = Op::sum) {
    return start(erase::alike(Collective::allreduce, buffer, buffer, op));
  }
  /// Reduction of one value: `double slowest = comm.allreduce_value(seconds, Op::max)`.
  template <Element T>
  T allreduce_value(T value, Op op = Op::sum) {
    allreduce(std::span<T>(&value, 1), op);
    return value;
  }

  /// The root's elements to everybody. `buffer` has the same size on all ranks.
  template <RecvBuffer R>
  void broadcast(R&& buffer, int root) {
    run(erase::alike(Collective::broadcast, buffer, buffer, Op::sum, root));
  }
  template <RecvBuffer R>
  Work ibroadcast(R&& buffer, int root) {
    return start(erase::alike(Collective::broadcast, buffer, buffer, Op::sum, root));
  }

  /// Reduction over all ranks; the root gets the result. With one buffer in place at the root,
  /// where the others' buffers are only read. With two, `receive` is used at the root only and may
  /// be empty elsewhere.
  template <SendBuffer S, RecvBuffer R>
  void reduce(const S& send, R&& receive, Op op, int root) {
    run(erase::reduce(caller(), send, receive, op, root));
  }
  template <RecvBuffer R>
  void reduce(R&& buffer, Op op, int root) {
    run(erase::reduce(caller(), buffer, buffer, op, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work ireduce(S&& send, R&& receive, Op op, int root) {
    return start(erase::reduce(caller(), send, receive, op, root));
  }
  template <RecvBuffer R>
  Work ireduce(R&& buffer, Op op, int root) {
    return start(erase::reduce(caller(), buffer, buffer, op, root));
  }

  /// Rank r gets the reduction over the ranks 0…r. From `send` to `receive` of the same size, or in
  /// place. Op::avg is refused: sum, and divide by rank() + 1.
  template <SendBuffer S, RecvBuffer R>
  void scan(const S& send, R&& receive, Op op = Op::sum) {
    run(erase::alike(Collective::scan, send, receive, op));
  }
  template <RecvBuffer R>
  void scan(R&& buffer, Op op = Op::sum) {
    run(erase::alike(Collective::scan, buffer, buffer, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work iscan(S&& send, R&& receive, Op op = Op::sum) {
    return start(erase::alike(Collective::scan, send, receive, op));
  }
  template <RecvBuffer R>
  Work iscan(R&& buffer, Op op = Op::sum) {
    return start(erase::alike(Collective::scan, buffer, buffer, op));
  }

  /// Rank r gets the reduction over the ranks 0…r-1. On rank 0 `receive` (in place: `buffer`) keeps
  /// what it holds. Op::avg is refused: sum, and divide by rank().
  template <SendBuffer S, RecvBuffer R>
  void exscan(const S& send, R&& receive, Op op = Op::sum) {
    run(erase::alike(Collective::exscan, send, receive, op));
  }
  template <RecvBuffer R>
  void exscan(R&& buffer, Op op = Op::sum) {
    run(erase::alike(Collective::exscan, buffer, buffer, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work iexscan(S&& send, R&& receive, Op op = Op::sum) {
    return start(erase::alike(Collective::exscan, send, receive, op));
  }
  template <RecvBuffer R>
  Work iexscan(R&& buffer, Op op = Op::sum) {
    return start(erase::alike(Collective::exscan, buffer, buffer, op));
  }

  /// Everybody's elements to everybody, in rank order: `receive` has size() times as many elements
  /// as `send`, the same number from each rank. In place: the own elements already lie at their
  /// place, rank() * count.
  template <SendBuffer S, RecvBuffer R>
  void allgather(const S& send, R&& receive) {
    run(erase::allgather(caller(), send, receive));
  }
  template <RecvBuffer R>
  void allgather(R&& buffer) {
    run(erase::allgather(caller(), own_block(buffer), buffer));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work iallgather(S&& send, R&& receive) {
    return start(erase::allgather(caller(), send, receive));
  }
  template <RecvBuffer R>
  Work iallgather(R&& buffer) {
    return start(erase::allgather(caller(), own_block(buffer), buffer));
  }

  /// Reduction of `send`, which has size() blocks of receive.size() elements; rank r gets block r.
  /// In place: `receive` is block rank() of `send`. Otherwise it lies apart from `send`.
  template <SendBuffer S, RecvBuffer R>
  void reduce_scatter(const S& send, R&& receive, Op op = Op::sum) {
    run(erase::reduce_scatter(caller(), send, receive, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work ireduce_scatter(S&& send, R&& receive, Op op = Op::sum) {
    return start(erase::reduce_scatter(caller(), send, receive, op));
  }

  /// Everybody's elements to the root, in rank order: at the root `receive` has size() times as
  /// many elements as `send`; it is not used elsewhere. In place, at the root `buffer` is what it
  /// receives, with its own elements at their place, rank() * count; elsewhere it is what is sent.
  template <SendBuffer S, RecvBuffer R>
  void gather(const S& send, R&& receive, int root) {
    run(erase::gather(caller(), send, receive, root));
  }
  template <RecvBuffer R>
  void gather(R&& buffer, int root) {
    run(erase::gather(caller(), buffer, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work igather(S&& send, R&& receive, int root) {
    return start(erase::gather(caller(), send, receive, root));
  }
  template <RecvBuffer R>
  Work igather(R&& buffer, int root) {
    return start(erase::gather(caller(), buffer, root));
  }

  /// Block r of the root's `send` to rank r: at the root `send` has size() times as many elements
  /// as `receive`; it is not used elsewhere. In place, at the root `buffer` is what it sends, of
  /// which its own block stays where it is; elsewhere it is what is received.
  template <SendBuffer S, RecvBuffer R>
  void scatter(const S& send, R&& receive, int root) {
    run(erase::scatter(caller(), send, receive, root));
  }
  template <RecvBuffer R>
  void scatter(R&& buffer, int root) {
    run(erase::scatter(caller(), buffer, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work iscatter(S&& send, R&& receive, int root) {
    return start(erase::scatter(caller(), send, receive, root));
  }
  template <RecvBuffer R>
  Work iscatter(R&& buffer, int root) {
    return start(erase::scatter(caller(), buffer, root));
  }

  /// Block i of `send` to rank i, and block i of `receive` from rank i. Both buffers have size()
  /// blocks of the same size. In place: what comes replaces what went.
  template <SendBuffer S, RecvBuffer R>
  void alltoall(const S& send, R&& receive) {
    run(erase::alltoall(caller(), send, receive));
  }
  template <RecvBuffer R>
  void alltoall(R&& buffer) {
    run(erase::alltoall(caller(), buffer, buffer));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work ialltoall(S&& send, R&& receive) {
    return start(erase::alltoall(caller(), send, receive));
  }
  template <RecvBuffer R>
  Work ialltoall(R&& buffer) {
    return start(erase::alltoall(caller(), buffer, buffer));
  }

  // Blocks of different lengths. `counts` holds the elements of each rank's block, and is read
  // during the call only. The blocks lie one after the other, and fill their buffer; or where the
  // displacements say, which count elements, too.

  /// allgather of counts[r] elements from rank r. All ranks give the same counts, and either all of
  /// them give displacements or none does; these may differ. In place as allgather.
  template <SendBuffer S, RecvBuffer R>
  void allgatherv(const S& send, R&& receive, Counts counts, Counts displacements = {}) {
    run(erase::allgatherv(caller(), send, receive, {counts, displacements}));
  }
  template <RecvBuffer R>
  void allgatherv(R&& buffer, Counts counts, Counts displacements = {}) {
    run(erase::allgatherv(caller(), buffer, {counts, displacements}));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work iallgatherv(S&& send, R&& receive, Counts counts, Counts displacements = {}) {
    return start(erase::allgatherv(caller(), send, receive, {counts, displacements}));
  }
  template <RecvBuffer R>
  Work iallgatherv(R&& buffer, Counts counts, Counts displacements = {}) {
    return start(erase::allgatherv(caller(), buffer, {counts, displacements}));
  }

  /// reduce_scatter in which rank r gets a block of counts[r] elements. All ranks give the same
  /// counts. In place: `receive` is block rank() of `send`.
  template <SendBuffer S, RecvBuffer R>
  void reduce_scatterv(const S& send, R&& receive, Counts counts, Op op = Op::sum) {
    run(erase::reduce_scatterv(caller(), send, receive, counts, op));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work ireduce_scatterv(S&& send, R&& receive, Counts counts, Op op = Op::sum) {
    return start(erase::reduce_scatterv(caller(), send, receive, counts, op));
  }

  /// gather of counts[r] elements from rank r. `counts` and `displacements` are used at the root
  /// only. A rank that sends another number ends the call with Error{mismatch}. In place as gather.
  template <SendBuffer S, RecvBuffer R>
  void gatherv(const S& send, R&& receive, int root, Counts counts, Counts displacements = {}) {
    run(erase::gatherv(caller(), send, receive, {counts, displacements}, root));
  }
  template <RecvBuffer R>
  void gatherv(R&& buffer, int root, Counts counts, Counts displacements = {}) {
    run(erase::gatherv(caller(), buffer, {counts, displacements}, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work igatherv(S&& send, R&& receive, int root, Counts counts, Counts displacements = {}) {
    return start(erase::gatherv(caller(), send, receive, {counts, displacements}, root));
  }
  template <RecvBuffer R>
  Work igatherv(R&& buffer, int root, Counts counts, Counts displacements = {}) {
    return start(erase::gatherv(caller(), buffer, {counts, displacements}, root));
  }

  /// scatter of counts[r] elements to rank r. `counts` and `displacements` are used at the root
  /// only. A rank that expects another number ends the call with Error{mismatch}. In place as
  /// scatter.
  template <SendBuffer S, RecvBuffer R>
  void scatterv(const S& send, R&& receive, int root, Counts counts, Counts displacements = {}) {
    run(erase::scatterv(caller(), send, receive, {counts, displacements}, root));
  }
  template <RecvBuffer R>
  void scatterv(R&& buffer, int root, Counts counts, Counts displacements = {}) {
    run(erase::scatterv(caller(), buffer, {counts, displacements}, root));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work iscatterv(S&& send, R&& receive, int root, Counts counts, Counts displacements = {}) {
    return start(erase::scatterv(caller(), send, receive, {counts, displacements}, root));
  }
  template <RecvBuffer R>
  Work iscatterv(R&& buffer, int root, Counts counts, Counts displacements = {}) {
    return start(erase::scatterv(caller(), buffer, {counts, displacements}, root));
  }

  /// alltoall of send_blocks.counts[i] elements to rank i, which must expect as many from here, or
  /// else the call ends with Error{mismatch}. In place, the same number goes to a rank and comes
  /// from it: `comm.alltoallv(send, {send_counts}, receive, {receive_counts})`.
  template <SendBuffer S, RecvBuffer R>
  void alltoallv(const S& send, const Blocks& send_blocks, R&& receive,
                 const Blocks& receive_blocks) {
    run(erase::alltoallv(caller(), send, send_blocks, receive, receive_blocks));
  }
  template <RecvBuffer R>
  void alltoallv(R&& buffer, const Blocks& blocks) {
    run(erase::alltoallv(caller(), buffer, blocks, buffer, blocks));
  }
  template <LastingSendBuffer S, RecvBuffer R>
  Work ialltoallv(S&& send, const Blocks& send_blocks, R&& receive, const Blocks& receive_blocks) {
    return start(erase::alltoallv(caller(), send, send_blocks, receive, receive_blocks));
  }
  template <RecvBuffer R>
  Work ialltoallv(R&& buffer, const Blocks& blocks) {
    return start(erase::alltoallv(caller(), buffer, blocks, buffer, blocks));
  }

  /// Returns when all ranks have called it.
  void barrier() { run(ErasedCall{}); }
  Work ibarrier() { return start(ErasedCall{}); }

  // Messages between two ranks. Only the ranks concerned call these. They go their own way beside
  // the collectives, neither waiting for them nor holding them back. What one rank sends another
  // meets what that one receives from it in the order of the calls; both must agree in size and
  // type, or both get Error{mismatch}. A send returns when `buffer` is free again, which may be
  // before or not until the other side receives: ranks that send to each other do so in one
  // exchange, or nonblocking. Nonblocking ones are carried out side by side.

  template <SendBuffer S>
  void send(const S& buffer, int to) {
    exchange({send_to(to, std::span(std::ranges::data(buffer), std::ranges::size(buffer)))});
  }
  template <RecvBuffer R>
  void recv(R&& buffer, int from) {
    exchange({recv_from(from, buffer)});
  }
  template <LastingSendBuffer S>
  Work isend(S&& buffer, int to) {
    return iexchange({send_to(to, buffer)});
  }
  template <RecvBuffer R>
  Work irecv(R&& buffer, int from) {
    return iexchange({recv_from(from, buffer)});
  }
  /// Several messages at once, in any order, without deadlock:
  /// `comm.exchange({send_to(right, edge), recv_from(left, ghost)})`. A rank may send to itself
  /// what it receives in the same exchange. Buffers that are received into overlap no others.
  void exchange(const std::vector<Message>& messages);
  Work iexchange(const std::vector<Message>& messages);

  /// The same with types erased; what the calls above end in.
  void run(const ErasedCall& call);
  /// With a plan and tiles of the caller's choice, alike on all ranks. The plan's collective and
  /// root are those of the call.
  void run(const ErasedCall& call, Plan plan, std::size_t tile_bytes);
  Work start(const ErasedCall& call);
  /// Of device memory, in the order of a stream: see rondo/cuda.hpp, which has these collectives.
  Work start(const ErasedCall& call, CUstream_st* stream);
  bool connect_devices(int device);       ///< see cuda.hpp
  bool share_memory(const void* memory);  ///< the same
  void unshare_memory(const void* memory);
  /// allreduce_init() and the others of rondo/persistent.hpp.
  Persistent init(const ErasedCall& call);
  Persistent init(const ErasedCall& call, Plan plan, std::size_t tile_bytes);

  /// Ranks of the same color form a communicator, ordered by key, then by rank. Collective.
  /// A negative color gives no communicator.
  Communicator split(int color, int key);
  /// The same ranks, for concurrent use. Collective.
  Communicator duplicate() { return split(0, rank()); }
  /// `members` of this communicator, in the order of their new ranks. Only they call it, alike and
  /// without waiting for each other; several threads may at once. `context` tells it from all other
  /// communicators that the same members make of this one in this order, now or later.
  Communicator subgroup(std::span<const int> members, std::uint64_t context);

  /// Ends all pending and future calls of this communicator on all ranks with Error{aborted}.
  /// Any thread; returns at once.
  void abort(const std::string& reason = "abort() was called");

  /// Deadline of the following calls.
  void set_timeout(std::chrono::milliseconds timeout);
  /// What poisoned this communicator, if anything did.
  std::optional<Error> error() const;

  /// Which schedule a call would use, why, what else there is, and its drawing.
  std::string explain(Collective collective, std::size_t count, DType dtype) const;
  /// The same of a call with blocks of different lengths, allgatherv and others: `counts` has those
  /// of all ranks, or is empty where not every rank is told them.
  std::string explain(Collective collective, Counts counts, DType dtype) const;

 private:
  struct State;
  friend PersistentCollectives<Communicator>;
  friend DeviceCollectives<Communicator>;
  explicit Communicator(std::unique_ptr<State> state);

  State& state() const;
  void drop() noexcept;
  erase::Caller caller() const;
  Plan completed(Plan plan, const ErasedCall& call) const;
  Communicator part(std::span<const int> members, std::uint64_t context);
  template <class R>
  auto own_block(R& buffer) const {
    return erase::own_block(caller(), "receive elements", buffer);
  }

  std::unique_ptr<State> state_;
};

}  // namespace rondo
