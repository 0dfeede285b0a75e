"""Communication hooks for DistributedDataParallel that use what rondo can do beside SUM.

    model.register_comm_hook(hooks.State(), hooks.average_bf16)

Each gives the mean of all ranks' gradients, in one operation: rondo divides while it adds up. Those
with 16 bits move half the bytes; rondo adds in 32 bits, and rounds what it sends on.
"""

from typing import Any, Dict, List, Optional, Tuple

import torch
import torch.distributed as dist


class State:
    """What the hooks keep from step to step: the group, by default that of all ranks, and buffers,
    which have half the bytes of the gradients where a hook sends 16 bits."""

    def __init__(self, process_group: Optional[dist.ProcessGroup] = None) -> None:
        self.process_group = process_group
        self._buffers: Dict[Tuple[int, int, torch.dtype], torch.Tensor] = {}

    def buffer(self, bucket: dist.GradBucket, dtype: torch.dtype) -> torch.Tensor:
        """For a bucket, with `dtype`; the same in each step."""
        gradients = bucket.buffer()
        key = (bucket.index(), gradients.numel(), dtype)
        if key not in self._buffers:
            # DDP divides the gradients anew after the first step.
            for old in [each for each in self._buffers if each[0] == key[0]]:
                del self._buffers[old]
            self._buffers[key] = torch.empty_like(gradients, dtype=dtype)
        return self._buffers[key]


def average(state: Optional[State],
            bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """As DDP does it itself, without its pass over the gradients that divides them."""
    return _start(state, bucket.buffer()).then(_tensor_of)


def average_bf16(state: Optional[State],
                 bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """Gradients travel as bfloat16: the range of float32 with 8 bits of precision."""
    return _average_16(state, bucket, torch.bfloat16)


def average_fp16(state: Optional[State],
                 bucket: dist.GradBucket) -> torch.futures.Future[torch.Tensor]:
    """Gradients travel as float16: 11 bits of precision, and up to 65,504."""
    return _average_16(state, bucket, torch.float16)


def _average_16(state: Optional[State], bucket: dist.GradBucket,
                dtype: torch.dtype) -> torch.futures.Future[torch.Tensor]:
    gradients = bucket.buffer()
    halves = (state or State()).buffer(bucket, dtype).copy_(gradients)
    return _start(state, halves).then(lambda done: gradients.copy_(_tensor_of(done)))


def _start(state: Optional[State], tensor: torch.Tensor) -> torch.futures.Future[List[Any]]:
    work = dist.all_reduce(tensor, op=dist.ReduceOp.AVG, async_op=True,
                           group=state.process_group if state is not None else None)
    assert work is not None, "this rank is no member of the group"
    return work.get_future()


def _tensor_of(done: torch.futures.Future[List[Any]]) -> torch.Tensor:
    return done.value()[0]
