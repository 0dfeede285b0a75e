#include "bench/duel.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <iterator>
#include <sstream>

#include "bench/shared_world.hpp"
#include "bench/suite.hpp"

namespace rondo::bench {
namespace {

using testing::Fault;
using ::testing::HasSubstr;
using testing::SharedLibrary;
using testing::SharedWorld;

// Has no 8-bit integers.
class Lacking final : public Library {
 public:
  Lacking(SharedWorld& world, int rank) : inner_(world, rank) {}
  int rank() const override { return inner_.rank(); }
  int size() const override { return inner_.size(); }
  std::string name() const override { return "lacking"; }
  void run(const ErasedCall& call) override {
    if (call.dtype == DType::i8) throw Error(ErrorCode::unsupported, "no i8 here");
    inner_.run(call);
  }

 private:
  SharedLibrary inner_;
};

struct Outcome {
  std::vector<std::vector<std::string>> lines = {};  // words of those of the table
  std::string text = {};
  int worst_code = 0;
};

Outcome run(const Options& options, Fault fault_of_second) {
  constexpr int ranks = 2;
  SharedWorld first(ranks, Fault::none);
  SharedWorld second(ranks, fault_of_second);
  std::ostringstream out;
  std::atomic<int> worst = 0;
  std::vector<std::thread> threads;
  for (int rank = 0; rank < ranks; ++rank) {
    threads.emplace_back([&, rank] {
      SharedLibrary one(first, rank);
      Lacking other(second, rank);
      if (const int code = run_duel({&one, &other}, options, out); code != 0) worst = code;
    });
  }
  for (std::thread& thread : threads) thread.join();
  Outcome outcome{{}, out.str(), worst};
  std::istringstream in(outcome.text);
  for (std::string line; std::getline(in, line);) {
    std::istringstream words(line);
    if (!line.starts_with("#")) {
      outcome.lines.emplace_back(std::istream_iterator<std::string>(words),
                                 std::istream_iterator<std::string>());
    }
  }
  return outcome;
}

Options few(std::vector<DType> dtypes) {
  Options options;
  options.min_bytes = 64;
  options.max_bytes = 1024;
  options.iterations = 3;
  options.warmup = 1;
  options.dtypes = std::move(dtypes);
  return options;
}

TEST(Duel, HasALineForEachSizeAndPlace) {
  const Outcome outcome = run(few({DType::f32}), Fault::none);
  EXPECT_EQ(outcome.worst_code, 0);
  EXPECT_THAT(outcome.text, HasSubstr("# B: lacking\n# allreduce among 2 ranks"));
  ASSERT_EQ(outcome.lines.size(), 6u);
  for (std::size_t i = 0; i < outcome.lines.size(); ++i) {
    const std::vector<std::string>& words = outcome.lines[i];
    ASSERT_EQ(words.size(), 10u);
    EXPECT_EQ(words[0], std::to_string(64 << (2 * (i / 2))));
    EXPECT_EQ(words[4], i % 2 == 0 ? "out" : "in");
    EXPECT_EQ(words[8], "0");
    EXPECT_EQ(words[9], "0");
  }
}

TEST(Duel, SaysWhoIsWrong) {
  Options options = few({DType::f32});
  options.sides = Sides::out_of_place;
  const Outcome outcome = run(options, Fault::shifted);
  EXPECT_EQ(outcome.worst_code, exit_wrong);
  ASSERT_EQ(outcome.lines.size(), 3u);
  for (const std::vector<std::string>& words : outcome.lines) {
    EXPECT_EQ(words.at(8), "0");
    EXPECT_NE(words.at(9), "0");
  }
}

TEST(Duel, WhatALibraryDoesNotHaveIsNoDefeat) {
  const Outcome outcome = run(few({DType::i8}), Fault::none);
  EXPECT_EQ(outcome.worst_code, 0);
  for (const std::vector<std::string>& words : outcome.lines) {
    EXPECT_NE(words.at(5), "N/A");
    EXPECT_EQ(words.at(6), "N/A");
    EXPECT_EQ(words.at(7), "N/A");
    EXPECT_EQ(words.at(9), "N/A");
  }
}

TEST(Duel, RefusesWhatItWouldIgnore) {
  Options options = few({DType::f32});
  options.json_file = "x.json";
  SharedWorld world(1, Fault::none);
  SharedLibrary library(world, 0);
  std::ostringstream out;
  EXPECT_THROW(run_duel({&library, &library}, options, out), Error);
  options.json_file.clear();
  options.collective = Collective::broadcast;
  options.root = 1;
  EXPECT_THROW(run_duel({&library, &library}, options, out), Error);
}

}  // namespace
}  // namespace rondo::bench
