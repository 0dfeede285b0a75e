#pragma once

// Ranks whose kernels wait for each other, as all do that have devices of their own. What they need
// for that lies behind the workspaces: words that peers write, and programs.

#include <cstddef>
#include <cstdint>
#include <map>
#include <vector>

#include "device/runtime.hpp"
#include "execute/block_encoding.hpp"
#include "execute/stream_program.hpp"
#include "plan/device_plan.hpp"

namespace rondo {

class KernelOrder {
 public:
  /// What a rank needs of device memory.
  static std::size_t annex_bytes(int ranks);

  /// `annexes`: of each rank, as this one reaches them. `stop` ends all kernels.
  KernelOrder(DeviceRuntime& runtime, DeviceStream stream, int rank, int most_slices,
              const std::uint32_t* stop, const std::vector<std::byte*>& annexes);
  KernelOrder(const KernelOrder&) = delete;
  KernelOrder& operator=(const KernelOrder&) = delete;
  /// The stream is through with all that it has been given.
  ~KernelOrder();

  /// Before any peer writes to this rank's annex.
  Result<> prepare();
  /// The stream is through with all programs.
  void begin_call();

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

 private:
  struct Kept {
    std::vector<std::byte> bytes;
    std::size_t offset = 0;
  };

  std::size_t ranks() const { return annexes_.size(); }
  int slices_for(std::size_t bytes) const;
  Result<const std::byte*> place(std::vector<std::byte> program);

  DeviceRuntime& runtime_;
  const DeviceStream stream_;
  const int rank_;
  const int most_slices_;
  const std::uint32_t* const stop_;
  const std::vector<std::byte*> annexes_;
  std::vector<std::uint64_t*> words_;  // of each rank
  std::byte* programs_ = nullptr;      // on the device
  std::byte* pinned_ = nullptr;        // the same, as it is copied there
  std::multimap<std::uint64_t, Kept> kept_;
  std::size_t used_ = 0;
};

}  // namespace rondo
