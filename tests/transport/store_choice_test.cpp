#include "transport/shm/store_choice.hpp"

#include <gtest/gtest.h>

#include "base/past_cache.hpp"

namespace rondo::process {
namespace {

using std::chrono::nanoseconds;

// Two ranks in an instant: a message takes as long as the test says, by the way it is stored.
class Stream {
 public:
  nanoseconds plain{1000};
  nanoseconds past_cache{1000};

  /// Operations of `messages` each; how many of the messages were stored past the cache.
  int carry(int operations, int messages, std::size_t bytes, nanoseconds between = {}) {
    int past = 0;
    for (int i = 0; i < operations; ++i) {
      ++sequence_;
      for (int m = 0; m < messages; ++m) {
        const bool is_past = choice_.is_past_cache(sequence_, bytes, bytes, now_);
        past += is_past ? 1 : 0;
        now_ += is_past ? past_cache : plain;
        choice_.mark(sequence_, now_);
      }
      now_ += between;
    }
    return past;
  }

 private:
  StoreChoice choice_;
  std::uint64_t sequence_ = 0;
  StoreChoice::Clock::time_point now_;
};

constexpr std::size_t tile = 128 << 10;

TEST(StoreChoice, takes_the_way_that_gets_messages_through_sooner) {
  if (!can_pass_cache) GTEST_SKIP() << "this processor has one way only";
  for (const int messages : {1, 40}) {
    Stream stream;
    stream.past_cache = stream.plain / 4;
    stream.carry(200, messages, tile);
    EXPECT_GE(stream.carry(1000, messages, tile), 980 * messages);
    // The cores have moved: both ways take turns until the better one is known again.
    std::swap(stream.plain, stream.past_cache);
    stream.carry(400, messages, tile);
    EXPECT_LE(stream.carry(1000, messages, tile), 20 * messages);
  }
}

TEST(StoreChoice, tries_the_way_that_was_worse_often_where_they_are_close) {
  Stream stream;
  stream.past_cache = stream.plain * 11 / 10;
  stream.carry(200, 1, tile);
  const int trials = stream.carry(1000, 1, tile);
  if (!can_pass_cache) GTEST_SKIP() << "this processor has one way only";
  EXPECT_GE(trials, 50);
  EXPECT_LE(trials, 120);
}

// What the program does in between has nothing to do with it.
TEST(StoreChoice, counts_no_time_between_operations) {
  Stream stream;
  stream.past_cache = stream.plain / 4;
  stream.carry(12, 1, tile, std::chrono::seconds(1));
  const int past = stream.carry(1000, 1, tile, std::chrono::seconds(1));
  if (!can_pass_cache) GTEST_SKIP() << "this processor has one way only";
  EXPECT_GE(past, 950);
}

TEST(StoreChoice, forgets_a_time_in_which_the_core_was_lost) {
  Stream stream;
  stream.past_cache = stream.plain / 4;
  if (!can_pass_cache) GTEST_SKIP() << "this processor has one way only";
  stream.carry(200, 1, tile);
  stream.past_cache = std::chrono::milliseconds(50);
  stream.carry(1, 1, tile);
  stream.past_cache = stream.plain / 4;
  stream.carry(64, 1, tile);
  EXPECT_GE(stream.carry(1000, 1, tile), 900);
}

TEST(StoreChoice, small_messages_are_stored_plainly) {
  Stream stream;
  stream.past_cache = stream.plain / 100;
  EXPECT_EQ(stream.carry(1000, 1, StoreChoice::least_measured - 1), 0);
}

TEST(StoreChoice, sizes_are_told_apart) {
  Stream stream;
  stream.past_cache = stream.plain / 4;
  if (!can_pass_cache) GTEST_SKIP() << "this processor has one way only";
  stream.carry(200, 1, tile);
  EXPECT_LE(stream.carry(6, 1, 2 << 10), 3);  // begins by trying the plain way
}

}  // namespace
}  // namespace rondo::process
