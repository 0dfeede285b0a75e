#!/usr/bin/env python3
"""Shows that objects with instructions of their own define nothing that other objects may define,
too: the linker takes such a function from any one of them, also for machines that cannot run it.

usage: check_kernel_objects.py ARCHIVE...
"""

import pathlib
import subprocess
import sys

LOCAL = "abdnrtN"  # nm's letters for symbols that only their own object sees


def shared_symbols(archive):
    listing = subprocess.run(["nm", "--defined-only", "--demangle", str(archive)],
                             capture_output=True, text=True, check=True).stdout
    for line in listing.splitlines():
        words = line.split(maxsplit=2)
        if len(words) == 3 and words[1] not in LOCAL:
            yield words[2]


def main():
    failed = False
    for archive in map(pathlib.Path, sys.argv[1:]):
        # librondo-kernels-avx2.a has the table of its instruction set, and nothing else.
        table = "rondo::" + archive.stem.rsplit("-", 1)[1] + "_kernels"
        found = list(shared_symbols(archive))
        failed |= found != [table]
        print(f"{archive.name}: {', '.join(found) or 'nothing'}; expected {table} alone")
    sys.exit(1 if failed or len(sys.argv) < 2 else 0)


if __name__ == "__main__":
    main()
