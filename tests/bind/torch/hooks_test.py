#!/usr/bin/env python3
"""The communication hooks of rondo.torch: the mean of all gradients, as exact as 16 bits allow,
with the same bits on all ranks."""

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

import ranks as world
from rondo.torch import hooks

HOOKS = {hooks.average: torch.float32, hooks.average_bf16: torch.bfloat16,
         hooks.average_fp16: torch.float16}
STEPS = 4
MB_OF_BUCKETS = 0.1  # behind a first one of 1 MiB


def make_model():
    torch.manual_seed(3)
    return torch.nn.Sequential(
        torch.nn.Linear(64, 300), torch.nn.Tanh(), torch.nn.Linear(300, 1200), torch.nn.Tanh(),
        torch.nn.Linear(1200, 2))


def gradients_of(model, rank, step):
    model.zero_grad()
    generator = torch.Generator().manual_seed(100 * step + rank)
    model(torch.randn(16, 64, generator=generator)).square().sum().backward()
    return [parameter.grad.clone() for parameter in model.parameters()]


def check(hook, state, group, members):
    """Gradients of a model without DDP say what the mean is."""
    dtype = HOOKS[hook]
    model = DistributedDataParallel(make_model(), process_group=group,
                                    bucket_cap_mb=MB_OF_BUCKETS)
    model.register_comm_hook(state, hook)
    for step in range(STEPS):
        found = gradients_of(model, dist.get_rank(), step)
        everybody = [gradients_of(make_model(), member, step) for member in members]
        for mine, *given in zip(found, *everybody):
            sent = [each.to(dtype).double() for each in given]
            expected = (sum(sent) / len(members)).to(dtype).to(mine.dtype)
            # Once rounded for each rank: of two ranks that is the nearest number there is.
            size = sum(each.abs() for each in sent)
            limits = torch.finfo(dtype)
            bound = size * limits.eps / 2 + limits.smallest_normal * limits.eps
            if dtype != torch.float32 and len(members) == 2:
                assert torch.equal(mine, expected), (hook, step, mine - expected)
            assert ((mine - expected).abs() <= bound).all(), (hook, step, mine - expected)
            theirs = [torch.empty_like(mine) for _ in members]
            dist.all_gather(theirs, mine, group=group)
            assert all(torch.equal(mine, each) for each in theirs)


def check_all(store_path, rank, size):
    world.join(store_path, rank, size)
    everybody = list(range(size))
    for hook in HOOKS:
        check(hook, hooks.State(), None, everybody)
        check(hook, None, None, everybody)
    pair = dist.new_group([0, size - 1])
    if rank in (0, size - 1):
        state = hooks.State(pair)
        check(hooks.average_bf16, state, pair, [0, size - 1])
        # One for each bucket; none are left of the first step.
        assert 1 < len(state._buffers) <= 4, state._buffers.keys()
    dist.destroy_process_group()


if __name__ == "__main__":
    for count in (2, 3):
        world.run(check_all, count)
        print(f"{count} ranks: as it should be")
