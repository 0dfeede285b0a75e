#pragma once

// Pages of the user that become shared memory where they are, and private memory again. Their
// addresses and bytes stay the same.

#include <cstddef>
#include <iosfwd>
#include <string>

#include "rondo/error.hpp"
#include "transport/shm/segment.hpp"

namespace rondo::process {

/// Whole pages, from a page's beginning on.
struct Pages {
  std::byte* begin = nullptr;
  std::size_t bytes = 0;
};

/// Those that lie in a range of memory; it does not reach over the end of the addresses.
Pages pages_inside(std::byte* data, std::size_t bytes);

/// What keeps pages from being remapped, as /proc/self/maps tells: only private memory that belongs
/// to no file and can be read and written may be. "" where nothing does.
std::string why_not_remapped(const Pages& pages, std::istream& maps);

/// The pages become those of `memory`, which is as long. Errors: resource, io.
Result<> make_shared(const Pages& pages, const Descriptor& memory);
/// And private ones again. Errors: resource, io; they are still shared then.
Result<> make_private(const Pages& pages);

}  // namespace rondo::process
