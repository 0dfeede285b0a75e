#include "api/cache_folder.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <sstream>

#include "base/text.hpp"
#include "bootstrap/environment.hpp"

namespace rondo {

namespace {

std::filesystem::path folder() {
  return cache_folder(process_environment);
}

}  // namespace

std::string cached_path(std::string_view name) {
  const std::filesystem::path place = folder();
  return place.empty() ? "" : (place / name).string();
}

std::optional<std::string> read_cached(std::string_view name) {
  std::ifstream file(cached_path(name));
  std::ostringstream text;
  if (file) text << file.rdbuf();
  if (!file) return std::nullopt;
  return text.str();
}

std::string cached_since(std::string_view name) {
  struct stat status = {};
  std::tm local = {};
  if (::stat(cached_path(name).c_str(), &status) != 0) return "";
  if (::localtime_r(&status.st_mtime, &local) == nullptr) return "";
  std::ostringstream text;
  text << std::put_time(&local, "%F %R");
  return text.str();
}

void write_cached(std::string_view name, std::string_view text) {
  static std::atomic<unsigned> writes = 0;
  const std::string path = cached_path(name);
  if (path.empty()) return;
  std::error_code failure;
  std::filesystem::create_directories(folder(), failure);
  const std::string draft = concat(path, ".", ::getpid(), ".", writes++, ".new");
  std::ofstream file(draft);
  file << text;
  file.close();
  if (file) std::filesystem::rename(draft, path, failure);
  if (!file || failure) std::filesystem::remove(draft, failure);
}

}  // namespace rondo
