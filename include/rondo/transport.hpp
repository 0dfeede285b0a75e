#pragma once

// The transport contract: how bytes move between the ranks of one communicator.
//
// Two flavours live under it. A *stream* transport (tcp, mpi) moves bytes into memory; a *memory*
// transport (inproc, shm) can let the receiver read the sender's bytes where they are.
//
// Threads: all functions but wake() are called by one thread at a time, which may change between
// calls. No function calls back, and none blocks but poll() with a patience above zero, split(),
// and conclude(), which take a bounded time.

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "rondo/error.hpp"
#include "rondo/schedule.hpp"
#include "rondo/types.hpp"

namespace rondo {

/// The context of a communicator of the whole world; split() gives the others theirs.
inline constexpr std::uint64_t world_context = 1;

/// even: all blocks have `count` elements. uneven: allgatherv, gatherv and the like, where the
/// ranks of a message agree on its size, but not all ranks on one count. exchange: sends and recvs
/// of the user, of which only the ranks concerned know.
enum class Form : std::uint8_t { even, uneven, exchange };
inline constexpr int form_count = 3;

/// What every rank must call alike. It travels with the data, so that ranks which call different
/// things learn it from each other.
struct Call {
  Collective collective = Collective::barrier;
  DType dtype = DType::u8;
  Op op = Op::sum;
  std::int32_t root = 0;
  /// Elements; per rank where there are blocks. Uneven: of all blocks, where all ranks know them.
  /// exchange: messages.
  std::uint64_t count = 0;
  std::uint64_t plan_hash = 0;  ///< algorithm, radix and tile size; uneven: and all known counts
  Form form = Form::even;
  friend bool operator==(const Call&, const Call&) = default;
};

/// "allreduce of 1000 f32, sum" — as used in error texts.
RONDO_API std::string describe(const Call& call);

/// One message on its way. The caller owns the object and keeps it in place from post() until the
/// state is `done`, or until cancel() has returned.
struct Transfer {
  enum class Kind : std::uint8_t { send, recv };
  enum class State : std::uint8_t {
    idle,
    posted,
    part,  ///< borrow: a part of the bytes is there, and the next one comes after its release();
           ///< of a send: there is room for the bytes
    done,
  };

  Kind kind = Kind::send;
  Link link;
  /// send: the bytes, readable until done. recv: where to put them, owned by the transport until
  /// done. With `borrow` the transport sets it: it points at the bytes wherever they are, readable
  /// until release(); those from `offset` on, where the message comes in parts. A part ends between
  /// elements, and other messages on the link may wait for its release.
  std::byte* data = nullptr;
  std::size_t size = 0;     ///< bytes; sender and receiver agree on it; may be 0
  std::size_t offset = 0;   ///< borrow: where in the message `data` begins
  std::size_t part = 0;     ///< borrow: bytes at `data` in state `part`; when done, all the rest
  DType dtype = DType::u8;  ///< of an exchange: sender and receiver agree on it, too
  /// recv: read the bytes where they are, instead of having them copied. send: make the bytes in
  /// memory of the transport. Then post() either sets `data` to room for all of them, and the state
  /// to `part`: the message goes with release(), and nothing else may be posted to send on the link
  /// until then. Room lies in lines of 64 bytes as `data` did, where the same bytes go, too. Or it
  /// leaves the state `idle`, and has done nothing: there is no such room now.
  bool borrow = false;
  /// send: where not 0, `readers` sends of the operation have this number, each to another peer,
  /// and carry the same bytes: `data` and `size` are the same, and the bytes stay as they are from
  /// the first post() until all of the sends are done. A memory transport may write them once for
  /// all to read; others take no notice. None of the sends waits for the recv of another.
  std::uint64_t publication = 0;
  std::uint32_t readers = 1;
  /// recv: nobody looks at the bytes soon, they are best stored past the cache. send, borrow: set
  /// by the transport: the room is best written past the cache.
  bool past_cache = false;
  std::atomic<State> state = State::idle;
};

class RONDO_API Transport {
 public:
  using Clock = std::chrono::steady_clock;

  /// `name` must outlive the transport.
  Transport(std::string_view name, int rank, int size) : name_(name), rank_(rank), size_(size) {}
  Transport(const Transport&) = delete;
  Transport& operator=(const Transport&) = delete;
  /// Closes all links. To peers still waiting for this rank it is as if it had left.
  virtual ~Transport() = default;

  virtual std::string_view name() const { return name_; }
  int rank() const { return rank_; }
  int size() const { return size_; }

  /// Starts operation number `sequence` (1, 2, 3 … on every rank alike). Following transfers belong
  /// to it and use only `links`. May start to open links; does not wait for them. No transfer is
  /// posted when it is called. Errors: resource, io, peer_lost, unsupported (a peer out of reach).
  ///
  /// Exchanges have a transport of their own, on which nothing else is carried out. There each rank
  /// counts for itself, and another exchange may begin while transfers are posted: they go on side
  /// by side. The parts of a message must agree in size and type: Error{mismatch}.
  virtual Result<> begin(std::uint64_t sequence, const Call& call, std::span<const Link> links) = 0;

  /// Hands a transfer over. Transfers of one kind on one link are carried out in the order of their
  /// posting, and meet the peer's in the order of theirs. Sets the state to `posted`, and may set
  /// it to `done` at once.
  virtual void post(Transfer& transfer) = 0;

  /// Moves bytes; completed transfers get the state `done`, each exactly once. True when anything
  /// moved. With patience > 0 and nothing to move it sleeps until something may have changed,
  /// until wake(), or for about that long. Errors (first one wins, later calls repeat it):
  /// peer_lost, peer_left, mismatch, aborted, protocol, io.
  virtual Result<bool> poll(std::chrono::microseconds patience) = 0;

  /// Ends the borrow of a completed recv, or of a part of it, which makes it `posted` again; the
  /// sender's bytes are its own again. Of a send: the bytes are made, and the send is `done`.
  /// False where the sender took its bytes back while they were lent: nobody knows what was read.
  /// The transfer is not done then, and will never be; poll() says why.
  [[nodiscard]] virtual bool release(Transfer& transfer) = 0;

  /// Takes back all transfers that are posted. When it returns, no byte of theirs is touched any
  /// more. The operation is over, and so is the use of the links it used: begin() fails from now
  /// on. Never called without an earlier error or an abort.
  virtual void cancel() = 0;

  /// Any thread: makes a sleeping poll() return soon.
  virtual void wake() = 0;

  /// Tells all ranks what ended the operation here, hears what they know, and returns the verdict:
  /// for a timeout on `waiting_for`, the rank at the end of the chain of waiting ranks; for a lost
  /// peer, the first cause. Takes at most about 250 ms. Called once per transport, before cancel().
  virtual Error conclude(const Error& finding, std::span<const int> waiting_for) = 0;

  /// A transport among `members` (ranks of this one, in the order of their new ranks), which all
  /// call it with the same arguments. `context` is unique to the new communicator.
  virtual Result<std::unique_ptr<Transport>> split(std::span<const int> members,
                                                   std::uint64_t context) = 0;

  /// Some ranks reach each other by slower means than the name says.
  virtual bool has_fallen_back() const { return false; }

  /// Whether threads other than the program's own may use it. Error{unsupported}: why not.
  virtual Result<> permits_own_threads() const { return {}; }

 private:
  std::string_view name_;
  int rank_;
  int size_;
};

}  // namespace rondo
