#pragma once

// A stream program for kernels that carry out all of it: see device/kernels/block_program.hpp.

#include <array>
#include <vector>

#include "device/kernels/block_program.hpp"
#include "execute/device/stream_program.hpp"

namespace rondo {

/// Where each rank has a buffer, by Buffer.
using BufferBases = std::vector<std::array<std::byte*, 3>>;

inline std::byte* place_of(const BufferBases& bases, const Operand& operand) {
  const auto buffer = static_cast<std::size_t>(operand.buffer);
  return bases[static_cast<std::size_t>(operand.rank)][buffer] + operand.offset;
}

/// One rank's part, with all addresses.
struct BlockEncoding {
  BlockProgram program;
  /// Of all moves: where nothing is folded, bytes are copied.
  DType dtype = DType::u8;
  Op op = Op::sum;
  std::uint32_t steps = 0;  ///< by which words come on, alike on all ranks
};

/// `meets`: all ranks meet before, and afterwards. Errors: those of arguments_of().
Result<BlockEncoding> encode(const StreamProgram& program, DType dtype, Op op,
                             const BufferBases& bases, int rank, bool meets);

/// No rank's encoding takes more.
std::size_t encoded_bytes_most(const StreamProgram& program, int ranks);

}  // namespace rondo
