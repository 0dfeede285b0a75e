#pragma once

// Where rank 0 can be found: at a host and port that all ranks know, or in a file that it writes.

#include <sys/types.h>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "bootstrap/world.hpp"
#include "rondo/error.hpp"
#include "transport/tcp/socket.hpp"

namespace rondo {

/// How the names of the directories begin that `rondo run` makes for one world each. Who forms the
/// world removes the directory, in case nobody else is left to do it.
inline constexpr std::string_view run_directory_prefix = "rondo-run-";

struct Rendezvous {
  std::string path;  ///< of the file; empty when the host is known
  std::string host;
  std::uint16_t first_port = 0;
  std::uint16_t last_port = 0;  ///< rank 0 takes the first free one from first_port on
};

/// Reads "file:PATH", "host:port", "host:first-last", "[IPv6]:port".
/// Errors: invalid_argument that begins with `variable`.
Result<Rendezvous> parse_rendezvous(std::string_view variable, std::string_view text);

/// "host:port", with brackets around an IPv6 address.
std::string to_text(const process::Address& address);

/// The rendezvous of ranks that share this host: a file with a name made of the job's, in a
/// directory of this user below $XDG_RUNTIME_DIR, or below /tmp where that is no directory.
std::string local_rendezvous(const Lookup& lookup, std::string_view job);

/// The file in which rank 0 says where it is. It is gone when this object is.
class Publication {
 public:
  /// Puts the file there in one step, so that nobody reads half of it. The user's own rondo
  /// directory is made if need be, and refused when somebody else made it.
  static Result<Publication> write(const std::string& path, const process::Address& address);
  Publication(Publication&& other) noexcept;
  Publication& operator=(Publication&&) = delete;
  ~Publication();

 private:
  Publication(std::string path, ino_t inode) : path_(std::move(path)), inode_(inode) {}

  std::string path_;
  ino_t inode_ = 0;
};

/// What the file says; nothing while it is missing, or not this user's, or not an address.
std::optional<process::Address> read_publication(const std::string& path);

}  // namespace rondo
