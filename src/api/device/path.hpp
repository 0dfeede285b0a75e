#pragma once

// The memory of the devices of all ranks, where they reach each other's: ranks of one host, by
// handles or descriptors, and ranks of one process as it is. Everything that may wait for a device,
// as opening does, happens in calls that all ranks make and that block; what a collective uses is
// there.

#include <array>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include "api/device/block_account.hpp"
#include "api/device/flags.hpp"
#include "api/device/kernel_order.hpp"
#include "api/exchange.hpp"
#include "device/path_class.hpp"
#include "device/peer_cache.hpp"
#include "execute/device/stream_program.hpp"

namespace rondo {

/// Collective: whether all is well everywhere, else what the first rank says that found something.
/// Errors: those of the transport.
Result<bool> agree(Exchange& exchange, const Result<>& own, std::string& why_not);

class DevicePath {
 public:
  /// Collective. Allocates, exports, opens, and copies there and back between all pairs. Without a
  /// value where some rank cannot: all ranks have the same reason in `why_not` then. `runtime` is
  /// null, and `trouble` says why, where this rank has no devices. `machine` is the host, alike on
  /// all ranks. Errors: those of the transport.
  static Result<std::unique_ptr<DevicePath>> make(Exchange& exchange, DeviceRuntime* runtime,
                                                  int device, std::optional<Error> trouble,
                                                  const DeviceWishes& wishes,
                                                  const Machine& machine, std::string& why_not);
  DevicePath(const DevicePath&) = delete;
  DevicePath& operator=(const DevicePath&) = delete;
  /// Waits for the streams, and, up to a second, until other processes have closed this one's
  /// memory. The engine must have finished.
  ~DevicePath();

  /// Collective: the allocation of each rank that `memory` lies in is used in place from now on.
  /// False, with the reason, where some rank cannot reach some of it; then nothing has changed.
  Result<bool> share(Exchange& exchange, const void* memory, std::string& why_not);
  /// Collective: nobody has this rank's part open any more when it returns. Errors: also
  /// invalid_argument.
  Result<> unshare(Exchange& exchange, const void* memory);

  struct Shared {
    std::int64_t number = -1;  ///< alike on all ranks; -1: not shared
    std::uint64_t offset = 0;
  };
  /// Where some bytes of this rank lie in what it shares.
  Shared find_shared(const void* begin, std::size_t bytes) const;
  /// Of any rank.
  std::byte* shared_at(int rank, Shared at) const;
  bool is_shared(Shared at) const;
  std::byte* workspace(int rank) const {
    return workspace_share_.places[static_cast<std::size_t>(rank)];
  }
  std::size_t workspace_bytes() const { return workspace_bytes_; }

  DeviceRuntime& runtime() const { return *runtime_; }
  int device() const { return device_; }
  int rank() const { return rank_; }
  int size() const { return size_; }
  /// What lies between the devices, alike on all ranks.
  const DevicePaths& paths() const { return paths_; }
  DeviceStream stream() const { return stream_; }
  DeviceFlags& flags() const { return *flags_; }
  /// Null where it is streams that wait for each other.
  KernelOrder* kernels() { return kernels_ ? &*kernels_ : nullptr; }
  /// Why it is streams where kernels would suit: alike on all ranks, empty where nothing is amiss.
  const std::string& why_no_kernels() const { return why_no_kernels_; }

  /// The program of this rank, kept for the next call that is alike. Throws Error.
  const StreamProgram& program(const Plan& plan, const Amount& amount, bool in_place);

  /// Throws the error, if there is one, with this rank's name.
  void require(const Result<>& result) const;
  /// Any rank, any time: streams wait no longer, on all ranks, and kernels that have not begun do
  /// nothing. For good.
  void stop();
  /// The same, and until this rank's stream is through with all that it has been given.
  void stop_stream();

  /// Of a call: how far all ranks' counters have come before it. Alike on all ranks. Streams count
  /// on a circle.
  std::uint64_t steps = 0;
  std::uint32_t turns = 0;         ///< calls that went this way
  std::uint32_t stream_turns = 0;  ///< calls on the user's streams
  DeviceEvent last = {};           ///< when the stream of the last of those is through

 private:
  struct Offer;
  struct Share {
    std::byte* base = nullptr;
    std::size_t size = 0;
    std::vector<PeerMemory> memories;
    std::vector<std::byte*> places;
  };
  // The first is the hash of a plan, which knows no root.
  using Key = std::tuple<std::uint64_t, Collective, int, DType, Op, std::size_t, bool>;

  DevicePath(DeviceRuntime& runtime, int device, int rank, int size);

  static Result<DevicePaths> find_paths(Exchange& exchange, DeviceRuntime& runtime, int device,
                                        std::vector<DeviceSeat> seats, const Machine& machine);
  Result<> reserve_blocks(Exchange& exchange, int resident_blocks);
  Result<> prepare_own(std::size_t bytes, std::size_t packet_bytes);
  Result<> prepare_kernels(std::size_t packet_bytes);
  Result<Offer> offer(const void* memory, MemoryParts& parts) const;
  Result<> open(const std::vector<Offer>& offers, const std::vector<MemoryParts>& parts,
                Share& share);
  void close(Share& share);
  Result<> open_workspaces(const std::vector<Offer>& offers);
  Result<> write_probe();
  Result<> start_probe();
  Result<> await_probe();
  Result<> read_probe();
  void await_closing(const std::vector<PeerMemory>& opened);

  DeviceRuntime* const runtime_;
  const int device_;
  const int rank_;
  const int size_;
  DevicePaths paths_;
  DeviceStream stream_ = {};
  std::shared_ptr<DeviceFlags> flags_;
  void* own_workspace_ = nullptr;
  std::size_t workspace_bytes_ = 0;
  int slices_ = 0;  // of kernels that wait; 0: none does
  std::unique_ptr<BlockShare> blocks_;
  std::string why_no_kernels_;
  std::optional<PeerCache> cache_;
  Share workspace_share_;
  std::vector<Share> shares_;  // by number; without places where it has ended
  std::optional<KernelOrder> kernels_;
  std::map<Key, StreamProgram> programs_;
};

}  // namespace rondo
