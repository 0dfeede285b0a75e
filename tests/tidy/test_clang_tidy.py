#!/usr/bin/env python3
"""Shows that .clang-tidy finds wrong names, in a file alone and among others.

usage: test_clang_tidy.py ROOT
"""

import pathlib
import shutil
import sys
import tempfile

import clang_tidy
import groups

WRONG = ("Rondo", "bad_class", "no_suffix", "BadMethod", "BadConstant")


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    if shutil.which(clang_tidy.CLANG_TIDY) is None:
        print(f"{clang_tidy.CLANG_TIDY} is not installed")
        sys.exit(clang_tidy.SKIPPED)
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        (folder / "src").mkdir()
        sample = folder / "src/bad_names.cpp"
        shutil.copy(root / "tests/tidy/bad_names.cpp.sample", sample)
        together = folder / "together.cpp"
        together.write_text(groups.text_of([sample]))
        flags = ("-std=c++20",)
        for file in (sample, together):
            status, output = clang_tidy.check_together(root, file, folder, flags)
            print(output)
            missed = [name for name in WRONG if f"'{name}'" not in output]
            if status == 0 or missed:
                sys.exit(f"{file.name}: clang-tidy does not complain about {missed or 'anything'}")


if __name__ == "__main__":
    main()
