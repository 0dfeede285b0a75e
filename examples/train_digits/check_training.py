#!/usr/bin/env python3
"""Trains with 1, 2 and 4 ranks and checks what the example promises: at least 96 % of the held-out
images right, the same loss curve for every number of ranks to 1e-3, and a saved model that scores
as it did when it was trained."""

import pathlib
import re
import subprocess
import sys
import tempfile

RANKS = (1, 2, 4)
SKIPPED = 77  # to Meson; of programs that cannot run here
LOWEST_ACCURACY = 0.96
LARGEST_DIFFERENCE = 1e-3


def call(*command):
    command = [str(part) for part in command]
    run = subprocess.run(command, capture_output=True, text=True, timeout=100)
    if run.returncode == SKIPPED:
        print(run.stderr)
        sys.exit(SKIPPED)
    if run.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {run.returncode}:\n{run.stdout}{run.stderr}")
    return run.stdout


def read_losses(path):
    rows = [tuple(map(float, line.split())) for line in path.read_text().splitlines()]
    return [row[1] for row in rows], rows[-1][2]


def main():
    rondo, train = sys.argv[1:3]
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        curves = {}
        for ranks in RANKS:
            losses = folder / f"losses-{ranks}"
            # 126 does not divide 1437 and 4 does not divide 126: shares differ in size.
            print(call(rondo, "run", "-n", ranks, train, "--batch", 126, "--losses", losses,
                       "--save", folder / "model"))
            curves[ranks], accuracy = read_losses(losses)
            if accuracy < LOWEST_ACCURACY:
                sys.exit(f"{ranks} ranks: only {accuracy:.2%} of the held-out images are right")
        for ranks in RANKS[1:]:
            apart = max(abs(a - b) for a, b in zip(curves[1], curves[ranks], strict=True))
            print(f"{ranks} ranks: the loss differs by at most {apart:.2g} from that of one rank")
            if apart > LARGEST_DIFFERENCE:
                sys.exit("the number of ranks changes the training")
        scored = call(train, "--evaluate", folder / "model")
        found = re.search(r"accuracy ([\d.]+) %", scored)
        if not found or abs(float(found[1]) / 100 - accuracy) > 1e-3:
            sys.exit(f"the saved model scores otherwise than when it was trained: {scored}")


if __name__ == "__main__":
    main()
