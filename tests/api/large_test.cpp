// More than 2^31 elements: nothing on the way may count in 32 bits.

#include <sys/mman.h>

#include <algorithm>

#include "harness/world.hpp"

namespace rondo {
namespace {

// Zero pages that cost memory only where they are written.
class Mapping {
 public:
  explicit Mapping(std::size_t bytes)
      : bytes_(bytes),
        data_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)) {}
  Mapping(const Mapping&) = delete;
  Mapping& operator=(const Mapping&) = delete;
  ~Mapping() {
    if (ok()) munmap(data_, bytes_);
  }
  bool ok() const { return data_ != MAP_FAILED; }
  std::span<std::uint8_t> bytes() const { return {static_cast<std::uint8_t*>(data_), bytes_}; }

 private:
  std::size_t bytes_;
  void* data_;
};

TEST(Large, AllreduceOfMoreThanTwoToThe31Elements) {
  constexpr std::size_t count = (std::size_t{1} << 31) + 12'345;
  const std::vector<std::size_t> probes = {
      0, 1, count / 2, count / 2 + 1, (std::size_t{1} << 31) - 1, std::size_t{1} << 31, count - 1};
  Options options;
  options.timeout = std::chrono::minutes(10);  // on a busy machine
  testing::on_world(2, options, [&](Communicator& comm) {
    const Mapping memory(count);
    ASSERT_TRUE(memory.ok());
    for (std::size_t i = 0; i < probes.size(); ++i) {
      memory.bytes()[probes[i]] = static_cast<std::uint8_t>(10 * i + comm.rank() + 1);
    }
    comm.allreduce(memory.bytes());
    for (std::size_t i = 0; i < probes.size(); ++i) {
      EXPECT_EQ(memory.bytes()[probes[i]], 20 * i + 3) << "element " << probes[i];
    }
    const auto zeros = std::ranges::count(memory.bytes(), std::uint8_t{0});
    EXPECT_EQ(static_cast<std::size_t>(zeros), count - probes.size());
  });
}

}  // namespace
}  // namespace rondo
