#pragma once

// The arguments of one verb. A verb takes what it knows, then calls finish(), which refuses the
// rest.

#include <cstddef>
#include <initializer_list>
#include <optional>
#include <span>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "rondo/schedule.hpp"
#include "rondo/simulate.hpp"

namespace rondo::cli {

/// Exit codes of the command.
constexpr int success = 0;
constexpr int failure = 1;      ///< what was asked for failed, or a schedule is wrong
constexpr int usage_error = 2;  ///< the command line makes no sense

/// Thrown for a command line that makes no sense; main() turns it into usage_error.
struct UsageError : std::runtime_error {
  using std::runtime_error::runtime_error;
};

/// How many words of a command line are the verb's own: its options end where the program begins
/// that follows them, or at "--". `with_values` have another word each.
std::size_t count_own_words(std::span<char* const> args,
                            std::initializer_list<std::string_view> with_values);

class Arguments {
 public:
  explicit Arguments(std::span<char* const> arguments)
      : words_(arguments.begin(), arguments.end()) {}

  /// Takes `--name`.
  bool flag(std::string_view name);
  bool help() { return flag("--help") || flag("-h"); }
  /// Takes `--name VALUE` or `--name=VALUE`.
  std::optional<std::string> value(std::string_view name);
  /// Takes `--name N` with low <= N <= high.
  int number(std::string_view name, int otherwise, int low, int high);
  /// Takes the next word that is no option; "-" is such a word. Options with values go first.
  std::optional<std::string> word();
  /// What nobody took so far.
  const std::vector<std::string>& rest() const { return words_; }
  /// Refuses what nobody took.
  void finish() const;

 private:
  std::vector<std::string> words_;
};

/// A number of the command line; `what` names it in the error.
int parse_number(std::string_view what, std::string_view text, int low, int high);

/// Takes `FILE` or `ALGORITHM COLLECTIVE RANKS [--root R] [--radix K]`, calls finish(), and reads
/// or makes the schedule: with `hosts` for the algorithms that know groups, which need not have
/// `ranks`. Says on standard error where these would and there is one host only since nobody said
/// how many. "-" is standard input.
Result<Schedule> take_schedule(Arguments& arguments, TwoLevel hosts);

Result<Schedule> read_schedule(const std::string& path);

/// "-" is standard input. Throws Error{io} naming the file.
std::string read_file(const std::string& path);
/// "-" is standard output. Throws Error{io} naming the file.
void write_file(const std::string& path, const std::string& text);

}  // namespace rondo::cli
