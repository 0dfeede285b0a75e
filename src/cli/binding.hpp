#pragma once

// Which CPUs each rank gets.

#include <sched.h>

#include <vector>

namespace rondo::cli {

/// Where a CPU sits: CPUs of one core share its units.
struct CpuPlace {
  int cpu = 0;
  int package = 0;
  int core = 0;
};

/// Divides the CPUs evenly: whole, neighbouring cores where there are as many as ranks, else single
/// CPUs. Nothing when there are more ranks than CPUs.
std::vector<cpu_set_t> divide_cpus(std::vector<CpuPlace> places, int ranks);
/// The CPUs that this process may use.
std::vector<CpuPlace> usable_cpus();

}  // namespace rondo::cli
