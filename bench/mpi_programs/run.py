#!/usr/bin/env python3
"""Runs programs that others wrote, with and without rondo, and compares output and wall time.

usage: run.py RONDO FOLDER [--ranks 2,4] [--rounds 5] [--only NAME] [--modes measured,always]
              [--launch 'chrt -r 10']

LAMMPS, GROMACS, HPCC and ScaLAPACK's LU test under Open MPI, from Debian's packages lammps gromacs
hpcc scalapack-mpi-test. Runs without rondo and those with it take turns; times are medians of all
rounds. FOLDER is where they work. Prints a table for bench/README.md.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import time

GENEROUS_S = 900
MPIRUN = "mpirun.openmpi"
SCALAPACK = pathlib.Path("/usr/lib/x86_64-linux-gnu/scalapack/openmpi-tests")

MELT = """\
units lj
atom_style atomic
lattice fcc 0.8442
region box block 0 10 0 10 0 10
create_box 1 box
create_atoms 1 box
mass 1 1.0
velocity all create 3.0 87287
pair_style lj/cut 2.5
pair_coeff 1 1 1.0 1.0 2.5
neighbor 0.3 bin
neigh_modify every 20 delay 0 check no
fix 1 all nve
thermo 1
run 500
"""
WATER_RUN = """\
integrator = md
nsteps = 500
dt = 0.002
nstcalcenergy = 1
nstenergy = 50
nstlog = 50
cutoff-scheme = Verlet
coulombtype = PME
rcoulomb = 0.8
rvdw = 0.8
tcoupl = v-rescale
tc-grps = System
tau-t = 0.5
ref-t = 300
gen-vel = yes
gen-seed = 4711
ld-seed = 4712
constraints = none
"""
WATER_TOPOLOGY = """\
#include "oplsaa.ff/forcefield.itp"
#include "oplsaa.ff/spce.itp"
[ system ]
water
[ molecules ]
SOL 216
"""


def run(words, folder, environment=None):
    done = subprocess.run([str(word) for word in words], cwd=folder, capture_output=True, text=True,
                          timeout=GENEROUS_S, env=environment, stdin=subprocess.DEVNULL,
                          check=False)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, words))}: exit code {done.returncode}\n"
                 f"{done.stdout[-2000:]}{done.stderr[-2000:]}")
    return done.stdout


def prepare_lammps(folder):
    (folder / "in.melt").write_text(MELT)


def thermodynamics(folder, output):
    """Every line of the table of steps."""
    lines = [line.split() for line in output.splitlines()]
    return [line for line in lines if len(line) == 6 and line[0].isdigit()]


def prepare_gromacs(folder):
    (folder / "run.mdp").write_text(WATER_RUN)
    (folder / "topol.top").write_text(WATER_TOPOLOGY)
    water = "/usr/share/gromacs/top/spc216.gro"
    run(["gmx_mpi", "grompp", "-f", "run.mdp", "-c", water, "-p", "topol.top", "-o", "t.tpr",
         "-maxwarn", "5"], folder)


def energies(folder, output):
    """All energies that the log has; the averages at its end come from all 500 steps."""
    text = (folder / "md.log").read_text()
    text = text[text.index("Started mdrun"):]
    tables = re.findall(r"^   Energies \(kJ/mol\)\n((?: .*\n)+)", text, flags=re.MULTILINE)
    return "".join(tables).split()


def prepare_hpcc(folder):
    for place in ("/usr/share/doc/hpcc/examples/_hpccinf.txt", "/usr/share/hpcc/_hpccinf.txt",
                  "/usr/share/doc/hpcc/_hpccinf.txt"):
        if pathlib.Path(place).exists():
            shutil.copy(place, folder / "hpccinf.txt")
            return
    sys.exit("there is no _hpccinf.txt of HPCC")


def verdicts(folder, output):
    """What HPCC says of the correctness of its results."""
    path = folder / "hpccoutf.txt"
    text = path.read_text()
    path.unlink()  # it appends
    names = ("Success", "MPIRandomAccess_ErrorsFraction", "PTRANS_residual", "HPL_N")
    return [line for line in text.splitlines() if line.split("=")[0] in names]


def prepare_scalapack(folder):
    for file in SCALAPACK.glob("*.dat"):
        shutil.copy(file, folder)


def residuals(folder, output):
    """Every line of a test, but for its times."""
    return [line.split()[:-4] + line.split()[-1:] for line in output.splitlines()
            if line.startswith("WALL")]


PROGRAMS = {
    "LAMMPS": (prepare_lammps, ["lmp", "-in", "in.melt"], thermodynamics),
    "GROMACS": (prepare_gromacs, ["gmx_mpi", "mdrun", "-s", "t.tpr", "-ntomp", "1", "-reprod"],
                energies),
    "HPCC": (prepare_hpcc, ["hpcc"], verdicts),
    "ScaLAPACK": (prepare_scalapack, [SCALAPACK / "xdlu"], residuals),
}


def numbers_differ(left, right):
    """The largest relative difference of two lists of words; None where words differ."""
    worst = 0.0
    flat = [[word for entry in side for word in (entry if isinstance(entry, list) else [entry])]
            for side in (left, right)]
    if len(flat[0]) != len(flat[1]):
        return None
    for a, b in zip(*flat):
        if a == b:
            continue
        try:
            x, y = float(a), float(b)
        except ValueError:
            return None
        worst = max(worst, abs(x - y) / max(abs(x), abs(y)))
    return worst


def words_of(difference, expected):
    if not expected:
        return "NO OUTPUT"
    if difference is None:
        return "DIFFERENT"
    return "the same" if difference == 0 else f"{difference:.1g}"


def exit_table(total):
    """Calls and seconds of all ranks, as RONDO_STATS_TABLE has them; of the reasons the first two."""
    taken, passed = total["taken"], total["passed"]
    why = sorted(passed["why"].items(), key=lambda reason: -reason[1]["calls"])
    reasons = ", ".join(f"{name} {amounts['calls']}" for name, amounts in why[:2])
    return (f"{taken['calls']} | {taken['seconds']:.2f} | {passed['calls']}: {reasons} | "
            f"{passed['seconds']:.2f}")


def measure(name, ranks, arguments, environment):
    prepare, command, read = PROGRAMS[name]
    folder = arguments.folder / name
    folder.mkdir(parents=True, exist_ok=True)
    prepare(folder)
    launch = [MPIRUN, "-np", str(ranks), *command]
    stats = folder / "stats.json"
    ways = {"plain": []}
    for mode in arguments.modes.split(","):
        ways[mode] = [*arguments.launch.split(), arguments.rondo, "mpi", "-q", "--mode", mode,
                      "--stats", stats, "--"]
    times = {way: [] for way in ways}
    results = {way: [] for way in ways}
    totals = {}
    for _ in range(arguments.rounds):
        for way, before in ways.items():
            start = time.perf_counter()
            output = run([*(before or arguments.launch.split()), *launch], folder, environment)
            times[way].append(time.perf_counter() - start)
            results[way].append(read(folder, output))
            if before:
                totals[way] = json.loads(stats.read_text())["total"]
    expected = results["plain"][0]
    alike = words_of(numbers_differ(expected, results["plain"][-1]), expected)
    plain = statistics.median(times["plain"])
    print(f"| {name} | {ranks} | without | {plain:.2f} | | {alike} | | | | |", flush=True)
    for mode in totals:
        median = statistics.median(times[mode])
        worst = [numbers_differ(expected, result) for result in results[mode]]
        difference = None if None in worst else max(worst)
        print(f"| {name} | {ranks} | {mode} | {median:.2f} | {(median / plain - 1) * 100:+.0f} % | "
              f"{words_of(difference, expected)} | {exit_table(totals[mode])} |", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rondo", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--ranks", default="2,4")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=PROGRAMS)
    parser.add_argument("--modes", default="measured,always")
    parser.add_argument("--launch", default="")
    arguments = parser.parse_args()
    arguments.rondo = arguments.rondo.resolve()
    arguments.folder = arguments.folder.resolve()
    environment = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1",
                       OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1", OMPI_MCA_rmaps_base_oversubscribe="1",
                       OMPI_MCA_mpi_yield_when_idle="1", OMP_NUM_THREADS="1",
                       RONDO_CACHE_DIR=str(arguments.folder / "cache"))
    print("| program | ranks | rondo | wall s | | output | calls taken | in s | passed, and why | in s |")
    print("|---|---|---|---|---|---|---|---|---|---|")
    for name in PROGRAMS if arguments.only is None else [arguments.only]:
        for ranks in map(int, arguments.ranks.split(",")):
            measure(name, ranks, arguments, environment)


if __name__ == "__main__":
    main()
