#pragma once

// Which calls two ranks measure, and in which order, so that all of it stays within a budget of
// time: a pure function of the times that the calls took.

#include <cstddef>
#include <optional>
#include <vector>

namespace rondo {

/// A sample of a call: so many bytes, so many times in a row.
struct SampleSize {
  std::size_t bytes = 0;
  int calls = 1;
};

/// Two lists: `usual` is what tells most of a link, in the order of importance; `small`, from few
/// bytes to more, is for links on which that would take too long. The first two of `small` tell how
/// fast a link is, roughly: they come first, whatever the link. Of the list that suits the link so
/// many calls are measured as fit into the budget, but `fewest` at least: fewer tell nothing.
///
///   while (const auto index = agenda.next(seconds_so_far)) agenda.note(*index, seconds_of_a_call);
class Agenda {
 public:
  static constexpr std::size_t fewest = 3;

  Agenda(std::vector<SampleSize> small, std::vector<SampleSize> usual, double budget_s);

  /// The sample to be taken next, by its index in `small` and then `usual`; nothing at the end.
  std::optional<std::size_t> next(double used_s);
  /// How long a call of that sample took.
  void note(std::size_t index, double call_s);

  /// Those whose times count, in the order of their list.
  std::vector<std::size_t> measured() const;
  const std::vector<double>& times(std::size_t index) const { return times_[index]; }

 private:
  enum class Stage { looking, warming_up, in_turns, done };

  std::optional<std::size_t> next_look(double used_s);
  std::optional<std::size_t> next_of_warm_up(double used_s);
  std::optional<std::size_t> next_in_turn(double used_s);
  bool usual_suits() const;
  void choose_list();
  /// Seconds that a sample will take, with what the two ranks say to each other before.
  double expected(std::size_t index) const;
  std::size_t at(std::size_t place) const { return first_ + place; }

  std::vector<SampleSize> sizes_;
  std::vector<std::vector<double>> times_;  // of calls, by sample
  std::size_t small_;                       // how many
  double budget_s_;
  double byte_s_ = 0;

  Stage stage_ = Stage::looking;
  std::size_t first_ = 0;    // of the list that suits the link
  std::size_t length_ = 0;   // of this list
  std::size_t fitting_ = 0;  // of it, from its beginning
  std::size_t place_ = 0;    // in it
  int taken_ = 0;            // looks or samples at this place, one after the other
  double since_s_ = 0;       // when they began
  std::size_t round_ = 0;
};

}  // namespace rondo
