"""Which schedule a call would use, why, and what else there is."""

import subprocess
from typing import Optional, Union

from . import command
from .errors import InvalidArgument


def explain(collective: str, size: Union[int, str, None] = None, ranks: Optional[int] = None,
            machine: Optional[str] = None, transport: Optional[str] = None) -> str:
    """Which schedule `collective` would use for `size` bytes (1048576 or "1MiB"; None for a
    barrier), what else there is and how long each is predicted to take.

    The world is one of `ranks` on this host, with the costs that were measured before, or
    `machine` in words: "2 hosts x 4 cores". Inside a program, Communicator.explain() speaks of the
    world that there is. Raises InvalidArgument for what cannot be explained."""
    words = [command.find(), "explain", collective]
    if size is not None:
        words.append(str(size))
    for flag, value in (("--ranks", ranks), ("--machine", machine), ("--transport", transport)):
        if value is not None:
            words += [flag, str(value)]
    said = subprocess.run(words, capture_output=True, text=True, check=False)
    if said.returncode != 0:
        raise InvalidArgument(said.stderr.strip())
    return said.stdout
