#include "api/text_file.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

namespace rondo {

Result<std::string> read_text_file(const std::string& path) {
  // A folder can be opened, and then looks like an empty file.
  std::error_code ignored;
  if (std::filesystem::is_directory(path, ignored)) {
    return Error(ErrorCode::io, std::strerror(EISDIR));
  }
  std::ifstream file(path);
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) return Error(ErrorCode::io, std::strerror(errno));
  return text.str();
}

}  // namespace rondo
