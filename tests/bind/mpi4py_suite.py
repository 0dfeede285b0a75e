"""Runs mpi4py's own tests with and without rondo and compares their outcomes.

usage: mpi4py_suite.py RONDO FOLDER [--ranks 1,2,3,4,5] [--all] [--modes always,measured]

The tests are in mpi4py's source package, which pip fetches into FOLDER, not in Debian's; they run
with Debian's python3-mpi4py, which is built for Open MPI. Without --all only its tests of
collectives run. Exit code 77 where something needed is not there.
"""

import argparse
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tarfile

PYTHON = "/usr/bin/python3"
MPIRUN = "mpirun.openmpi"
SKIPPED = 77
GENEROUS_S = 1800
# Tests that start processes and take ports of their own.
LEFT_OUT = ("spawn", "dynproc")


def version():
    code = "import mpi4py; print(mpi4py.__version__)"
    found = subprocess.run([PYTHON, "-c", code], capture_output=True, text=True, check=False)
    return found.stdout.strip() if found.returncode == 0 else None


def fetch(folder, wanted):
    source = folder / f"mpi4py-{wanted}"
    if not source.exists():
        archive = folder / f"mpi4py-{wanted}.tar.gz"
        if not archive.exists():
            subprocess.run([sys.executable, "-m", "pip", "download", "--quiet", "--no-deps",
                            "--no-binary", ":all:", "--dest", folder, f"mpi4py=={wanted}"],
                           check=False, timeout=GENEROUS_S)
        if not archive.exists():
            return None
        with tarfile.open(archive) as packed:
            packed.extractall(folder)
    return source


def run(source, ranks, selection, before=(), **environment):
    """The names of tests that did not pass, and how many there were."""
    complete = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                    OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_mpi_yield_when_idle="1",
                    **environment)
    done = subprocess.run([*before, MPIRUN, "-np", str(ranks), PYTHON, "test/runtests.py",
                           "--no-builddir", "-v", *selection], cwd=source, env=complete,
                          stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False,
                          timeout=GENEROUS_S)
    text = done.stdout + done.stderr
    bad = set(re.findall(r"^(?:ERROR|FAIL): (\S+ \(\S+\))", text, flags=re.MULTILINE))
    counts = [int(count) for count in re.findall(r"Ran (\d+) tests", text)]
    if len(counts) != ranks:
        bad.add(f"only {len(counts)} of {ranks} ranks came to the end")
    taken = re.search(r"^  all +(\d+)", text, flags=re.MULTILINE)
    return bad, sum(counts), int(taken[1]) if taken else 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("rondo", type=pathlib.Path)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--ranks", default="1,2,3,4,5")
    parser.add_argument("--modes", default="always,measured")
    parser.add_argument("--all", action="store_true")
    arguments = parser.parse_args()
    arguments.rondo = arguments.rondo.resolve()  # the tests run in a folder of their own
    wanted = version()
    if wanted is None or shutil.which(MPIRUN) is None:
        print("python3-mpi4py or Open MPI is not installed")
        return SKIPPED
    arguments.folder.mkdir(parents=True, exist_ok=True)
    source = fetch(arguments.folder, wanted)
    if source is None:
        print(f"pip could not fetch the source of mpi4py {wanted}")
        return SKIPPED
    selection = [word for name in LEFT_OUT for word in ("-e", name)]
    if not arguments.all:
        selection = ["-i", "cco"]
    differences = 0
    for ranks in map(int, arguments.ranks.split(",")):
        expected, count, _ = run(source, ranks, selection)
        print(f"{ranks} ranks: {count} tests, {len(expected)} bad without rondo", flush=True)
        for form in ("component", "preload"):
            for mode in arguments.modes.split(","):
                after = {"RONDO_MPI_AFTER": "3"} if mode == "measured" else {}
                bad, there, taken = run(
                    source, ranks, selection, (arguments.rondo, "mpi", "-q", "--table", "--form",
                                               form, "--mode", mode, "--"), **after)
                is_alike = bad == expected and there == count and (taken > 0) == (ranks > 1)
                differences += not is_alike
                print(f"  {form} {mode}: {there} tests, {len(bad)} bad, {taken} calls taken"
                      f"{'' if is_alike else '  DIFFERENT'}", flush=True)
                for name in sorted(bad ^ expected):
                    print(f"    {'with' if name in bad else 'without'} rondo only: {name}")
    return 1 if differences else 0


if __name__ == "__main__":
    sys.exit(main())
