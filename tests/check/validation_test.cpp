// Predictions against published measurements (tests/data/validation_points.csv, each with its
// source). bench/README.md says what is assumed, and holds the table that this test makes.

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <map>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/text.hpp"
#include "rondo/simulate.hpp"

namespace rondo::testing {
namespace {

constexpr double us = 1e-6;

// NCCL's own constants (src/graph/tuning.cc): base latency and latencies per hop.
constexpr double ll_base = 6.6 * us;
constexpr double ll_nvlink = 0.6 * us;
constexpr double ll_net = 2.7 * us;
constexpr double simple_base = 8.4 * us;
constexpr double simple_nvlink = 3.4 * us;
constexpr double simple_net = 14 * us;

constexpr std::uint64_t window = 4 << 20;  // eight slots of 512 KiB

struct Tree {
  double base;  // fitted, like net, at two points
  double net;
};
constexpr Tree summit_tree{60.5 * us, 7.5625 * us};     // at 96 and 24,576 GPUs
constexpr Tree marenostrum_tree{5.07 * us, 3.58 * us};  // at 16 and 128 GPUs
constexpr double marenostrum_byte = 1 / 92.4e9;         // fitted at 16 GPUs, 512 MiB

struct Point {
  std::string system;
  int ranks = 0;
  int ranks_per_host = 0;
  std::string algorithm;
  std::uint64_t bytes = 0;
  double published = 0;  // seconds
};

std::filesystem::path root() {
  return SOURCE_FOLDER;
}

std::vector<Point> read_points() {
  std::ifstream file(root() / "tests" / "data" / "validation_points.csv");
  std::vector<Point> points;
  std::string line;
  std::getline(file, line);  // the names of the columns
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::array<std::string, 7> field;
    for (std::string& text : field) std::getline(fields, text, ',');
    points.push_back({field[0], std::stoi(field[1]), std::stoi(field[2]), field[4],
                      std::stoull(field[5]), std::stod(field[6]) * us});
  }
  return points;
}

double predict(const Plan& plan, const TwoLevel& hosts, std::uint64_t bytes) {
  const Result<Simulation> found = simulate(plan, make_cost_model(hosts).value(), {.bytes = bytes});
  EXPECT_TRUE(found.ok()) << (found ? "" : found.error().what());
  return found ? found.value().seconds : NAN;
}

double ring(const Point& point) {
  const Plan plan{Algorithm::ring, Collective::allreduce, point.ranks};
  TwoLevel hosts{.ranks = point.ranks, .ranks_per_host = point.ranks_per_host};
  const bool small = point.bytes < 4096;
  const double byte = small ? 0 : marenostrum_byte;
  hosts.inner = {
      .latency_s = small ? ll_nvlink : simple_nvlink, .byte_s = byte, .window_bytes = window};
  hosts.outer = {.latency_s = small ? ll_net : simple_net, .byte_s = byte, .window_bytes = window};
  hosts.start_s = small ? ll_base : simple_base;
  return predict(plan, hosts, point.bytes);
}

// A double tree between hosts, and inside each a chain up to its leader and down again.
double chain_and_tree(const Point& point, const Tree& tree) {
  const int count = point.ranks / point.ranks_per_host;
  const Plan plan{Algorithm::double_tree, Collective::allreduce, count};
  const double chain = 2 * (point.ranks_per_host - 1) * ll_nvlink;
  return predict(plan,
                 {.ranks = count,
                  .outer = {.latency_s = tree.net, .window_bytes = window},
                  .start_s = tree.base + chain},
                 point.bytes);
}

// Nothing for points that this level of the model does not try.
std::optional<double> prediction(const Point& point) {
  if (point.algorithm == "nccl2.3 ring") return ring(point);
  if (point.algorithm == "nccl2.4 tree") return chain_and_tree(point, summit_tree);
  if (point.system != "MareNostrum5 H100") return std::nullopt;
  const bool ends = point.bytes == 256 || point.bytes == 536'870'912;
  if (point.algorithm == "nccl_ring" && ends) return ring(point);
  if (point.algorithm == "nccl_tree" && point.bytes == 256) {
    return chain_and_tree(point, marenostrum_tree);
  }
  return std::nullopt;
}

std::string microseconds(double seconds) {
  std::ostringstream out;
  out << std::fixed << std::setprecision(seconds < 1e-3 ? 1 : 0) << seconds / us;
  return out.str();
}

std::string row(const Point& point, double predicted) {
  std::ostringstream ratio;
  ratio << std::fixed << std::setprecision(2) << predicted / point.published;
  const bool miss = std::abs(predicted / point.published - 1) > 0.15;
  return concat("| ", point.system, " | ", point.algorithm, " | ", point.ranks, " | ", point.bytes,
                " | ", microseconds(predicted), " | ", microseconds(point.published), " | ",
                ratio.str(), miss ? " (miss)" : "", " |\n");
}

TEST(Validation, PredictionsAreNearWhatOthersMeasured) {
  const std::vector<Point> points = read_points();
  ASSERT_EQ(points.size(), 569u);
  std::ifstream file(root() / "bench" / "README.md");
  std::ostringstream page;
  page << file.rdbuf();

  std::string table;
  std::map<std::string, int> predicted_points;
  std::map<std::string, int> misses;
  for (const Point& point : points) {
    const std::optional<double> predicted = prediction(point);
    if (!predicted) continue;
    const std::string series = concat(point.system, " ", point.algorithm);
    ++predicted_points[series];
    if (!(std::abs(*predicted / point.published - 1) <= 0.15)) ++misses[series];
    table += row(point, *predicted);
  }
  EXPECT_EQ(predicted_points["Summit V100 nccl2.3 ring"], 9);
  EXPECT_EQ(misses["Summit V100 nccl2.3 ring"], 0);
  EXPECT_EQ(predicted_points["Summit V100 nccl2.4 tree"], 9);
  EXPECT_EQ(misses["Summit V100 nccl2.4 tree"], 0);
  EXPECT_EQ(predicted_points["MareNostrum5 H100 nccl_ring"], 10);
  EXPECT_EQ(misses["MareNostrum5 H100 nccl_ring"], 0);
  EXPECT_EQ(predicted_points["MareNostrum5 H100 nccl_tree"], 5);
  EXPECT_LE(misses["MareNostrum5 H100 nccl_tree"], 1);
  EXPECT_NE(page.str().find(table), std::string::npos)
      << "bench/README.md does not have this table:\n"
      << table;
}

}  // namespace
}  // namespace rondo::testing
