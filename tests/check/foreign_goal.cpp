#include <deque>
#include <set>
#include <sstream>
#include <tuple>

#include "foreign.hpp"

namespace rondo::testing {

namespace {

struct Operation {
  int rank = 0;
  std::string word = {};  // send, recv, calc
  long amount = 0;
  int peer = -1;
  int tag = 0;
  std::vector<std::size_t> required = {};
  bool done = false;
};

class Goal {
 public:
  std::string check(const std::string& text) {
    std::istringstream lines(text);
    std::string line;
    while (std::getline(lines, line) && error_.empty()) read(line);
    if (!error_.empty()) return error_;
    if (rank_ != -1) return "a block is not closed";
    run();
    return error_;
  }

 private:
  void fail(const std::string& what, const std::string& line) {
    if (error_.empty()) error_ = what + ": " + line;
  }

  void read(const std::string& line) {
    std::istringstream words(line);
    std::string first;
    if (!(words >> first) || first == "//") return;
    if (first == "num_ranks") {
      words >> ranks_;
    } else if (first == "rank") {
      if (rank_ != -1 || !(words >> rank_) || rank_ >= ranks_) fail("rank", line);
      labels_.clear();
    } else if (first == "}") {
      rank_ = -1;
    } else if (first.back() == ':') {
      read_operation(first.substr(0, first.size() - 1), words, line);
    } else {
      read_order(first, words, line);
    }
  }

  void read_operation(const std::string& label, std::istream& words, const std::string& line) {
    Operation operation{.rank = rank_};
    std::string amount;
    std::string word;
    words >> operation.word >> amount;
    operation.amount = std::stol(amount);
    if (operation.word != "calc") {
      if (amount.back() != 'b') fail("bytes", line);
      words >> word >> operation.peer >> word >> operation.tag;
      if (word != "tag" || operation.peer < 0 || operation.peer >= ranks_) fail("message", line);
    }
    int cpu = -1;
    if (!(words >> word >> cpu) || word != "cpu" || cpu < 0 || cpu > 255) fail("cpu", line);
    if (!labels_.emplace(label, operations_.size()).second) fail("label twice", line);
    operations_.push_back(operation);
  }

  void read_order(const std::string& later, std::istream& words, const std::string& line) {
    std::string word;
    std::string earlier;
    words >> word >> earlier;
    if (word != "requires" || !labels_.contains(later) || !labels_.contains(earlier)) {
      return fail("undefined label", line);
    }
    operations_[labels_.at(later)].required.push_back(labels_.at(earlier));
  }

  // Sends leave at once; the i-th recv takes the i-th message of its sender and tag.
  void run() {
    std::map<std::tuple<int, int, int>, std::deque<long>> under_way;
    std::size_t left = operations_.size();
    for (bool moved = true; moved;) {
      moved = false;
      for (Operation& operation : operations_) {
        if (operation.done || !is_ready(operation)) continue;
        const auto [rank, peer, tag] = std::tuple(operation.rank, operation.peer, operation.tag);
        if (operation.word == "send") under_way[{rank, peer, tag}].push_back(operation.amount);
        if (operation.word == "recv") {
          std::deque<long>& messages = under_way[{peer, rank, tag}];
          if (messages.empty()) continue;
          if (messages.front() != operation.amount) return fail("bytes differ", operation.word);
          messages.pop_front();
        }
        operation.done = moved = true;
        --left;
      }
    }
    if (left > 0) fail("never done", std::to_string(left));
    for (const auto& [link, messages] : under_way) {
      if (!messages.empty()) fail("never received", std::to_string(messages.size()));
    }
  }

  bool is_ready(const Operation& operation) const {
    for (const std::size_t required : operation.required) {
      if (!operations_[required].done) return false;
    }
    return true;
  }

  int ranks_ = 0;
  int rank_ = -1;
  std::map<std::string, std::size_t> labels_;  // of the present rank
  std::vector<Operation> operations_;
  std::string error_;
};

}  // namespace

std::string wrong_in_goal(const std::string& text) {
  return Goal().check(text);
}

}  // namespace rondo::testing
