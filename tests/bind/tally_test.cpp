#include "bind/drop_in/tally.hpp"

#include <gtest/gtest.h>

#include <string>

namespace rondo::bind {
namespace {

const Teller teller{"component", "Open MPI v4.1.4", "measured", 0, 4, 3};

Tally some_calls() {
  Tally tally;
  tally.communicators = 2;
  tally.formed = 1;
  KindTally& sums = tally.of(Kind::allreduce);
  sums.taken.add(8, 0.25);
  sums.taken.add(8, 0.25);
  sums.saved_seconds = 0.5;
  sums.passed[static_cast<std::size_t>(Reason::user_op)].add(16, 1);
  sums.passed[static_cast<std::size_t>(Reason::early)].add(8, 1);
  sums.passed[static_cast<std::size_t>(Reason::early)].add(8, 1);
  return tally;
}

TEST(Tally, AddsUp) {
  Tally tally = some_calls();
  tally += some_calls();
  EXPECT_EQ(tally.communicators, 4u);
  EXPECT_EQ(tally.of(Kind::allreduce).taken.calls, 4u);
  EXPECT_EQ(tally.of(Kind::allreduce).taken.bytes, 32u);
  EXPECT_EQ(tally.of(Kind::allreduce).all_passed().calls, 6u);
  EXPECT_EQ(tally.of(Kind::allreduce).saved_seconds, 1);
  EXPECT_EQ(tally.of(Kind::bcast).taken.calls, 0u);
}

TEST(Tally, Json) {
  Tally tally = some_calls();
  tally.findings.push_back({4, Kind::allreduce, TypeClass::f64, 8, {1500, 2500}, Way::rondo});
  EXPECT_EQ(
      json(teller, tally),
      "{\n"
      "  \"form\": \"component\",\n"
      "  \"mpi\": \"Open MPI v4.1.4\",\n"
      "  \"mode\": \"measured\",\n"
      "  \"ranks\": 4,\n"
      "  \"counted_ranks\": 3,\n"
      "  \"communicators\": 2,\n"
      "  \"formed\": 1,\n"
      "  \"forming_seconds\": 0,\n"
      "  \"total\": {\"taken\": {\"calls\": 2, \"bytes\": 16, \"seconds\": 0.5, "
      "\"saved_seconds\": 0.5}, \"passed\": {\"calls\": 3, \"bytes\": 32, \"seconds\": 3, "
      "\"why\": {\"few calls so far\": {\"calls\": 2, \"bytes\": 16, \"seconds\": 2}, "
      "\"user operation\": {\"calls\": 1, \"bytes\": 16, \"seconds\": 1}}}},\n"
      "  \"collectives\": {\n"
      "    \"MPI_Allreduce\": {\"taken\": {\"calls\": 2, \"bytes\": 16, \"seconds\": 0.5, "
      "\"saved_seconds\": 0.5}, \"passed\": {\"calls\": 3, \"bytes\": 32, \"seconds\": 3, "
      "\"why\": {\"few calls so far\": {\"calls\": 2, \"bytes\": 16, \"seconds\": 2}, "
      "\"user operation\": {\"calls\": 1, \"bytes\": 16, \"seconds\": 1}}}}\n"
      "  },\n"
      "  \"findings\": [\n"
      "    {\"collective\": \"MPI_Allreduce\", \"ranks\": 4, \"type\": \"f64\", \"bytes\": 8, "
      "\"rondo_us\": 1.5, \"below_us\": 2.5, \"taken\": true}\n"
      "  ]\n"
      "}\n");
}

TEST(Tally, JsonOfTextsWithSpecialCharacters) {
  const std::string text = json({"a\"b", "MPICH Version:\t4.0.2", "c\\d", 0, 2}, {});
  EXPECT_NE(text.find("\"form\": \"a\\\"b\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"mpi\": \"MPICH Version: 4.0.2\""), std::string::npos) << text;
  EXPECT_NE(text.find("\"mode\": \"c\\\\d\""), std::string::npos) << text;
}

TEST(Tally, TableNamesReasonsByFrequency) {
  const std::string text = table(teller, some_calls());
  EXPECT_NE(text.find("1 of 2 communicators taken"), std::string::npos) << text;
  EXPECT_NE(text.find("MPI_Allreduce"), std::string::npos) << text;
  EXPECT_NE(text.find("few calls so far 2, user operation 1"), std::string::npos) << text;
  EXPECT_EQ(text.find("MPI_Bcast"), std::string::npos) << text;
}

TEST(Tally, EveryKindAndReasonHasAName) {
  for (const std::string_view name : kind_names) EXPECT_TRUE(name.starts_with("MPI_"));
  for (const std::string_view name : reason_names) EXPECT_FALSE(name.empty());
}

}  // namespace
}  // namespace rondo::bind
