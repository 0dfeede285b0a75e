#pragma once

// Ranks whose kernels wait for each other, as all do that have devices of their own. What they need
// for that lies behind the workspaces: words and packets that peers write, and programs.

#include <cstddef>
#include <cstdint>
#include <map>
#include <span>
#include <vector>

#include "device/path_class.hpp"
#include "device/runtime.hpp"
#include "execute/device/block_encoding.hpp"
#include "execute/device/packet_exchange.hpp"
#include "execute/device/stream_program.hpp"
#include "plan/device_order.hpp"

namespace rondo {

/// How many thread blocks a kernel that waits has, at most, alike on all ranks; 0 where streams
/// wait. `resident_blocks`: of the device of each rank.
int slices_of_kernels(const DevicePaths& paths, std::span<const int> resident_blocks,
                      const DeviceWishes& wishes);

/// What a rank takes of the account of its process then. Where processes share a device, each of
/// them counts the blocks of all, as none knows of the others' communicators.
int blocks_of_kernels(const DevicePaths& paths, int rank, int slices);

class KernelOrder {
 public:
  /// What a rank needs of device memory.
  static std::size_t annex_bytes(int ranks, std::size_t packet_bytes);

  struct Place {
    DeviceStream stream;
    int rank = 0;
    int most_slices = 1;
    std::size_t packet_bytes = 0;
    const std::uint32_t* stop = nullptr;  ///< ends all kernels
    std::vector<std::byte*> annexes;      ///< of each rank, as this one reaches them
  };
  KernelOrder(DeviceRuntime& runtime, const Place& place);
  KernelOrder(const KernelOrder&) = delete;
  KernelOrder& operator=(const KernelOrder&) = delete;
  /// The stream is through with all that it has been given.
  ~KernelOrder();

  /// Before any peer writes to this rank's annex.
  Result<> prepare();
  /// A call of this number, where the numbers are alike on all ranks, and follow each other. All
  /// ranks are through with the one before.
  Result<> begin_call(std::uint32_t turn);

  /// Whether there is room for it. Alike on all ranks.
  bool serves(const StreamProgram& program) const;
  struct Call {
    DType dtype = DType::u8;
    Op op = Op::sum;
    std::size_t bytes = 0;     ///< of the vector
    bool meets = false;        ///< all ranks meet before, and afterwards
    std::uint64_t before = 0;  ///< steps of all ranks' words so far
  };
  /// Gives it to the stream.
  Result<> carry_out(const StreamProgram& program, const BufferBases& bases, const Call& call);

  /// Whether so many bytes from each rank to each other one may go in packets. Alike on all ranks.
  bool serves(std::size_t bytes) const;
  /// Gives it to the stream.
  Result<> carry_out(const PacketExchange& exchange, DType dtype, Op op);

 private:
  struct Kept {
    std::vector<std::byte> bytes;
    std::size_t offset = 0;
  };

  std::size_t ranks() const { return place_.annexes.size(); }
  std::uint64_t* box(std::size_t to, std::size_t from) const;
  Result<> clear(void* memory, std::size_t bytes);
  Result<> clear_boxes();
  int slices_for(std::size_t bytes) const;
  Result<const std::byte*> keep(std::vector<std::byte> program);

  DeviceRuntime& runtime_;
  const Place place_;
  std::vector<std::uint64_t*> words_;  // of each rank
  std::byte* programs_ = nullptr;      // on the device
  std::byte* pinned_ = nullptr;        // the same, as it is copied there
  std::multimap<std::uint64_t, Kept> kept_;
  std::size_t used_ = 0;
  std::uint32_t turn_ = 0;
};

}  // namespace rondo
