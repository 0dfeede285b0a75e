#!/usr/bin/env python3
"""The one source compiles against another version of PyTorch than the one that is installed.

usage: version_test.py SOURCE_FOLDER BUILD_FOLDER COMPILER...
"""

import pathlib
import subprocess
import sys

import headers
from rondo.torch import building

VERSION = "2.11.0"  # that of the index, which is built with CUDA 13
SKIPPED = 77  # what Meson takes as "skipped"

try:
    PLACE = headers.folder_of(VERSION)
except headers.Unavailable as error:
    print(f"nothing to compile against: {error}")
    sys.exit(SKIPPED)


def main():
    source, build = map(pathlib.Path, sys.argv[1:3])
    unit = build / f"torch-{VERSION}.cpp"
    building.write_unit(unit)
    command = [*sys.argv[3:], "-Werror", "-c", str(unit), "-o", str(unit.with_suffix(".o")),
               *building.options_for(PLACE, [source / "src", source / "include"],
                                     building.MODULE), "-O0"]
    sys.exit(subprocess.run(command, check=False).returncode)


main()
