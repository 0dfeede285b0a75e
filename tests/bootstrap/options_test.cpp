#include <gtest/gtest.h>

#include "bootstrap/environment.hpp"
#include "bootstrap/plugin.hpp"
#include "bootstrap/world.hpp"
#include "variables.hpp"

namespace rondo {
namespace {

using std::chrono::milliseconds;
using test::lookup_in;
using test::Variables;

Options options_of(const Variables& variables, const Options& options = {}) {
  const Result<Options> read = read_options(lookup_in(variables), options);
  EXPECT_TRUE(read.ok()) << read.error().text();
  return read ? read.value() : Options{};
}

TEST(Options, Defaults) {
  const Options options = options_of({});
  EXPECT_EQ(options.timeout, milliseconds(30'000));
  EXPECT_EQ(options.join_timeout, milliseconds(60'000));
  EXPECT_EQ(options.algorithm, Algorithm::automatic);
  EXPECT_EQ(options.radix, std::nullopt);
  EXPECT_TRUE(options.algorithms.empty());
  EXPECT_EQ(options.plan_file, std::nullopt);
  EXPECT_EQ(options.tile_bytes, std::nullopt);
  EXPECT_EQ(options.transport, "auto");
  EXPECT_EQ(options.shared_bytes, std::nullopt);
  EXPECT_EQ(options.device_order, "auto");
  EXPECT_EQ(options.device_packet_bytes, std::nullopt);
}

const Variables all = {
    {"RONDO_TIMEOUT_MS", "1500"},        {"RONDO_JOIN_TIMEOUT_MS", "2500"},
    {"RONDO_ALGORITHM", "double_tree"},  {"RONDO_RADIX", "4"},
    {"RONDO_TILE_BYTES", "256K"},        {"RONDO_TRANSPORT", "tcp"},
    {"RONDO_SHARED_BYTES", "64M"},       {"RONDO_TOPOLOGY", "/etc/rondo/topology"},
    {"RONDO_COSTS", "/etc/rondo/costs"}, {"RONDO_DEVICE_ORDER", "kernels"},
    {"RONDO_DEVICE_PACKET_BYTES", "4K"}};

TEST(Options, FromTheEnvironment) {
  const Options options = options_of(all);
  EXPECT_EQ(options.timeout, milliseconds(1500));
  EXPECT_EQ(options.join_timeout, milliseconds(2500));
  EXPECT_EQ(options.algorithm, Algorithm::double_tree);
  EXPECT_EQ(options.radix, 4);
  EXPECT_EQ(options.tile_bytes, std::size_t{256} << 10);
  EXPECT_EQ(options.shared_bytes, std::size_t{64} << 20);
  EXPECT_EQ(options.topology, "/etc/rondo/topology");
  EXPECT_EQ(options.costs, "/etc/rondo/costs");
  EXPECT_EQ(options.device_order, "kernels");
  EXPECT_EQ(options.device_packet_bytes, std::size_t{4096});
}

TEST(Options, TheCallerWins) {
  const Options options = options_of(all, {.timeout = milliseconds(7),
                                           .join_timeout = milliseconds(8),
                                           .algorithm = Algorithm::ring,
                                           .radix = 3,
                                           .tile_bytes = 9,
                                           .transport = "tcp",
                                           .shared_bytes = 1 << 20,
                                           .device_order = "streams",
                                           .device_packet_bytes = 0,
                                           .topology = "mine.topology",
                                           .costs = "mine.costs"});
  EXPECT_EQ(options.timeout, milliseconds(7));
  EXPECT_EQ(options.join_timeout, milliseconds(8));
  EXPECT_EQ(options.algorithm, Algorithm::ring);
  EXPECT_EQ(options.radix, 3);
  EXPECT_EQ(options.tile_bytes, std::size_t{9});
  EXPECT_EQ(options.shared_bytes, std::size_t{1} << 20);
  EXPECT_EQ(options.topology, "mine.topology");
  EXPECT_EQ(options.costs, "mine.costs");
  EXPECT_EQ(options.device_order, "streams");
  EXPECT_EQ(options.device_packet_bytes, std::size_t{0});
}

TEST(Options, AlgorithmsOfSingleCollectives) {
  const Options options =
      options_of({{"RONDO_ALGORITHM", "ring,broadcast:knomial,reduce:automatic"}});
  EXPECT_EQ(options.algorithm, Algorithm::ring);
  ASSERT_EQ(options.algorithms.size(), 2u);
  EXPECT_EQ(options.algorithms[0], std::pair(Collective::broadcast, Algorithm::knomial));
  EXPECT_EQ(options.algorithms[1], std::pair(Collective::reduce, Algorithm::automatic));
  EXPECT_EQ(options_of({{"RONDO_ALGORITHM", "allreduce:ring"}}).algorithm, Algorithm::automatic);
  for (const char* wrong : {"ring,", "dance:ring", "allreduce:dance", "broadcast:ring", ":ring"}) {
    const auto read = read_options(lookup_in(Variables{{"RONDO_ALGORITHM", wrong}}), {});
    ASSERT_FALSE(read.ok()) << wrong;
    EXPECT_NE(read.error().text().find("RONDO_ALGORITHM="), std::string::npos)
        << read.error().text();
  }
  // What the caller said takes the place of the variable.
  const Variables variables = {{"RONDO_ALGORITHM", "ring,broadcast:knomial"}};
  const Options own =
      options_of(variables, {.algorithms = {{Collective::reduce, Algorithm::knomial}}});
  EXPECT_EQ(own.algorithm, std::nullopt);
  EXPECT_EQ(own.algorithms.size(), 1u);
}

TEST(Options, BytesWithSuffixes) {
  EXPECT_EQ(options_of({{"RONDO_TILE_BYTES", "65536"}}).tile_bytes, std::size_t{65536});
  EXPECT_EQ(options_of({{"RONDO_TILE_BYTES", "4M"}}).tile_bytes, std::size_t{4} << 20);
  EXPECT_EQ(options_of({{"RONDO_TILE_BYTES", "1G"}}).tile_bytes, std::size_t{1} << 30);
}

TEST(Options, MalformedValuesNameVariableValueAndExpectation) {
  const std::vector<std::pair<std::string, std::vector<std::string>>> cases = {
      {"RONDO_TIMEOUT_MS", {"0", "-1", "1.5", "30s", "9999999999999999999999"}},
      {"RONDO_JOIN_TIMEOUT_MS", {"0", "soon"}},
      {"RONDO_ALGORITHM", {"Ring", "tree"}},
      {"RONDO_RADIX", {"1", "0x4", "65", "2000"}},
      {"RONDO_SHARED_BYTES", {"63K", "0", "-4K", "99999999G"}},
      {"RONDO_TILE_BYTES", {"2T", "K", "12X", "-4K", "99999999G", "4k"}},
      {"RONDO_TRANSPORT", {"udp"}},
      {"RONDO_DEVICE_ORDER", {"Kernels", "events"}},
      {"RONDO_DEVICE_PACKET_BYTES", {"2M", "-1", "some"}},
  };
  for (const auto& [variable, values] : cases) {
    for (const std::string& value : values) {
      const Result<Options> read = read_options(lookup_in({{variable, value}}), {});
      ASSERT_FALSE(read.ok()) << variable << "=" << value;
      EXPECT_EQ(read.error().code(), ErrorCode::invalid_argument);
      EXPECT_TRUE(read.error().text().starts_with(variable + "=" + value + ": expected "))
          << read.error().text();
    }
  }
}

TEST(Options, TheCallersValuesObeyTheSameLimits) {
  const std::vector<std::pair<Options, std::string>> cases = {
      {{.timeout = milliseconds(0)}, "Options::timeout=0"},
      {{.join_timeout = milliseconds(-5)}, "Options::join_timeout=-5"},
      {{.radix = 1}, "Options::radix=1"},
      {{.radix = max_radix + 1}, "Options::radix=65"},
      {{.tile_bytes = std::size_t{1} << 41}, "Options::tile_bytes=2199023255552"},
      {{.transport = "pigeon"}, "Options::transport=pigeon"},
      {{.algorithms = {{Collective::alltoall, Algorithm::ring}}},
       "Options::algorithms=alltoall:ring: expected an algorithm that alltoall has, one of "
       "one_shot"},
  };
  for (const auto& [options, expected] : cases) {
    const Result<Options> read = read_options(lookup_in({}), options);
    ASSERT_FALSE(read.ok()) << expected;
    EXPECT_TRUE(read.error().text().starts_with(expected)) << read.error().text();
  }
}

TEST(Options, TheInstructionSetIsOneThatThisMachineHas) {
  EXPECT_EQ(read_isa(lookup_in({})).value(), std::nullopt);
  EXPECT_EQ(read_isa(lookup_in({{"RONDO_ISA", "baseline"}})).value(), Isa::baseline);
  const auto read = read_isa(lookup_in({{"RONDO_ISA", "sse9"}}));
  ASSERT_FALSE(read.ok());
  EXPECT_TRUE(read.error().text().starts_with("RONDO_ISA=sse9")) << read.error().text();
  EXPECT_NE(read.error().text().find("baseline"), std::string::npos) << read.error().text();
}

TEST(Environment, TheCacheFolder) {
  Variables variables = {{"HOME", "/home/ann"}};
  EXPECT_EQ(cache_folder(lookup_in(variables)), "/home/ann/.cache/rondo");
  variables["XDG_CACHE_HOME"] = "relative";
  EXPECT_EQ(cache_folder(lookup_in(variables)), "/home/ann/.cache/rondo");
  variables["XDG_CACHE_HOME"] = "/var/cache";
  EXPECT_EQ(cache_folder(lookup_in(variables)), "/var/cache/rondo");
  variables["RONDO_CACHE_DIR"] = "here";
  EXPECT_EQ(cache_folder(lookup_in(variables)), "here");
  EXPECT_EQ(cache_folder(lookup_in({})), "");
}

TEST(Environment, EveryVariableThatIsReadIsInTheTable) {
  std::vector<std::string> asked;
  const Lookup recording = [&](std::string_view name) -> std::optional<std::string> {
    if (name.starts_with("RONDO_")) asked.emplace_back(name);
    if (name == "RONDO_RANK" || name == "RONDO_SIZE") return name == "RONDO_RANK" ? "1" : "2";
    if (name == "RONDO_ROOT") return "localhost:1234";
    return std::nullopt;
  };
  ASSERT_TRUE(read_options(recording, {}).ok());
  ASSERT_TRUE(read_launch(recording).ok());
  ASSERT_TRUE(read_isa(recording).ok());
  EXPECT_EQ(cache_folder(recording), "");
  EXPECT_FALSE(plugin_places(recording, {"librondo-none.so.0", "a test", "nothing"}).empty());
  for (const std::string& name : asked) {
    bool listed = false;
    for (const Variable& variable : environment_variables()) listed |= variable.name == name;
    EXPECT_TRUE(listed) << name;
  }
  for (const Variable& variable : environment_variables()) {
    if (variable.name.starts_with("RONDO_MPI") || variable.name.starts_with("RONDO_STATS")) {
      continue;  // read by the drop-in, whose test has them
    }
    EXPECT_NE(std::find(asked.begin(), asked.end(), variable.name), asked.end()) << variable.name;
    EXPECT_NE(environment_text().find(variable.name), std::string::npos);
  }
}

}  // namespace
}  // namespace rondo
