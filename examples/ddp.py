#!/usr/bin/env python3
"""Data-parallel training of a network that reads digits, by DistributedDataParallel.

    torchrun --nproc-per-node 2 ddp.py [--backend rondo|gloo] [--hook 16bit]

The backend's name is all that rondo asks for. `--hook 16bit` sends gradients as 16-bit floats,
which rondo adds up in 32 bits.
"""

import argparse
import pathlib
import sys

import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "torch"))
import digits  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="rondo")
    parser.add_argument("--hook", choices=["none", "16bit"], default="none")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=120, help="images of all ranks together")
    args = parser.parse_args()

    dist.init_process_group(args.backend)
    rank = dist.get_rank()
    (images, classes), held_out = digits.load()
    model = DistributedDataParallel(digits.make_model())
    if args.hook == "16bit":
        model.register_comm_hook(None, in_16_bits)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    digits.train(model, optimizer, images, classes, args.epochs, args.batch)
    if rank == 0:
        print(f"accuracy {digits.accuracy(model.module, held_out):.4f}")
    dist.destroy_process_group()


def in_16_bits(_state, bucket):
    """A communication hook: half the bytes, and the mean in one operation."""
    gradients = bucket.buffer()
    halves = gradients.to(torch.bfloat16)
    future = dist.all_reduce(halves, op=dist.ReduceOp.AVG, async_op=True).get_future()
    return future.then(lambda done: gradients.copy_(done.value()[0]))


if __name__ == "__main__":
    main()
