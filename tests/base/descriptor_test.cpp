#include "base/descriptor.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>

#include <cerrno>

namespace rondo {
namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

Descriptor open_null() {
  return Descriptor(::open("/dev/null", O_RDONLY | O_CLOEXEC));
}

TEST(Descriptor, is_closed_by_its_last_owner) {
  int fd = -1;
  {
    Descriptor outer;
    EXPECT_FALSE(outer);
    {
      Descriptor inner = open_null();
      fd = inner.fd();
      outer = std::move(inner);
    }
    EXPECT_TRUE(outer);
    EXPECT_TRUE(is_open(fd));
  }
  EXPECT_FALSE(is_open(fd));
}

TEST(Descriptor, closes_what_it_owned_before) {
  Descriptor descriptor = open_null();
  const int first = descriptor.fd();
  descriptor = open_null();
  EXPECT_NE(descriptor.fd(), first);
  EXPECT_FALSE(is_open(first));
}

TEST(Descriptor, errors_of_the_system_say_what_to_do) {
  const Error many = system_error("cannot open it", EMFILE);
  EXPECT_EQ(many.code(), ErrorCode::resource);
  EXPECT_NE(many.text().find("ulimit -n"), std::string::npos) << many.text();
  EXPECT_EQ(system_error("cannot open it", EACCES).code(), ErrorCode::io);
}

}  // namespace
}  // namespace rondo
