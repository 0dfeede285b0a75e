#include "golden.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace rondo::testing {

void expect_golden(std::string_view name, const std::string& text) {
  const std::filesystem::path path = std::filesystem::path(GOLDEN_FOLDER) / name;
  if (std::getenv("RONDO_UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    return;
  }
  std::ifstream file(path);
  std::ostringstream golden;
  golden << file.rdbuf();
  EXPECT_EQ(text, golden.str())
      << "differs from " << path << "; if that is wanted, run\n"
      << "  RONDO_UPDATE_GOLDEN=1 meson test -C build schedule check topology";
}

}  // namespace rondo::testing
