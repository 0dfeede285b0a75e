"""What run.py is told, and what it refuses before anything is measured."""

import argparse
import pathlib
import re
import shlex
import sys
import tempfile

import processes

ROOT = pathlib.Path(__file__).resolve().parents[2]
COLLECTIVES = ("allreduce", "broadcast", "allgather", "reduce_scatter")
MOST_RANKS = 256  # of copy-bandwidth, which measures the memory with as many processes
DAY_S = 24 * 3600
FULL = {"collectives": COLLECTIVES, "ranks": (2, 4), "rounds": 5, "factor": 4}
QUICK = {"collectives": ("allreduce",), "ranks": (2,), "rounds": 1, "factor": 16}
TRIAL_S = 20


def refuse(text):
    print(f"run.py: {text}", file=sys.stderr)
    raise SystemExit(2)


class Parser(argparse.ArgumentParser):
    def error(self, message):
        """One line, without the whole usage above it."""
        self.exit(2, f"run.py: {message.removeprefix('argument ')}; see --help\n")


def expected(text, what):
    return argparse.ArgumentTypeError(f"{text or '(nothing)'}: expected {what}")


def whole_number(least, most=None):
    def parse(text):
        if not re.fullmatch("[0-9]{1,9}", text) or not least <= int(text) <= (most or int(text)):
            to = "on" if most is None else f"to {most}"
            raise expected(text, f"a whole number from {least} {to}")
        return int(text)
    return parse


def more_than_0(most, unit):
    def parse(text):
        try:
            number = float(text)
        except ValueError:
            number = 0
        if not 0 < number <= most:  # which NaN is not
            raise expected(text, f"{unit}, more than 0 and at most {most}")
        return number
    return parse


def size(text):
    """Bytes, written as for rondo-perf."""
    match = re.fullmatch(r"([0-9]+(?:\.[0-9]+)?)([kmg]?)", text.lower())
    number = float(match[1]) * 1024 ** " kmg".index(match[2] or " ") if match else 0
    if not 1 <= number <= 2 ** 50 or number != int(number):
        raise expected(text, "bytes, such as 64, 4K, 16M or 1G")
    return int(number)


def each_of(parse_one):
    """Values with commas between them, each of them once."""
    def parse(text):
        return tuple(dict.fromkeys(parse_one(word) for word in text.split(",")))
    return parse


def collective(text):
    if text not in COLLECTIVES:
        raise expected(text, "some of " + ", ".join(COLLECTIVES))
    return text


def words(text):
    try:
        return tuple(shlex.split(text))
    except ValueError as error:
        raise expected(text, f"the words of a command ({error})") from error


def arguments_of(given, about=None):
    parser = Parser(description=about)
    parser.add_argument("--build", type=pathlib.Path, default=ROOT / "build", metavar="FOLDER",
                        help="build, beside bench")
    parser.add_argument("--install", action="store_true",
                        help="install the peers with apt and build what is compared, before that")
    parser.add_argument("--quick", action="store_true",
                        help="one round of allreduce of few sizes with 2 ranks, unless told more")
    parser.add_argument("--collectives", type=each_of(collective), metavar="A,B",
                        help=",".join(COLLECTIVES))
    parser.add_argument("--ranks", type=each_of(whole_number(1, MOST_RANKS)), metavar="N,M",
                        help="2,4")
    parser.add_argument("--rounds", type=whole_number(1), metavar="N", help="5")
    parser.add_argument("--min", type=size, default="4", metavar="SIZE", help="4")
    parser.add_argument("--max", type=size, default="64M", metavar="SIZE", help="64M")
    parser.add_argument("--factor", type=whole_number(2), metavar="N", help="4")
    parser.add_argument("--only", metavar="NAME,NAME", help="these contestants, rondo always")
    parser.add_argument("--flags", type=words, default="",
                        help="more flags of rondo-perf, for all contestants")
    parser.add_argument("--launch", type=words, default="", metavar="COMMAND",
                        help="stands in front of every rank, for all alike: 'chrt -f 10'")
    parser.add_argument("--minutes", type=more_than_0(10 ** 6, "minutes"), default="60",
                        metavar="N",
                        help="no round is begun that would not end within so many (60)")
    parser.add_argument("--timeout", type=more_than_0(DAY_S, "seconds"), default="120",
                        metavar="N", help="seconds after which a contestant hangs (120)")
    parser.add_argument("--out", type=pathlib.Path, metavar="FOLDER",
                        help="for comparison.md, comparison.json, and a chart of each table")
    return parse_with_defaults(parser, given, QUICK, FULL)


def parse_with_defaults(parser, given, quick, full):
    """What was not said is what the form has, quick or full."""
    arguments = parser.parse_args(given)
    for name, value in (quick if arguments.quick else full).items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, value)
    if arguments.min > arguments.max:
        parser.error(f"--min {arguments.min}: more than --max {arguments.max}: expected at most "
                     "as much")
    return arguments


def chosen(contestants, only):
    """Those that were asked for, and rondo, which they are compared with."""
    if only is None:
        return contestants
    names = only.split(",")
    known = [contestant.name for contestant in contestants]
    if unknown := set(names) - set(known):
        refuse(f"--only: {', '.join(sorted(unknown))}: expected some of {', '.join(known)}")
    return [each for each in contestants if each.name in names or each is contestants[0]]


def complaint_about(command, directory):
    """What is wrong with a command that should do next to nothing, in one line."""
    try:
        processes.run_to_end([(command, {})], directory, TRIAL_S)
    except OSError as error:
        return error.strerror
    except processes.Failed as failure:
        return " ".join(str(failure).split())
    return None


def try_launch(launch):
    """Whether it starts the command that stands behind it."""
    if not launch:
        return
    with tempfile.TemporaryDirectory(prefix="rondo-compare-") as directory:
        started = pathlib.Path(directory) / "started"
        complaint = complaint_about([*launch, "touch", str(started)], directory)
        if not complaint and not started.exists():
            complaint = "it started nothing"
    if complaint:
        refuse(f"--launch '{shlex.join(launch)}': {complaint}: expected a command that starts the "
               "command behind it, such as 'chrt -f 10'")


def try_flags(program, flags):
    """Whether rondo-perf takes them: it reads what stands before --help first."""
    with tempfile.TemporaryDirectory(prefix="rondo-compare-") as directory:
        complaint = complaint_about([str(program), "allreduce", *flags, "--help"], directory)
    if complaint:
        refuse(f"--flags '{shlex.join(flags)}': {complaint}")


def make_folder(folder):
    """Where results can be written, as is tried."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        refuse(f"--out {folder}: {error.strerror}: expected a folder, or the name of a new one, "
               "that can be written to")
