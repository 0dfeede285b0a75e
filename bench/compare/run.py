#!/usr/bin/env python3
"""Measures rondo and its peers side by side on this machine: a table in Markdown, JSON and charts.

Every contestant runs the same measuring program (same sizes, operations, fresh buffers, checks),
with one process a rank, each pinned to a core. Rounds are interleaved, so that a busy minute of the
machine meets all contestants, and the figure of a size is the median over the rounds. What memory
can do with as many processes at once is measured in the same rounds.

A peer that is not there is reported as missing. One that fails, hangs or finds a wrong result is
named, counts as failed for that table, and makes the exit code 1.

Ctrl-C and SIGTERM end it with what the finished rounds say.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time

import processes
import report
from arguments import ROOT, arguments_of, chosen, make_folder, refuse, try_flags, try_launch
from contestants import PACKAGES, Panel, Place, find_contestants
from interruption import Interrupted, end_on_signals, ignore_signals, undisturbed
from machine import QUIET_LOAD, about, afterwards, below_title, machine_of
from processes import Failed

COPIED = "64M"  # at once by each process that measures the memory
MEMORY_S = 60


def say(text):
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def run_once(contestant, place, ranks, flags, seconds):
    """The report that rank 0 writes about one run of all ranks."""
    with tempfile.TemporaryDirectory(prefix="rondo-compare-") as directory:
        path = pathlib.Path(directory) / "report.json"
        commands = contestant.commands(place, ranks, directory, [*flags, "--json", str(path)])
        processes.run_to_end(commands, directory, seconds)
        try:
            return json.loads(path.read_text())
        except (OSError, ValueError) as error:
            raise Failed(f"it ended well, but without a report: {error}") from error


def program_in(build, name):
    return build / "bench" / "compare" / name


def measure_memory(program, place, ranks):
    """Bytes read and written in a second, in GB, by as many processes as there are ranks."""
    cores = ",".join(str(core) for core in place.cores)
    words = ["taskset", "-c", cores, *place.launch, program, str(ranks), COPIED]
    try:
        done = subprocess.run(words, capture_output=True, text=True, check=False,
                              timeout=MEMORY_S)
    except subprocess.TimeoutExpired as error:
        raise Failed(f"no end after {MEMORY_S} s") from error
    if done.returncode != 0:
        raise Failed(done.stderr.strip() or f"it ended with code {done.returncode}")
    return json.loads(done.stdout)["traffic_gbps"]


class Comparison:
    def __init__(self, panels, contestants, place, arguments):
        self.panels = panels
        self.contestants = contestants
        self.place = place
        self.arguments = arguments
        self.libraries = {}  # as each calls itself
        self.rounds = 0
        self.has_failures = False
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
        return [panel.collective, "-b", str(arguments.min), "-e", str(arguments.max),
                "-f", str(arguments.factor), "--side", side, *arguments.flags]

    def measure_rounds(self, keep=lambda: None):
        """As many as were asked for, or as fit into the time. Calls `keep` after each.

        A round counts as a whole: an interrupted one leaves nothing behind.
        """
        start = time.monotonic()
        while self.rounds < self.arguments.rounds:
            found = self.measure_round()
            with undisturbed():
                self.add(*found)
                keep()
            spent = time.monotonic() - start
            say(f"{self.rounds} of {self.arguments.rounds} rounds after {spent / 60:.1f} minutes")
            if spent / self.rounds * (self.rounds + 1) > self.arguments.minutes * 60:
                break

    def measure_round(self):
        """What memory carried with so many ranks, and a report or a failure of each run."""
        traffic = {ranks: self.measure_memory(ranks)
                   for ranks in sorted({panel.ranks for panel in self.panels})}
        shift = self.rounds % len(self.contestants)
        found = [(times, contestant.name, self.measure(times.panel, contestant))
                 for times in self.times
                 for contestant in self.contestants[shift:] + self.contestants[:shift]
                 if contestant.name not in times.absent]
        return traffic, found

    def measure_memory(self, ranks):
        """None where it fails: tables have no bound then."""
        try:
            program = program_in(self.arguments.build, "copy-bandwidth")
            return measure_memory(str(program), self.place, ranks)
        except Failed as failure:
            say(f"copy-bandwidth failed ({ranks} ranks): {failure}")
            self.has_failures = True
            return None

    def measure(self, panel, contestant):
        say(f"round {self.rounds + 1}: {panel.title()}: {contestant.name}")
        try:
            found = run_once(contestant, self.place, panel.ranks, self.flags(panel),
                             self.arguments.timeout)
            if (ranks := found["config"]["ranks"]) != panel.ranks:
                raise Failed(f"it ran with {ranks} instead of {panel.ranks} ranks: was it built "
                             "with another library than its launcher's?")
            return found
        except Failed as failure:
            say(f"{contestant.name} failed ({panel.title()}): {failure}")
            self.has_failures = True
            return failure

    def add(self, traffic, found):
        for times in self.times:
            if traffic[times.panel.ranks] is not None:
                times.traffic_gbps.append(traffic[times.panel.ranks])
        for times, name, outcome in found:
            if isinstance(outcome, Failed):
                times.drop(name, "failed", str(outcome))
            else:
                self.libraries[name] = outcome["config"]["library"]
                times.add(name, outcome)
        self.rounds += 1


def now_known(comparison, machine):
    return afterwards(machine) | {"rounds": comparison.rounds,
                                  "libraries": comparison.libraries}


def tables(comparison, machine):
    """As text."""
    parts = [f"{about(machine)}: `{machine['command']}`\n"]
    parts += [f"- {name}: {library}" for name, library in comparison.libraries.items()]
    for times in comparison.times:
        parts.append(f"\n{times.panel.title()}, median microseconds of {comparison.rounds} rounds; "
                     "in parentheses, how many times as long as rondo:\n")
        parts.append(report.markdown(times))
    return "\n".join(parts) + "\n"


def write_json(comparison, machine, folder):
    """At once, so that there is always a whole file."""
    results = machine | {"panels": [report.as_json(times) for times in comparison.times]}
    new = folder / "comparison.json.new"
    new.write_text(json.dumps(results, indent=1) + "\n")
    new.replace(folder / "comparison.json")


def keep_round(comparison, machine):
    """A full disk is no reason to stop measuring."""
    folder = comparison.arguments.out
    if folder:
        try:
            write_json(comparison, now_known(comparison, machine), folder)
        except OSError as error:
            say(f"{folder}: {error.strerror}: this round was not written")


def show_results(comparison, machine):
    """Prints the tables and, where a folder was named, writes them to it, with JSON and charts."""
    machine = now_known(comparison, machine)
    text = tables(comparison, machine)
    print(text, end="", flush=True)
    folder = comparison.arguments.out
    if folder is None:
        return
    try:
        (folder / "comparison.md").write_text(text)
        write_json(comparison, machine, folder)
        subtitle = below_title(machine, comparison.rounds)
        program = program_in(comparison.arguments.build, "compare-chart")
        for times in comparison.times:
            report.write_chart(program, times, subtitle, folder)
    except OSError as error:
        refuse(f"{folder}: {error.strerror}: not all results were written")


def install(build):
    """Peers, and what measures them."""
    script = f'. .ci/debian.sh && install_missing {" ".join(PACKAGES)}'
    is_new = not (build / "build.ninja").exists()
    again = [] if is_new else ["--reconfigure"]
    kind = ["--buildtype", "release"] if is_new else []
    try:
        subprocess.run(["sh", "-euc", script], cwd=ROOT, check=True)
        subprocess.run(["meson", "setup", *again, *kind, str(build), str(ROOT)], check=True)
        subprocess.run(["ninja", "-C", str(build), "compare"], check=True)
    except (OSError, subprocess.CalledProcessError) as error:
        refuse(f"--install: {error}")


def check_built(build, rondo):
    programs = [program_in(build, name) for name in ("copy-bandwidth", "compare-chart")]
    unbuilt = [f"there is no {program}" for program in programs if not program.exists()]
    if rondo.missing or unbuilt:
        refuse(f"{rondo.missing or unbuilt[0]}: build it (ninja -C {build} compare), or name the "
               "folder: --build")


def prepared(words):
    """The comparison, once all that was asked for is known to be possible, and the machine."""
    arguments = arguments_of(words, __doc__.split("\n", maxsplit=1)[0])
    try_launch(arguments.launch)
    contestants = chosen(find_contestants(arguments.build), arguments.only)
    if arguments.out:
        make_folder(arguments.out)
    if arguments.install:
        install(arguments.build)
        contestants = chosen(find_contestants(arguments.build), arguments.only)
    check_built(arguments.build, contestants[0])
    try_flags(contestants[0].program, arguments.flags)
    place = Place(tuple(sorted(os.sched_getaffinity(0))), arguments.launch)
    # MPI has broadcast in place only.
    panels = [Panel(collective, ranks, in_place=collective == "broadcast")
              for ranks in arguments.ranks for collective in arguments.collectives]
    machine = machine_of(["bench/compare/run.py", *words], place)
    return Comparison(panels, contestants, place, arguments), machine


def compare(words):
    comparison, machine = prepared(words)
    arguments = comparison.arguments
    if machine["load_before"] > QUIET_LOAD:
        say(f"the machine is busy (load {machine['load_before']}): figures will mostly show what "
            "else is running")
    runs = len(comparison.panels) * len(comparison.contestants)
    say(f"up to {arguments.rounds} rounds of {runs} runs, none begun that would end after "
        f"{arguments.minutes:.0f} minutes; a run of more than {arguments.timeout:.0f} s has failed")
    try:
        comparison.measure_rounds(lambda: keep_round(comparison, machine))
    except Interrupted as interrupted:
        ignore_signals()
        processes.kill_descendants()
        kept = "they are kept" if comparison.rounds else "there is nothing to keep"
        say(f"ended by {interrupted.name}: {comparison.rounds} of {arguments.rounds} rounds are "
            f"finished: {kept}")
        if comparison.rounds:
            show_results(comparison, machine)
        raise
    show_results(comparison, machine)
    return 1 if comparison.has_failures else 0


def main(words):
    processes.adopt_orphans()
    end_on_signals()
    try:
        return compare(words)
    finally:
        processes.kill_descendants()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
