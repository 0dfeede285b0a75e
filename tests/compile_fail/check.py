#!/usr/bin/env python3
"""Compiles each case twice: as it is, which must work, and with WRONG defined, which must fail with
the text that its second line expects. So a case that fails for another reason is found out.

usage: check.py INCLUDE COMPILER...
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

FLAGS = ("-std=c++20", "-Wall", "-Wextra", "-Werror=unused-result")
MARK = "// Expected: "


def compiles(compiler, *arguments):
    run = subprocess.run([*compiler, *FLAGS, *arguments], capture_output=True, text=True,
                         check=False)
    return run.returncode == 0, run.stderr


def precompile(compiler, include, folder):
    """What all cases begin with; returns the folders to look for it. Compilers that do not take it
    from there find the header itself."""
    header = pathlib.Path("rondo/rondo.hpp")
    (folder / header).parent.mkdir()
    compiles(compiler, f"-I{include}", "-x", "c++-header", f"{include}/{header}",
             "-o", f"{folder / header}.gch")
    return f"-I{folder}", f"-I{include}"


def problem_of(compiler, includes, case):
    expected = case.read_text().splitlines()[1].removeprefix(MARK)
    check = (compiler, "-fsyntax-only", *includes, str(case))
    works, output = compiles(*check)
    if not works:
        return f"{case.name}: the right way does not compile:\n{output}"
    works, output = compiles(*check, "-DWRONG")
    if works:
        return f"{case.name}: the wrong way compiles"
    if expected not in output:
        return f"{case.name}: the wrong way fails, but not with {expected!r}:\n{output}"
    return None


def main():
    include, compiler = sys.argv[1], sys.argv[2:]
    cases = sorted(pathlib.Path(__file__).parent.glob("*.cpp"))
    with (tempfile.TemporaryDirectory() as folder,
          concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool):
        includes = precompile(compiler, include, pathlib.Path(folder))
        problems = list(filter(None, pool.map(lambda c: problem_of(compiler, includes, c), cases)))
    print("\n".join(problems))
    print(f"{len(cases)} cases, {len(problems)} problems")
    sys.exit(1 if problems or not cases else 0)


if __name__ == "__main__":
    main()
