// Who started this process, and as which rank of how many.

#include <unistd.h>

#include <array>

#include "base/text.hpp"
#include "bootstrap/address.hpp"
#include "bootstrap/environment.hpp"
#include "bootstrap/pmix.hpp"
#include "bootstrap/rendezvous.hpp"
#include "bootstrap/slurm.hpp"
#include "bootstrap/wire.hpp"
#include "bootstrap/world.hpp"

namespace rondo {

namespace {

constexpr int size_most = 65536;

/// What a family of variables tells, before it is known where the ranks meet.
struct Found {
  Launch launch;
  bool one_host = false;
  std::string root_host = {};  ///< of rank 0, where the launcher tells
  std::string remedy = {};     ///< what to do when it does not
};
using Finding = Result<std::optional<Found>>;

const std::optional<Found> absent;

struct Names {
  std::string_view launcher;
  std::string_view rank;
  std::string_view size;
  std::string_view local_rank;
  std::string_view local_size;
};

Error only_one_set(std::string_view set, std::string_view missing) {
  return Error(ErrorCode::invalid_argument,
               concat(set, " is set but ", missing, " is not: set both, or unset ", set,
                      " for a world of one"));
}

Result<std::optional<int>> read_rank_below(const Lookup& lookup, std::string_view variable,
                                           std::string_view size_variable, int size) {
  const auto rank = integer_of(lookup, variable, 0, size_most - 1);
  if (!rank) return rank.error();
  if (!rank.value()) return std::optional<int>();
  if (*rank.value() >= size) {
    return malformed(variable, *text_of(lookup, variable),
                     concat("a rank from 0 to ", size - 1, ", since ", size_variable, "=", size));
  }
  return std::optional(static_cast<int>(*rank.value()));
}

/// Rank and size, and the same within the host where the launcher tells them.
Result<Launch> read_ranks(const Lookup& lookup, const Names& names) {
  Launch launch;
  launch.launcher = names.launcher;
  if (!text_of(lookup, names.rank)) return only_one_set(names.size, names.rank);
  if (!text_of(lookup, names.size)) return only_one_set(names.rank, names.size);
  const auto size = integer_of(lookup, names.size, 1, size_most);
  if (!size) return size.error();
  launch.size = static_cast<int>(*size.value());
  const auto rank = read_rank_below(lookup, names.rank, names.size, launch.size);
  if (!rank) return rank.error();
  launch.rank = *rank.value();
  const auto local_size = integer_of(lookup, names.local_size, 1, launch.size);
  if (!local_size) return local_size.error();
  if (local_size.value()) launch.local_size = static_cast<int>(*local_size.value());
  const int local_most = launch.local_size.value_or(launch.size);
  const std::string_view bound = launch.local_size ? names.local_size : names.size;
  const auto local_rank = read_rank_below(lookup, names.local_rank, bound, local_most);
  if (!local_rank) return local_rank.error();
  launch.local_rank = local_rank.value();
  return launch;
}

Finding found_by(const Lookup& lookup, const Names& names) {
  Result<Launch> launch = read_ranks(lookup, names);
  if (!launch) return launch.error();
  Found found;
  found.launch = std::move(launch).value();
  found.one_host = found.launch.local_size == found.launch.size;
  return std::optional(std::move(found));
}

/// rondo run, or variables set by hand.
Finding read_rondo(const Lookup& lookup) {
  constexpr Names names = {"rondo", "RONDO_RANK", "RONDO_SIZE", "RONDO_LOCAL_RANK",
                           "RONDO_LOCAL_SIZE"};
  if (!text_of(lookup, names.rank) && !text_of(lookup, names.size)) return absent;
  Finding found = found_by(lookup, names);
  if (!found) return found;
  // Without a name of the job, a file made of it would be shared with every other such job.
  found.value()->one_host = false;
  found.value()->remedy =
      "set RONDO_ROOT=HOST:PORT, where HOST runs rank 0 (RONDO_ROOT=localhost:29400 on one host)";
  found.value()->launch.job = "by hand";
  return found;
}

/// torchrun, and everything else that speaks its language.
Finding read_torchrun(const Lookup& lookup) {
  const std::optional<std::string> run = text_of(lookup, "TORCHELASTIC_RUN_ID");
  const Names names = {run ? "torchrun" : "RANK", "RANK", "WORLD_SIZE", "LOCAL_RANK",
                       "LOCAL_WORLD_SIZE"};
  // WORLD_SIZE alone is what many batch scripts export before srun, which brings the rank.
  if (!text_of(lookup, names.rank)) return absent;
  Finding finding = found_by(lookup, names);
  if (!finding) return finding;
  Found& found = *finding.value();
  found.root_host = text_of(lookup, "MASTER_ADDR").value_or("");
  found.remedy = "set MASTER_ADDR to the host of rank 0, or RONDO_ROOT=HOST:PORT";
  const std::string port = text_of(lookup, "MASTER_PORT").value_or("");
  found.launch.job = concat("torch ", run.value_or("none"), " ", port);
  if (found.one_host) {
    // One agent counts the restarts of all ranks; several agents each count their own.
    found.launch.job += concat(" ", text_of(lookup, "TORCHELASTIC_RESTART_COUNT").value_or("0"));
  } else if (is_loopback(found.root_host)) {
    found.one_host = true;
  }
  if (found.one_host && !run && port.empty()) {
    found.launch.job += concat(" parent ", ::getppid());
  }
  return finding;
}

Finding read_open_mpi(const Lookup& lookup) {
  constexpr Names names = {"Open MPI", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE",
                           "OMPI_COMM_WORLD_LOCAL_RANK", "OMPI_COMM_WORLD_LOCAL_SIZE"};
  if (!text_of(lookup, names.rank) && !text_of(lookup, names.size)) return absent;
  Finding found = found_by(lookup, names);
  if (!found) return found;
  constexpr std::array<std::string_view, 3> jobs = {"PMIX_NAMESPACE", "OMPI_MCA_ess_base_jobid",
                                                    "OMPI_MCA_orte_ess_jobid"};
  const std::optional<std::string> job = first_text_of(lookup, jobs);
  found.value()->launch.job = concat("ompi ", job ? *job : concat("parent ", ::getppid()));
  found.value()->remedy =
      "Open MPI does not tell where rank 0 runs: add -x RONDO_ROOT=HOST:PORT to mpirun, where HOST "
      "is the first host of the job";
  return found;
}

/// Steps of a batch script, of a shell that salloc or srun opened, and the like: a process there
/// has a rank and a number of tasks, but the other tasks do not exist.
bool is_special_slurm_step(std::string_view step) {
  constexpr std::int64_t first_special = 0xfffffff0;
  const auto number = parse_integer(step, 0, 0xffffffff);
  return number && *number >= first_special;
}

Finding read_slurm(const Lookup& lookup) {
  const std::optional<std::string> step = text_of(lookup, "SLURM_STEP_ID");
  // The variables of an allocation alone (salloc, a batch script) are no world.
  if (!step || !text_of(lookup, "SLURM_PROCID") || is_special_slurm_step(*step)) return absent;
  const bool has_step_size = text_of(lookup, "SLURM_STEP_NUM_TASKS").has_value();
  const Names names = {"Slurm", "SLURM_PROCID",
                       has_step_size ? "SLURM_STEP_NUM_TASKS" : "SLURM_NTASKS", "SLURM_LOCALID",
                       ""};
  Finding finding = found_by(lookup, names);
  if (!finding) return finding;
  Found& found = *finding.value();
  constexpr std::string_view per_node = "SLURM_STEP_TASKS_PER_NODE";
  const auto node = integer_of(lookup, "SLURM_NODEID", 0, size_most);
  if (!node) return node.error();
  if (const std::optional<std::string> list = text_of(lookup, per_node)) {
    const int index = static_cast<int>(node.value().value_or(0));
    found.launch.local_size = slurm_tasks_on_node(*list, index);
    if (!found.launch.local_size) {
      return malformed(per_node, *list, concat("tasks of node ", index, ", such as 4(x2),3"));
    }
  }
  found.one_host = found.launch.local_size == found.launch.size;
  found.launch.job =
      concat("slurm ", text_of(lookup, "SLURM_JOB_ID").value_or("unknown"), ".", *step);
  constexpr std::array<std::string_view, 3> lists = {"SLURM_STEP_NODELIST", "SLURM_NODELIST",
                                                     "SLURM_JOB_NODELIST"};
  found.remedy = "set RONDO_ROOT=HOST:PORT, where HOST runs rank 0";
  if (const std::optional<std::string> list = first_text_of(lookup, lists)) {
    const std::optional<std::string> host = first_slurm_host(*list);
    if (!host) return malformed(lists[0], *list, "a list of hosts such as node[1-3],gpu7");
    found.root_host = *host;
  }
  return finding;
}

/// MPICH and Intel MPI.
Finding read_pmi(const Lookup& lookup) {
  constexpr Names names = {"PMI", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS"};
  if (!text_of(lookup, names.rank)) return absent;
  Finding found = found_by(lookup, names);
  if (!found) return found;
  constexpr std::array<std::string_view, 2> jobs = {"PMI_JOBID", "PMI_PORT"};
  const std::optional<std::string> job = first_text_of(lookup, jobs);
  // The ranks of one host are children of one proxy, and nothing else tells two jobs apart.
  found.value()->launch.job = concat("pmi ", job ? *job : concat("parent ", ::getppid()));
  found.value()->remedy =
      "PMI does not tell where rank 0 runs: add -genv RONDO_ROOT HOST:PORT to mpiexec, where HOST "
      "is the first host of the job";
  return found;
}

/// Eight ports below those that Linux gives to clients: a neighbour may have taken one of them.
std::string derived_rendezvous(std::string_view host, std::string_view job) {
  constexpr int lowest = 20000;
  constexpr int groups = 1500;
  constexpr int group = 8;
  const wire::Key key = wire::key_of(job);
  const int hash = std::to_integer<int>(key[0]) << 8 | std::to_integer<int>(key[1]);
  const int first = lowest + hash % groups * group;
  const bool bare_ipv6 = host.find(':') != std::string_view::npos && !host.starts_with('[');
  return concat(bare_ipv6 ? "[" : "", host, bare_ipv6 ? "]" : "", ":", first, "-",
                first + group - 1);
}

/// Decides where the ranks meet. What the user says goes before what the launcher says.
Result<Launch> place(const Lookup& lookup, Found found) {
  Launch launch = std::move(found.launch);
  const std::optional<std::string> root = text_of(lookup, "RONDO_ROOT");
  const std::optional<std::string> store = text_of(lookup, "RONDO_STORE");
  if (const std::optional<std::string> job = text_of(lookup, "RONDO_JOB")) launch.job = *job;
  launch.listen = text_of(lookup, "RONDO_LISTEN").value_or("");
  if (root && store) {
    return malformed("RONDO_ROOT", *root,
                     concat("to be unset when RONDO_STORE=", *store, " is set"));
  }
  if (store && store != pmix_rendezvous && !store->starts_with("file:")) {
    return malformed("RONDO_STORE", *store, "file:PATH, or pmix");
  }
  if (root && root->starts_with("file:")) return malformed("RONDO_ROOT", *root, "HOST:PORT");
  if (launch.size == 1) return launch;
  if (root || store) {
    launch.rendezvous = root ? *root : *store;
  } else if (found.one_host) {
    launch.rendezvous = local_rendezvous(lookup, launch.job);
  } else if (!found.root_host.empty()) {
    launch.rendezvous = derived_rendezvous(found.root_host, launch.job);
  } else if (has_pmix(lookup)) {
    launch.rendezvous = pmix_rendezvous;
  } else {
    return Error(ErrorCode::invalid_argument,
                 concat("nothing says where the ", launch.size, " ranks meet: ", found.remedy));
  }
  if (launch.rendezvous == pmix_rendezvous) return launch;
  const std::string_view variable = root ? "RONDO_ROOT" : store ? "RONDO_STORE" : "MASTER_ADDR";
  const Result<Rendezvous> parsed = parse_rendezvous(variable, launch.rendezvous);
  if (!parsed) return parsed.error();
  return launch;
}

}  // namespace

Result<Launch> read_launch(const Lookup& lookup) {
  for (const auto read : {read_rondo, read_torchrun, read_open_mpi, read_slurm, read_pmi}) {
    Finding found = read(lookup);
    if (!found) return found.error();
    if (found.value()) return place(lookup, std::move(*found.value()));
  }
  const std::optional<std::string> size = text_of(lookup, "WORLD_SIZE");
  if (size && *size != "1") return only_one_set("WORLD_SIZE", "RANK");
  Launch alone;
  alone.launcher = "none";
  return alone;
}

}  // namespace rondo
