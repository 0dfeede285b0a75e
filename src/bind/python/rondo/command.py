"""The `rondo` command of this package."""

import os
import shutil
import sys
from typing import NoReturn

from .library import FOLDER


def find() -> str:
    """Its path: that of the package, or that of the system."""
    packaged = FOLDER / "bin" / "rondo"
    path = str(packaged) if packaged.exists() else shutil.which("rondo")
    if path is None:
        raise FileNotFoundError("the command 'rondo' is neither in the package nor on the PATH")
    return path


def main() -> NoReturn:
    """Stands for the command."""
    sys.stdout.flush()
    os.execv(path := find(), [path, *sys.argv[1:]])
