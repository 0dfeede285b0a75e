#include <algorithm>
#include <cstdint>

#include "base/text.hpp"
#include "device/kernels/walk.hpp"

namespace rondo {

namespace {

std::uintptr_t address(const void* pointer) {
  return reinterpret_cast<std::uintptr_t>(pointer);
}

Access access_to(const DeviceReduction& reduction) {
  const std::uintptr_t first = address(reduction.destinations[0]);
  std::uintptr_t differing = 0;
  const auto compare = [&](const void* pointer) { differing |= first ^ address(pointer); };
  std::for_each(reduction.sources.begin(), reduction.sources.end(), compare);
  std::for_each(reduction.destinations.begin(), reduction.destinations.end(), compare);
  const std::size_t size = size_of(reduction.dtype);
  if ((first | differing) % size != 0) return Access::bytes;
  return differing % vector_bytes == 0 ? Access::vectors : Access::elements;
}

Error refusal(const std::string& text) {
  return Error(ErrorCode::invalid_argument, concat("a reduction on a device: ", text));
}

}  // namespace

Result<ReduceArguments> arguments_of(const DeviceReduction& reduction) {
  const auto check = [](const char* what, std::size_t count, std::size_t most) -> Result<> {
    if (count >= 1 && count <= most) return {};
    return refusal(concat(count, " ", what, ", but 1 to ", most, " are possible"));
  };
  const std::size_t sources = reduction.sources.size();
  const std::size_t destinations = reduction.destinations.size();
  if (Result<> fine = check("sources", sources, DeviceReduction::most_sources); !fine) {
    return fine.error();
  }
  const Result<> fine = check("destinations", destinations, DeviceReduction::most_destinations);
  if (!fine) return fine.error();
  if (!is_defined(reduction.op, reduction.dtype)) {
    return Error(ErrorCode::unsupported, concat("a reduction on a device: there is no ",
                                                name(reduction.op), " of ", name(reduction.dtype)));
  }
  ReduceArguments arguments = {};
  std::copy(reduction.sources.begin(), reduction.sources.end(), arguments.sources);
  std::copy(reduction.destinations.begin(), reduction.destinations.end(), arguments.destinations);
  arguments.source_count = static_cast<int>(sources);
  arguments.destination_count = static_cast<int>(destinations);
  arguments.count = reduction.count;
  arguments.divisor = reduction.divisor;
  arguments.stop = reduction.stop;
  arguments.access = access_to(reduction);
  if (arguments.access == Access::vectors) {
    const std::size_t gap = -address(reduction.destinations[0]) % vector_bytes;
    arguments.head = std::min(reduction.count, gap / size_of(reduction.dtype));
  }
  return arguments;
}

CopyArguments arguments_of(std::span<const DeviceCopy> copies, const std::uint32_t* stop) {
  CopyArguments arguments = {};
  arguments.stop = stop;
  std::copy_n(copies.begin(), std::min(copies.size(), CopyArguments::most), arguments.copies);
  return arguments;
}

std::size_t pieces_of(const ReduceArguments& arguments, DType dtype) {
  if (arguments.access != Access::vectors) return arguments.count;
  return arguments.count * size_of(dtype) / vector_bytes + 1;
}

}  // namespace rondo
