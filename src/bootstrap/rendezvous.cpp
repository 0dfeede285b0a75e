#include "bootstrap/rendezvous.hpp"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <utility>

#include "base/descriptor.hpp"
#include "base/text.hpp"
#include "bootstrap/environment.hpp"
#include "bootstrap/wire.hpp"

namespace rondo {

namespace {

constexpr std::string_view file_scheme = "file:";
constexpr std::string_view expected =
    "HOST:PORT with a port from 1 to 65535, such as node7:29400, or file:PATH";
constexpr int port_most = 65535;
constexpr int attempts_most = 100;

std::string own_directory_name() {
  return concat("rondo-", ::geteuid());
}

std::string parent_of(const std::string& path) {
  const std::size_t slash = path.rfind('/');
  return slash == std::string::npos ? "." : path.substr(0, slash);
}

/// Only the directory that local_rendezvous() names, and those of `rondo run`, are made and removed
/// here. A program that forms a second world finds the latter gone.
bool is_own_directory(const std::string& directory) {
  const std::size_t slash = directory.rfind('/');
  if (slash == std::string::npos) return false;
  const std::string_view name = std::string_view(directory).substr(slash + 1);
  return name == own_directory_name() || name.starts_with(run_directory_prefix);
}

Result<> make_own_directory(const std::string& directory) {
  if (::mkdir(directory.c_str(), 0700) != 0 && errno != EEXIST) {
    return system_error(concat("cannot make the directory ", directory), errno);
  }
  struct stat status = {};
  if (::lstat(directory.c_str(), &status) != 0) {
    if (errno == ENOENT) return {};  // a rank of another job has just removed it: try again
    return system_error(concat("cannot look at the directory ", directory), errno);
  }
  if (!S_ISDIR(status.st_mode) || status.st_uid != ::geteuid() || (status.st_mode & 077) != 0) {
    return Error(ErrorCode::io,
                 concat(directory, " must be a directory of this user alone (mode 0700) and is ",
                        "not; remove it, or set RONDO_STORE=file:PATH to another place"));
  }
  return {};
}

/// Opens a fresh file beside the final one.
Result<Descriptor> open_draft(const std::string& path, const std::string& draft) {
  const std::string directory = parent_of(path);
  for (int attempt = 0;; ++attempt) {
    if (is_own_directory(directory)) {
      const Result<> made = make_own_directory(directory);
      if (!made) return made.error();
    }
    Descriptor file(
        ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600));
    if (file) return file;
    const bool removed_meanwhile = errno == ENOENT && is_own_directory(directory);
    if (!removed_meanwhile || attempt == attempts_most) {
      return system_error(concat("cannot write the rendezvous file ", draft), errno);
    }
  }
}

}  // namespace

Result<Rendezvous> parse_rendezvous(std::string_view variable, std::string_view text) {
  Rendezvous place;
  if (text.starts_with(file_scheme)) {
    place.path = text.substr(file_scheme.size());
    if (place.path.empty() || place.path.ends_with('/')) {
      return malformed(variable, text, "file:PATH of a file that rank 0 can write");
    }
    return place;
  }
  const std::size_t colon = text.rfind(':');
  if (colon == std::string_view::npos) return malformed(variable, text, expected);
  std::string_view host = text.substr(0, colon);
  const std::string_view ports = text.substr(colon + 1);
  const bool bracketed = host.starts_with('[') && host.ends_with(']') && host.size() > 2;
  if (bracketed) host = host.substr(1, host.size() - 2);
  if (host.empty() || (!bracketed && host.find(':') != std::string_view::npos)) {
    return malformed(variable, text, concat(expected, "; an IPv6 address needs brackets"));
  }
  const std::size_t dash = ports.find('-');
  const auto first = parse_integer(ports.substr(0, dash), 1, port_most);
  const auto last = dash == std::string_view::npos
                        ? first
                        : parse_integer(ports.substr(dash + 1), first.value_or(1), port_most);
  if (!first || !last) return malformed(variable, text, expected);
  place.host = host;
  place.first_port = static_cast<std::uint16_t>(*first);
  place.last_port = static_cast<std::uint16_t>(*last);
  return place;
}

std::string to_text(const process::Address& address) {
  if (address.host.find(':') == std::string::npos) return concat(address.host, ":", address.port);
  return concat("[", address.host, "]:", address.port);
}

std::string local_rendezvous(const Lookup& lookup, std::string_view job) {
  std::string base = text_of(lookup, "XDG_RUNTIME_DIR").value_or("");
  struct stat status = {};
  // Some launchers carry the variable to hosts where the user has no such directory.
  const bool usable = base.starts_with('/') && ::stat(base.c_str(), &status) == 0 &&
                      S_ISDIR(status.st_mode) && status.st_uid == ::geteuid();
  if (!usable) base = "/tmp";
  while (base.ends_with('/')) base.pop_back();
  constexpr std::string_view digits = "0123456789abcdef";
  std::string name;
  for (const std::byte byte : wire::key_of(job)) {
    name += digits[std::to_integer<std::size_t>(byte >> 4)];
    name += digits[std::to_integer<std::size_t>(byte & std::byte{15})];
  }
  return concat(file_scheme, base, "/", own_directory_name(), "/", name);
}

Result<Publication> Publication::write(const std::string& path, const process::Address& address) {
  const std::string draft = concat(path, ".", ::getpid(), ".", ::gettid());
  Result<Descriptor> file = open_draft(path, draft);
  if (!file) return file.error();
  const std::string text = to_text(address) + "\n";
  struct stat status = {};
  const bool complete =
      ::write(file.value().fd(), text.data(), text.size()) == static_cast<ssize_t>(text.size()) &&
      ::fstat(file.value().fd(), &status) == 0 && ::rename(draft.c_str(), path.c_str()) == 0;
  if (!complete) {
    const Error error = system_error(concat("cannot write the rendezvous file ", path), errno);
    ::unlink(draft.c_str());
    return error;
  }
  return Publication(path, status.st_ino);
}

Publication::Publication(Publication&& other) noexcept
    : path_(std::exchange(other.path_, {})), inode_(other.inode_) {}

Publication::~Publication() {
  if (path_.empty()) return;
  struct stat status = {};
  // Another run of the same job may have put its own file there meanwhile.
  if (::lstat(path_.c_str(), &status) == 0 && status.st_ino == inode_) ::unlink(path_.c_str());
  const std::string directory = parent_of(path_);
  if (is_own_directory(directory)) ::rmdir(directory.c_str());  // fails while others use it
}

std::optional<process::Address> read_publication(const std::string& path) {
  const Descriptor file(::open(path.c_str(), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC));
  struct stat status = {};
  if (!file || ::fstat(file.fd(), &status) != 0) return std::nullopt;
  if (!S_ISREG(status.st_mode) || status.st_uid != ::geteuid()) return std::nullopt;
  std::array<char, 512> buffer;
  const ssize_t length = ::read(file.fd(), buffer.data(), buffer.size());
  if (length <= 0) return std::nullopt;
  const std::string_view text(buffer.data(), static_cast<std::size_t>(length));
  if (!text.ends_with('\n')) return std::nullopt;
  const Result<Rendezvous> place = parse_rendezvous(path, text.substr(0, text.size() - 1));
  if (!place || !place.value().path.empty()) return std::nullopt;
  return process::Address{place.value().host, place.value().first_port};
}

}  // namespace rondo
