"""Starts a program as several ranks on this host: `python -m rondo.run -n 4 train.py`.

The same as `rondo run`, which has all options: `python -m rondo.run --help`. A PROGRAM that ends in
.py is run with this Python.
"""

import os
import sys
from typing import List, NoReturn

from . import command

_WITH_VALUE = ("-n", "--timeout", "--bind", "--transport")


def with_python(arguments: List[str]) -> List[str]:
    """Puts this Python before a program that ends in .py."""
    at = 0
    while at < len(arguments) and arguments[at].startswith("-"):
        if arguments[at] == "--":
            at += 1
            break
        at += 2 if arguments[at] in _WITH_VALUE else 1
    if at < len(arguments) and arguments[at].endswith(".py"):
        return [*arguments[:at], sys.executable, *arguments[at:]]
    return arguments


def main() -> NoReturn:
    """Becomes `rondo run`."""
    sys.stdout.flush()
    os.execv(path := command.find(), [path, "run", *with_python(sys.argv[1:])])


if __name__ == "__main__":
    main()
