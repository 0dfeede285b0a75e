#!/usr/bin/env python3
"""Checks the source tree against the rules in rules.py, and its format with clang-format.

usage: tidy.py ROOT
"""

import os
import pathlib
import shutil
import subprocess
import sys

import rules

FOLDERS = ("include", "src", "cuda", "bench", "tests", "examples", ".ci")
CLANG_FORMAT = "clang-format-14"


def source_files(root):
    """Paths inside the project, as rules see them."""
    for folder in FOLDERS:
        for place, folders, files in os.walk(root / folder):
            folders[:] = [name for name in folders if name != "__pycache__"]
            for name in files:
                if name.endswith(rules.CODE):
                    yield (pathlib.Path(place) / name).relative_to(root).as_posix()


def check_rules(root, paths):
    findings = []
    for path in paths:
        text = (root / path).read_text(encoding="utf-8")
        for rule, check in rules.RULES.items():
            for line, message in check(path, text):
                findings.append(f"{path}:{line}: {message} [{rule}]")
    return findings


def check_format(root, paths):
    if shutil.which(CLANG_FORMAT) is None:
        print(f"{CLANG_FORMAT} is not installed: the format is not checked")
        return []
    wrong = subprocess.run([CLANG_FORMAT, "--dry-run", "-Werror", *filter(rules.is_cpp, paths)],
                           cwd=root, capture_output=True, text=True, check=False)
    files = {line.split(":")[0] for line in wrong.stderr.splitlines() if "error:" in line}
    return [f"{path}: run {CLANG_FORMAT} -i {path} [format]" for path in sorted(files)]


def main():
    root = pathlib.Path(sys.argv[1]).resolve()
    paths = sorted(source_files(root))
    findings = check_rules(root, paths) + check_format(root, paths)
    print("\n".join(findings))
    print(f"{len(paths)} files, {len(findings)} findings")
    sys.exit(1 if findings or not paths else 0)


if __name__ == "__main__":
    main()
