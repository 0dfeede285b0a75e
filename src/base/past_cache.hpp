#pragma once

// Copies that leave the caches alone: for bytes that nobody looks at soon.

#include <cstddef>

namespace rondo {

#if defined(__SSE2__)
inline constexpr bool can_pass_cache = true;
#else
inline constexpr bool can_pass_cache = false;  ///< copies are ordinary ones
#endif

/// Of memory that does not overlap. The bytes can be published as usual, with a release.
void copy_past_cache(std::byte* target, const std::byte* source, std::size_t bytes);

}  // namespace rondo
