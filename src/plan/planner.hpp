#pragma once

// The decision: which schedule for a call, and in which tiles. A closed form picks the few of the
// candidates that are worth simulating on the topology with its costs, and the fastest is taken.
//
// Sizes fall into classes, four to a doubling; the smallest size of a class decides for all of it.
// A class is planned when a call first needs it. What comes out is a function of topology, costs
// and wishes, so ranks that agree on these choose alike, in whatever order calls come.

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "plan/candidates.hpp"
#include "plan/estimates.hpp"
#include "plan/rules.hpp"
#include "rondo/simulate.hpp"

namespace rondo {

/// What was asked for. Of one collective's wish, the wish for all and the rules, the first that can
/// be granted holds.
struct Wishes {
  Algorithm algorithm = Algorithm::automatic;  ///< where the collective has it
  std::array<Algorithm, collective_count> algorithms = {};
  std::optional<int> radix = {};  ///< of knomial
  std::optional<std::size_t> tile_bytes = {};
  std::vector<Rule> rules = {};
};

enum class Cause : std::uint8_t {
  fastest,      ///< of the candidates
  simplest,     ///< of those that are as good as the fastest
  few_streams,  ///< into a port from other hosts; nearly as fast as the fastest
  wish,         ///< the algorithm was asked for
  rule,         ///< a rule is about it
};
/// Whether the planner was free to choose.
bool is_planned(Cause cause);

struct Choice {
  Plan plan;
  std::size_t tile_bytes = 0;  ///< 0: whole segments
  Cause cause = Cause::fastest;
  int rule_line = 0;             ///< with Cause::rule
  std::string passed_over = {};  ///< what was asked for and cannot be had
  std::int64_t picoseconds = 0;  ///< predicted for the smallest size of the class
  Prediction fastest = {};       ///< of those that it was chosen from
  std::uint64_t hash = 0;        ///< of plan and tiles, the same for every root
  Candidate candidate() const { return {plan, tile_bytes}; }
};

/// Sizes that are treated alike.
struct SizeClass {
  static constexpr int count = 252;
  static int of(std::uint64_t bytes);
  static std::uint64_t first_of(int size_class);
};

class Planner {
 public:
  /// What candidates take, in their order, where that is not told by messages over links.
  using Predictor = std::function<Result<std::vector<Prediction>>(const std::vector<Candidate>&,
                                                                  std::uint64_t bytes)>;

  /// Fails with invalid_argument where the topology has no ranks or a cost makes no sense.
  static Result<Planner> make(const Topology& topology, const CostTable& costs, Wishes wishes = {});
  /// All candidates of the site are worth while.
  static Planner make(Site site, Predictor predictor, Wishes wishes = {});

  int ranks() const { return site_.ranks; }
  const Site& site() const { return site_; }
  const CostModel& model() const { return *model_; }
  /// Whether it is messages by which it tells times, and `model()` what they cost.
  bool tells_messages() const { return !predictor_; }

  /// `bytes` is the size of the vector of the collective: what one rank contributes, times the
  /// ranks for collectives with blocks. The plan is for root 0. Valid as long as the planner.
  /// Fails with unsupported where no algorithm has the collective.
  Result<const Choice*> choose(Collective collective, std::uint64_t bytes);

  /// All candidates at this very size. First the simplest of those that are as fast within 2 % as
  /// the fastest, or, where there are several hosts, as the fastest of those within 5 % in which
  /// ranks receive from the fewest of other hosts; then all others, the fastest first. Pins as
  /// given, whatever the wishes.
  Result<std::vector<Prediction>> predict(Collective collective, std::uint64_t bytes,
                                          const Pins& pins = {});
  /// Of these candidates, in their order.
  Result<std::vector<Prediction>> predictions_of(const std::vector<Candidate>& all,
                                                 std::uint64_t bytes);

  /// Sizes from `from` to before `to` with one choice.
  struct Range {
    std::uint64_t from = 0;
    std::uint64_t to = Rule::no_end;
    const Choice* choice = nullptr;
  };
  /// Choices for all sizes up to `most` bytes and beyond. A choice that holds inside one doubling
  /// only may be missing.
  Result<std::vector<Range>> ranges(Collective collective, std::uint64_t most);

  /// What was asked for and cannot be had, in sentences, once each; empties the list.
  std::vector<std::string> take_notes();
  bool has_notes() const { return !notes_.empty(); }

 private:
  Planner(Site site, CostModel model, Wishes wishes);

  struct Pinned {
    Pins pins;
    Cause cause = Cause::fastest;
    int rule_line = 0;
    std::string about = {};   // in a note
    bool is_for_one = false;  // collective, which may not have it
  };

  std::vector<Pinned> asked_for(Collective collective, std::uint64_t bytes) const;
  Result<std::vector<Prediction>> predict_few(const std::vector<Candidate>& all,
                                              std::uint64_t bytes);
  std::string refusal_of(const Pinned& pinned, Collective collective) const;
  Result<Choice> decide(Collective collective, std::uint64_t bytes);
  void note(std::string text);

  using Table = std::array<std::unique_ptr<const Choice>, SizeClass::count>;

  Site site_;
  std::unique_ptr<const CostModel> model_;
  Wishes wishes_;
  Predictor predictor_;
  Estimates estimates_;
  std::vector<std::unique_ptr<Table>> tables_;  // by collective
  std::vector<std::string> notes_;
  std::vector<std::string> noted_;
};

/// Whether candidates among so many ranks are simulated; else the closed form of Estimate tells.
bool is_simulated(int ranks);
/// What candidates would take if links cost what another model says, by one or the other; in their
/// order.
Result<std::vector<Prediction>> predictions_on(const Site& site, const CostModel& model,
                                               const std::vector<Candidate>& all,
                                               std::uint64_t bytes);

/// All that ranks must agree on beyond the call itself; the root is part of the call.
std::uint64_t plan_hash(const Plan& plan, std::size_t tile_bytes);

}  // namespace rondo
