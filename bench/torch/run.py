#!/usr/bin/env python3
"""Measures rondo and gloo as backends of torch.distributed, in turns among the same processes: one
allreduce of each size, the gradient buckets of whole models, and steps of DistributedDataParallel.

The buckets are replayed alone, and behind a simulated backward pass that takes as long as the
slowest backend communicates: on the core that the rank has (--compute core), or elsewhere, as on an
accelerator, while the core is free (device). Each rank is pinned to a core of its own.
"""

import argparse
import json
import os
import pathlib
import statistics
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench" / "compare"))
import processes  # noqa: E402
import report  # noqa: E402
from arguments import (Parser, each_of, expected, make_folder, more_than_0,  # noqa: E402
                       parse_with_defaults, refuse, size, try_launch, whole_number, words)
from contestants import Panel, Place  # noqa: E402
from interruption import end_on_signals  # noqa: E402
from machine import QUIET_LOAD, about, afterwards, below_title, machine_of  # noqa: E402

FOLDER = ROOT / "bench" / "torch"
BACKENDS = ("rondo", "gloo")
MODELS = ("resnet50", "gpt2")
PLACES = ("core", "device")
FULL = {"models": MODELS, "rounds": 9, "max": 64 << 20, "factor": 4}
QUICK = {"models": MODELS[:1], "rounds": 1, "max": 1 << 10, "factor": 16}


def say(text):
    print(f"run.py: {text}", file=sys.stderr, flush=True)


def one_of(names):
    def parse(text):
        if text not in names:
            raise expected(text, "some of " + ", ".join(names))
        return text
    return parse


def arguments_of(given):
    parser = Parser(description=__doc__.split("\n\n", maxsplit=1)[0],
                    formatter_class=argparse.RawDescriptionHelpFormatter,
                    epilog=__doc__.split("\n\n", maxsplit=1)[1])
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="FOLDER",
                        help="where rondo's Python package and compare-chart were built (build)")
    parser.add_argument("--python", default=sys.executable, metavar="PROGRAM",
                        help="a Python that has the PyTorch of that build (the one that runs this)")
    parser.add_argument("--quick", action="store_true",
                        help="one round of ResNet-50 and of few sizes, unless told more")
    parser.add_argument("--models", type=each_of(one_of(MODELS)), metavar="A,B",
                        help=",".join(MODELS))
    parser.add_argument("--compute", type=each_of(one_of(PLACES)), default="core,device",
                        metavar="A,B", help="core,device")
    parser.add_argument("--ranks", type=whole_number(2, 64), default="2", metavar="N", help="2")
    parser.add_argument("--rounds", type=whole_number(1, 1000), metavar="N",
                        help=str(FULL["rounds"]))
    parser.add_argument("--min", type=size, default="4", metavar="SIZE", help="4")
    parser.add_argument("--max", type=size, metavar="SIZE", help="64M")
    parser.add_argument("--factor", type=whole_number(2), metavar="N", help=str(FULL["factor"]))
    parser.add_argument("--launch", type=words, default="", metavar="COMMAND",
                        help="stands in front of every rank: 'chrt -r 10'")
    parser.add_argument("--timeout", type=more_than_0(3600 * 24, "seconds"), default="600",
                        metavar="N", help="seconds after which the ranks hang (600)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER",
                        help="for torch.md, torch.json, and a chart of each table of sizes")
    return parse_with_defaults(parser, given, QUICK, FULL)


def sizes_of(arguments):
    found = [arguments.min]
    while found[-1] * arguments.factor <= arguments.max:
        found.append(found[-1] * arguments.factor)
    return found


def measure(arguments, place):
    """What rank 0 reports."""
    with tempfile.TemporaryDirectory(prefix="rondo-torch-") as directory:
        folder = pathlib.Path(directory)
        settings = {"store": str(folder / "store"), "report": str(folder / "report.json"),
                    "ranks": arguments.ranks, "backends": BACKENDS, "rounds": arguments.rounds,
                    "models": arguments.models, "compute": arguments.compute,
                    "sizes": sizes_of(arguments)}
        path = folder / "settings.json"
        path.write_text(json.dumps(settings))
        package = arguments.build / "src" / "bind" / "python"
        environment = {"PYTHONPATH": os.pathsep.join(
            filter(None, [str(package), os.environ.get("PYTHONPATH")]))}
        commands = [([*place.words(rank), arguments.python, str(FOLDER / "rank.py"), str(path),
                      str(rank)], environment) for rank in range(arguments.ranks)]
        processes.run_to_end(commands, directory, arguments.timeout)
        return json.loads((folder / "report.json").read_text())


def times_of(name, ranks, rounds):
    """`rounds` of each backend: lists of results."""
    times = report.Times(Panel(name, ranks, in_place=True), list(BACKENDS))
    for backend, of_backend in rounds.items():
        for results in of_backend:
            times.add(backend, {"results": results})
    return times


def size_tables(measured, ranks):
    found = [times_of(f"allreduce {kind}", ranks, rounds)
             for kind, rounds in measured["calls"].items()]
    return found + [
        times_of(f"buckets of {model}", ranks,
                 {name: [results] for name, results in of_model["each"].items()})
        for model, of_model in measured["models"].items()]


def overlap(compute, alone, step):
    """The share of what could be hidden, communication behind computing, that was hidden."""
    return (compute + alone - step) / min(compute, alone)


def steps_of(measured):
    """For each model and place of computing, what a step takes and its parts, in seconds."""
    lines = []
    for model, of_model in measured["models"].items():
        alone = {name: statistics.median(times) for name, times in of_model["alone_s"].items()}
        lines.append({"what": f"{model}: communication alone", "seconds": alone})
        for place, found in of_model["steps"].items():
            compute = statistics.median(found["compute_s"])
            step = {name: statistics.median(times) for name, times in found["step_s"].items()}
            hidden = {name: overlap(compute, alone[name], step[name]) for name in BACKENDS}
            lines.append({"what": f"{model}: step, {1e3 * compute:.0f} ms computed on the {place}",
                          "seconds": step, "overlap": hidden})
    digits = {name: statistics.median(times) for name, times in measured["digits"].items()}
    share = {name: 1 - digits["alone"] / digits[name] for name in BACKENDS}
    lines.append({"what": f"digits: step, {1e3 * digits['alone']:.2f} ms without communication",
                  "seconds": {name: digits[name] for name in BACKENDS}, "communication": share})
    return lines


def step_table(lines):
    text = report.head(["milliseconds", *BACKENDS, "overlap", "communication"])
    for line in lines:
        cells = [report.short_time(1e3 * line["seconds"][name]) for name in BACKENDS]
        ratio = line["seconds"][BACKENDS[1]] / line["seconds"][BACKENDS[0]]
        cells[1] += f" ({report.short_ratio(ratio)})"
        for share in ("overlap", "communication"):
            cells.append(" and ".join(f"{100 * line[share][name]:.0f} %" for name in BACKENDS)
                         if share in line else "")
        text.append(report.row([line["what"], *cells]))
    return "\n".join(text)


def tables(machine, measured, lines, times):
    parts = [f"{about(machine)}, PyTorch {measured['torch']}: `{machine['command']}`\n",
             f"Medians of {machine['rounds']} rounds; in parentheses, how many times as long as "
             "rondo. Overlap: how much of the communication, or of the computing where that is "
             "less, was hidden; communication: its share of the step; of rondo and of gloo:\n",
             step_table(lines)]
    for each in times:
        parts.append(f"\n{each.panel.title()}, microseconds:\n")
        parts.append(report.markdown(each))
    return "\n".join(parts) + "\n"


def show(arguments, machine, measured):
    lines = steps_of(measured)
    times = size_tables(measured, arguments.ranks)
    text = tables(machine, measured, lines, times)
    print(text, end="", flush=True)
    folder = arguments.out
    if folder is None:
        return
    try:
        (folder / "torch.md").write_text(text)
        (folder / "torch.json").write_text(json.dumps(machine | {
            "steps": lines, "panels": [report.as_json(each) for each in times],
            "measured": measured}, indent=1) + "\n")
        for each in times:
            report.write_chart(arguments.build / "bench" / "compare" / "compare-chart", each,
                               below_title(machine, arguments.rounds), folder)
    except OSError as error:
        refuse(f"{folder}: {error.strerror}: not all results were written")


def main(given):
    arguments = arguments_of(given)
    try_launch(arguments.launch)
    if arguments.out:
        make_folder(arguments.out)
    place = Place(tuple(sorted(os.sched_getaffinity(0))), arguments.launch)
    machine = machine_of(["bench/torch/run.py", *given], place)
    if machine["load_before"] > QUIET_LOAD:
        say(f"the machine is busy (load {machine['load_before']}): figures will mostly show what "
            "else is running")
    processes.adopt_orphans()
    end_on_signals()
    try:
        measured = measure(arguments, place)
    except processes.Failed as failure:
        say(str(failure))
        return 1
    finally:
        processes.kill_descendants()
    show(arguments, afterwards(machine) | {"rounds": arguments.rounds}, measured)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
