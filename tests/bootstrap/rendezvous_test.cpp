#include "bootstrap/rendezvous.hpp"

#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "harness/folder.hpp"
#include "variables.hpp"

namespace rondo {
namespace {

namespace fs = std::filesystem;
using test::lookup_in;

class RendezvousFile : public ::testing::Test {
 protected:
  std::string local_path() const {
    return local_rendezvous(lookup_in({{"XDG_RUNTIME_DIR", folder_.path()}}), "job").substr(5);
  }

  testing::Folder folder_;
};

TEST_F(RendezvousFile, IsThereWhileRankZeroGathers) {
  const std::string path = local_path();
  EXPECT_EQ(read_publication(path), std::nullopt);
  {
    const Result<Publication> publication = Publication::write(path, {"127.0.0.1", 4711});
    ASSERT_TRUE(publication.ok()) << publication.error().text();
    struct stat status = {};
    ASSERT_EQ(::stat(fs::path(path).parent_path().c_str(), &status), 0);
    EXPECT_EQ(status.st_mode & 0777, 0700u);
    const std::optional<process::Address> address = read_publication(path);
    ASSERT_TRUE(address.has_value());
    EXPECT_EQ(address->host, "127.0.0.1");
    EXPECT_EQ(address->port, 4711);
  }
  EXPECT_TRUE(fs::is_empty(folder_.path())) << "file and directory are gone";
}

TEST_F(RendezvousFile, TheDirectoryStaysWhileAnotherJobUsesIt) {
  const std::string path = local_path();
  const Result<Publication> other = Publication::write(path + "2", {"127.0.0.1", 1});
  { const Result<Publication> publication = Publication::write(path, {"127.0.0.1", 4711}); }
  EXPECT_TRUE(read_publication(path + "2").has_value());
}

TEST_F(RendezvousFile, ReplacesAStaleOneAndLeavesItsSuccessor) {
  const std::string path = folder_.path("root");
  std::optional<Result<Publication>> first(Publication::write(path, {"127.0.0.1", 1}));
  const Result<Publication> second = Publication::write(path, {"::1", 2});
  first.reset();
  const std::optional<process::Address> address = read_publication(path);
  ASSERT_TRUE(address.has_value());
  EXPECT_EQ(address->host, "::1");
}

TEST_F(RendezvousFile, ADirectoryThatOthersMayEnterIsRefused) {
  const std::string path = local_path();
  fs::create_directory(fs::path(path).parent_path());
  ::chmod(fs::path(path).parent_path().c_str(), 0755);
  const Result<Publication> publication = Publication::write(path, {"127.0.0.1", 1});
  ASSERT_FALSE(publication.ok());
  EXPECT_NE(publication.error().text().find("mode 0700"), std::string::npos);
}

TEST_F(RendezvousFile, ADirectoryThatIsALinkIsRefused) {
  const std::string path = local_path();
  fs::create_directory(folder_.path("elsewhere"));
  fs::create_directory_symlink(folder_.path("elsewhere"), fs::path(path).parent_path());
  EXPECT_FALSE(Publication::write(path, {"127.0.0.1", 1}).ok());
}

TEST_F(RendezvousFile, NonsenseIsNoAddress) {
  const std::string path = folder_.path("root");
  for (const char* text : {"", "\n", "127.0.0.1:80", "127.0.0.1\n", "file:/etc\n", "a:b\n"}) {
    std::ofstream(path) << text;
    EXPECT_EQ(read_publication(path), std::nullopt) << text;
  }
  std::ofstream(path) << std::string(100'000, 'a');
  EXPECT_EQ(read_publication(path), std::nullopt);
  fs::remove(path);
  ASSERT_EQ(::mkfifo(path.c_str(), 0600), 0);
  EXPECT_EQ(read_publication(path), std::nullopt) << "a pipe must not block";
}

TEST_F(RendezvousFile, WithoutARuntimeDirectoryItIsBelowTmp) {
  const std::string expected = "file:/tmp/rondo-" + std::to_string(::geteuid()) + "/";
  EXPECT_TRUE(local_rendezvous(lookup_in({}), "job").starts_with(expected));
  const auto missing = lookup_in({{"XDG_RUNTIME_DIR", folder_.path("missing")}});
  EXPECT_TRUE(local_rendezvous(missing, "job").starts_with(expected));
}

TEST(Rendezvous, Parses) {
  const Result<Rendezvous> range = parse_rendezvous("X", "[fe80::1]:20000-20007");
  ASSERT_TRUE(range.ok());
  EXPECT_EQ(range.value().host, "fe80::1");
  EXPECT_EQ(range.value().first_port, 20000);
  EXPECT_EQ(range.value().last_port, 20007);
  EXPECT_EQ(to_text(process::Address{"fe80::1", 5}), "[fe80::1]:5");
  EXPECT_EQ(to_text(process::Address{"node", 5}), "node:5");
}

}  // namespace
}  // namespace rondo
