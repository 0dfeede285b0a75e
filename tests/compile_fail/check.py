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

FLAGS = ("-std=c++20", "-fsyntax-only", "-Wall", "-Wextra", "-Werror=unused-result")
MARK = "// Expected: "


def compiles(compiler, include, case, *flags):
    run = subprocess.run([*compiler, *FLAGS, f"-I{include}", *flags, str(case)],
                         capture_output=True, text=True, check=False)
    return run.returncode == 0, run.stderr


def problem_of(compiler, include, case):
    expected = case.read_text().splitlines()[1].removeprefix(MARK)
    works, output = compiles(compiler, include, case)
    if not works:
        return f"{case.name}: the right way does not compile:\n{output}"
    works, output = compiles(compiler, include, case, "-DWRONG")
    if works:
        return f"{case.name}: the wrong way compiles"
    if expected not in output:
        return f"{case.name}: the wrong way fails, but not with {expected!r}:\n{output}"
    return None


def main():
    include, compiler = sys.argv[1], sys.argv[2:]
    cases = sorted(pathlib.Path(__file__).parent.glob("*.cpp"))
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        problems = list(filter(None, pool.map(lambda c: problem_of(compiler, include, c), cases)))
    print("\n".join(problems))
    print(f"{len(cases)} cases, {len(problems)} problems")
    sys.exit(1 if problems or not cases else 0)


if __name__ == "__main__":
    main()
