#include "bootstrap/mpi_bridge.hpp"

#include <gtest/gtest.h>

#include "bootstrap/variables.hpp"

namespace rondo {
namespace {

TEST(MpiBridge, FoldersThatAreNamedGoFirstAndTheSystemsPlacesLast) {
  const auto places = bridge_places(test::lookup_in({{"RONDO_PLUGIN_PATH", "/a::/b"}}));
  ASSERT_EQ(places.size(), 5u);
  EXPECT_EQ(places[0], "/a/librondo-mpi-bridge.so.0");
  EXPECT_EQ(places[1], "/b/librondo-mpi-bridge.so.0");
  EXPECT_TRUE(places[2].ends_with("/librondo-mpi-bridge.so.0")) << places[2];
  EXPECT_TRUE(places[3].starts_with("/") && places[3] != places[2]) << places[3];
  EXPECT_EQ(places[4], "librondo-mpi-bridge.so.0");
  EXPECT_EQ(bridge_places(test::lookup_in({})).size(), 3u);
}

}  // namespace
}  // namespace rondo
