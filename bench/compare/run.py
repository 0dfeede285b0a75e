#!/usr/bin/env python3
"""Measures rondo and its peers side by side on this machine, and prints a table in Markdown.

Every contestant runs the same measuring program (same sizes, operations, fresh buffers, checks),
with one process a rank, each pinned to a core of its own. Rounds are interleaved, so that a busy
minute of the machine meets all contestants, and the figure of a size is the median over the rounds.

A peer that was not built is reported as missing. A run that fails or finds a wrong result ends the
comparison.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile

SECONDS_PER_RUN = 300
QUIET_LOAD = 0.5


class Contestant:
    """A program, how its ranks find each other, and the scheduling policy they run under."""

    def __init__(self, name, program, batch):
        self.name = name
        self.program = program
        self.batch = batch

    def rank_command(self, rank, ranks, directory, port, flags):
        """The command line of one rank, and what it needs in its environment."""
        raise NotImplementedError


class Rondo(Contestant):
    def rank_command(self, rank, ranks, directory, port, flags):
        environment = {
            "RONDO_RANK": str(rank),
            "RONDO_SIZE": str(ranks),
            "RONDO_ROOT": f"127.0.0.1:{port}",
        }
        return [self.program, *flags, "--transport", "tcp"], environment


class Gloo(Contestant):
    def rank_command(self, rank, ranks, directory, port, flags):
        return [self.program, str(rank), str(ranks), directory, *flags], {}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def run_once(contestant, ranks, cores, flags):
    """The JSON report of one run of all ranks."""
    with tempfile.TemporaryDirectory() as directory:
        report = pathlib.Path(directory) / "report.json"
        meeting = pathlib.Path(directory) / "meeting"
        meeting.mkdir()
        port = free_port()
        processes = []
        for rank in range(ranks):
            command, environment = contestant.rank_command(
                rank, ranks, str(meeting), port, [*flags, "--json", str(report)]
            )

            def settle(core=cores[rank % len(cores)]):
                os.sched_setaffinity(0, {core})
                if contestant.batch:
                    os.sched_setscheduler(0, os.SCHED_BATCH, os.sched_param(0))

            processes.append(
                subprocess.Popen(
                    command,
                    env=os.environ | environment,
                    stdout=subprocess.DEVNULL,
                    stderr=subprocess.PIPE,
                    text=True,
                    preexec_fn=settle,
                )
            )
        finish(contestant, processes)
        return json.loads(report.read_text())


def finish(contestant, processes):
    complaints = []
    try:
        for process in processes:
            _, text = process.communicate(timeout=SECONDS_PER_RUN)
            if process.returncode != 0:
                complaints.append(f"exit code {process.returncode}: {text.strip()}")
    except subprocess.TimeoutExpired:
        complaints.append(f"no end after {SECONDS_PER_RUN} s")
    finally:
        for process in processes:
            if process.poll() is None:
                process.kill()
    if complaints:
        raise SystemExit(f"run.py: {contestant.name} failed: " + "; ".join(complaints))


def find_contestants(build):
    """Those that can run, and for the others why not."""
    present = []
    missing = []
    rondo = build / "bench" / "rondo-perf"
    gloo = build / "bench" / "compare" / "gloo-perf"
    if not rondo.exists():
        raise SystemExit(f"run.py: {rondo} does not exist: build it, or name the folder: --build")
    present.append(Rondo("rondo", str(rondo), batch=False))
    if gloo.exists():
        present.append(Gloo("gloo", str(gloo), batch=False))
        present.append(Gloo("gloo, SCHED_BATCH", str(gloo), batch=True))
    else:
        missing.append("gloo: gloo-perf was not built, because libgloo-dev was not found")
    return present, missing


def measure(contestants, arguments, cores):
    """times[name][(size, side)] = the time of each round, in microseconds."""
    flags = [arguments.collective, "-b", arguments.min, "-e", arguments.max, "-f", arguments.factor]
    flags += shlex.split(arguments.flags)
    times = {contestant.name: {} for contestant in contestants}
    for number in range(arguments.rounds):
        shift = number % len(contestants)
        for contestant in contestants[shift:] + contestants[:shift]:
            print(f"round {number + 1} of {arguments.rounds}: {contestant.name}", file=sys.stderr)
            report = run_once(contestant, arguments.ranks, cores, flags)
            for result in report["results"]:
                for side in ("out_of_place", "in_place"):
                    if result[side]:
                        key = (result["size"], side)
                        times[contestant.name].setdefault(key, []).append(result[side]["time_us"])
    return times


def medians(times):
    return {
        name: {key: statistics.median(rounds) for key, rounds in of_name.items()}
        for name, of_name in times.items()
    }


def short_size(size):
    for unit, name in ((1 << 30, "GiB"), (1 << 20, "MiB"), (1 << 10, "KiB")):
        if size >= unit and size % unit == 0:
            return f"{size // unit} {name}"
    return f"{size} B"


def short_time(time_us):
    digits = 0 if time_us >= 1000 else 1
    return f"{time_us:,.{digits}f}"


def best_peer(table, key):
    """The peer's time at its best, under whichever scheduling policy that is."""
    peers = [times[key] for name, times in table.items() if name != "rondo" and key in times]
    return min(peers) if peers else None


def markdown(table, side):
    names = list(table)
    with_ratio = len(names) > 1
    lines = ["| size | " + " | ".join(names) + (" | ratio |" if with_ratio else " |")]
    lines.append("|---:" * (len(names) + 1 + with_ratio) + "|")
    for size in sorted({size for size, of_side in table["rondo"] if of_side == side}):
        key = (size, side)
        cells = [short_size(size)] + [short_time(table[name][key]) for name in names]
        if with_ratio:
            cells.append(f"{best_peer(table, key) / table['rondo'][key]:.2f}")
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--collective", default="allreduce")
    parser.add_argument("--ranks", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--min", default="4", metavar="SIZE")
    parser.add_argument("--max", default="64M", metavar="SIZE")
    parser.add_argument("--factor", default="4")
    parser.add_argument("--flags", default="", help="more flags of rondo-perf, for all contestants")
    parser.add_argument("--json", type=pathlib.Path, metavar="FILE", help="all times of all rounds")
    arguments = parser.parse_args(words)
    if arguments.rounds < 1 or arguments.ranks < 1:
        parser.error("--rounds and --ranks must be at least 1")
    return arguments


def write_json(path, machine, table, times):
    results = [
        {"library": name, "size": size, "side": side, "median_us": table[name][(size, side)],
         "rounds_us": rounds}
        for name, of_name in times.items()
        for (size, side), rounds in of_name.items()
    ]
    path.write_text(json.dumps(machine | {"results": results}, indent=1) + "\n")


def main(words):
    arguments = arguments_of(words)
    contestants, missing = find_contestants(arguments.build)
    cores = sorted(os.sched_getaffinity(0))
    machine = {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": len(cores),
        "kernel": platform.release(),
        "load_before": os.getloadavg()[0],
        "command": "bench/compare/run.py " + shlex.join(words),
        "missing": missing,
    }
    if machine["load_before"] > QUIET_LOAD:
        print(f"run.py: the machine is busy (load {machine['load_before']:.1f}): "
              "figures will mostly show what else is running", file=sys.stderr)
    times = measure(contestants, arguments, cores)
    table = medians(times)
    print(f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, "
          f"Linux {machine['kernel']}, load before {machine['load_before']:.1f}: "
          f"`{machine['command'].strip()}`")
    for side in ("out_of_place", "in_place"):
        print(f"\n{arguments.collective}, {side.replace('_', ' ')}, {arguments.ranks} ranks, "
              f"median microseconds of {arguments.rounds} rounds:\n")
        print(markdown(table, side))
    for reason in missing:
        print(f"\nNot measured: {reason}.")
    if arguments.json:
        write_json(arguments.json, machine, table, times)


if __name__ == "__main__":
    main(sys.argv[1:])
