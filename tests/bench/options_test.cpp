#include "bench/options.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace rondo::bench {
namespace {

using ::testing::HasSubstr;

Result<Options> parse(const std::vector<const char*>& arguments) {
  return parse_options(arguments);
}

std::string refusal(const std::vector<const char*>& arguments) {
  const Result<Options> options = parse(arguments);
  EXPECT_FALSE(options.ok());
  return options ? "" : options.error().text();
}

TEST(ParseOptions, TheCollectiveAloneGivesTheDefaults) {
  const Result<Options> options = parse({"reduce_scatter"});
  ASSERT_TRUE(options.ok());
  Options expected;
  expected.collective = Collective::reduce_scatter;
  EXPECT_EQ(options.value(), expected);
}

TEST(ParseOptions, TakesTheFlagsOfNcclTests) {
  const Result<Options> options = parse(
      {"-b", "8",    "-e", "128M", "-f", "2",   "-n", "30", "-w", "3", "broadcast", "-c",      "0",
       "-d", "half", "-o", "max",  "-r", "all", "-z", "1",  "-a", "3", "-J",        "out.json"});
  ASSERT_TRUE(options.ok()) << options.error().text();
  const Options& o = options.value();
  EXPECT_EQ(o.collective, Collective::broadcast);
  EXPECT_EQ(o.min_bytes, 8u);
  EXPECT_EQ(o.max_bytes, std::size_t{128} << 20);
  EXPECT_EQ(o.step_factor, 2u);
  EXPECT_EQ(o.iterations, 30);
  EXPECT_EQ(o.warmup, 3);
  EXPECT_EQ(o.check, Check::off);
  EXPECT_EQ(o.dtypes, std::vector{DType::f16});
  EXPECT_EQ(o.ops, std::vector{Op::max});
  EXPECT_TRUE(o.all_roots);
  EXPECT_TRUE(o.blocking);
  EXPECT_EQ(o.over, Over::maximum);
  EXPECT_EQ(o.json_file, "out.json");
}

TEST(ParseOptions, BuffersAreUsualAllocatedOrRegistered) {
  EXPECT_EQ(parse({"allreduce"}).value().reading, InPlaceReading::none);
  EXPECT_EQ(parse({"allreduce", "-R", "1"}).value().reading, InPlaceReading::allocated);
  EXPECT_EQ(parse({"allreduce", "-R", "2"}).value().reading, InPlaceReading::registered);
  EXPECT_THAT(refusal({"allreduce", "-R", "3"}), HasSubstr("0, 1 or 2"));
}

TEST(ParseOptions, DeviceTakesNoValue) {
  const Result<Options> options = parse({"--device", "allreduce", "-z", "1"});
  ASSERT_TRUE(options.ok()) << options.error().text();
  EXPECT_TRUE(options.value().device);
  EXPECT_TRUE(options.value().blocking);
  EXPECT_THAT(refusal({"allreduce", "--device=0"}), HasSubstr("--device 0: expected no value"));
  EXPECT_THAT(refusal({"barrier", "--device"}), HasSubstr("barrier has no buffers in device"));
  EXPECT_THAT(refusal({"sendrecv", "--device"}), HasSubstr("sendrecv has no buffers in device"));
  const Result<Options> direct = parse({"allreduce", "--device", "-R", "2"});
  ASSERT_TRUE(direct);
  EXPECT_EQ(direct.value().reading, InPlaceReading::registered);
  EXPECT_EQ(direct.value().device_order, "");
  EXPECT_EQ(parse({"allreduce", "--device-packets", "4K"}).value().device_packets, 4096u);
  EXPECT_THAT(refusal({"allreduce", "--device-packets", "many"}), HasSubstr("--device-packets"));
  EXPECT_EQ(parse({"allreduce", "--device", "--device-order=kernels"}).value().device_order,
            "kernels");
}

TEST(ParseOptions, GraphsAreForDevices) {
  EXPECT_TRUE(parse({"allreduce", "--device", "-G", "1"}).value().graph);
  EXPECT_FALSE(parse({"allreduce", "--device", "--cudagraph=0"}).value().graph);
  EXPECT_THAT(refusal({"allreduce", "--device-order", "kernels"}),
              HasSubstr("--device-order kernels: is for --device only"));
  EXPECT_THAT(refusal({"allreduce", "-G", "1"}), HasSubstr("for --device only"));
  EXPECT_THAT(refusal({"allreduce", "--device", "-G", "2"}), HasSubstr("0 or 1"));
}

TEST(ParseOptions, TakesLongFlagsWithAndWithoutEqualsSign) {
  const Result<Options> options =
      parse({"allreduce", "--minbytes=1K", "--stepbytes", "1K", "--transport=inproc", "--ranks=3",
             "--tile", "64K", "--json=a=b"});
  ASSERT_TRUE(options.ok()) << options.error().text();
  EXPECT_EQ(options.value().min_bytes, 1024u);
  EXPECT_EQ(options.value().step_bytes, 1024u);
  EXPECT_EQ(options.value().ranks, 3);
  EXPECT_EQ(options.value().tile_bytes, std::size_t{65536});
  EXPECT_EQ(options.value().json_file, "a=b");
}

TEST(ParseOptions, AllMeansAllTypesAndOperations) {
  const Result<Options> options = parse({"allreduce", "-d", "all", "-o", "all"});
  ASSERT_TRUE(options.ok());
  EXPECT_EQ(options.value().dtypes.size(), std::size_t{dtype_count});
  EXPECT_EQ(options.value().ops.size(), std::size_t{op_count});
}

TEST(ParseOptions, RefusalsNameTheFlagTheValueAndWhatIsAllowed) {
  EXPECT_THAT(refusal({"allreduce", "-o", "bxor"}),
              HasSubstr("-o bxor is defined for integers only: give a type with -d"));
  EXPECT_TRUE(parse({"allreduce", "-o", "bxor", "-d", "all"}).ok());
  EXPECT_TRUE(parse({"broadcast", "-o", "bxor"}).ok());
  EXPECT_THAT(refusal({"allreduce", "-d", "f8"}), HasSubstr("-d f8: expected all, or one of i8"));
  EXPECT_THAT(refusal({"allreduce", "-b", "-4"}), HasSubstr("-b -4: expected bytes"));
  EXPECT_THAT(refusal({"allreduce", "-f", "1"}), HasSubstr("-f 1: expected a whole number from 2"));
  EXPECT_THAT(refusal({"allreduce", "-n", "0"}), HasSubstr("-n 0"));
  EXPECT_THAT(refusal({"allreduce", "-z", "2"}), HasSubstr("-z 2: expected 0 or 1"));
  EXPECT_THAT(refusal({"allreduce", "--algorithm=star"}), HasSubstr("--algorithm star"));
  EXPECT_THAT(refusal({"allreduce", "-e"}), HasSubstr("-e (nothing)"));
  EXPECT_THAT(refusal({"allreduce", "--frobnicate", "1"}), HasSubstr("unknown flag --frobnicate"));
  EXPECT_THAT(refusal({"allredcue"}), HasSubstr("collective allredcue: expected one of allreduce"));
  EXPECT_THAT(refusal({"allreduce", "reduce"}), HasSubstr("collective reduce"));
  EXPECT_THAT(refusal({}), HasSubstr("which collective?"));
}

TEST(ParseOptions, RefusesFlagsThatContradictEachOther) {
  EXPECT_THAT(refusal({"allreduce", "-b", "8", "-e", "4"}), HasSubstr("-e 4 is less than -b 8"));
  EXPECT_THAT(refusal({"allreduce", "-f", "2", "-i", "8"}), HasSubstr("-f and -i"));
  EXPECT_THAT(refusal({"allreduce", "-b", "0"}), HasSubstr("-b 0"));
  EXPECT_THAT(refusal({"allreduce", "--ranks", "2"}), HasSubstr("--transport inproc"));
  EXPECT_THAT(refusal({"allreduce", "--transport", "inproc"}), HasSubstr("--ranks N"));
  EXPECT_THAT(refusal({"allreduce", "-w", "0"}), HasSubstr("-w 0"));
  EXPECT_TRUE(parse({"allreduce", "-w", "0", "-n", "5"}).ok());
}

TEST(ParseOptions, OneSideCanBeLeftOut) {
  EXPECT_EQ(parse({"allreduce"}).value().sides, Sides::both);
  EXPECT_EQ(parse({"allreduce", "--side", "out"}).value().sides, Sides::out_of_place);
  EXPECT_EQ(parse({"allreduce", "--side=in"}).value().sides, Sides::in_place);
  EXPECT_THAT(refusal({"allreduce", "--side", "left"}), HasSubstr("--side left: expected both"));
  EXPECT_THAT(refusal({"sendrecv", "--side", "in"}), HasSubstr("sendrecv is never in place"));
  EXPECT_THAT(refusal({"barrier", "--side", "in"}), HasSubstr("barrier is never in place"));
  EXPECT_TRUE(parse({"barrier", "--side", "out"}).ok());
}

TEST(ParseOptions, MessagesHaveNoSchedule) {
  const Result<Options> options = parse({"sendrecv", "-e", "1K"});
  ASSERT_TRUE(options.ok()) << options.error().text();
  EXPECT_EQ(options.value().collective, std::nullopt);
  EXPECT_THAT(refusal({"sendrecv", "--algorithm", "ring"}), HasSubstr("sendrecv has no schedule"));
  EXPECT_THAT(refusal({"sendrecv", "--tile", "4K"}), HasSubstr("sendrecv has no schedule"));
}

TEST(HelpText, NamesEveryCollectiveAndFlag) {
  const std::string help = help_text("rondo-perf");
  for (int i = 0; i < collective_count; ++i) {
    EXPECT_THAT(help, HasSubstr(std::string(name(static_cast<Collective>(i)))));
  }
  EXPECT_THAT(help, HasSubstr("exscan, sendrecv"));
  for (const char* flag :
       {"-b,", "-e,", "-f,", "-i,", "-n,", "-w,", "-c,", "-d,", "-o,", "-r,", "-z,", "-a,", "-J,",
        "-h,", "--side", "--transport", "--ranks", "--algorithm", "--tile"}) {
    EXPECT_THAT(help, HasSubstr(flag));
  }
}

}  // namespace
}  // namespace rondo::bench
