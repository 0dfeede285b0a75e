"""Who is compared: how the ranks of each are started, and what each does not have."""

import dataclasses
import os
import shutil
import socket
import subprocess

PACKAGES = ("openmpi-bin", "libopenmpi-dev", "mpich", "libmpich-dev", "libgloo-dev")


@dataclasses.dataclass(frozen=True)
class Panel:
    """One table: what is measured, and how many ranks take part."""

    collective: str
    ranks: int
    in_place: bool

    def side(self):
        return "in_place" if self.in_place else "out_of_place"

    def title(self):
        place = "in place" if self.in_place else "out of place"
        return f"{self.collective}, {place}, {self.ranks} ranks"


@dataclasses.dataclass(frozen=True)
class Place:
    """Where ranks run: `launch` stands in front of each, for all contestants alike."""

    cores: tuple
    launch: tuple = ()

    def words(self, rank):
        return ["taskset", "-c", str(self.cores[rank % len(self.cores)]), *self.launch]


@dataclasses.dataclass
class Contestant:
    """A library as it is set up here. `missing` says why it cannot run."""

    name: str
    program: str
    missing: str | None = None
    flags: tuple = ()
    environment: dict = dataclasses.field(default_factory=dict)

    def commands(self, place, ranks, directory, flags):
        """Words and environment of each process to start."""
        raise NotImplementedError

    def lacks(self, panel):
        """Why this panel cannot be measured, or None."""
        return None


class Rondo(Contestant):
    def commands(self, place, ranks, directory, flags):
        root = f"127.0.0.1:{free_port()}"
        return [([*place.words(rank), self.program, *flags, *self.flags],
                 {"RONDO_RANK": str(rank), "RONDO_SIZE": str(ranks), "RONDO_ROOT": root})
                for rank in range(ranks)]


class Gloo(Contestant):
    """Each rank has a second thread that receives.

    When it wakes up on the core of its caller, it spins on a lock that the preempted caller holds,
    until the scheduler's tick. SCHED_BATCH, under which a thread that wakes up does not preempt,
    avoids that: gloo at its best. A real-time class of `launch` does the same. Where ranks share
    cores, threads that wait for a preemption make it worse, and gloo runs under the usual policy.
    """

    def commands(self, place, ranks, directory, flags):
        has_policy = "chrt" in place.launch or ranks > len(place.cores)
        batch = [] if has_policy else ["chrt", "--batch", "0"]
        meeting = os.path.join(directory, "meeting")
        os.mkdir(meeting)
        return [([*place.words(rank), *batch, self.program, str(rank), str(ranks), meeting, *flags],
                 {})
                for rank in range(ranks)]

    def lacks(self, panel):
        if panel.collective == "reduce_scatter":
            return "has no reduce_scatter for buffers that change from call to call"
        return None


@dataclasses.dataclass
class Mpi(Contestant):
    launcher: str = ""
    before: tuple = ()

    def commands(self, place, ranks, directory, flags):
        # A launcher takes a command for each rank, so that each gets its own core.
        words = [*self.before, self.launcher, *self.flags]
        for rank in range(ranks):
            words += [] if rank == 0 else [":"]
            words += ["-n", "1", *place.words(rank), self.program, *flags]
        return [(words, self.environment)]

    def lacks(self, panel):
        if panel.collective == "reduce_scatter" and panel.in_place:
            return "puts results of reduce_scatter in place elsewhere"
        return None


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def find_launcher(names, maker):
    """The first of the commands that is of this maker, as it says of itself."""
    for name in names:
        path = shutil.which(name)
        if path:
            said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False)
            if maker in said.stdout + said.stderr:
                return path
    return None


def find_mpi(name, program, launchers, maker, flags=(), environment=None):
    launcher = find_launcher(launchers, maker)
    missing = None
    if launcher is None:
        missing = f"none of {', '.join(launchers)} is a launcher of {maker}"
    elif not program.exists():
        missing = f"{program.name} was not built: its headers were not found when configuring"
    return Mpi(name, str(program), missing, tuple(flags), environment or {}, launcher or "")


# mpirun sees more ranks than cores, and tells them to yield while they wait. It does not bind them:
# taskset does, as for everyone.
OPENMPI_FLAGS = ("--oversubscribe", "--use-hwthread-cpus", "--bind-to", "none")
OPENMPI_AS_ROOT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
OPENMPI_TCP = {"OMPI_MCA_pml": "ob1", "OMPI_MCA_btl": "self,tcp",
               "OMPI_MCA_btl_tcp_if_include": "lo"}


def find_drop_in(name, mode, build, openmpi, environment=None):
    """The same program as Open MPI's, which does not know of it."""
    rondo = build / "src" / "cli" / "rondo"
    component = build / "src" / "bind" / "drop_in" / "mca_coll_rondo.so"
    found = find_mpi(name, *openmpi, OPENMPI_FLAGS, OPENMPI_AS_ROOT | (environment or {}))
    found.before = (str(rondo), "mpi", "-q", "--mode", mode, "--")
    if found.missing is None and not (rondo.exists() and component.exists()):
        found.missing = f"{component.name} was not built"
    return found


def find_contestants(build):
    """All, in the order of the table. The first one is what the others are compared with."""
    folder = build / "bench" / "compare"
    rondo = build / "bench" / "rondo-perf"
    gloo = folder / "gloo-perf"
    no_rondo = None if rondo.exists() else f"{rondo} was not built"
    no_gloo = None if gloo.exists() else "gloo-perf was not built: libgloo was not found"
    openmpi = (folder / "mpi-perf-openmpi", ("mpirun.openmpi", "mpirun"), "Open MPI")
    mpich = (folder / "mpi-perf-mpich", ("mpiexec.mpich", "mpiexec"), "HYDRA")
    return [
        Rondo("rondo", str(rondo), no_rondo, ("--transport", "shm")),
        Rondo("rondo::allocate", str(rondo), no_rondo, ("--transport", "shm", "-R", "1")),
        Rondo("rondo registered", str(rondo), no_rondo, ("--transport", "shm", "-R", "2")),
        Rondo("rondo tcp", str(rondo), no_rondo, ("--transport", "tcp")),
        find_mpi("Open MPI", *openmpi, OPENMPI_FLAGS, OPENMPI_AS_ROOT),
        find_drop_in("drop-in", "always", build, openmpi),
        # From the 64th call on, since measurements end within the second that it would wait.
        find_drop_in("drop-in measured", "measured", build, openmpi, {"RONDO_MPI_AFTER": "64"}),
        find_mpi("Open MPI tcp", *openmpi, OPENMPI_FLAGS, OPENMPI_AS_ROOT | OPENMPI_TCP),
        find_mpi("MPICH", *mpich),
        Gloo("gloo", str(gloo), no_gloo),
    ]
