"""rondo: collective communication whose schedules can be proved, drawn and executed.

    import numpy, rondo

    comm = rondo.Communicator.from_env()
    x = numpy.full(1000, comm.rank + 1.0)
    comm.allreduce(x)                        # in place, sum

    python -m rondo.run -n 4 program.py

PyTorch programs name a backend: torch.distributed.init_process_group("rondo"); see rondo.torch.
"""

from . import errors
from .communicator import Communicator
from .errors import (Aborted, Error, Internal, InvalidArgument, Io, JoinFailed, Mismatch, PeerLeft,
                     PeerLost, Protocol, Resource, Timeout, Unsupported)
from .explaining import explain
from .library import version
from .work import Work

__version__ = version()

__all__ = ["Aborted", "Communicator", "Error", "Internal", "InvalidArgument", "Io", "JoinFailed",
           "Mismatch", "PeerLeft", "PeerLost", "Protocol", "Resource", "Timeout", "Unsupported",
           "Work", "__version__", "errors", "explain", "version"]
