#!/usr/bin/env python3
"""Shows that .clang-tidy finds wrong names.

usage: test_clang_tidy.py ROOT
"""

import pathlib
import shutil
import subprocess
import sys
import tempfile

import clang_tidy

WRONG = ("Rondo", "bad_class", "no_suffix", "BadMethod", "BadConstant")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    if shutil.which(clang_tidy.CLANG_TIDY) is None:
        print(f"{clang_tidy.CLANG_TIDY} is not installed")
        sys.exit(clang_tidy.SKIPPED)
    with tempfile.TemporaryDirectory() as folder:
        sample = pathlib.Path(folder) / "bad_names.cpp"
        shutil.copy(root / "tests/tidy/bad_names.cpp.sample", sample)
        run = subprocess.run([clang_tidy.CLANG_TIDY, f"--config-file={root}/.clang-tidy",
                              str(sample), "--", "-std=c++20"],
                             capture_output=True, text=True, check=False)
    missed = [name for name in WRONG if f"'{name}'" not in run.stdout]
    print(run.stdout)
    if run.returncode == 0 or missed:
        sys.exit(f"clang-tidy does not complain about {missed or 'anything'}")


if __name__ == "__main__":
    main()
