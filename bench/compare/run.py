#!/usr/bin/env python3
"""Measures rondo and its peers side by side on this machine: a table in Markdown, JSON and charts.

Every contestant runs the same measuring program (same sizes, operations, fresh buffers, checks),
with one process a rank, each pinned to a core. Rounds are interleaved, so that a busy minute of the
machine meets all contestants, and the figure of a size is the median over the rounds. What memory
can do with as many processes at once is measured in the same rounds.

A peer that is not there is reported as missing. One that fails, hangs or finds a wrong result is
named, counts as failed for that table, and makes the exit code 1.
"""

import argparse
import datetime
import json
import os
import pathlib
import platform
import shlex
import signal
import subprocess
import sys
import tempfile
import time

import processes
import report
from contestants import PACKAGES, Panel, Place, find_contestants
from processes import Failed

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTIVES = ("allreduce", "broadcast", "allgather", "reduce_scatter")
COPIED = "64M"  # at once by each process that measures the memory
QUIET_LOAD = 0.5
FULL = {"collectives": ",".join(COLLECTIVES), "ranks": "2,4", "rounds": 5, "factor": "4"}
QUICK = {"collectives": "allreduce", "ranks": "2", "rounds": 1, "factor": "16"}


def say(text):
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def run_once(contestant, place, ranks, flags, seconds):
    """The report that rank 0 writes about one run of all ranks."""
    with tempfile.TemporaryDirectory(prefix="rondo-compare-") as directory:
        path = pathlib.Path(directory) / "report.json"
        commands = contestant.commands(place, ranks, directory, [*flags, "--json", str(path)])
        processes.run_to_end(commands, directory, seconds)
        return json.loads(path.read_text())


def copying_in(build):
    """The program that measures the memory."""
    return build / "bench" / "compare" / "copy-bandwidth"


def measure_memory(program, place, ranks):
    """Bytes read and written in a second, in GB, by as many processes as there are ranks."""
    cores = ",".join(str(core) for core in place.cores)
    words = ["taskset", "-c", cores, *place.launch, program, str(ranks), COPIED]
    done = subprocess.run(words, capture_output=True, text=True, check=True, timeout=60)
    return json.loads(done.stdout)["traffic_gbps"]


class Comparison:
    def __init__(self, panels, contestants, place, arguments):
        self.panels = panels
        self.contestants = contestants
        self.place = place
        self.arguments = arguments
        self.libraries = {}  # as each calls itself
        self.rounds = 0
        names = [contestant.name for contestant in contestants]
        self.times = [report.Times(panel, names) for panel in panels]
        for times in self.times:
            for contestant in contestants:
                if contestant.missing:
                    times.drop(contestant.name, "missing", contestant.missing)
                elif reason := contestant.lacks(times.panel):
                    times.drop(contestant.name, "missing", f"it {reason}")

    def flags(self, panel):
        arguments = self.arguments
        side = "in" if panel.in_place else "out"
        return [panel.collective, "-b", arguments.min, "-e", arguments.max, "-f", arguments.factor,
                "--side", side, *shlex.split(arguments.flags)]

    def measure_rounds(self):
        """As many as were asked for, or as fit into the time."""
        start = time.monotonic()
        while self.rounds < self.arguments.rounds:
            self.measure_round()
            self.rounds += 1
            spent = time.monotonic() - start
            say(f"{self.rounds} of {self.arguments.rounds} rounds after {spent / 60:.1f} minutes")
            if spent / self.rounds * (self.rounds + 1) > self.arguments.minutes * 60:
                break

    def measure_round(self):
        traffic = {ranks: measure_memory(str(copying_in(self.arguments.build)), self.place, ranks)
                   for ranks in sorted({panel.ranks for panel in self.panels})}
        shift = self.rounds % len(self.contestants)
        for times in self.times:
            times.traffic_gbps.append(traffic[times.panel.ranks])
            for contestant in self.contestants[shift:] + self.contestants[:shift]:
                if contestant.name not in times.absent:
                    self.measure(times, contestant)

    def measure(self, times, contestant):
        panel = times.panel
        say(f"round {self.rounds + 1}: {panel.title()}: {contestant.name}")
        try:
            found = run_once(contestant, self.place, panel.ranks, self.flags(panel),
                             self.arguments.timeout)
            if (ranks := found["config"]["ranks"]) != panel.ranks:
                raise Failed(f"it ran with {ranks} instead of {panel.ranks} ranks: was it built "
                             "with another library than its launcher's?")
        except Failed as failure:
            say(f"{contestant.name} failed ({panel.title()}): {failure}")
            times.drop(contestant.name, "failed", str(failure))
            return
        self.libraries[contestant.name] = found["config"]["library"]
        times.add(contestant.name, found)

    def has_failures(self):
        return any(word == "failed" for times in self.times for word, _ in times.absent.values())


def processor():
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.split(":", 1)[1].strip()
    return platform.machine()


def machine_of(words, place):
    return {
        "date": datetime.date.today().isoformat(),
        "processor": processor(),
        "cores": len(place.cores),
        "kernel": platform.release(),
        "load_before": round(os.getloadavg()[0], 1),
        "command": shlex.join(["bench/compare/run.py", *words]),
    }


def write_results(comparison, machine, folder):
    """The table as text, which is also written to the folder, with the charts and the JSON file."""
    machine = machine | {"rounds": comparison.rounds, "libraries": comparison.libraries,
                         "load_after": round(os.getloadavg()[0], 1)}
    about = (f"{machine['date']}, {machine['processor']}, {machine['cores']} cores, Linux "
             f"{machine['kernel']}, load {machine['load_before']} before and "
             f"{machine['load_after']} after")
    parts = [f"{about}: `{machine['command']}`\n"]
    parts += [f"- {name}: {library}" for name, library in comparison.libraries.items()]
    for times in comparison.times:
        parts.append(f"\n{times.panel.title()}, median microseconds of {comparison.rounds} rounds; "
                     "in parentheses, how many times as long as rondo:\n")
        parts.append(report.markdown(times))
    text = "\n".join(parts) + "\n"
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "comparison.md").write_text(text)
        results = machine | {"panels": [report.as_json(times) for times in comparison.times]}
        (folder / "comparison.json").write_text(json.dumps(results, indent=1) + "\n")
        subtitle = (f"{machine['cores']} cores of {machine['processor']}, medians of "
                    f"{comparison.rounds} rounds, load {machine['load_before']}")
        for times in comparison.times:
            write_chart(comparison.arguments.build, times, subtitle, folder)
    return text


def write_chart(build, times, subtitle, folder):
    if len(times.sizes()) < 2:
        return
    drawn = subprocess.run([str(build / "bench" / "compare" / "compare-chart")], text=True,
                           input=report.chart_lines(times, subtitle), capture_output=True,
                           check=True)
    path = folder / f"{times.panel.collective}_{times.panel.ranks}.svg"
    path.write_text(drawn.stdout)


def install(build):
    """Peers, and what measures them."""
    script = f'. .ci/debian.sh && install_missing {" ".join(PACKAGES)}'
    subprocess.run(["sh", "-euc", script], cwd=ROOT, check=True)
    is_new = not (build / "build.ninja").exists()
    again = [] if is_new else ["--reconfigure"]
    kind = ["--buildtype", "release"] if is_new else []
    subprocess.run(["meson", "setup", *again, *kind, str(build), str(ROOT)], check=True)
    subprocess.run(["ninja", "-C", str(build), "compare"], check=True)


def arguments_of(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build"))
    parser.add_argument("--install", action="store_true",
                        help="install the peers with apt and build what is compared, before that")
    parser.add_argument("--quick", action="store_true",
                        help="one round of allreduce of few sizes with 2 ranks, unless told more")
    parser.add_argument("--collectives", metavar="A,B", help=FULL["collectives"])
    parser.add_argument("--ranks", metavar="N,M", help=FULL["ranks"])
    parser.add_argument("--rounds", type=int, help=str(FULL["rounds"]))
    parser.add_argument("--min", default="4", metavar="SIZE", help="4")
    parser.add_argument("--max", default="64M", metavar="SIZE", help="64M")
    parser.add_argument("--factor", help=FULL["factor"])
    parser.add_argument("--only", metavar="NAME,NAME", help="these contestants, rondo always")
    parser.add_argument("--flags", default="", help="more flags of rondo-perf, for all contestants")
    parser.add_argument("--launch", default="",
                        help="stands in front of every rank, for all alike: 'chrt -f 10'")
    parser.add_argument("--minutes", type=float, default=60,
                        help="no round is begun that would not end within so many (60)")
    parser.add_argument("--timeout", type=float, default=120,
                        help="seconds after which a contestant hangs (120)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER",
                        help="for comparison.md, comparison.json, and a chart of each table")
    arguments = parser.parse_args(words)
    for name, value in (QUICK if arguments.quick else FULL).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    arguments.collectives = arguments.collectives.split(",")
    if unknown := set(arguments.collectives) - set(COLLECTIVES):
        parser.error(f"--collectives: {', '.join(sorted(unknown))}: not compared; expected some of "
                     + ", ".join(COLLECTIVES))
    try:
        arguments.ranks = [int(ranks) for ranks in arguments.ranks.split(",")]
    except ValueError:
        parser.error(f"--ranks {arguments.ranks}: expected whole numbers such as 2,4")
    for flag, number in (("--rounds", arguments.rounds), ("--ranks", min(arguments.ranks))):
        if number < 1:
            parser.error(f"{flag} {number}: expected 1 or more")
    return arguments


def chosen(contestants, only):
    """Those that were asked for, and rondo, which they are compared with."""
    if only is None:
        return contestants
    names = only.split(",")
    known = [contestant.name for contestant in contestants]
    if unknown := set(names) - set(known):
        raise SystemExit(f"run.py: --only: {', '.join(sorted(unknown))}: expected some of "
                         + ", ".join(known))
    return [each for each in contestants if each.name in names or each is contestants[0]]


def main(words):
    arguments = arguments_of(words)
    processes.adopt_orphans()
    # So that cleaning up takes place.
    signal.signal(signal.SIGTERM, lambda number, frame: sys.exit(128 + number))
    if arguments.install:
        install(arguments.build)
    contestants = chosen(find_contestants(arguments.build), arguments.only)
    copying = copying_in(arguments.build)
    unbuilt = contestants[0].missing or ("" if copying.exists() else f"there is no {copying}")
    if unbuilt:
        raise SystemExit(f"run.py: {unbuilt}: build it (ninja -C {arguments.build} compare), or "
                         "name the folder: --build")
    place = Place(tuple(sorted(os.sched_getaffinity(0))), tuple(shlex.split(arguments.launch)))
    # MPI has broadcast in place only.
    panels = [Panel(collective, ranks, in_place=collective == "broadcast")
              for ranks in arguments.ranks for collective in arguments.collectives]
    machine = machine_of(words, place)
    if machine["load_before"] > QUIET_LOAD:
        say(f"the machine is busy (load {machine['load_before']}): figures will mostly show what "
            "else is running")
    comparison = Comparison(panels, contestants, place, arguments)
    runs = len(panels) * len(contestants)
    say(f"up to {arguments.rounds} rounds of {runs} runs, none begun that would end after "
        f"{arguments.minutes:.0f} minutes; a run of more than {arguments.timeout:.0f} s has failed")
    comparison.measure_rounds()
    print(write_results(comparison, machine, arguments.out), end="")
    return 1 if comparison.has_failures() else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
