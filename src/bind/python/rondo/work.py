"""What a nonblocking call returns."""

import weakref
from ctypes import byref, c_int32, c_void_p
from typing import Any, Sequence

from .errors import Timeout
from .library import check, lib


class Work:
    """A call that was started. Its arrays belong to rondo until it is done; they are kept alive
    until then. Every work is done by its deadline. What goes out of scope is waited for."""

    def __init__(self, handle: c_void_p, comm: Any, result: Any, arrays: Sequence[Any]):
        """Takes over a rondo_work."""
        self._handle = handle
        self._comm = comm  # has the text of an error
        self._result = result
        self._free = weakref.finalize(self, _free, handle, (result, arrays))

    def wait(self, timeout: float = 0) -> Any:
        """Blocks until the work is done, and returns its array. Raises what went wrong; Timeout
        where it is not done after `timeout` seconds, unless that is 0, and may be waited for
        again."""
        if timeout > 0:
            done = c_int32()
            check(lib.rondo_work_wait_for(self._handle, max(1, round(timeout * 1000)), byref(done)),
                  self._comm._handle)
            if not done:
                raise Timeout(f"not done after {timeout} s, and still under way")
        else:
            check(lib.rondo_work_wait(self._handle), self._comm._handle)
        return self._result

    def test(self) -> bool:
        """Whether the work is done; never blocks. Raises what went wrong."""
        done = c_int32()
        check(lib.rondo_work_test(self._handle, byref(done)), self._comm._handle)
        return bool(done)


def _free(handle: c_void_p, _kept: Any) -> None:
    lib.rondo_work_free(handle)
