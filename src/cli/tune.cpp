#include <algorithm>
#include <cerrno>
#include <cstring>
#include <exception>
#include <filesystem>
#include <fstream>
#include <iomanip>
#include <iostream>
#include <sstream>
#include <thread>

#include <unistd.h>

#include "base/text.hpp"
#include "cli/algorithms.hpp"
#include "cli/amounts.hpp"
#include "cli/arguments.hpp"
#include "cli/planned_world.hpp"
#include "cli/tuning.hpp"
#include "cli/verbs.hpp"
#include "plan/default_costs.hpp"

namespace rondo::cli {

namespace {

constexpr const char* help =
    "usage: rondo tune --ranks N [--transport NAME] [OPTION …]\n"
    "       rondo run -n N -- rondo tune [OPTION …]\n"
    "\n"
    "Measures all candidates for a collective at several sizes, and compares the fastest with\n"
    "what the planner would choose. What is saved is used with RONDO_PLAN_FILE=FILE.\n"
    "\n"
    "  --collective C    which one, default allreduce; several: allreduce,broadcast\n"
    "  --size S          bytes of the vector: 1M, 4K,64K or a range 4:64M (default), times 4 each\n"
    "  --time MS         about what each size may take, default 1000\n"
    "  --save FILE       the fastest, as a plan file\n"
    "  --json            a line for each size\n"
    "  --ranks N         so many ranks on this host, without a launcher\n"
    "  --transport T     of these: auto (default), shm or tcp, processes, or inproc, threads of\n"
    "                    one process\n";

constexpr const char* meaning =
    "\n"
    "Ratios are those of the chosen to the best time; those below 1.05 are mostly noise. Whatever\n"
    "else runs meanwhile is measured too.\n";

std::string help_text() {
  return help + collectives_help("  C", 20) + meaning;
}

constexpr std::uint64_t most_bytes = std::uint64_t{1} << 32;
constexpr int most_ranks = 256;

struct Request {
  std::vector<Collective> collectives;
  std::vector<std::uint64_t> sizes;
  std::chrono::milliseconds time{1000};
  bool json = false;
  std::optional<std::string> save;
  Wishes wishes;
};

std::vector<Collective> take_collectives(Arguments& arguments) {
  std::vector<Collective> collectives;
  const std::string words = arguments.value("--collective").value_or("allreduce");
  std::istringstream in(words);
  for (std::string word; std::getline(in, word, ',');) {
    collectives.push_back(parse_known_collective(word));
  }
  if (collectives.empty()) throw UsageError("option --collective names none");
  return collectives;
}

Request take_request(Arguments& arguments) {
  Request request;
  request.collectives = take_collectives(arguments);
  const std::string sizes = arguments.value("--size").value_or("4:64M");
  request.sizes = parse_amounts("--size", sizes, 1, most_bytes, 4);
  std::sort(request.sizes.begin(), request.sizes.end());
  request.sizes.erase(std::unique(request.sizes.begin(), request.sizes.end()), request.sizes.end());
  request.time = std::chrono::milliseconds(arguments.number("--time", 1000, 1, 1'000'000));
  request.json = arguments.flag("--json");
  request.save = arguments.value("--save");
  request.wishes = take_wishes(arguments);
  return request;
}

void print_line(const Tuned& tuned) {
  const Timed& chosen = tuned.timed[tuned.chosen];
  const Timed& best = tuned.timed[tuned.best];
  std::cout << padded(bytes_text(tuned.bytes), 10) << padded(describe(chosen.candidate), 36)
            << padded(seconds_text(chosen.measured_s), 10) << padded(describe(best.candidate), 36)
            << padded(seconds_text(best.measured_s), 10) << std::fixed << std::setprecision(2)
            << tuned.ratio() << std::endl;
}

void print_json(Collective collective, const Communicator& comm, const Tuned& tuned) {
  std::cout << "{\"collective\":\"" << name(collective) << "\",\"ranks\":" << comm.size()
            << ",\"transport\":\"" << comm.transport() << "\",\"bytes\":" << tuned.bytes
            << ",\"chosen\":" << tuned.chosen << ",\"best\":" << tuned.best
            << ",\"ratio\":" << std::setprecision(6) << tuned.ratio() << ",\"candidates\":[";
  for (std::size_t i = 0; i < tuned.timed.size(); ++i) {
    const Timed& one = tuned.timed[i];
    std::cout << (i == 0 ? "" : ",") << "{\"plan\":\"" << describe(one.candidate)
              << "\",\"predicted_s\":" << one.predicted_s << ",\"measured_s\":" << one.measured_s
              << "}";
  }
  std::cout << "]}" << std::endl;
}

void print_summary(const std::vector<Tuned>& all) {
  std::vector<double> ratios;
  for (const Tuned& tuned : all) ratios.push_back(tuned.ratio());
  std::sort(ratios.begin(), ratios.end());
  std::cout << "\nchosen to best: median " << std::fixed << std::setprecision(2)
            << ratios[ratios.size() / 2] << ", worst " << ratios.back() << "\n";
}

// Hears of a wrong path before minutes of measuring rather than after them.
void require_writable(const Request& request) {
  if (request.save.value_or("-") == "-") return;
  std::ofstream file(*request.save, std::ios::app);
  if (!file) {
    throw Error(ErrorCode::io, concat("cannot write ", *request.save, ": ", std::strerror(errno)));
  }
}

// All ranks call it; rank 0 speaks.
void tune_all(Communicator& comm, const Request& request) {
  const bool speaks = comm.rank() == 0;
  const CostTable costs = costs_or_default(comm.costs(), comm.transport());
  Result<Planner> planner = Planner::make(comm.topology(), costs, request.wishes);
  if (!planner) throw planner.error();
  std::string saved =
      concat("# measured among ", comm.size(), " ranks over ", comm.transport(), "\n");
  for (const Collective collective : request.collectives) {
    if (speaks && !request.json) {
      std::cout << name(collective) << " among " << comm.size() << " ranks over "
                << comm.transport() << "\n\n"
                << padded("size", 10) << padded("chosen", 36) << padded("time", 10)
                << padded("best", 36) << padded("time", 10) << "ratio" << std::endl;
    }
    std::vector<Tuned> all;
    const bool barrier = collective == Collective::barrier;
    for (const std::uint64_t bytes : barrier ? std::vector<std::uint64_t>{0} : request.sizes) {
      const bool progress = speaks && !request.json && isatty(1) != 0;
      if (progress) std::cout << padded(bytes_text(bytes), 10) << "…\r" << std::flush;
      all.push_back(tune(comm, planner.value(), collective, bytes, request.time));
      if (speaks && request.json) print_json(collective, comm, all.back());
      if (speaks && !request.json) print_line(all.back());
    }
    if (speaks && !request.json) print_summary(all);
    for (const Rule& rule : rules_of(collective, comm.size(), all)) {
      saved += concat(to_text(rule), "\n");
    }
  }
  if (speaks && request.save) write_file(*request.save, saved);
}

void tune_threads(int ranks, const Request& request) {
  std::vector<Communicator> world = Communicator::local(ranks);
  std::vector<std::exception_ptr> failures(world.size());
  std::vector<std::thread> threads;
  for (std::size_t i = 0; i < world.size(); ++i) {
    threads.emplace_back([&, i] {
      try {
        tune_all(world[i], request);
      } catch (...) {
        failures[i] = std::current_exception();
        world[i].abort("tuning failed on another rank");
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  for (const std::exception_ptr& failure : failures) {
    if (failure) std::rethrow_exception(failure);
  }
}

// As many copies of this very command, each one rank.
int run_as_ranks(int ranks, const std::optional<std::string>& transport,
                 const std::vector<std::string>& args) {
  std::vector<std::string> words = {"-n", std::to_string(ranks), "--no-prefix"};
  if (transport) words.insert(words.end(), {"--transport", *transport});
  const std::string self = std::filesystem::read_symlink("/proc/self/exe").string();
  words.insert(words.end(), {"--", self, "tune"});
  words.insert(words.end(), args.begin(), args.end());
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return run_verb({pointers.data(), words.size()});
}

}  // namespace

int tune_verb(std::span<char* const> args) {
  Arguments arguments(args);
  if (arguments.help()) {
    std::cout << help_text();
    return success;
  }
  const bool launched = is_launched();
  const int ranks = arguments.number("--ranks", 0, 2, most_ranks);
  const std::optional<std::string> transport = take_transport(arguments);
  std::vector<std::string> rest = arguments.rest();
  const Request request = take_request(arguments);
  arguments.finish();
  if (launched) {
    if (ranks > 0 || transport) {
      throw UsageError("under a launcher --ranks and --transport are given by it");
    }
    Communicator comm = Communicator::from_env();
    if (comm.rank() == 0) require_writable(request);
    tune_all(comm, request);
    return success;
  }
  if (ranks == 0) throw UsageError("say how many --ranks, or start it under 'rondo run'");
  const std::string chosen = transport.value_or("auto");
  require_writable(request);
  if (chosen != "inproc") return run_as_ranks(ranks, transport, rest);
  tune_threads(ranks, request);
  return success;
}

}  // namespace rondo::cli
