// rondo run: a world of local ranks from one command.

#include <fcntl.h>
#include <sys/random.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <system_error>

#include "base/text.hpp"
#include "bootstrap/environment.hpp"
#include "bootstrap/rendezvous.hpp"
#include "cli/arguments.hpp"
#include "cli/supervisor.hpp"
#include "cli/verbs.hpp"

namespace rondo::cli {

namespace {

namespace fs = std::filesystem;

constexpr int ranks_most = 65536;
constexpr int timeout_s_most = 1'000'000'000;

constexpr const char* help =
    "usage: rondo run -n RANKS [--timeout S] [--no-prefix] [--bind core|none]\n"
    "                 [--transport auto|shm|tcp] [--] PROGRAM [ARG …]\n"
    "\n"
    "Starts RANKS copies of a program on this host, which find each other through\n"
    "rondo::Communicator::from_env().\n"
    "\n"
    "  -n RANKS           how many\n"
    "  --timeout S        end all ranks after S seconds; exit code 124\n"
    "  --no-prefix        do not put the rank before each line of output\n"
    "  --bind core|none   divide the cores between the ranks (the default, when there are enough\n"
    "                     of them), or let all ranks run everywhere\n"
    "  --transport NAME   sets RONDO_TRANSPORT\n"
    "\n"
    "Rank 0 reads standard input. SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1 and SIGUSR2 reach all\n"
    "ranks. When a rank fails, the others have 2 s to report and leave, then get SIGTERM, and "
    "after\n"
    "2 s more SIGKILL. The exit code is that of the rank that failed first: 128 + N for signal N;\n"
    "126 or 127 when the program could not be started.\n"
    "\n"
    "Ranks see RONDO_RANK, RONDO_SIZE, RONDO_LOCAL_RANK, RONDO_LOCAL_SIZE, and the same as RANK,\n"
    "WORLD_SIZE, LOCAL_RANK, LOCAL_WORLD_SIZE. All variables that rondo reads:\n"
    "\n";

/// A directory that only this user can enter, and that is gone afterwards.
class PrivateDirectory {
 public:
  PrivateDirectory() {
    const char* const chosen = std::getenv("TMPDIR");
    std::error_code ignored;
    const bool usable = chosen != nullptr && chosen[0] == '/' && fs::is_directory(chosen, ignored);
    path_ = concat(usable ? chosen : "/tmp", "/", run_directory_prefix, "XXXXXX");
    if (::mkdtemp(path_.data()) == nullptr) {
      throw system_error(concat("cannot make the directory ", path_), errno);
    }
  }
  PrivateDirectory(const PrivateDirectory&) = delete;
  PrivateDirectory& operator=(const PrivateDirectory&) = delete;
  ~PrivateDirectory() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

std::string random_job() {
  std::array<unsigned char, 16> bits;
  if (::getrandom(bits.data(), bits.size(), 0) != static_cast<ssize_t>(bits.size())) {
    throw system_error("no random bits", errno);
  }
  constexpr const char* digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bits) {
    text += digits[byte >> 4];
    text += digits[byte & 15];
  }
  return text;
}

RunPlan read_plan(Arguments& arguments, std::span<char* const> command) {
  RunPlan plan;
  plan.ranks = arguments.number("-n", 0, 1, ranks_most);
  if (plan.ranks == 0) plan.ranks = arguments.number("-np", 0, 1, ranks_most);  // as mpirun has it
  const int timeout_s = arguments.number("--timeout", 0, 1, timeout_s_most);
  if (timeout_s > 0) plan.timeout = std::chrono::seconds(timeout_s);
  plan.prefix = !arguments.flag("--no-prefix");
  const std::string bind = arguments.value("--bind").value_or("core");
  if (bind != "core" && bind != "none") {
    throw UsageError(concat("option --bind is core or none, not '", bind, "'"));
  }
  plan.bind = bind == "core";
  if (const auto transport = arguments.value("--transport")) {
    plan.environment.push_back({"RONDO_TRANSPORT", *transport});
  }
  arguments.finish();
  if (plan.ranks == 0) throw UsageError("option -n RANKS is missing");
  if (command.empty()) throw UsageError("the program to run is missing");
  plan.command = command;
  return plan;
}

/// A pipe that took the place of a closed standard stream would end up in the wrong hands.
void open_missing_streams() {
  for (int fd = 0; fd <= 2; ++fd) {
    if (::fcntl(fd, F_GETFD) < 0) (void)!::open("/dev/null", fd == 0 ? O_RDONLY : O_WRONLY);
  }
}

}  // namespace

int run_verb(std::span<char* const> args) {
  const std::size_t own =
      count_own_words(args, {"-n", "-np", "--timeout", "--bind", "--transport"});
  Arguments arguments(args.first(own));
  if (arguments.help()) {
    std::cout << help << environment_text();
    return success;
  }
  const bool separated = own < args.size() && std::string_view(args[own]) == "--";
  RunPlan plan = read_plan(arguments, args.subspan(separated ? own + 1 : own));
  open_missing_streams();
  const PrivateDirectory directory;
  plan.environment.push_back({"RONDO_STORE", concat("file:", directory.path(), "/root")});
  plan.environment.push_back({"RONDO_JOB", random_job()});
  try {
    return Supervisor(plan).run();
  } catch (const CannotStart& error) {
    std::cerr << "rondo run: " << error.what() << "\n";
    return error.exit_code;
  }
}

}  // namespace rondo::cli
