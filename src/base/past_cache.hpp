#pragma once

// How bytes are stored that nobody looks at soon, and copies of such.

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace rondo {

#if defined(__SSE2__)
inline constexpr bool can_pass_cache = true;
#else
inline constexpr bool can_pass_cache = false;  ///< copies are ordinary ones
#endif

/// How a result is stored. `streaming` asks for non-temporal stores, past the caches: for results
/// that do not fit them. It is a wish: where elements are not aligned, or too few, or where there
/// is no such instruction, stores are plain. Either way the result can be published to other
/// threads as usual, with a release.
enum class Store : std::uint8_t { cached, streaming };

/// copy_bytes() with streaming stores.
void copy_past_cache(std::byte* target, const std::byte* source, std::size_t bytes);

/// Of memory that does not overlap.
inline void copy_bytes(std::byte* target, const std::byte* source, std::size_t bytes, Store store) {
  if (store == Store::streaming) {
    copy_past_cache(target, source, bytes);
  } else if (bytes > 0) {
    std::memcpy(target, source, bytes);
  }
}

}  // namespace rondo
