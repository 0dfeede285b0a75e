#!/usr/bin/env python3
"""Runs clang-tidy on every file of src/ in the compile database, a few at a time.

usage: clang_tidy.py ROOT BUILD [FILE...]
"""

import concurrent.futures
import json
import os
import pathlib
import shutil
import subprocess
import sys

CLANG_TIDY = "clang-tidy-14"
SKIPPED = 77  # what Meson takes as "skipped"
# g++ knows these and clang does not, which matters to nobody here.
EXTRA = ("--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-ignored-optimization-argument")


def files_of_library(root, build):
    database = json.loads((build / "compile_commands.json").read_text())
    files = {(pathlib.Path(entry["directory"]) / entry["file"]).resolve() for entry in database}
    return sorted(str(path) for path in files if (root / "src") in path.parents)


def check(build, path):
    run = subprocess.run([CLANG_TIDY, "--quiet", "-p", str(build), *EXTRA, path],
                         capture_output=True, text=True, check=False)
    return path, run.returncode, run.stdout if run.stdout.strip() else run.stderr


def main():
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    if shutil.which(CLANG_TIDY) is None:
        print(f"{CLANG_TIDY} is not installed: names and bug patterns are not checked")
        sys.exit(SKIPPED)
    files = sys.argv[3:] or files_of_library(root, build)
    failed = 0
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        for path, status, output in pool.map(lambda file: check(build, file), files):
            if status != 0:
                failed += 1
                print(output)
    print(f"{len(files)} files, {failed} with findings")
    sys.exit(1 if failed or not files else 0)


if __name__ == "__main__":
    main()
