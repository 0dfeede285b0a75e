// Memory that the program has and registers: it stays what it was, and ranks read messages in it
// where it is.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "rondo/memory.hpp"
#include "transport/processes.hpp"
#include "transport/shm/mailbox.hpp"
#include "transport/shm/remapping.hpp"

namespace rondo::process {
namespace {

const std::size_t page = static_cast<std::size_t>(::sysconf(_SC_PAGESIZE));

std::byte pattern(std::size_t i) {
  return static_cast<std::byte>(i * 31 + i / 4096 + 1);
}

bool has_pattern(const std::byte* data, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) {
    if (data[i] != pattern(i)) return false;
  }
  return true;
}

void fill(std::byte* data, std::size_t bytes) {
  for (std::size_t i = 0; i < bytes; ++i) data[i] = pattern(i);
}

std::string refusal(void* memory, std::size_t bytes) {
  try {
    register_memory(memory, bytes);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    return error.text();
  }
  deregister_memory(memory);
  return "none";
}

void expect_refused(void* memory, std::size_t bytes, std::string_view why) {
  const std::string text = refusal(memory, bytes);
  EXPECT_NE(text.find(why), std::string::npos) << text << "\nexpected: " << why;
}

bool is_region(const std::byte* data, std::size_t bytes) {
  return Regions::of_process().find(data, bytes) != nullptr;
}

// Pages of the test's own, whatever the allocator does.
class Area {
 public:
  explicit Area(std::size_t pages, int protection = PROT_READ | PROT_WRITE,
                int flags = MAP_PRIVATE | MAP_ANONYMOUS)
      : bytes_(pages * page), data_(::mmap(nullptr, bytes_, protection, flags, -1, 0)) {
    if (data_ == MAP_FAILED) throw std::bad_alloc();
  }
  Area(const Area&) = delete;
  Area& operator=(const Area&) = delete;
  ~Area() { ::munmap(data_, bytes_); }
  std::byte* at(std::size_t offset) const { return static_cast<std::byte*>(data_) + offset; }
  std::size_t bytes() const { return bytes_; }

 private:
  std::size_t bytes_;
  void* data_;
};

TEST(Registration, memory_keeps_its_bytes_and_whole_pages_become_a_region) {
  const Area area(10);
  fill(area.at(0), area.bytes());
  std::byte* const begin = area.at(100);
  const std::size_t bytes = 8 * page;  // whole pages: 1 to 7
  register_memory(begin, bytes);
  EXPECT_TRUE(has_pattern(area.at(0), area.bytes()));
  EXPECT_TRUE(is_region(area.at(page), 7 * page));
  EXPECT_FALSE(is_region(area.at(page - 1), 10));
  EXPECT_FALSE(is_region(area.at(8 * page - 1), 2));
  std::fill(area.at(0), area.at(area.bytes()), std::byte{9});
  fill(area.at(0), area.bytes());
  deregister_memory(begin);
  EXPECT_TRUE(has_pattern(area.at(0), area.bytes()));
  EXPECT_FALSE(is_region(area.at(page), 1));
  std::fill(area.at(0), area.at(area.bytes()), std::byte{9});
}

TEST(Registration, memory_without_a_whole_page_is_registered_all_the_same) {
  const Area area(3);
  for (const std::size_t bytes : {std::size_t{0}, std::size_t{1}, 2 * page - 2}) {
    register_memory(area.at(1), bytes);
    EXPECT_FALSE(is_region(area.at(page), 1));
    expect_refused(area.at(1), bytes, "is registered already");
    deregister_memory(area.at(1));
  }
}

TEST(Registration, what_overlaps_is_refused) {
  const Area area(8);
  register_memory(area.at(2 * page + 10), 3 * page);
  expect_refused(area.at(2 * page + 10), 3 * page, "is registered already");
  expect_refused(area.at(2 * page + 10), 1, "is registered already");
  expect_refused(area.at(3 * page), page, "is registered already");
  expect_refused(area.at(0), area.bytes(), "is registered already");
  expect_refused(area.at(0), 2 * page + 11, "is registered already");
  expect_refused(area.at(5 * page + 9), page, "is registered already");
  EXPECT_EQ(refusal(area.at(0), 2 * page + 10), "none");
  EXPECT_EQ(refusal(area.at(5 * page + 10), page), "none");
  deregister_memory(area.at(2 * page + 10));
  EXPECT_EQ(refusal(area.at(0), area.bytes()), "none");
  void* const given = allocate(4 * page);
  expect_refused(given, 4 * page, "rondo::allocate() gave");
  expect_refused(static_cast<std::byte*>(given) + page, page, "rondo::allocate() gave");
  deallocate(given);
}

TEST(Registration, only_private_memory_of_no_file_is_taken) {
  const Area shared(3, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS);
  expect_refused(shared.at(0), shared.bytes(), "belongs to the file");
  const Area constant(3, PROT_READ);
  expect_refused(constant.at(0), constant.bytes(), "can't be both read and written");
  const Area torn(5);
  fill(torn.at(0), torn.bytes());
  ::munmap(torn.at(2 * page), page);
  expect_refused(torn.at(0), torn.bytes(), "is not mapped");
  EXPECT_TRUE(has_pattern(torn.at(0), 2 * page)) << "as it was";
  std::array<std::byte, 1 << 16> on_stack = {};
  expect_refused(on_stack.data(), on_stack.size(), "is a stack");
  expect_refused(nullptr, 1, "null is no memory");
  expect_refused(torn.at(0), SIZE_MAX - 10, "there is no memory of");
}

TEST(Registration, the_map_of_the_process_tells_what_may_be_taken) {
  const std::string maps =
      "1000-3000 rw-p 00000000 00:00 0 \n"
      "3000-5000 rw-p 00000000 00:00 0                          [heap]\n"
      "5000-6000 r-xp 00000000 00:00 0                          [vdso]\n"
      "8000-9000 rw-p 00000000 00:0f 77                         /anon_hugepage (deleted)\n"
      "9000-a000 rw-s 00000000 00:00 0 \n"
      "a000-b000 rw-p 00000000 08:01 123                        /a name with blanks\n"
      "b000-c000 rw-p 00000000 00:00 0                          [stack]\n";
  const auto why_not = [&](std::uintptr_t begin, std::uintptr_t end) {
    std::istringstream text(maps);
    return why_not_remapped({reinterpret_cast<std::byte*>(begin), end - begin}, text);
  };
  EXPECT_EQ(why_not(0x1000, 0x3000), "");
  EXPECT_EQ(why_not(0x2000, 0x5000), "");
  EXPECT_EQ(why_not(0x4000, 0x6000), "can't be both read and written");
  EXPECT_EQ(why_not(0x6000, 0x7000), "is not mapped");
  EXPECT_EQ(why_not(0x0, 0x2000), "is not mapped");
  EXPECT_EQ(why_not(0xf000, 0x10000), "is not mapped");
  EXPECT_EQ(why_not(0x8000, 0x9000), "belongs to the file /anon_hugepage (deleted)");
  EXPECT_EQ(why_not(0x9000, 0xa000), "is shared already");
  EXPECT_EQ(why_not(0xa000, 0xb000), "belongs to the file /a name with blanks");
  EXPECT_EQ(why_not(0xb000, 0xc000), "is a stack");
}

TEST(Registration, only_what_was_registered_is_deregistered) {
  const Area area(3);
  EXPECT_THROW(deregister_memory(area.at(0)), Error);
  EXPECT_THROW(deregister_memory(nullptr), Error);
  register_memory(area.at(0), area.bytes());
  fill(area.at(0), area.bytes());
  EXPECT_THROW(deregister_memory(area.at(page)), Error);
  deallocate(area.at(0));  // not given by allocate()
  EXPECT_TRUE(is_region(area.at(0), area.bytes()));
  EXPECT_TRUE(has_pattern(area.at(0), area.bytes()));
  deregister_memory(area.at(0));
  EXPECT_THROW(deregister_memory(area.at(0)), Error);
  void* const given = allocate(page);
  EXPECT_THROW(deregister_memory(given), Error);
  deallocate(given);
}

std::ptrdiff_t count_areas() {
  std::ifstream maps("/proc/self/maps");
  return std::count(std::istreambuf_iterator<char>(maps), {}, '\n');
}

TEST(Registration, thousands_of_registrations_leave_nothing_behind) {
  const Area area(6);
  fill(area.at(0), area.bytes());
  const auto once = [&](std::size_t i) {
    std::byte* const begin = area.at(i % 3 * page + i % 100);
    register_memory(begin, 3 * page);
    deregister_memory(begin);
  };
  for (std::size_t i = 0; i < 10; ++i) once(i);
  const int descriptors = open_descriptors();
  const std::ptrdiff_t areas = count_areas();
  for (std::size_t i = 0; i < 2000; ++i) once(i);
  EXPECT_EQ(open_descriptors(), descriptors);
  EXPECT_LE(count_areas(), areas + 20);  // the system joins areas as it likes
  EXPECT_TRUE(has_pattern(area.at(0), area.bytes()));
}

TEST(Registration, a_forked_child_has_no_part_in_it) {
  const Area area(4);
  fill(area.at(0), area.bytes());
  register_memory(area.at(0), area.bytes());
  const pid_t child = ::fork();
  if (child == 0) {
    int wrong = is_region(area.at(0), 1) ? 1 : 0;
    try {
      deregister_memory(area.at(0));
      wrong |= 2;
    } catch (const Error&) {
    }
    ::_exit(wrong);
  }
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_TRUE(is_region(area.at(0), area.bytes()));
  deregister_memory(area.at(0));
  EXPECT_TRUE(has_pattern(area.at(0), area.bytes()));
}

// Messages from inside of registered memory, from its ragged ends, and from both.
std::optional<Error> swap_registered(Transport& transport) {
  const Link link{1 - transport.rank(), 0};
  constexpr std::size_t size = 3'000'000;
  std::uint64_t sequence = 0;
  for (int round = 0; round < 3; ++round) {
    std::vector<std::byte> sent(size);
    std::vector<std::byte> received(size);
    fill(sent.data(), size);
    register_memory(sent.data() + 10, size - 20);
    register_memory(received.data(), size);
    for (const auto& [offset, bytes] :
         std::vector<std::pair<std::size_t, std::size_t>>{{0, size},
                                                          {10, size - 20},
                                                          {10, 100'000},
                                                          {8192, 1'000'000},
                                                          {8192, 2 * Mailbox::least_in_place},
                                                          {size - 100'000, 100'000}}) {
      std::fill(received.begin(), received.end(), std::byte{});
      auto error = carry_out(transport, ++sequence, allreduce_of(bytes),
                             {{Transfer::Kind::send, link, sent.data() + offset, bytes},
                              {Transfer::Kind::recv, link, received.data() + offset, bytes}});
      if (error) return error;
      if (!std::equal(received.begin() + static_cast<std::ptrdiff_t>(offset),
                      received.begin() + static_cast<std::ptrdiff_t>(offset + bytes),
                      sent.begin() + static_cast<std::ptrdiff_t>(offset))) {
        return Error(ErrorCode::protocol, link.peer, "wrong bytes");
      }
    }
    deregister_memory(sent.data() + 10);
    deregister_memory(received.data());
    if (!has_pattern(sent.data(), size)) return Error(ErrorCode::protocol, "what was sent changed");
  }
  return std::nullopt;
}

TEST(Registration, messages_arrive_between_threads_and_between_processes) {
  expect_fine_between_two(swap_registered);
}

}  // namespace
}  // namespace rondo::process
