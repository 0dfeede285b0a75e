#include "transport/shm/remapping.hpp"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstdint>
#include <cstring>
#include <istream>
#include <sstream>

#include "base/text.hpp"

namespace rondo::process {

namespace {

// One line of /proc/self/maps.
struct Area {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;
  std::string access;  // "rw-p"
  std::uint64_t inode = 0;
  std::string name;
};

bool read_area(std::istream& maps, Area& area) {
  std::string text;
  if (!std::getline(maps, text)) return false;
  std::istringstream line(text);
  char dash = 0;
  std::string offset;
  std::string device;
  line >> std::hex >> area.begin >> dash >> area.end >> area.access >> offset >> device >>
      std::dec >> area.inode;
  area.name.clear();
  line >> std::ws;
  std::getline(line, area.name);
  return true;
}

std::string objection_to(const Area& area) {
  if (!area.access.starts_with("rw")) return "can't be both read and written";
  if (area.inode != 0) return concat("belongs to the file ", area.name);
  if (!area.access.ends_with('p')) return "is shared already";
  if (area.name.starts_with("[stack")) return "is a stack";
  return "";
}

// Moves a mapping to where the pages are, in one step. The system refuses before it unmaps them.
Result<> put_at(const Pages& pages, void* mapping) {
  if (::mremap(mapping, pages.bytes, pages.bytes, MREMAP_MAYMOVE | MREMAP_FIXED, pages.begin) !=
      MAP_FAILED) {
    return {};
  }
  const Error error = system_error("cannot remap memory", errno);
  ::munmap(mapping, pages.bytes);
  return error;
}

Result<> replace(const Pages& pages, int flags, int fd) {
  void* const copy = ::mmap(nullptr, pages.bytes, PROT_READ | PROT_WRITE, flags, fd, 0);
  if (copy == MAP_FAILED) return system_error("cannot map memory", errno);
  std::memcpy(copy, pages.begin, pages.bytes);
  return put_at(pages, copy);
}

}  // namespace

Pages pages_inside(std::byte* data, std::size_t bytes) {
  const auto page = static_cast<std::uintptr_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = reinterpret_cast<std::uintptr_t>(data);
  const std::uintptr_t to_next = (page - begin % page) % page;
  if (bytes < to_next) return {data, 0};
  return {data + to_next, (bytes - to_next) / page * page};
}

std::string why_not_remapped(const Pages& pages, std::istream& maps) {
  auto next = reinterpret_cast<std::uintptr_t>(pages.begin);
  const std::uintptr_t end = next + pages.bytes;
  for (Area area; next < end && read_area(maps, area);) {
    if (area.end <= next) continue;
    if (area.begin > next) break;
    const std::string objection = objection_to(area);
    if (!objection.empty()) return objection;
    next = area.end;
  }
  return next < end ? "is not mapped" : "";
}

Result<> make_shared(const Pages& pages, const Descriptor& memory) {
  return replace(pages, MAP_SHARED, memory.fd());
}

Result<> make_private(const Pages& pages) {
  return replace(pages, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

}  // namespace rondo::process
