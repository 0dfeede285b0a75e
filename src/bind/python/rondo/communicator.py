"""Communicators: the ranks of a world, and the collectives among them."""

import ctypes
import inspect
import weakref
from ctypes import byref, c_int32, c_void_p
from typing import Any, Callable, List, Mapping, Optional, Sequence, Union

from . import library
from .arrays import Elements, find, is_numpy
from .errors import InvalidArgument
from .library import check, lib
from .work import Work

Algorithms = Union[str, Mapping[str, str]]


class Communicator:
    """Ranks that call the same collectives in the same order, with the same counts and types.

    Arrays are NumPy arrays (install NumPy for them; its scalars are no arrays) or anything with
    DLPack in the memory of the host, in C order without gaps, of 8 to 64 bit integers or 8 to 64
    bit floats (bfloat16, float8_e4m3fn and float8_e5m2 included). A blocking call lets other Python
    threads run. One thread at a time uses a communicator; abort() may come from any.

    Without `out`, reductions and broadcasts are in place, and what has more or fewer elements than
    `x` is a new array of the same kind as `x` (NumPy's or PyTorch's; give `out` for others).

    All methods raise rondo.Error: InvalidArgument for what no rank could carry out, Mismatch where
    ranks called different things, Timeout, PeerLost and PeerLeft with the `peer` that caused it.
    After such an error in a collective the communicator is over, and every later call raises the
    same; see rondo.errors.
    """

    def __init__(self, handle: c_void_p):
        """Takes over a rondo_comm; use from_env() or join()."""
        self._handle = handle
        # Also when the interpreter ends, so that peers hear that this rank has left.
        self._free = weakref.finalize(self, lib.rondo_comm_free, handle)

    @classmethod
    def from_env(cls, **options: Any) -> "Communicator":
        """The world that the launcher made (`python -m rondo.run`, torchrun, mpirun, srun); a world
        of one without any. All ranks call it.

        Options, all of them optional: timeout and join_timeout (seconds), algorithm (a name, or
        names by collective), radix, tile_bytes, transport ("auto", "shm", "tcp"), and the files
        topology, costs, plan_file. Raises JoinFailed naming the ranks that are missing."""
        handle = c_void_p()
        check(lib.rondo_comm_from_env(byref(_options_of("from_env", options)), byref(handle)))
        return cls(handle)

    @classmethod
    def join(cls, rank: int, size: int, allgather: Callable[[bytes], Sequence[bytes]],
             **options: Any) -> "Communicator":
        """The world of ranks that can exchange bytes already: `allgather` takes this rank's bytes
        and returns those of all ranks in rank order, all of one length; it is called until join
        returns. Options as in from_env()."""
        failure: List[BaseException] = []

        def exchange(_user: Any, mine: int, everyone: int, length: int) -> int:
            try:
                blocks = allgather(ctypes.string_at(mine, length))
                if [len(block) for block in blocks] != [length] * size:
                    raise InvalidArgument(f"allgather must return {size} blocks of {length} bytes, "
                                          f"got {[len(block) for block in blocks]}")
                ctypes.memmove(everyone, b"".join(blocks), length * size)
                return 0
            except BaseException as error:  # must not pass through C
                failure.append(error)
                return 1

        handle = c_void_p()
        status = lib.rondo_comm_join(rank, size, library.ALLGATHER(exchange), None,
                                     byref(_options_of("join", options)), byref(handle))
        if failure:
            raise failure[0]
        check(status)
        return cls(handle)

    @property
    def rank(self) -> int:
        """This process among the others, from 0."""
        return lib.rondo_comm_rank(self._comm)

    @property
    def size(self) -> int:
        """How many ranks there are."""
        return lib.rondo_comm_size(self._comm)

    def close(self) -> None:
        """Waits for pending work and leaves the world. Peers that still wait for this rank get
        PeerLeft. Every later call raises InvalidArgument."""
        self._free()

    def __enter__(self) -> "Communicator":
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()

    def __repr__(self) -> str:
        if not self._free.alive:
            return "<rondo.Communicator, closed>"
        return f"<rondo.Communicator, rank {self.rank} of {self.size}>"

    # Communicators made of this one

    def split(self, color: int, key: int = 0) -> Optional["Communicator"]:
        """Ranks of the same color form a communicator, ordered by key, then by rank; None for a
        negative color. Collective."""
        child = c_void_p()
        check(lib.rondo_comm_split(self._comm, color, key, byref(child)), self._comm)
        return Communicator(child) if child else None

    def duplicate(self) -> "Communicator":
        """The same ranks once more, for concurrent use. Collective."""
        copy = c_void_p()
        check(lib.rondo_comm_duplicate(self._comm, byref(copy)), self._comm)
        return Communicator(copy)

    def subgroup(self, members: Sequence[int], context: int = 0) -> "Communicator":
        """The ranks `members` form a communicator in this order. Only they call it. `context` tells
        it from all others that the same members make of this communicator."""
        ranks = (c_int32 * len(members))(*members)
        child = c_void_p()
        check(lib.rondo_comm_subgroup(self._comm, ranks, len(members), context, byref(child)))
        return Communicator(child)

    def abort(self, reason: str = "") -> None:
        """Ends all pending and future calls on this communicator, on all ranks, with Aborted. From
        any thread; returns at once."""
        check(lib.rondo_comm_abort(self._comm, reason.encode()), self._comm)

    def set_timeout(self, seconds: float) -> None:
        """Deadline of each of the following calls."""
        check(lib.rondo_comm_set_timeout(self._comm, _milliseconds(seconds)), self._comm)

    # What will happen

    def explain(self, collective: str, count: int = 0, dtype: Any = "float32") -> str:
        """Which schedule a call with `count` elements would use, why, and its drawing."""
        return library.take_text(lib.rondo_explain, self._comm, _number("collective", collective),
                                 count, _number("dtype", str(dtype).split(".")[-1]))

    def topology(self) -> str:
        """Where the ranks live, as text that a file for `topology` may hold."""
        return library.take_text(lib.rondo_topology, self._comm)

    def costs(self) -> str:
        """What the links cost, as text that a file for `costs` may hold. Collective."""
        return library.take_text(lib.rondo_costs, self._comm)

    # Collectives. Each blocking one has a nonblocking form, which returns a Work.

    def allreduce(self, x: Any, out: Any = None, op: str = "sum") -> Any:
        """Reduces element by element over all ranks: "sum", "prod", "min", "max" or "avg", and for
        integers bitwise "band", "bor", "bxor" or logical "land", "lor", "lxor".
        x and out: any shape, as many elements; everybody gets the result. Returns out, or x."""
        return self._run("allreduce", *self._reduction(x, out, op))

    def iallreduce(self, x: Any, out: Any = None, op: str = "sum") -> Work:
        """allreduce() that returns at once; x and out belong to rondo until the work is done."""
        return self._start("allreduce", *self._reduction(x, out, op))

    def broadcast(self, x: Any, root: int = 0) -> Any:
        """The root's x to everybody's x, any shape. Returns x."""
        return self._run("broadcast", *self._one(x), root)

    def ibroadcast(self, x: Any, root: int = 0) -> Work:
        """broadcast() that returns at once."""
        return self._start("broadcast", *self._one(x), root)

    def allgather(self, x: Any, out: Any = None) -> Any:
        """Everybody's x to everybody, in rank order. x: shape s; out: (size, *s), or any shape with
        as many elements. Returns out."""
        return self._run("allgather", *self._growing(x, out))

    def iallgather(self, x: Any, out: Any = None) -> Work:
        """allgather() that returns at once."""
        return self._start("allgather", *self._growing(x, out))

    def reduce_scatter(self, x: Any, out: Any = None, op: str = "sum") -> Any:
        """Reduces x over all ranks; rank r gets block r of it. x: shape (size * n, …) or (size, …);
        out: a block of it. Returns out."""
        return self._run("reduce_scatter", *self._shrinking(x, out), _number("op", op))

    def ireduce_scatter(self, x: Any, out: Any = None, op: str = "sum") -> Work:
        """reduce_scatter() that returns at once."""
        return self._start("reduce_scatter", *self._shrinking(x, out), _number("op", op))

    def reduce(self, x: Any, out: Any = None, op: str = "sum", root: int = 0) -> Any:
        """allreduce() of which only the root gets the result: in out, or in x. None elsewhere."""
        return self._run("reduce", *self._reduction(x, out, op, root), root)

    def ireduce(self, x: Any, out: Any = None, op: str = "sum", root: int = 0) -> Work:
        """reduce() that returns at once."""
        return self._start("reduce", *self._reduction(x, out, op, root), root)

    def gather(self, x: Any, out: Any = None, root: int = 0) -> Any:
        """allgather() of which only the root gets the result. None elsewhere."""
        return self._run("gather", *self._growing(x, out, root), root)

    def igather(self, x: Any, out: Any = None, root: int = 0) -> Work:
        """gather() that returns at once."""
        return self._start("gather", *self._growing(x, out, root), root)

    def scatter(self, x: Any, out: Any = None, root: int = 0) -> Any:
        """Block r of the root's x to rank r. x: shape (size * n, …) or (size, …), used at the root
        only; out: a block of it, needed elsewhere. Returns out."""
        return self._run("scatter", *self._shrinking(x, out, root), root)

    def iscatter(self, x: Any, out: Any = None, root: int = 0) -> Work:
        """scatter() that returns at once."""
        return self._start("scatter", *self._shrinking(x, out, root), root)

    def alltoall(self, x: Any, out: Any = None) -> Any:
        """Block i of x to rank i, block i of out from rank i. Both: any shape whose elements can be
        divided by the number of ranks. Returns out."""
        return self._run("alltoall", *self._exchanged(x, out))

    def ialltoall(self, x: Any, out: Any = None) -> Work:
        """alltoall() that returns at once."""
        return self._start("alltoall", *self._exchanged(x, out))

    def scan(self, x: Any, out: Any = None, op: str = "sum") -> Any:
        """Rank r gets the reduction over the ranks 0 to r; not "avg". Returns out, or x."""
        return self._run("scan", *self._reduction(x, out, op))

    def exscan(self, x: Any, out: Any = None, op: str = "sum") -> Any:
        """Rank r gets the reduction over the ranks 0 to r-1; rank 0's out, or x, stays as it is."""
        return self._run("exscan", *self._reduction(x, out, op))

    def barrier(self) -> None:
        """Returns when all ranks have called it."""
        self._run("barrier", None, [])

    def ibarrier(self) -> Work:
        """barrier() that returns at once."""
        return self._start("barrier", None, [])

    # Messages between two ranks, which alone call these.

    def send(self, x: Any, to: int) -> None:
        """Sends x. It may wait until the other side receives: ranks that send to each other use
        isend()."""
        self._run("send", *self._one(x, is_written=False), to)

    def isend(self, x: Any, to: int) -> Work:
        """send() that returns at once."""
        return self._start("send", *self._one(x, is_written=False), to)

    def recv(self, out: Any, source: int) -> Any:
        """Receives into out, as many elements of the same type as were sent. Returns out."""
        return self._run("recv", *self._one(out), source)

    def irecv(self, out: Any, source: int) -> Work:
        """recv() that returns at once."""
        return self._start("recv", *self._one(out), source)

    # How calls are made: (result, arrays and numbers in the order of the C function)

    @property
    def _comm(self) -> c_void_p:
        if not self._free.alive:
            raise InvalidArgument("this communicator is closed")
        return self._handle

    def _run(self, name: str, result: Any, arguments: Sequence[Any], *more: int) -> Any:
        comm = self._comm
        check(getattr(lib, f"rondo_{name}")(comm, *map(_plain, arguments), *more), comm)
        return result

    def _start(self, name: str, result: Any, arguments: Sequence[Any], *more: int) -> Work:
        comm = self._comm
        work = c_void_p()
        check(getattr(lib, f"rondo_i{name}")(comm, *map(_plain, arguments), *more, byref(work)),
              comm)
        return Work(work, self, result, arguments)

    def _is_root(self, root: Optional[int]) -> bool:
        return root is None or root == self.rank

    def _one(self, x: Any, is_written: bool = True) -> Any:
        found = _writable(x, "x") if is_written else find(x, "x")
        return x, [found, found.count, library.DTYPES[found.dtype]]

    def _reduction(self, x: Any, out: Any, op: str, root: Optional[int] = None) -> Any:
        to = x if out is None else out
        given = find(x, "x")
        if self._is_root(root):
            taken = _writable(to, "x" if out is None else "out")
            _require_alike(given, given.count, taken)
        else:
            to = taken = None
        return to, [given, taken, given.count, library.DTYPES[given.dtype], _number("op", op)]

    def _growing(self, x: Any, out: Any, root: Optional[int] = None) -> Any:
        given = find(x, "x")
        taken = None
        if self._is_root(root):
            out = _like(x, (self.size, *given.shape)) if out is None else out
            taken = _writable(out, "out")
            _require_alike(given, given.count * self.size, taken)
        else:
            out = None
        return out, [given, taken, given.count, library.DTYPES[given.dtype]]

    def _shrinking(self, x: Any, out: Any, root: Optional[int] = None) -> Any:
        given = None
        if self._is_root(root):
            given = find(x, "x")
            out = _like(x, _block(given.shape, self.size)) if out is None else out
        elif out is None:
            raise InvalidArgument(f"scatter: rank {self.rank} is not the root, and needs `out`")
        taken = _writable(out, "out")
        if given:
            _require_alike(taken, taken.count * self.size, given)
        return out, [given, taken, taken.count, library.DTYPES[taken.dtype]]

    def _exchanged(self, x: Any, out: Any) -> Any:
        given = find(x, "x")
        if given.count % self.size != 0:
            raise InvalidArgument(f"alltoall: {given.count} elements cannot be divided among "
                                  f"{self.size} ranks")
        out = _like(x, given.shape) if out is None else out
        taken = _writable(out, "out")
        _require_alike(given, given.count, taken)
        return out, [given, taken, given.count // self.size, library.DTYPES[given.dtype]]


def _plain(argument: Any) -> Any:
    return argument.address if isinstance(argument, Elements) else argument


def _writable(array: Any, what: str) -> Elements:
    found = find(array, what)
    if not found.writable:
        raise InvalidArgument(f"{what} is read-only")
    return found


def _require_alike(given: Elements, count: int, taken: Elements) -> None:
    if (taken.count, taken.dtype) != (count, given.dtype):
        raise InvalidArgument(f"{count} elements of {given.dtype} are needed on the other side, "
                              f"which has {taken.count} of {taken.dtype} (shape {taken.shape})")


def _block(shape: Sequence[int], size: int) -> Sequence[int]:
    if not shape or shape[0] % size != 0:
        raise InvalidArgument(f"the first dimension of shape {tuple(shape)} cannot be divided "
                              f"among {size} ranks")
    return (shape[0] // size, *shape[1:])


def _like(array: Any, shape: Sequence[int]) -> Any:
    if hasattr(array, "new_empty"):
        return array.new_empty(shape)
    if is_numpy(array):
        import numpy  # pylint: disable=import-outside-toplevel  # there, since it made the array
        return numpy.empty(shape, array.dtype)
    raise InvalidArgument(f"no {type(array).__name__} can be made here: give `out`")


def _number(what: str, name: str) -> int:
    known = {"op": library.OPS, "collective": library.COLLECTIVES, "dtype": library.DTYPES,
             "algorithm": library.ALGORITHMS}[what]
    if name not in known:
        raise InvalidArgument(f"unknown {what} {name!r}; known: {', '.join(known)}")
    return known[name]


def _milliseconds(seconds: float) -> int:
    if not seconds > 0:
        raise InvalidArgument(f"a timeout of {seconds} s; it must be above zero")
    return max(1, round(seconds * 1000))


def _options_of(function: str, given: Mapping[str, Any]) -> library.Options:
    known = inspect.signature(_options).parameters
    for name in given:
        if name not in known:
            raise TypeError(f"Communicator.{function}() has no option {name!r}; there are "
                            f"{', '.join(known)}")
    return _options(**given)


def _options(timeout: Optional[float] = None, join_timeout: Optional[float] = None,
             algorithm: Optional[Algorithms] = None, radix: int = 0, tile_bytes: int = 0,
             transport: Optional[str] = None, topology: Optional[str] = None,
             costs: Optional[str] = None, plan_file: Optional[str] = None) -> library.Options:
    made = library.Options(size=ctypes.sizeof(library.Options), radix=radix, tile_bytes=tile_bytes)
    if timeout is not None:
        made.timeout_ms = _milliseconds(timeout)
    if join_timeout is not None:
        made.join_timeout_ms = _milliseconds(join_timeout)
    if isinstance(algorithm, str):
        made.algorithm = _number("algorithm", algorithm)
    elif algorithm is not None:
        for collective, name in algorithm.items():
            made.algorithms[_number("collective", collective)] = _number("algorithm", name)
    for field, text in (("transport", transport), ("topology", topology), ("costs", costs),
                        ("plan_file", plan_file)):
        setattr(made, field, None if text is None else text.encode())
    return made
