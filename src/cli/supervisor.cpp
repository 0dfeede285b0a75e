#include "cli/supervisor.hpp"

#include <fcntl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

#include "base/text.hpp"
#include "cli/binding.hpp"

namespace rondo::cli {

namespace {

constexpr auto grace = std::chrono::seconds(2);
constexpr auto drain_time = std::chrono::seconds(1);
constexpr int timeout_exit_code = 124;  // as timeout(1) has it
constexpr int terminal_check_ms = 500;
constexpr std::array forwarded = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGUSR1, SIGUSR2};

std::string name_of(int rank, pid_t pid) {
  return concat("rank ", rank, " (pid ", pid, ")");
}

/// A broken pipe or a signal that came through us is a consequence; look for causes first.
bool is_likelier_cause(const siginfo_t& left, const siginfo_t& right) {
  const auto weight = [](const siginfo_t& end) {
    if (end.si_code == CLD_EXITED) return 1;
    return end.si_status == SIGPIPE || end.si_status == SIGTERM ? 1 : 2;
  };
  return weight(left) > weight(right);
}

}  // namespace

Supervisor::Supervisor(const RunPlan& plan) : plan_(plan) {
  sigset_t handled;
  ::sigemptyset(&handled);
  for (const int signal : forwarded) ::sigaddset(&handled, signal);
  for (const int signal : {SIGCHLD, SIGTSTP, SIGCONT}) ::sigaddset(&handled, signal);
  ::sigprocmask(SIG_BLOCK, &handled, &former_mask_);
  ::signal(SIGPIPE, SIG_IGN);
  signals_ = require(::signalfd(-1, &handled, SFD_CLOEXEC | SFD_NONBLOCK), "cannot take signals");
}

Supervisor::~Supervisor() {
  // A rank stays uncollected until here, so that its process group's number is still its own.
  for (const Rank& rank : ranks_) (void)::kill(-rank.pid, SIGKILL);
  for (const Rank& rank : ranks_) (void)::waitpid(rank.pid, nullptr, 0);
  ::sigprocmask(SIG_SETMASK, &former_mask_, nullptr);
}

int Supervisor::run() {
  start_all();
  if (plan_.timeout) next_stage_ = Clock::now() + *plan_.timeout;
  look_for_ended();
  while (!is_over()) {
    wait();
    handle_signals();
    look_for_ended();
    if (next_stage_ && Clock::now() >= *next_stage_) advance_stage();
  }
  signal_all(SIGKILL);
  drain();
  return exit_code_.value_or(0);
}

void Supervisor::start_all() {
  std::vector<cpu_set_t> shares;
  if (plan_.bind) shares = divide_cpus(usable_cpus(), plan_.ranks);
  for (int rank = 0; rank < plan_.ranks; ++rank) {
    start(rank,
          shares.empty() ? std::nullopt : std::optional(shares[static_cast<std::size_t>(rank)]));
  }
}

void Supervisor::start(int rank, const std::optional<cpu_set_t>& cpus) {
  Pipe out = make_pipe();
  Pipe err = make_pipe();
  const Descriptor input = input_of(rank);
  ProcessPlan process;
  process.command = plan_.command;
  process.environment = plan_.environment;
  process.removed = {"RONDO_ROOT"};
  const std::string own = concat(rank);
  const std::string all = concat(plan_.ranks);
  for (const char* name : {"RONDO_RANK", "RONDO_LOCAL_RANK", "RANK", "LOCAL_RANK"}) {
    process.environment.emplace_back(name, own);
  }
  for (const char* name : {"RONDO_SIZE", "RONDO_LOCAL_SIZE", "WORLD_SIZE", "LOCAL_WORLD_SIZE"}) {
    process.environment.emplace_back(name, all);
  }
  process.standard_input = input ? input.fd() : 0;
  process.standard_output = out.write_end.fd();
  process.standard_error = err.write_end.fd();
  process.cpus = cpus;
  process.signal_mask = former_mask_;
  ranks_.push_back({rank, start_process(process)});
  const std::string prefix = plan_.prefix ? concat("[", rank, "] ") : "";
  relays_.emplace_back(std::move(out.read_end), prefix, out_);
  relays_.emplace_back(std::move(err.read_end), prefix, err_);
}

/// Nothing for a rank that takes our own input as it is.
Descriptor Supervisor::input_of(int rank) {
  if (rank > 0) return require(::open("/dev/null", O_RDONLY | O_CLOEXEC), "cannot open /dev/null");
  if (::isatty(0) == 0) return {};
  Pipe typed = make_pipe();
  terminal_ = std::make_unique<TerminalRelay>(0, std::move(typed.write_end));
  return std::move(typed.read_end);
}

void Supervisor::wait() {
  std::vector<pollfd> entries = interests();
  if (::poll(entries.data(), entries.size(), milliseconds_left()) < 0 && errno != EINTR) {
    throw system_error("cannot wait for the ranks", errno);
  }
  for (const pollfd& entry : entries) {
    if (entry.revents == 0) continue;
    for (Sink* sink : {&out_, &err_}) {
      if (entry.fd == sink->fd() && (entry.events & POLLOUT) != 0) sink->flush();
    }
    if (terminal_ && entry.fd == terminal_->terminal() && (entry.events & POLLIN) != 0) {
      terminal_->read();
    } else if (terminal_ && entry.fd == terminal_->pipe()) {
      terminal_->write();
    }
  }
  for (LineRelay& relay : relays_) relay.read();
  for (Sink* sink : {&out_, &err_}) sink->flush();
  // Nobody reads what the ranks write: let them notice as they would without us in between.
  for (std::size_t i = 0; i < relays_.size(); ++i) {
    if ((i % 2 == 0 ? out_ : err_).is_broken()) relays_[i].close();
  }
}

std::vector<pollfd> Supervisor::interests() {
  std::vector<pollfd> entries = {{signals_.fd(), POLLIN, 0}};
  for (const LineRelay& relay : relays_) {
    if (relay.may_read()) entries.push_back({relay.fd(), POLLIN, 0});
  }
  for (const Sink* sink : {&out_, &err_}) {
    if (sink->has_waiting()) entries.push_back({sink->fd(), POLLOUT, 0});
  }
  if (terminal_ && terminal_->may_read()) entries.push_back({terminal_->terminal(), POLLIN, 0});
  if (terminal_ && terminal_->has_waiting()) entries.push_back({terminal_->pipe(), POLLOUT, 0});
  return entries;
}

int Supervisor::milliseconds_left() const {
  int most = terminal_ ? terminal_check_ms : -1;
  if (!next_stage_) return most;
  const auto left =
      std::chrono::ceil<std::chrono::milliseconds>(*next_stage_ - Clock::now()).count();
  const auto bounded = static_cast<int>(std::clamp<decltype(left)>(left, 0, 60'000));
  return most < 0 ? bounded : std::min(most, bounded);
}

void Supervisor::handle_signals() {
  signalfd_siginfo info;
  while (::read(signals_.fd(), &info, sizeof info) == static_cast<ssize_t>(sizeof info)) {
    const int signal = static_cast<int>(info.ssi_signo);
    if (signal == SIGTSTP) {
      stop_and_continue();
    } else if (signal != SIGCHLD) {
      signal_all(signal);
    }
  }
}

/// Ctrl-Z stops the ranks too; they go on when we do.
void Supervisor::stop_and_continue() {
  signal_all(SIGTSTP);
  (void)::raise(SIGSTOP);
}

void Supervisor::look_for_ended() {
  const Rank* first = nullptr;
  for (Rank& rank : ranks_) {
    if (rank.ended) continue;
    siginfo_t end = {};
    const auto id = static_cast<id_t>(rank.pid);
    if (::waitid(P_PID, id, &end, WEXITED | WNOHANG | WNOWAIT) != 0 || end.si_pid == 0) continue;
    rank.ended = true;
    rank.end = end;
    if (exit_code_of(end) == 0) continue;
    if (first == nullptr || is_likelier_cause(end, first->end)) first = &rank;
  }
  if (first == nullptr) return;
  if (!exit_code_) return on_failure(*first);
  // Survivors that report a killed rank can be gone before the kernel has taken that one apart.
  if (stage_ == Stage::grace && cause_ != nullptr && is_likelier_cause(first->end, cause_->end)) {
    cause_ = first;
    exit_code_ = exit_code_of(first->end);
    say(concat("the cause: ", name_of(first->rank, first->pid), " ", describe_end(first->end)));
  }
}

void Supervisor::on_failure(const Rank& failed) {
  cause_ = &failed;
  exit_code_ = exit_code_of(failed.end);
  stage_ = Stage::grace;
  next_stage_ = Clock::now() + grace;
  say(concat(name_of(failed.rank, failed.pid), " ", describe_end(failed.end),
             is_over() ? "" : concat("; ending the others in ", grace.count(), " s")));
}

void Supervisor::advance_stage() {
  switch (stage_) {
    case Stage::running:
      exit_code_ = timeout_exit_code;
      say(concat(plan_.timeout->count(), " s are over; ending ", running_ranks()));
      [[fallthrough]];
    case Stage::grace:
      stage_ = Stage::terminating;
      next_stage_ = Clock::now() + grace;
      signal_all(SIGTERM);
      signal_all(SIGCONT);  // a stopped rank could not act on it
      return;
    case Stage::terminating:
      say(concat(running_ranks(), " did not end on SIGTERM; sending SIGKILL"));
      stage_ = Stage::killing;
      next_stage_.reset();
      signal_all(SIGKILL);
      return;
    case Stage::killing:
      return;
  }
}

bool Supervisor::is_over() const {
  return std::all_of(ranks_.begin(), ranks_.end(), [](const Rank& rank) { return rank.ended; });
}

/// What the ranks wrote at last. A process that left its rank's group may hold a pipe open for
/// ever, and our reader may never read again: both get a moment only.
void Supervisor::drain() {
  for (LineRelay& relay : relays_) relay.read();
  auto end = Clock::now() + drain_time;
  const auto busy = [this] {
    const auto open = [](const LineRelay& relay) { return relay.is_open(); };
    return std::any_of(relays_.begin(), relays_.end(), open) || out_.has_waiting() ||
           err_.has_waiting();
  };
  terminal_.reset();
  while (busy() && Clock::now() < end) {
    next_stage_ = end;
    const bool reader_is_behind = out_.has_waiting() || err_.has_waiting();
    wait();
    if (reader_is_behind) end = std::max(end, Clock::now() + drain_time);
    handle_signals();
  }
}

void Supervisor::signal_all(int signal) {
  for (const Rank& rank : ranks_) (void)::kill(-rank.pid, signal);
}

void Supervisor::say(const std::string& text) {
  err_.put(concat("rondo run: ", text, "\n"));
  err_.flush();
}

std::string Supervisor::running_ranks() const {
  std::vector<int> running;
  for (const Rank& rank : ranks_) {
    if (!rank.ended) running.push_back(rank.rank);
  }
  return list_ranks(running);
}

}  // namespace rondo::cli
