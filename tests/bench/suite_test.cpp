#include "bench/suite.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <iterator>
#include <sstream>

#include "bench/json.hpp"
#include "bench/shared_world.hpp"
#include "bench/table.hpp"

namespace rondo::bench {
namespace {

using testing::Fault;
using ::testing::HasSubstr;
using testing::on_shared_world;
using testing::SharedLibrary;
using testing::SharedWorld;

struct Outcome {
  std::string text;
  int worst_code = 0;
};

Outcome run(int ranks, Fault fault, const Options& options) {
  std::ostringstream out;
  std::atomic<int> worst = 0;
  on_shared_world(ranks, fault, [&](SharedLibrary& library) {
    if (const int code = run_suite(library, options, out); code != 0) worst = code;
  });
  return {out.str(), worst};
}

Options few(Subject collective) {
  Options options;
  options.collective = collective;
  options.min_bytes = 64;
  options.max_bytes = 1024;
  options.iterations = 3;
  options.warmup = 1;
  return options;
}

std::vector<std::string> lines_without_comment(const std::string& text) {
  std::vector<std::string> lines;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (!line.starts_with("#")) lines.push_back(line);
  }
  return lines;
}

std::vector<std::string> words_of(const std::string& line) {
  std::istringstream in(line);
  return {std::istream_iterator<std::string>(in), {}};
}

TEST(Suite, PrintsALineForEachSizeAndEndsWithZero) {
  const Outcome outcome = run(3, Fault::none, few(Collective::allreduce));
  EXPECT_EQ(outcome.worst_code, 0);
  EXPECT_EQ(lines_without_comment(outcome.text).size(), 3u);
  EXPECT_THAT(outcome.text, HasSubstr("# Out of bounds values : 0 OK\n"));
  EXPECT_THAT(outcome.text, HasSubstr("# Collective test concluded: allreduce\n"));
  EXPECT_THAT(outcome.text, HasSubstr("Rank 2 Group 0 Pid "));
}

TEST(Suite, GoesThroughAllTypesOperationsAndRoots) {
  Options options = few(Collective::reduce);
  options.max_bytes = 64;
  options.dtypes = {DType::f32, DType::bf16};
  options.ops = {Op::sum, Op::min, Op::avg};
  options.all_roots = true;
  options.blocking = true;
  const Outcome outcome = run(2, Fault::none, options);
  EXPECT_EQ(outcome.worst_code, 0);
  EXPECT_EQ(lines_without_comment(outcome.text).size(), 2u * 3u * 2u);
  // Bits of floats are left out.
  options.dtypes = {DType::f32, DType::i8};
  options.ops = {Op::sum, Op::band};
  EXPECT_EQ(lines_without_comment(run(2, Fault::none, options).text).size(), 3u * 2u);
}

TEST(Suite, RunsEveryCollective) {
  for (int i = 0; i < collective_count; ++i) {
    for (const Check check : {Check::off, Check::exact, Check::reference}) {
      Options options = few(static_cast<Collective>(i));
      options.check = check;
      EXPECT_EQ(run(2, Fault::none, options).worst_code, 0) << name_of(options.collective);
    }
  }
}

TEST(Suite, MessagesGoRoundTheRanks) {
  for (const int ranks : {1, 2, 3}) {
    for (const Check check : {Check::exact, Check::reference}) {
      Options options = few(std::nullopt);
      options.check = check;
      const Outcome outcome = run(ranks, Fault::none, options);
      EXPECT_EQ(outcome.worst_code, 0) << ranks;
      EXPECT_THAT(outcome.text, HasSubstr("# Collective test concluded: sendrecv\n"));
      EXPECT_THAT(outcome.text, HasSubstr("      N/A     N/A     N/A     N/A  "));
      EXPECT_THAT(outcome.text, HasSubstr("      N/A      N/A\n"));
    }
  }
  EXPECT_EQ(run(3, Fault::wrong_element, few(std::nullopt)).worst_code, exit_wrong);
}

TEST(Suite, WrongValuesShowInTheTableTheFooterAndTheExitCode) {
  const Outcome outcome = run(3, Fault::shifted, few(Collective::allreduce));
  EXPECT_EQ(outcome.worst_code, exit_wrong);
  EXPECT_THAT(outcome.text, HasSubstr("FAILED"));
  for (const std::string& line : lines_without_comment(outcome.text)) {
    EXPECT_NE(words_of(line).at(8), "0") << line;   // #wrong out of place
    EXPECT_NE(words_of(line).at(12), "0") << line;  // and in place
  }
}

TEST(Suite, RefusesDeviceMemoryOfALibraryThatHasNone) {
  SharedWorld world(1, Fault::none);
  SharedLibrary library(world, 0);
  Options options = few(Collective::allreduce);
  options.device = true;
  std::ostringstream out;
  try {
    run_suite(library, options, out);
    ADD_FAILURE() << "it was not refused";
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::invalid_argument);
    EXPECT_THAT(error.text(), HasSubstr("--device: threads that share memory is measured in host"));
  }
}

TEST(Suite, MeasuresTheSideThatWasAskedFor) {
  for (const Sides sides : {Sides::out_of_place, Sides::in_place}) {
    Options options = few(Collective::allreduce);
    options.sides = sides;
    const Outcome outcome = run(2, Fault::none, options);
    EXPECT_EQ(outcome.worst_code, 0);
    for (const std::string& line : lines_without_comment(outcome.text)) {
      const std::vector<std::string> words = words_of(line);
      EXPECT_EQ(words.at(8), sides == Sides::out_of_place ? "0" : "N/A") << line;
      EXPECT_EQ(words.at(12), sides == Sides::in_place ? "0" : "N/A") << line;
      EXPECT_EQ(words.at(13) == "N/A", sides == Sides::in_place) << line;
      EXPECT_EQ(words.at(16) == "N/A", sides == Sides::out_of_place) << line;
    }
    EXPECT_EQ(run(2, Fault::shifted, options).worst_code, exit_wrong);
  }
}

TEST(Suite, RefusesARootThatIsNoRankWithOneMessage) {
  Options options = few(Collective::broadcast);
  options.root = 2;
  std::atomic<int> refusals = 0;
  std::atomic<int> codes = 0;
  on_shared_world(2, Fault::none, [&](SharedLibrary& library) {
    std::ostringstream out;
    try {
      codes = run_suite(library, options, out);
    } catch (const Error& error) {
      EXPECT_THAT(error.text(), HasSubstr("-r 2: the ranks of this world go from 0 to 1"));
      ++refusals;
    }
  });
  EXPECT_EQ(refusals, 1);
  EXPECT_EQ(codes, exit_usage);
}

Line example_line() {
  Line line;
  line.what = {Collective::allreduce, DType::f32, Op::sum, 0, 2, 262144, false};
  line.out_of_place = Side{{20, 123.456, 120, 150}, 8.49, 8.49, Findings{}};
  line.in_place = Side{{20, 1234567.8, 1, 2}, 0.001, 0.001, std::nullopt};
  return line;
}

TEST(Table, HasTheColumnsOfNcclTests) {
  EXPECT_EQ(table_line(example_line()),
            "     1048576        262144     float     sum      -1"
            "   123.46    8.49    8.49       0"
            "  1234568    0.00    0.00     N/A"
            "   120.00   150.00     1.00     2.00\n");
}

TEST(Table, HeaderAndLinesHaveTheSameColumns) {
  std::istringstream header(table_header());
  std::string last;
  for (std::string line; std::getline(header, line);) last = line;
  EXPECT_EQ(last.size() + 1, table_line(example_line()).size());
}

TEST(Table, NumbersThatAreTooLongLoseDecimalsThenBecomeExponential) {
  EXPECT_EQ(fit(1.005, 7), "   1.00");
  EXPECT_EQ(fit(12345.67, 7), "12345.7");
  EXPECT_EQ(fit(1234567.8, 7), "1234568");
  EXPECT_EQ(fit(123456789, 7), "  1e+08");
}

TEST(Json, HoldsConfigurationResultsAndSummary) {
  Report report;
  report.library = "a \"library\"";
  report.ranks = {"Rank 0", "Rank 1"};
  report.lines = {example_line()};
  report.summary = {3, 0.5, 1.25};
  const std::string json = to_json(report, few(Collective::allreduce));
  EXPECT_THAT(json, HasSubstr(R"("library": "a \"library\"")"));
  EXPECT_THAT(json, HasSubstr(R"("median_us": 120, "p99_us": 150, "iterations": 20)"));
  EXPECT_THAT(json, HasSubstr(R"("nwrong": null)"));
  EXPECT_THAT(json, HasSubstr(R"("out_of_bounds": 3)"));
  EXPECT_EQ(std::count(json.begin(), json.end(), '{'), std::count(json.begin(), json.end(), '}'));
}

}  // namespace
}  // namespace rondo::bench
