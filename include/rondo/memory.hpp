#pragma once

// Memory that other ranks of this host can read where it is. A message from it is not copied on its
// way, which makes large collectives on one host faster; all else works with any memory.

#include <cstddef>
#include <limits>
#include <new>

#include "rondo/error.hpp"

namespace rondo {

/// At least `bytes` bytes of zeros, at the beginning of a page. Each piece takes a file descriptor
/// and whole pages: it is meant for buffers, not for small objects. The pages are shared with child
/// processes. Throws Error{resource, io}; 0 bytes give a piece of one page.
RONDO_API void* allocate(std::size_t bytes);

/// Gives back what allocate() gave, or a null pointer. No call that uses it may be under way.
RONDO_API void deallocate(void* memory) noexcept;

/// std::vector<float, rondo::Allocator<float>> gradient(n);
template <class T>
struct Allocator {
  using value_type = T;

  Allocator() = default;
  template <class U>
  Allocator(const Allocator<U>&) {}

  T* allocate(std::size_t count) {
    if (count > std::numeric_limits<std::size_t>::max() / sizeof(T)) throw std::bad_alloc();
    return static_cast<T*>(rondo::allocate(count * sizeof(T)));
  }
  void deallocate(T* memory, std::size_t) noexcept { rondo::deallocate(memory); }

  template <class U>
  bool operator==(const Allocator<U>&) const {
    return true;
  }
};

}  // namespace rondo
