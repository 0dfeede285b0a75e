#!/usr/bin/env python3
"""A rank that is killed under mpirun: the others hear of it, by name.

usage: killed_test.py PROGRAM
"""

import os
import re
import subprocess
import sys

PROGRAM = sys.argv[1]
# As it is, mpirun sends all others SIGTERM after a second, or when the first of them has ended, for
# which rondo waits a moment: who does not get a core in this time is not told. With recovery it
# leaves them alone.
LEAVE_SURVIVORS = ["--enable-recovery"]
ATTEMPTS = 5  # on a busy machine


def survivors_say(transport, elements, options):
    environment = dict(os.environ, RONDO_TRANSPORT=transport, OMPI_ALLOW_RUN_AS_ROOT="1",
                       OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    done = subprocess.run(
        ["mpirun", "--oversubscribe", "-np", "3", *options, PROGRAM, str(elements)],
        env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, timeout=120,
        check=False)
    return done.stdout + done.stderr


def untold(text):
    """The survivors that do not name the rank that was killed."""
    return [rank for rank in (0, 2) if not re.search(
        rf"rank {rank} got peer_lost about rank 1: .*lost rank 1", text)]


def main():
    for transport in ("auto", "tcp", "mpi"):
        for elements in (10, 1_000_000):
            text = survivors_say(transport, elements, LEAVE_SURVIVORS)
            if untold(text):
                sys.exit(f"{transport}, {elements} elements: not told: {untold(text)}\n{text}")
        for _ in range(ATTEMPTS):
            text = survivors_say(transport, 10, [])
            if not untold(text):
                break
        else:
            sys.exit(f"{transport}: mpirun ended before they were told: {untold(text)}\n{text}")
    print("the survivors named the rank that was killed")


main()
