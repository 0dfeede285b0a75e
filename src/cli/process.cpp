#include "cli/process.hpp"

#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <system_error>

#include "base/text.hpp"
#include "cli/pipe.hpp"

namespace rondo::cli {

namespace {

std::vector<std::string> merged_environment(const ProcessPlan& plan) {
  std::vector<std::string> merged;
  const auto replaced = [&](std::string_view name) {
    const auto is_name = [&](const auto& variable) { return variable.first == name; };
    return std::any_of(plan.environment.begin(), plan.environment.end(), is_name) ||
           std::find(plan.removed.begin(), plan.removed.end(), name) != plan.removed.end();
  };
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    if (!replaced(text.substr(0, text.find('=')))) merged.emplace_back(text);
  }
  for (const auto& [name, value] : plan.environment) merged.push_back(concat(name, "=", value));
  return merged;
}

std::vector<char*> pointers_to(std::vector<std::string>& texts) {
  std::vector<char*> pointers;
  for (std::string& text : texts) pointers.push_back(text.data());
  pointers.push_back(nullptr);
  return pointers;
}

/// In the child; returns only when the program could not be started, with errno set.
void become(const ProcessPlan& plan, char* const* command, char* const* environment, pid_t parent) {
  if (::setpgid(0, 0) != 0) return;
  if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return;
  if (::getppid() != parent) ::_exit(1);  // it died before it could be watched
  if (::dup2(plan.standard_input, 0) < 0 || ::dup2(plan.standard_output, 1) < 0 ||
      ::dup2(plan.standard_error, 2) < 0) {
    return;
  }
  if (plan.cpus) (void)::sched_setaffinity(0, sizeof *plan.cpus, &*plan.cpus);
  ::signal(SIGPIPE, SIG_DFL);
  if (::sigprocmask(SIG_SETMASK, &plan.signal_mask, nullptr) != 0) return;
  ::execvpe(command[0], command, environment);
}

CannotStart cannot_start(const char* program, int number) {
  const bool missing = number == ENOENT;
  const bool searched = std::strchr(program, '/') == nullptr;
  const std::string reason = missing && searched ? "there is no such program in PATH"
                                                 : std::generic_category().message(number);
  return CannotStart(concat("cannot start '", program, "': ", reason), missing ? 127 : 126);
}

}  // namespace

pid_t start_process(const ProcessPlan& plan) {
  std::vector<std::string> variables = merged_environment(plan);
  const std::vector<char*> environment = pointers_to(variables);
  std::vector<char*> command(plan.command.begin(), plan.command.end());
  command.push_back(nullptr);
  // Closes by itself when the program starts; else it carries the reason.
  Pipe verdict = make_pipe();
  const pid_t parent = ::getpid();
  const pid_t pid = ::fork();
  if (pid < 0) throw system_error("cannot start another process", errno);
  if (pid == 0) {
    become(plan, command.data(), environment.data(), parent);
    const int number = errno;
    (void)!::write(verdict.write_end.fd(), &number, sizeof number);
    ::_exit(127);
  }
  verdict.write_end.close();
  int number = 0;
  ssize_t count = 0;
  do {
    count = ::read(verdict.read_end.fd(), &number, sizeof number);
  } while (count < 0 && errno == EINTR);
  if (count == 0) return pid;
  (void)::waitpid(pid, nullptr, 0);
  throw cannot_start(command[0], count > 0 ? number : EIO);
}

std::string signal_name(int signal) {
  const char* const abbreviation = ::sigabbrev_np(signal);
  return abbreviation ? concat("SIG", abbreviation) : concat("signal ", signal);
}

std::string describe_end(const siginfo_t& end) {
  if (end.si_code == CLD_EXITED) return concat("exited with code ", end.si_status);
  return concat("was killed by ", signal_name(end.si_status),
                end.si_code == CLD_DUMPED ? " (core dumped)" : "");
}

int exit_code_of(const siginfo_t& end) {
  return end.si_code == CLD_EXITED ? end.si_status : 128 + end.si_status;
}

}  // namespace rondo::cli
