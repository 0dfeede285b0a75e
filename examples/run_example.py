#!/usr/bin/env python3
"""Runs an example on some ranks and checks that one line of its output says what is expected."""

import argparse
import subprocess
import sys

SKIPPED = 77  # to Meson; of programs that cannot run here


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rondo", help="the rondo command")
    parser.add_argument("-n", type=int, default=1, help="ranks")
    parser.add_argument("--expect", required=True, help="what a line of the output contains")
    parser.add_argument("program")
    args = parser.parse_args()

    command = [args.rondo, "run", "-n", str(args.n), args.program]
    run = subprocess.run(command, capture_output=True, text=True, timeout=60)
    print(run.stdout, run.stderr, sep="")
    if run.returncode == SKIPPED:  # it said why
        sys.exit(SKIPPED)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {run.returncode}")
    # rondo run may put a mark of the rank before each line.
    if not any(args.expect in line for line in run.stdout.splitlines()):
        sys.exit(f"no line contains {args.expect!r}")


if __name__ == "__main__":
    main()
