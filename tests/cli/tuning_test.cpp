// Plan files out of measured times.

#include "cli/tuning.hpp"

#include <gtest/gtest.h>

namespace rondo::cli {
namespace {

constexpr int ranks = 2;

Candidate candidate(Algorithm algorithm) {
  return {{algorithm, Collective::allreduce, ranks}, 0};
}

// As if measured: times of ring and one_shot in µs.
Tuned tuned(std::uint64_t bytes, double ring_us, double one_shot_us) {
  Tuned one{.bytes = bytes};
  one.timed = {{candidate(Algorithm::ring), 0, ring_us * 1e-6},
               {candidate(Algorithm::one_shot), 0, one_shot_us * 1e-6}};
  one.best = ring_us <= one_shot_us ? 0 : 1;
  return one;
}

// What is written, and that it can be read again.
std::string rules_text(const std::vector<Tuned>& all) {
  std::string text;
  for (const Rule& rule : rules_of(Collective::allreduce, ranks, all)) text += to_text(rule) + "\n";
  const auto parsed = parse_rules(text);
  EXPECT_TRUE(parsed.ok()) << parsed.error().text() << "\n" << text;
  return text;
}

TEST(RulesOfTuned, ChangeBetweenTheSizes) {
  EXPECT_EQ(rules_text({tuned(4, 9, 5), tuned(1 << 10, 9, 6), tuned(1 << 20, 100, 200)}),
            "allreduce 0B..32KiB one_shot tile 0B ranks 2\n"
            "allreduce 32KiB.. ring tile 0B ranks 2\n");
}

TEST(RulesOfTuned, StayWithWhatIsNearlyTheBest) {
  EXPECT_EQ(rules_text({tuned(4, 9, 5), tuned(64, 5, 5.1), tuned(1 << 10, 9, 6)}),
            "allreduce 0B.. one_shot tile 0B ranks 2\n");
}

TEST(RulesOfTuned, OfNearlyEqualOnesTakeThatOfTheShorterPrediction) {
  EXPECT_EQ(rules_text({tuned(4, 5.1, 5)}), "allreduce 0B.. ring tile 0B ranks 2\n");
  EXPECT_EQ(rules_text({tuned(4, 5.5, 5)}), "allreduce 0B.. one_shot tile 0B ranks 2\n");
}

TEST(RulesOfTuned, OfSizesCloseTogetherCanBeRead) {
  // All of 4096, 4100 and 4200 bytes are of one class.
  EXPECT_EQ(rules_text({tuned(64, 9, 5), tuned(4096, 5, 9), tuned(4100, 9, 5), tuned(4200, 5, 9)}),
            "allreduce 0B..512B one_shot tile 0B ranks 2\n"
            "allreduce 512B..4KiB ring tile 0B ranks 2\n"
            "allreduce 4KiB.. ring tile 0B ranks 2\n");
  EXPECT_EQ(rules_text({tuned(1, 9, 5), tuned(2, 5, 9), tuned(3, 9, 5)}),
            "allreduce 0B..1B one_shot tile 0B ranks 2\n"
            "allreduce 1B..2B ring tile 0B ranks 2\n"
            "allreduce 2B.. one_shot tile 0B ranks 2\n");
}

}  // namespace
}  // namespace rondo::cli
