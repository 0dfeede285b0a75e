"""librondo's C functions, as in rondo/rondo.h. ctypes lets other threads run during each call."""

import ctypes
import os
import pathlib
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_char_p, c_int32, c_int64, c_size_t,
                    c_uint64, c_void_p)
from typing import Any, Optional

from . import errors

FOLDER = pathlib.Path(__file__).resolve().parent
FILE = "librondo.so.0"
MOST_COLLECTIVES = 32  # RONDO_MOST_COLLECTIVES

DTYPES = {"int8": 0, "uint8": 1, "int16": 2, "uint16": 3, "int32": 4, "uint32": 5, "int64": 6,
          "uint64": 7, "float16": 8, "bfloat16": 9, "float32": 10, "float64": 11,
          "float8_e4m3fn": 12, "float8_e5m2": 13}
OPS = {"sum": 0, "prod": 1, "min": 2, "max": 3, "avg": 4, "band": 5, "bor": 6, "bxor": 7,
       "land": 8, "lor": 9, "lxor": 10}
COLLECTIVES = {"allreduce": 0, "broadcast": 1, "allgather": 2, "reduce_scatter": 3, "reduce": 4,
               "barrier": 5, "gather": 6, "scatter": 7, "alltoall": 8, "scan": 9, "exscan": 10}
ALGORITHMS = {"automatic": 0, "ring": 1, "double_tree": 2, "one_shot": 3, "two_shot": 4,
              "knomial": 5, "circulant": 6, "recursive_doubling": 7, "halving_doubling": 8,
              "chain": 9, "scatter_allgather": 10, "pairwise": 11, "bruck": 12, "two_level": 13,
              "chain_tree": 14}


class Options(Structure):
    """rondo_options"""

    _fields_ = [("size", c_uint64), ("timeout_ms", c_int64), ("join_timeout_ms", c_int64),
                ("algorithm", c_int32), ("radix", c_int32), ("tile_bytes", c_uint64),
                ("transport", c_char_p), ("topology", c_char_p), ("costs", c_char_p),
                ("plan_file", c_char_p), ("algorithms", c_int32 * MOST_COLLECTIVES),
                ("progress", c_void_p), ("progress_user", c_void_p)]


ALLGATHER = CFUNCTYPE(c_int32, c_void_p, c_void_p, c_void_p, c_size_t)

_COMM = _WORK = _BUFFER = c_void_p
_STATUS = c_int32
_OUT = POINTER(c_void_p)

# Name: (result, arguments)
_FUNCTIONS = {
    "rondo_version_text": (c_char_p, []),
    "rondo_last_error": (c_char_p, [_COMM]),
    "rondo_last_error_peer": (c_int32, [_COMM]),
    "rondo_comm_from_env": (_STATUS, [POINTER(Options), _OUT]),
    "rondo_comm_join": (_STATUS, [c_int32, c_int32, ALLGATHER, c_void_p, POINTER(Options), _OUT]),
    "rondo_comm_free": (None, [_COMM]),
    "rondo_comm_rank": (c_int32, [_COMM]),
    "rondo_comm_size": (c_int32, [_COMM]),
    "rondo_comm_split": (_STATUS, [_COMM, c_int32, c_int32, _OUT]),
    "rondo_comm_duplicate": (_STATUS, [_COMM, _OUT]),
    "rondo_comm_subgroup": (_STATUS, [_COMM, POINTER(c_int32), c_int32, c_uint64, _OUT]),
    "rondo_comm_abort": (_STATUS, [_COMM, c_char_p]),
    "rondo_comm_set_timeout": (_STATUS, [_COMM, c_int64]),
    "rondo_comm_status": (_STATUS, [_COMM]),
    "rondo_explain": (_STATUS, [_COMM, c_int32, c_size_t, c_int32, _OUT]),
    "rondo_topology": (_STATUS, [_COMM, _OUT]),
    "rondo_costs": (_STATUS, [_COMM, _OUT]),
    "rondo_string_free": (None, [c_void_p]),
    "rondo_send": (_STATUS, [_COMM, _BUFFER, c_size_t, c_int32, c_int32]),
    "rondo_recv": (_STATUS, [_COMM, _BUFFER, c_size_t, c_int32, c_int32]),
    "rondo_isend": (_STATUS, [_COMM, _BUFFER, c_size_t, c_int32, c_int32, _OUT]),
    "rondo_irecv": (_STATUS, [_COMM, _BUFFER, c_size_t, c_int32, c_int32, _OUT]),
    "rondo_work_wait": (_STATUS, [_WORK]),
    "rondo_work_wait_for": (_STATUS, [_WORK, c_int64, POINTER(c_int32)]),
    "rondo_work_test": (_STATUS, [_WORK, POINTER(c_int32)]),
    "rondo_work_free": (None, [_WORK]),
}
# Collectives: what follows the communicator. Each has a nonblocking form, which gives a work.
_TWO = [_BUFFER, _BUFFER, c_size_t, c_int32]
_COLLECTIVES = {
    "allreduce": [*_TWO, c_int32],
    "broadcast": [_BUFFER, c_size_t, c_int32, c_int32],
    "allgather": _TWO,
    "reduce_scatter": [*_TWO, c_int32],
    "reduce": [*_TWO, c_int32, c_int32],
    "gather": [*_TWO, c_int32],
    "scatter": [*_TWO, c_int32],
    "alltoall": _TWO,
    "scan": [*_TWO, c_int32],
    "exscan": [*_TWO, c_int32],
    "barrier": [],
}
for _name, _arguments in _COLLECTIVES.items():
    _FUNCTIONS[f"rondo_{_name}"] = (_STATUS, [_COMM, *_arguments])
    _FUNCTIONS[f"rondo_i{_name}"] = (_STATUS, [_COMM, *_arguments, _OUT])


def _load() -> ctypes.CDLL:
    # The one that was named, that of the package, or that of the system.
    named = os.environ.get("RONDO_LIBRARY")
    packaged = FOLDER / FILE
    path = named or (str(packaged) if packaged.exists() else FILE)
    try:
        library = ctypes.CDLL(path)
    except OSError as error:
        raise ImportError(f"rondo's library cannot be loaded: {error}. Reinstall the package, or "
                          "name librondo.so in RONDO_LIBRARY.") from error
    for name, (result, arguments) in _FUNCTIONS.items():
        function = getattr(library, name)
        function.restype = result
        function.argtypes = arguments
    return library


lib = _load()


def check(status: int, comm: Optional[c_void_p] = None) -> None:
    """Raises what a status other than 0 means, with the text of the last error on `comm`, or of
    this thread's last one without a communicator."""
    if status != 0:
        text = (lib.rondo_last_error(comm) or b"").decode(errors="replace")
        raise errors.make(status, text or f"status {status}", lib.rondo_last_error_peer(comm))


def take_text(function: Any, *arguments: Any) -> str:
    """Calls a function that gives a text, whose first argument is a communicator."""
    text = c_void_p()
    check(function(*arguments, byref(text)), arguments[0])
    try:
        return ctypes.string_at(text.value or 0).decode() if text.value else ""
    finally:
        lib.rondo_string_free(text)


def version() -> str:
    """Version of the library in use, such as "0.1.0"."""
    return lib.rondo_version_text().decode()


__all__ = ["ALGORITHMS", "ALLGATHER", "COLLECTIVES", "DTYPES", "OPS", "Options", "check", "lib",
           "take_text", "version"]
