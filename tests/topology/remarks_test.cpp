#include <gtest/gtest.h>

#include "rondo/topology.hpp"

namespace rondo::testing {
namespace {

std::string remarks_of(const Topology& topology) {
  std::string text;
  for (const std::string& remark : remarks(topology)) text += remark + "\n";
  return text;
}

TEST(Remarks, NothingToSayOfWhatIsKnown) {
  for (const char* words : {"1 hosts", "2 x dgx-h100", "4 hosts x 2 cores, 2 nics"}) {
    EXPECT_EQ(remarks_of(synthetic_topology(words).value()), "") << words;
  }
}

TEST(Remarks, SayWhatIsUnknown) {
  Topology topology = synthetic_topology("2 hosts x 2 cores, 2 gpus, 2 nics").value();
  EXPECT_EQ(remarks_of(topology),
            "hosts 0-1: links between GPUs (NVLink, XGMI) are unknown\n"
            "ranks 0-3 are not bound and may run on every PU of the host\n");
  Machine& machine = topology.machines[0];
  machine.cores = {{unknown, unknown, unknown, unknown, {0}},
                   {unknown, unknown, unknown, unknown, {1}}};
  machine.cores_known = machine.devices_known = false;
  machine.gpus.clear();
  machine.nics[1].speed_mbits_per_s = 0;
  topology.network = {};
  topology.hosts[1].id = "";
  topology.ranks = {{0, {}, unknown}, {1, {0}, unknown}};
  EXPECT_EQ(remarks_of(topology),
            "hosts 0-1: not known: which PUs form a core, packages, NUMA nodes, caches\n"
            "hosts 0-1: no PCI device is seen (it is hidden, or rondo was built without hwloc), so "
            "GPUs and NICs may be missing\n"
            "hosts 0-1: the speed of NIC 1 is unknown\n"
            "the identity of host 1 is unknown; some may be one and the same\n"
            "the network between the hosts is unknown\n"
            "where rank 0 may run is unknown\n");
}

TEST(Remarks, TooManyRanksOnACore) {
  EXPECT_EQ(remarks_of(synthetic_topology("1 hosts x 2 cores, 3 ranks").value()),
            "ranks 0,2 share cores with each other; one rank a core is faster\n");
}

}  // namespace
}  // namespace rondo::testing
