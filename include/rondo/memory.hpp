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

/// Gives back what allocate() gave. No call that uses it may be under way. Like a null pointer, any
/// other one does nothing: a child process that was forked also ends what its parent allocated, as
/// with the destructor of a vector, and takes nothing from it.
RONDO_API void deallocate(void* memory) noexcept;

/// Makes memory that the program already has, as of malloc or std::vector, such that other ranks of
/// this host read messages from it where it is. Addresses and bytes stay the same: the whole pages
/// inside the range are replaced by shared ones. Where a message lies in these pages, it is read
/// there; what reaches into the ragged ends of the range travels as from any other memory. So it is
/// worth it for large buffers that are used often, and takes a file descriptor and a copy of them.
///
/// - Nobody may use the memory while it is registered or deregistered, and no call may be under way
///   that does. Where pages hold other things as well, this goes for these, too.
/// - It is deregistered before it is freed or unmapped, by the process that registered it.
/// - A child process shares the pages from then on, instead of having a copy of them; when they are
///   deregistered, it finds zeros there.
/// - What madvise(), mlock() or mbind() have said of the pages is forgotten.
///
/// Throws Error{invalid_argument} where a part of the range is registered already or was given by
/// allocate(), or where the pages are not private memory that belongs to no file and can be read
/// and written: mapped files, shared memory, huge pages of hugetlbfs and stacks are refused. Throws
/// Error{resource, io} where the system refuses. The memory is as it was then.
RONDO_API void register_memory(void* memory, std::size_t bytes);

/// Makes it private again, with what it holds. `memory` is where the registered range begins.
/// Throws Error{invalid_argument} where none does; Error{resource, io} where the system refuses: it
/// is still registered then.
RONDO_API void deregister_memory(void* memory);

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
