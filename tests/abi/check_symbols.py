#!/usr/bin/env python3
"""Checks what the shared library exports: the C functions of symbols.txt, and of C++ only what the
public headers declare.

usage: check_symbols.py LIBRARY HEADER_FOLDER
"""

import pathlib
import re
import subprocess
import sys

GOLDEN = pathlib.Path(__file__).parent / "symbols.txt"


def exported(library):
    output = subprocess.run(["nm", "--dynamic", "--defined-only", "--demangle", library],
                            capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        kind, name = line.split(maxsplit=2)[1:]
        if kind != "A":  # the name of the symbol version
            yield re.sub(r"@+RONDO_\d+$", "", name)


def owner_and_name(symbol):
    """("Communicator", "split") of rondo::Communicator::split(int, int), and ("", "verify")."""
    plain = re.sub(r"^(typeinfo|typeinfo name|vtable) for ", "", symbol)
    plain = re.sub(r"\[abi:\w+\]", "", plain).split("(")[0]
    while "<" in plain and "operator" not in plain:
        shorter = re.sub(r"<[^<>]*>", "", plain)
        if shorter == plain:
            break
        plain = shorter
    parts = plain.split()[-1].split("::")[1:]
    return (parts[0], parts[-1]) if len(parts) > 1 else ("", parts[0])


def is_declared(symbol, words):
    owner, name = owner_and_name(symbol)
    if "operator" in symbol:
        return not owner or owner in words
    return (not owner or owner in words) and name.lstrip("~") in words


def main():
    library, headers = sys.argv[1], pathlib.Path(sys.argv[2])
    words = set()
    for header in headers.glob("rondo/*.hpp"):
        words |= set(re.findall(r"\w+", header.read_text()))
    symbols = sorted(set(exported(library)))
    functions = {name for name in symbols if re.fullmatch(r"rondo_\w+", name)}
    golden = set(GOLDEN.read_text().split())

    problems = [f"not exported: {name}" for name in sorted(golden - functions)]
    problems += [f"not in {GOLDEN.name}: {name}" for name in sorted(functions - golden)]
    for symbol in symbols:
        if symbol in functions:
            continue
        if "rondo::" not in symbol or not is_declared(symbol, words):
            problems.append(f"exported, but in no public header: {symbol}")
    print("\n".join(problems))
    print(f"{len(symbols)} symbols, {len(functions)} of them in C, {len(problems)} problems")
    sys.exit(1 if problems or not functions else 0)


if __name__ == "__main__":
    main()
