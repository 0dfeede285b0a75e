#!/usr/bin/env python3
"""What is said where the transport mpi is asked for, and MPI has not started the ranks.

usage: errors_test.py RONDO
"""

import os
import subprocess
import sys

RONDO = sys.argv[1]
BASE = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")


def expect(command, environment, words):
    done = subprocess.run(command, env=dict(BASE, **environment), stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=60, check=False)
    if done.returncode == 0 or words not in done.stdout:
        sys.exit(f"{command} ended with {done.returncode}, and does not say {words!r}:\n"
                 f"{done.stdout}")


def main():
    world = [RONDO, "run", "-n", "2", "--transport", "mpi", "--", RONDO, "topo"]
    expect(world, {}, "but rondo that it is rank 1 of 2: start the program with mpirun")
    print("the error says what to do")


main()
