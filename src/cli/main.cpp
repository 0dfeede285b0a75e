// The `rondo` command: finds the verb and hands over.

#include <algorithm>
#include <array>
#include <iomanip>
#include <iostream>
#include <string_view>

#include "cli/arguments.hpp"
#include "cli/verbs.hpp"

namespace {

using namespace rondo::cli;

struct Verb {
  std::string_view name;
  std::string_view help;
  int (*function)(std::span<char* const> args);
};

constexpr std::array verbs = {
    Verb{"run", "start a program as several ranks on this host", run_verb},
    Verb{"mpi", "run an MPI program with rondo's collectives in it", mpi_verb},
    Verb{"verify", "prove schedules correct: dataflow, deadlock, hazards, rounds and bytes",
         verify_verb},
    Verb{"schedule", "print a schedule as text", schedule_verb},
    Verb{"draw", "draw a schedule as text or SVG", draw_verb},
    Verb{"export", "write a schedule as GOAL, MSCCL XML, Graphviz DOT or a Chrome trace",
         export_verb},
    Verb{"topo", "show the machine: cores, GPUs, NICs and what lies between them", topo_verb},
    Verb{"simulate", "predict the time of schedules on a machine", simulate_verb},
    Verb{"explain", "say which schedule a call would use, and why", explain_verb},
    Verb{"plan", "print the schedules for all collectives and sizes", plan_verb},
    Verb{"tune", "measure which schedules are the fastest, and save them", tune_verb},
    Verb{"env", "print the environment variables that rondo reads", env_verb},
};

void print_help(std::ostream& out) {
  out << "usage: rondo VERB [ARGUMENT …]\n\n";
  for (const Verb& verb : verbs) {
    out << "  " << std::left << std::setw(10) << verb.name << " " << verb.help << "\n";
  }
  out << "\n'rondo VERB --help' says more; 'rondo --version' prints the version. Exit codes: "
      << success << ", done;\n"
      << failure << ", what was asked for failed or is wrong; " << usage_error
      << ", the command line makes no sense.\n";
}

}  // namespace

int main(int argc, char** argv) {
  const std::string_view name = argc > 1 ? argv[1] : "";
  if (name == "--help" || name == "-h" || name == "help") {
    print_help(std::cout);
    return success;
  }
  if (name == "--version") {
    std::cout << "rondo " RONDO_VERSION "\n";
    return success;
  }
  const auto verb =
      std::find_if(verbs.begin(), verbs.end(), [&](const Verb& v) { return v.name == name; });
  if (verb == verbs.end()) {
    if (!name.empty()) std::cerr << "rondo: unknown verb '" << name << "'\n";
    print_help(std::cerr);
    return usage_error;
  }
  try {
    return verb->function({argv + 2, static_cast<std::size_t>(argc - 2)});
  } catch (const UsageError& error) {
    std::cerr << "rondo " << name << ": " << error.what() << "; see 'rondo " << name
              << " --help'\n";
    return usage_error;
  } catch (const std::exception& error) {
    std::cerr << "rondo " << name << ": " << error.what() << "\n";
    return failure;
  }
}
