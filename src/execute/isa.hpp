#pragma once

// The instruction sets that there are kernels for, and which of them this process uses.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rondo {

struct KernelTable;

/// `baseline` is what every processor of the kind that rondo was built for has: SSE2 on x86-64,
/// NEON on 64-bit Arm. All give the same bits, but for which NaN a sum or product is.
enum class Isa : std::uint8_t { baseline, avx2, avx512 };
inline constexpr int isa_count = 3;

std::string_view name(Isa isa);
std::optional<Isa> parse_isa(std::string_view text);

/// Whether rondo was built with these kernels and the processor and its system can run them.
bool is_supported(Isa isa);
/// The names of all that are, for messages: "baseline, avx2".
std::string supported_isas();

/// What reduce() and Reduction use: the last supported one, unless told otherwise.
Isa isa_in_use();
/// For the whole process, from the next look-up on. The instruction set must be supported.
void use_isa(Isa isa);

/// The kernels of isa_in_use().
const KernelTable& kernels_in_use();

}  // namespace rondo
