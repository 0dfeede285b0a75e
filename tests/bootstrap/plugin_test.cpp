#include "bootstrap/plugin.hpp"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "bootstrap/variables.hpp"

namespace rondo {
namespace {

constexpr Plugin plugin = {"librondo-none.so.0", "transport none", "nothing"};

TEST(Plugin, FoldersThatAreNamedGoFirstAndTheSystemsPlacesLast) {
  const auto places = plugin_places(test::lookup_in({{"RONDO_PLUGIN_PATH", "/a::/b"}}), plugin);
  ASSERT_EQ(places.size(), 5u);
  EXPECT_EQ(places[0], "/a/librondo-none.so.0");
  EXPECT_EQ(places[1], "/b/librondo-none.so.0");
  EXPECT_TRUE(places[2].ends_with("/librondo-none.so.0")) << places[2];
  EXPECT_TRUE(places[3].starts_with("/") && places[3] != places[2]) << places[3];
  EXPECT_EQ(places[4], "librondo-none.so.0");
  EXPECT_EQ(plugin_places(test::lookup_in({}), plugin).size(), 3u);
}

TEST(Plugin, OneThatIsNotThereIsAnErrorThatSaysWhatWasTried) {
  const auto lookup = test::lookup_in({{"RONDO_PLUGIN_PATH", "/a"}});
  const Result<void*> entry = load_plugin(lookup, plugin, RTLD_NOW, "open");
  ASSERT_FALSE(entry);
  EXPECT_EQ(entry.error().code(), ErrorCode::unsupported);
  const std::string text = entry.error().text();
  EXPECT_EQ(text.find("transport none needs librondo-none.so.0, which is built where nothing"), 0u)
      << text;
  EXPECT_NE(text.find("it is not in /a, "), std::string::npos) << text;
}

TEST(Plugin, OneThatCannotBeLoadedIsNotToldAsMissing) {
  const std::filesystem::path folder = testing::TempDir() + "rondo-broken-plugin";
  std::filesystem::create_directories(folder);
  std::ofstream(folder / "librondo-none.so.0") << "no library";
  const auto lookup = test::lookup_in({{"RONDO_PLUGIN_PATH", folder.string()}});
  const Result<void*> entry = load_plugin(lookup, plugin, RTLD_NOW, "open");
  std::filesystem::remove_all(folder);
  ASSERT_FALSE(entry);
  const std::string text = entry.error().text();
  EXPECT_NE(text.find("which is there, but cannot be loaded: " + folder.string()),
            std::string::npos)
      << text;
}

TEST(Plugin, ALibraryWithoutTheFunctionIsOfAnotherVersion) {
  constexpr Plugin other = {"libc.so.6", "this test", "glibc"};
  const Result<void*> entry = load_plugin(test::lookup_in({}), other, RTLD_NOW, "rondo_none");
  ASSERT_FALSE(entry);
  EXPECT_NE(entry.error().text().find("it has no rondo_none"), std::string::npos);
  EXPECT_TRUE(load_plugin(test::lookup_in({}), other, RTLD_NOW, "strlen"));
}

}  // namespace
}  // namespace rondo
