#!/usr/bin/env python3
"""Every collective, type, operation and shape through rondo and through gloo: the same results,
bit by bit for integers, to rounding for floats. Where gloo has no answer, what PyTorch itself makes
of everybody's input.

usage: collectives_test.py RANKS...
"""

import functools
import itertools
import sys

import torch
import torch.distributed as dist

import ranks as world

Op = dist.ReduceOp
INTEGERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64)
UNSIGNED = (torch.uint16, torch.uint32, torch.uint64)
EIGHTS = (torch.float8_e4m3fn, torch.float8_e5m2)  # gloo moves them only, NCCL adds them, too
FLOATS = (*EIGHTS, torch.float16, torch.bfloat16, torch.float32, torch.float64)
COMPLEX = (torch.complex64, torch.complex128)
MOVED = (*INTEGERS, *UNSIGNED, *FLOATS, *COMPLEX, torch.bool,
         torch.float8_e4m3fnuz)
SHAPES = ((), (0,), (1,), (7,), (2, 0, 3), (3, 5), (1025,), (70_000,))
OPS = (Op.SUM, Op.AVG, Op.PRODUCT, Op.MIN, Op.MAX, Op.BAND, Op.BOR, Op.BXOR)
TOLERANCES = {torch.float8_e4m3fn: 7e-2, torch.float8_e5m2: 0.2, torch.float16: 2e-3,
              torch.bfloat16: 2e-2, torch.float32: 1e-5, torch.float64: 1e-12,
              torch.complex64: 1e-5, torch.complex128: 1e-12}


def values(shape, dtype, rank, salt=0):
    """What a rank gives: small numbers, so that no sum or product overflows."""
    generator = torch.Generator().manual_seed(1000 * salt + rank)
    whole = torch.randint(1, 4, shape, generator=generator)
    if dtype == torch.bool:
        return whole > 2
    if dtype.is_floating_point or dtype.is_complex:
        return (whole.to(torch.float64) / 2).to(dtype)
    return whole.to(dtype)


def scattered(tensor):
    """The same elements with gaps between them."""
    if tensor.dim() == 0:
        return tensor
    wide = torch.zeros((*tensor.shape, 2), dtype=tensor.dtype)
    wide[..., 0].copy_(tensor)
    return wide[..., 0]


def bits(tensor):
    return torch.empty(tensor.shape, dtype=tensor.dtype).copy_(tensor).view(-1).view(torch.uint8)


def require_same(found, expected, what):
    tolerance = TOLERANCES.get(expected.dtype)
    if tolerance is None:
        same = torch.equal(bits(found), bits(expected))
    else:
        wide = torch.complex128 if expected.is_complex() else torch.float64
        same = torch.allclose(found.to(wide), expected.to(wide), rtol=tolerance, atol=tolerance)
    if found.shape != expected.shape or not same:
        raise AssertionError(f"{what}: {found} instead of {expected}")


_FOLDS = {Op.SUM: torch.add, Op.PRODUCT: torch.mul, Op.MIN: torch.minimum, Op.MAX: torch.maximum,
          Op.BAND: torch.bitwise_and, Op.BOR: torch.bitwise_or, Op.BXOR: torch.bitwise_xor}


def reference(op, inputs):
    """What everybody's input comes to. Through a wider type, since PyTorch does not compute in all
    of them."""
    dtype = inputs[0].dtype
    if dtype == torch.bool:
        folds = {Op.SUM: torch.logical_or, Op.PRODUCT: torch.logical_and, **{
            op: fold for op, fold in _FOLDS.items() if op not in (Op.SUM, Op.PRODUCT)}}
        return functools.reduce(folds[op], inputs)
    wide = dtype if dtype.is_complex else torch.float64 if dtype.is_floating_point else torch.int64
    wider = [each.to(wide) for each in inputs]
    if op == Op.AVG:
        total = functools.reduce(torch.add, wider)
        if not (dtype.is_floating_point or dtype.is_complex):
            return torch.div(total, len(inputs), rounding_mode="trunc").to(dtype)
        return (total / len(inputs)).to(dtype)
    return functools.reduce(_FOLDS[op], wider).to(dtype)


def is_defined(op, dtype):
    is_whole = not dtype.is_floating_point and not dtype.is_complex
    if op in (Op.BAND, Op.BOR, Op.BXOR):
        return is_whole
    if op == Op.AVG:
        return dtype != torch.bool
    return op == Op.SUM or not dtype.is_complex


class Comparison:
    """The same calls on a group of rondo's and on one of gloo's, of the same ranks."""

    def __init__(self, members):
        self.rondo = dist.new_group(members, backend="rondo")
        self.gloo = dist.new_group(members, backend="gloo")
        if dist.get_rank() in members:
            self.rank = dist.get_rank(self.rondo)
            self.size = dist.get_world_size(self.rondo)
        self.members = members
        self.compared = self.without_gloo = 0

    def call(self, group, is_async, function, *arguments, **more):
        work = function(*arguments, group=group, async_op=is_async, **more)
        if is_async:
            work.wait()

    def check(self, what, make, function, fallback=None, **more):
        """`make()` gives (arguments, results): fresh ones for each call."""
        expected = None
        try:
            arguments, expected = make()
            self.call(self.gloo, False, function, *arguments, **more)
        except (RuntimeError, ValueError, TypeError):
            if fallback is None:
                raise
            expected = fallback()
            self.without_gloo += 1
        for is_async in (False, True):
            arguments, found = make()
            self.call(self.rondo, is_async, function, *arguments, **more)
            for mine, theirs in zip(found, expected, strict=True):
                require_same(mine, theirs, f"{what}, {'async' if is_async else 'sync'}")
            self.compared += 1

    def inputs(self, shape, dtype):
        return [values(shape, dtype, rank) for rank in range(self.size)]


def check_reductions(c):
    last = c.members[-1]
    for dtype, op, shape in itertools.product((*INTEGERS, *UNSIGNED, *FLOATS, *COMPLEX, torch.bool),
                                              OPS, SHAPES):
        if not is_defined(op, dtype):
            continue
        everybody = c.inputs(shape, dtype)
        expected = reference(op, everybody)
        what = f"{op} of {dtype} {shape}"

        def in_place(gaps=False):
            tensor = everybody[c.rank].clone()
            tensor = scattered(tensor) if gaps else tensor
            return [tensor], [tensor]

        # gloo adds truth values as bytes and has no quotient of integers.
        by_gloo = dtype != torch.bool and (op != Op.AVG or dtype.is_floating_point)
        if by_gloo:
            c.check(f"all_reduce {what}", in_place, dist.all_reduce, lambda: [expected], op=op)
        else:
            check_alone(c, f"all_reduce {what}", in_place, dist.all_reduce, [expected], op=op)
        check_alone(c, f"all_reduce with gaps {what}", functools.partial(in_place, True),
                    dist.all_reduce, [expected], op=op)

        def at_root():
            tensor = everybody[c.rank].clone()
            return [tensor, last], [tensor] if dist.get_rank() == last else []
        check_alone(c, f"reduce {what}", at_root, dist.reduce,
                    [expected] if dist.get_rank() == last else [], op=op)
        check_reduce_scatter(c, what, dtype, op, shape)


def check_alone(c, what, make, function, expected, **more):
    for is_async in (False, True):
        arguments, found = make()
        c.call(c.rondo, is_async, function, *arguments, **more)
        for mine, theirs in zip(found, expected, strict=True):
            require_same(mine, theirs, f"{what}, {'async' if is_async else 'sync'}")
        c.compared += 1


def check_reduce_scatter(c, what, dtype, op, shape):
    blocks = [[values(shape, dtype, rank, 1 + block) for block in range(c.size)]
              for rank in range(c.size)]
    expected = reference(op, [blocks[rank][c.rank] for rank in range(c.size)])

    def lists():
        out = torch.empty(shape, dtype=dtype)
        return [out, [block.clone() for block in blocks[c.rank]]], [out]
    check_alone(c, f"reduce_scatter {what}", lists, dist.reduce_scatter, [expected], op=op)
    if not shape:
        return

    def whole():
        out = torch.empty(shape, dtype=dtype)
        return [out, torch.cat(blocks[c.rank])], [out]
    check_alone(c, f"reduce_scatter_tensor {what}", whole, dist.reduce_scatter_tensor, [expected],
                op=op)


def check_movements(c):
    root = c.members[0]
    for dtype, shape, gaps in itertools.product(MOVED, SHAPES, (False, True)):
        everybody = c.inputs(shape, dtype)
        mine = scattered(everybody[c.rank]) if gaps else everybody[c.rank]
        what = f"of {dtype} {shape}{' with gaps' if gaps else ''}"

        def empty(count=1):
            made = [torch.empty(shape, dtype=dtype) for _ in range(count)]
            return [scattered(each) for each in made] if gaps else made

        def broadcast():
            tensor = mine.clone(memory_format=torch.preserve_format)
            tensor = scattered(tensor) if gaps else tensor
            return [tensor, root], [tensor]
        check_alone(c, f"broadcast {what}", broadcast, dist.broadcast, [everybody[0]])

        def allgather():
            out = empty(c.size)
            return [out, mine], out
        c_check = functools.partial(c.check, fallback=lambda: everybody)
        if gaps:
            check_alone(c, f"all_gather {what}", allgather, dist.all_gather, everybody)
        else:
            c_check(f"all_gather {what}", allgather, dist.all_gather)

        is_root = dist.get_rank() == root

        def gather():
            out = empty(c.size) if is_root else None
            return [mine, out, root], out or []
        check_alone(c, f"gather {what}", gather, dist.gather, everybody if is_root else [])

        def scatter():
            out = empty()[0]
            return [out, everybody if is_root else None, root], [out]
        check_alone(c, f"scatter {what}", scatter, dist.scatter, [everybody[c.rank]])

        blocks = [[values(shape, dtype, rank, 1 + to) for to in range(c.size)]
                  for rank in range(c.size)]

        def alltoall():
            out = empty(c.size)
            return [out, blocks[c.rank]], out
        check_alone(c, f"all_to_all {what}", alltoall, dist.all_to_all,
                    [blocks[rank][c.rank] for rank in range(c.size)])
        if shape:
            check_whole_tensors(c, what, dtype, shape, mine, blocks)


def check_whole_tensors(c, what, dtype, shape, mine, blocks):
    longer = (c.size * shape[0], *shape[1:])
    everybody = c.inputs(shape, dtype)

    def allgather():
        out = torch.empty(longer, dtype=dtype)
        return [out, mine], [out]
    check_alone(c, f"all_gather_into_tensor {what}", allgather, dist.all_gather_into_tensor,
                [torch.cat(list(map(bytes_of, everybody))).view(dtype).view(longer)])

    def alltoall():
        out = torch.empty(longer, dtype=dtype)
        given = torch.cat(list(map(bytes_of, blocks[c.rank]))).view(dtype).view(longer)
        return [out, given], [out]
    expected = [blocks[rank][c.rank] for rank in range(c.size)]
    check_alone(c, f"all_to_all_single {what}", alltoall, dist.all_to_all_single,
                [torch.cat(list(map(bytes_of, expected))).view(dtype).view(longer)])


def bytes_of(tensor):
    """PyTorch cannot join tensors of all types."""
    return bits(tensor)


def check_uneven(c):
    """Blocks of different lengths."""
    lengths = [3 * rank + 1 for rank in range(c.size)]
    blocks = [torch.arange(length) + 100 * rank for rank, length in enumerate(lengths)]

    def allgather():
        out = [torch.empty(length, dtype=torch.int64) for length in lengths]
        return [out, blocks[c.rank]], out
    check_alone(c, "uneven all_gather", allgather, dist.all_gather, blocks)

    def reduce_scatter():
        out = torch.empty(lengths[c.rank], dtype=torch.int64)
        return [out, blocks], [out]
    check_alone(c, "uneven reduce_scatter", reduce_scatter, dist.reduce_scatter,
                [blocks[c.rank] * c.size])

    def splits(rank):
        return [(rank + to) % 3 for to in range(c.size)]

    def alltoall():
        out = torch.empty((sum(splits(c.rank)), 2))
        given = torch.full((sum(splits(c.rank)), 2), float(c.rank))
        return [out, given, splits(c.rank), splits(c.rank)], [out]
    c.check("uneven all_to_all_single", alltoall, dist.all_to_all_single)


def check_shapes(c):
    """As many elements in another shape are refused where gloo refuses them, on each rank alone."""
    def block():
        return torch.zeros(2, 3)

    def others():
        return [torch.zeros(6) for _ in range(c.size)]
    is_root = dist.get_rank() == c.members[0]
    calls = [(dist.all_gather, others(), block()), (dist.all_to_all, others(), [block()] * c.size),
             (dist.all_gather_coalesced, [[each] for each in others()], [block()])]
    if is_root:
        calls += [(dist.gather, block(), others(), c.members[0]),
                  (dist.scatter, block(), others(), c.members[0])]
    for group in (c.gloo, c.rondo):
        for function, *arguments in calls:
            with world.raises("tensor size at index 0|of output tensor|must have the same size"):
                function(*arguments, group=group)
    with world.raises("invalid tensor size at index 0"):
        dist.reduce_scatter(block(), others(), group=c.rondo)


def check_coalesced(c):
    def many():
        tensors = [values((length,), torch.float32, c.rank, length) for length in (3, 0, 5)]
        return [tensors], tensors
    c.check("all_reduce_coalesced", many, dist.all_reduce_coalesced)
    blocks = [torch.full((length,), float(c.rank)) for length in (2, 5)]
    outs = [torch.empty(c.size * len(block)) for block in blocks]
    with dist._coalescing_manager(group=c.rondo):
        for out, block in zip(outs, blocks):
            dist.all_gather_into_tensor(out, block, c.rondo)
    for out, block in zip(outs, blocks):
        expected = torch.arange(c.size).repeat_interleave(len(block)).float()
        require_same(out, expected, "all_gather_into_tensor, coalesced")


def check_coalesced_calls(c):
    """As with NCCL: one work for whatever was called in between."""
    cpu = torch.device("cpu")
    tensor, reduced = torch.full((3,), c.rank + 1.0), torch.ones(4)
    with dist._coalescing_manager(c.rondo, cpu, async_ops=True) as manager:
        dist.broadcast(tensor, c.members[-1], group=c.rondo, async_op=True)
        dist.all_reduce(reduced, group=c.rondo, async_op=True)
    manager.wait()
    require_same(tensor, torch.full((3,), float(c.size)), "broadcast, coalesced")
    require_same(reduced, torch.full((4,), float(c.size)), "all_reduce, coalesced")
    with dist._coalescing_manager(c.rondo, cpu, async_ops=True) as manager:
        pass
    manager.wait()
    with world.raises("without startCoalescing"):
        c.rondo._end_coalescing(cpu)
    c.rondo._start_coalescing(cpu)
    with world.raises("endCoalescing first"):
        c.rondo._start_coalescing(cpu)
    c.rondo._end_coalescing(cpu).wait()
    if c.size < 2:
        return
    after, before = c.members[(c.rank + 1) % c.size], c.members[(c.rank - 1) % c.size]
    found = torch.zeros(2)
    works = dist.batch_isend_irecv([
        dist.P2POp(dist.isend, torch.full((2,), float(dist.get_rank())), after, c.rondo),
        dist.P2POp(dist.irecv, found, before, c.rondo)])
    for work in works:
        work.wait()
    assert len(works) == 1, works
    require_same(found, torch.full((2,), float(before)), "batch_isend_irecv")


def check_scaled(c):
    for factor, dtype in itertools.product((0.5, torch.tensor([3.0])), (torch.float32, *EIGHTS)):
        tensor = torch.full((5,), c.rank + 1.0).to(dtype)
        dist.all_reduce(tensor, op=dist._make_nccl_premul_sum(factor), group=c.rondo)
        expected = torch.full((5,), float(factor) * c.size * (c.size + 1) / 2).to(dtype)
        require_same(tensor, expected, "all_reduce, PREMUL_SUM")


def check_sparse(c):
    def entries():
        rows = torch.tensor([[c.rank, 5, 5], [0, 1, 1]])  # one place twice
        tensor = torch.sparse_coo_tensor(rows, torch.arange(3.0) + c.rank, (8, 2))
        return [tensor], [tensor]
    arguments, (expected,) = entries()
    c.call(c.gloo, False, dist.all_reduce, *arguments)
    arguments, (found,) = entries()
    c.call(c.rondo, True, dist.all_reduce, *arguments)
    require_same(found.to_dense(), expected.to_dense(), "all_reduce of sparse tensors")


def check_messages(c):
    """Tags in another order than they were sent in, and from whoever comes."""
    if c.size < 2:
        return
    after, before = c.members[(c.rank + 1) % c.size], c.members[(c.rank - 1) % c.size]
    works = [dist.isend(torch.full((4,), float(10 * c.rank + tag)), after, c.rondo, tag)
             for tag in (1, 2, 3)]
    origin = c.members.index(before)
    for tag in (3, 1, 2):
        tensor = scattered(torch.zeros(4))
        dist.recv(tensor, before, c.rondo, tag)
        require_same(tensor, torch.full((4,), float(10 * origin + tag)), f"recv of tag {tag}")
    for work in works:
        work.wait()
    root = c.members[0]
    if dist.get_rank() != root:
        dist.send(torch.tensor([c.rank]), root, c.rondo)
    else:
        seen = set()
        for _ in range(c.size - 1):
            tensor = torch.zeros(1, dtype=torch.int64)
            source = dist.recv(tensor, group=c.rondo)
            assert c.members[int(tensor)] == source, (tensor, source)
            seen.add(source)
        assert seen == set(c.members[1:]), seen


def compare(store_path, rank, size):
    world.join(store_path, rank, size, backend="gloo")
    groups = [list(range(size))]
    if size > 2:
        groups += [[0, size - 1], [1]]
    for members in groups:
        c = Comparison(members)
        if rank not in members:
            continue
        for check in (check_reductions, check_movements, check_uneven, check_shapes,
                      check_coalesced, check_coalesced_calls, check_scaled, check_sparse,
                      check_messages):
            check(c)
        dist.barrier(c.rondo)
        if c.rank == 0:
            print(f"ranks {members}: {c.compared} calls, gloo had no answer to {c.without_gloo}")
    dist.destroy_process_group()


if __name__ == "__main__":
    for count in map(int, sys.argv[1:]):
        world.run(compare, count)
