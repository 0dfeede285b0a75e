#!/usr/bin/env python3
"""The Python API among some ranks: `python -m rondo.run -n 3 world_test.py`."""

import ctypes

import numpy
import rondo

ctypes.pythonapi.PyCapsule_GetPointer.restype = ctypes.c_void_p
ctypes.pythonapi.PyCapsule_GetPointer.argtypes = [ctypes.py_object, ctypes.c_char_p]
comm = rondo.Communicator.from_env(timeout=60)
rank, size = comm.rank, comm.size
everybody = range(size)


def require(found, expected):
    numpy.testing.assert_array_equal(numpy.asarray(found), numpy.asarray(expected))


def raises(kind, words, function, *arguments, **more):
    try:
        function(*arguments, **more)
    except kind as error:
        assert words in str(error), f"the text has no {words!r}: {error}"
        return error
    raise AssertionError(f"nothing was raised that says {words!r}")


for dtype in ("int8", "uint8", "int16", "uint16", "int32", "uint32", "int64", "uint64", "float16",
              "float32", "float64"):
    x = numpy.full((2, 3), rank + 1, dtype)
    for op, expected in (("sum", sum(r + 1 for r in everybody)), ("max", size), ("min", 1),
                         ("prod", numpy.prod(numpy.arange(1, size + 1)))):
        out = numpy.empty_like(x)
        assert comm.allreduce(x, out, op=op) is out
        require(out, numpy.full((2, 3), expected, dtype))
        require(comm.iallreduce(x.copy(), op=op).wait(), out)
    require(x, numpy.full((2, 3), rank + 1, dtype))
    assert comm.allreduce(x) is x
    require(x, numpy.full((2, 3), sum(r + 1 for r in everybody), dtype))



class Float8:
    """Bytes, shown by DLPack as numbers that NumPy does not know."""

    def __init__(self, count, byte, code):
        self.bytes = numpy.full(count, byte, "uint8")
        self.code = code

    def __dlpack_device__(self):
        return self.bytes.__dlpack_device__()

    def __dlpack__(self):
        capsule = self.bytes.__dlpack__()
        address = ctypes.pythonapi.PyCapsule_GetPointer(capsule, b"dltensor")
        kind = ctypes.c_uint8.from_address(address + 20)  # behind data, device and dimensions
        assert kind.value == 1  # unsigned integers
        kind.value = self.code
        return capsule


for code, ones, threes in ((10, 0x38, 0x44), (12, 0x3c, 0x42)):  # float8_e4m3fn, float8_e5m2
    x = Float8(7, ones if rank else threes, code)
    assert comm.allreduce(x, op="max") is x
    require(x.bytes, [threes] * 7)
    x = Float8(7, ones if rank else threes, code)
    comm.allreduce(x, op="prod")
    require(x.bytes, [threes] * 7)

given = numpy.array([rank + 1])
for op, fold in (("band", numpy.bitwise_and), ("bor", numpy.bitwise_or),
                 ("bxor", numpy.bitwise_xor)):
    require(comm.allreduce(given.copy(), op=op),
            [fold.reduce([r + 1 for r in everybody])])
require(comm.allreduce(given % 2, op="land"), [size == 1])
require(comm.allreduce(given % 2, op="lor"), [1])
require(comm.allreduce(given % 2, op="lxor"), [(size + 1) // 2 % 2])

for root in everybody:
    x = numpy.arange(4.0) + 10 * rank
    require(comm.broadcast(x.copy(), root), numpy.arange(4.0) + 10 * root)
    require(comm.ibroadcast(x.copy(), root).wait(), numpy.arange(4.0) + 10 * root)
    everything = numpy.stack([numpy.arange(4.0) + 10 * r for r in everybody])
    for got in (comm.gather(x, root=root), comm.igather(x, root=root).wait()):
        assert (got is None) == (rank != root)
        if rank == root:
            require(got, everything)
    out = numpy.empty(4)
    given = everything if rank == root else None
    require(comm.scatter(given, out, root), x)
    require(comm.iscatter(given, out, root).wait(), x)
    total = comm.reduce(x, numpy.empty(4), root=root)
    assert (total is None) == (rank != root)
    if rank == root:
        require(total, everything.sum(0))
    comm.ireduce(x.copy(), root=root).wait()

x = numpy.arange(2) + 10 * rank
require(comm.allgather(x), [numpy.arange(2) + 10 * r for r in everybody])
require(comm.iallgather(x).wait(), comm.allgather(x))
require(comm.reduce_scatter(numpy.arange(2 * size)),
        size * numpy.arange(2 * size).reshape(size, 2)[rank])
require(comm.ireduce_scatter(numpy.ones((size, 3))).wait(), numpy.full((1, 3), size))
blocks = numpy.array([100 * rank + to for to in everybody])
require(comm.alltoall(blocks), [100 * r + rank for r in everybody])
require(comm.ialltoall(blocks).wait(), [100 * r + rank for r in everybody])
require(comm.scan(numpy.array([rank + 1])), [sum(range(rank + 2))])
before = comm.exscan(numpy.array([rank + 1]))
require(before, [sum(range(rank + 1))] if rank else [1])
require(comm.allreduce(numpy.array(1.0 + rank)), sum(r + 1.0 for r in everybody))  # no dimension
require(comm.allreduce(numpy.empty((0, 3))), numpy.empty((0, 3)))
comm.barrier()
work = comm.ibarrier()
work.wait(timeout=30)
assert work.test()

after, origin = (rank + 1) % size, (rank - 1) % size
if size > 1:
    work = comm.isend(numpy.full(5, rank), after)
    require(comm.recv(numpy.empty(5, int), origin), numpy.full(5, origin))
    work.wait()
    work = comm.irecv(numpy.empty(5, int), origin)
    comm.send(numpy.full(5, rank), after)
    require(work.wait(), numpy.full(5, origin))

half = comm.split(rank % 2)
assert half.size == len(everybody[rank % 2::2])
require(half.allreduce(numpy.ones(1)), [half.size])
assert comm.split(-1) is None
with comm.duplicate() as copy:
    require(copy.allreduce(numpy.ones(1)), [size])
raises(rondo.InvalidArgument, "closed", copy.barrier)
alone = comm.subgroup([rank])
require(alone.allgather(numpy.ones(1)), [[1]])
joined = rondo.Communicator.join(
    rank, size, lambda mine: [bytes(block) for block in
                              comm.allgather(numpy.frombuffer(mine, numpy.uint8))])
require(joined.allreduce(numpy.ones(2)), [size, size])
raises(ZeroDivisionError, "", rondo.Communicator.join, 0, 2, lambda mine: 1 / 0)

assert "allreduce" in comm.explain("allreduce", 1000, "float64")
assert comm.topology()
assert comm.costs()

raises(rondo.InvalidArgument, "complex128", comm.allreduce, numpy.ones(2, complex))
raises(rondo.InvalidArgument, "gaps", comm.allreduce, numpy.ones((4, 4))[:, ::2])
raises(rondo.InvalidArgument, "gaps", comm.allreduce, numpy.ones((4, 5)).T)
raises(rondo.InvalidArgument, "unknown op", comm.allreduce, numpy.ones(1), op="median")
raises(rondo.InvalidArgument, "list", comm.allreduce, [1.0])
for scalar in (numpy.float64(1.0), numpy.int64(1), numpy.ones(3).sum()):
    for function, *arguments in ((comm.allreduce,), (comm.iallreduce,), (comm.broadcast,),
                                 (comm.allgather,), (comm.gather,), (comm.reduce,),
                                 (comm.send, rank), (comm.recv, rank), (comm.scan,)):
        raises(rondo.InvalidArgument, "numpy.array(x)", function, scalar, *arguments)
    raises(rondo.InvalidArgument, "out is a ", comm.allreduce, numpy.ones(1), scalar)
raises(rondo.InvalidArgument, "elements", comm.allreduce, numpy.ones(2), numpy.ones(3))
raises(rondo.InvalidArgument, "float32", comm.allreduce, numpy.ones(2), numpy.ones(2, "f4"))
raises(ValueError, "read-only", comm.allreduce, numpy.frombuffer(bytes(8)))
raises(rondo.InvalidArgument, "outside", comm.broadcast, numpy.ones(1), root=size)
raises(rondo.InvalidArgument, "timeout", comm.set_timeout, 0)
raises(TypeError, "from_env() has no option 'speed'; there are timeout, join_timeout",
       rondo.Communicator.from_env, speed=1)
raises(TypeError, "join() has no option 'speed'", rondo.Communicator.join, 0, 1, None, speed=1)
require(comm.allgather(numpy.frombuffer(bytes(8))), numpy.zeros((size, 1)))  # only read

if size > 1:
    error = raises(rondo.Mismatch, "different things", comm.allreduce, numpy.ones(1 + rank))
    assert error.code == "mismatch" and error.peer >= 0, error.peer
    again = raises(rondo.Mismatch, "different things", comm.barrier)
    joined.abort("enough")
    raises(rondo.Aborted, "enough", joined.barrier)
print(f"rank {rank} of {size}: done")
