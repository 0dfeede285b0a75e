#include "transport/tcp/lending.hpp"

#include <algorithm>
#include <bit>

namespace rondo::process {

std::byte* Lending::lend(std::size_t size) {
  // `idle_` is sorted by size: the first one that is large enough fits best.
  const auto fitting = std::find_if(idle_.begin(), idle_.end(),
                                    [&](const Buffer& buffer) { return buffer.size >= size; });
  if (fitting != idle_.end()) {
    lent_.push_back(std::move(*fitting));
    idle_.erase(fitting);
  } else {
    // More than that come back after an operation that borrowed more at once.
    while (idle_.size() >= most_idle) idle_.erase(idle_.begin());
    const std::size_t rounded = std::bit_ceil(std::max<std::size_t>(size, 64));
    lent_.push_back({std::make_unique_for_overwrite<std::byte[]>(rounded), rounded});
  }
  return lent_.back().data.get();
}

void Lending::take_back(const std::byte* data) {
  const auto found = std::find_if(lent_.begin(), lent_.end(),
                                  [&](const Buffer& buffer) { return buffer.data.get() == data; });
  if (found == lent_.end()) return;
  const auto place = std::find_if(idle_.begin(), idle_.end(),
                                  [&](const Buffer& buffer) { return buffer.size >= found->size; });
  idle_.insert(place, std::move(*found));
  lent_.erase(found);
}

}  // namespace rondo::process
