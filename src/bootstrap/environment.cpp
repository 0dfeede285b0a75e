#include "bootstrap/environment.hpp"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>

#include "base/text.hpp"

namespace rondo {

namespace {

constexpr std::array variables = {
    Variable{"RONDO_RANK", "rank of this process, from 0; set by rondo run, or by hand"},
    Variable{"RONDO_SIZE", "number of ranks; goes with RONDO_RANK"},
    Variable{"RONDO_LOCAL_RANK", "rank among the processes of this host"},
    Variable{"RONDO_LOCAL_SIZE", "number of ranks on this host"},
    Variable{"RONDO_ROOT", "host:port at which rank 0 gathers the others, for any launcher"},
    Variable{"RONDO_STORE",
             "file:PATH in which rank 0 writes where it is, or pmix; instead of RONDO_ROOT"},
    Variable{"RONDO_JOB", "name of the job; the same on all its ranks, unlike any other job's"},
    Variable{"RONDO_LISTEN", "address to listen on; default: the one that reaches rank 0"},
    Variable{"RONDO_TIMEOUT_MS", "deadline of one collective in milliseconds; default 30000"},
    Variable{"RONDO_JOIN_TIMEOUT_MS", "deadline for all ranks to come together; default 60000"},
    Variable{"RONDO_ALGORITHM",
             "an algorithm, or allreduce:ring,broadcast:knomial; default automatic"},
    Variable{"RONDO_RADIX", "radix of knomial trees; default automatic"},
    Variable{"RONDO_TILE_BYTES", "bytes of a segment on their way at once, such as 256K"},
    Variable{"RONDO_TRANSPORT",
             "what carries the data: auto (shm where it reaches, else tcp), shm, tcp or mpi"},
    Variable{"RONDO_SHARED_BYTES", "memory that a rank shares with its host; default 4M"},
    Variable{"RONDO_DEVICE_ORDER",
             "how steps on devices wait: auto, streams or kernels; see cuda/README.md"},
    Variable{"RONDO_DEVICE_PACKET_BYTES",
             "what goes between devices in packets, up to 1M; default 16K"},
    Variable{"RONDO_PLUGIN_PATH",
             "folders of librondo-mpi-bridge and librondo-cuda, with : between"},
    Variable{"RONDO_ISA", "instructions of reductions: baseline, avx2, avx512; default: the last"},
    Variable{"RONDO_TOPOLOGY", "file that says where the ranks live; rondo topo --text writes one"},
    Variable{"RONDO_COSTS", "file that says what links cost; rondo topo --costs writes one"},
    Variable{"RONDO_PLAN_FILE", "file of choices by collective and size; rondo tune writes one"},
    Variable{"RONDO_CACHE_DIR", "folder for what was found out; default ~/.cache/rondo"},
    Variable{"RONDO_MPI", "in MPI programs: measured, the default, always or off"},
    Variable{"RONDO_MPI_AFTER",
             "calls on a communicator of MPI's before rondo makes one; 64, and 1 s of running"},
    Variable{"RONDO_STATS", "file for what became of the calls of an MPI program, as JSON"},
    Variable{"RONDO_STATS_TABLE", "1: the same as a table on standard error"},
};

}  // namespace

std::span<const Variable> environment_variables() {
  return variables;
}

std::string environment_text() {
  std::size_t width = 0;
  for (const Variable& variable : variables) width = std::max(width, variable.name.size());
  std::string text;
  for (const Variable& variable : variables) {
    text += concat("  ", variable.name, std::string(width - variable.name.size() + 2, ' '),
                   variable.meaning, "\n");
  }
  return text;
}

std::optional<std::string> process_environment(std::string_view variable) {
  const char* const value = std::getenv(std::string(variable).c_str());
  if (value == nullptr) return std::nullopt;
  return value;
}

std::optional<std::string> text_of(const Lookup& lookup, std::string_view variable) {
  std::optional<std::string> text = lookup(variable);
  if (text && text->empty()) return std::nullopt;
  return text;
}

std::optional<std::string> first_text_of(const Lookup& lookup,
                                         std::span<const std::string_view> names) {
  for (const std::string_view name : names) {
    if (std::optional<std::string> text = text_of(lookup, name)) return text;
  }
  return std::nullopt;
}

std::string cache_folder(const Lookup& lookup) {
  if (const auto own = text_of(lookup, "RONDO_CACHE_DIR")) return *own;
  // Both have to be absolute; anything else would depend on where the program was started.
  const auto caches = text_of(lookup, "XDG_CACHE_HOME");
  if (caches && caches->front() == '/') return *caches + "/rondo";
  const auto home = text_of(lookup, "HOME");
  if (home && home->front() == '/') return *home + "/.cache/rondo";
  return "";
}

Error malformed(std::string_view variable, std::string_view value, std::string_view expected) {
  return Error(ErrorCode::invalid_argument, concat(variable, "=", value, ": expected ", expected));
}

std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t least,
                                          std::int64_t most) {
  std::int64_t number = 0;
  const char* const end = text.data() + text.size();
  const auto [stop, failure] = std::from_chars(text.data(), end, number);
  if (failure != std::errc{} || stop != end || number < least || number > most) {
    return std::nullopt;
  }
  return number;
}

Result<std::optional<std::int64_t>> integer_of(const Lookup& lookup, std::string_view variable,
                                               std::int64_t least, std::int64_t most) {
  const std::optional<std::string> text = text_of(lookup, variable);
  if (!text) return std::optional<std::int64_t>();
  const std::optional<std::int64_t> number = parse_integer(*text, least, most);
  if (!number) {
    return malformed(variable, *text, concat("a whole number from ", least, " to ", most));
  }
  return number;
}

Result<std::optional<std::int64_t>> bytes_of(const Lookup& lookup, std::string_view variable,
                                             std::int64_t least, std::int64_t most) {
  const std::optional<std::string> text = text_of(lookup, variable);
  if (!text) return std::optional<std::int64_t>();
  constexpr std::string_view suffixes = "KMG";
  const std::size_t suffix = suffixes.find(text->back());
  const bool has_suffix = suffix != std::string_view::npos;
  const std::int64_t unit = has_suffix ? std::int64_t{1} << (10 * (suffix + 1)) : 1;
  const std::string_view digits(text->data(), text->size() - (has_suffix ? 1 : 0));
  const std::optional<std::int64_t> number = parse_integer(digits, 0, most / unit);
  if (!number || *number * unit < least) {
    return malformed(
        variable, *text,
        concat("a number of bytes from ", least, " to ", most, ", such as 65536, 256K or 4M"));
  }
  return std::optional(*number * unit);
}

}  // namespace rondo
