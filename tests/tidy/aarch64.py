#!/usr/bin/env python3
"""Compiles the library for 64-bit Arm, where it is not run: the kernels as a whole, for their NEON
code, and of everything else what a compiler checks before it makes code.

usage: aarch64.py ROOT FILE...; the files of the library, which has its kernels besides
"""

import concurrent.futures
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile

import groups

COMPILER = "aarch64-linux-gnu-g++"
SKIPPED = 77  # what Meson takes as "skipped"
FLAGS = ("-std=c++20", "-O1", "-Wall", "-Wextra", "-Wconversion", "-Wno-sign-conversion", "-Werror",
         "-DRONDO_HWLOC=0", '-DRONDO_LIBRARY_FOLDER="/usr/lib"')
KERNELS = ("src/execute/kernels/baseline.cpp", "-ffp-contract=off", "-Wno-psabi", "-c")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    paths = [pathlib.Path(name).resolve() for name in sys.argv[2:]]
    if shutil.which(COMPILER) is None:
        print(f"{COMPILER} is not installed: nothing is compiled for 64-bit Arm")
        sys.exit(SKIPPED)
    includes = (root / "src", root / "include")
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)

        def compile_one(arguments):
            command = [COMPILER, *FLAGS, *(f"-I{path}" for path in includes), *arguments]
            run = subprocess.run(command, capture_output=True, text=True, check=False)
            return "" if run.returncode == 0 else run.stderr or f"ended with {run.returncode}"

        jobs = [(root / KERNELS[0], *KERNELS[1:], "-o", folder / "kernels.o")]
        for number, members in enumerate(groups.group(paths, includes)):
            file = folder / f"group_{number}.cpp"
            file.write_text(groups.text_of(members))
            jobs.append((file, "-fsyntax-only"))
        with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
            problems = list(filter(None, pool.map(compile_one, jobs)))
    print("\n".join(problems))
    print(f"{len(paths)} files and the kernels, {len(problems)} problems")
    sys.exit(1 if problems or not paths else 0)


if __name__ == "__main__":
    main()
