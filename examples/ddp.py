#!/usr/bin/env python3
"""Data-parallel training of a network that reads digits, by DistributedDataParallel.

    torchrun --nproc-per-node 2 ddp.py [--backend rondo|gloo] [--hook average|bf16|fp16]

The backend's name is all that rondo asks for. With `--hook` its communication hooks give the mean
of the gradients in one operation; bf16 and fp16 send them as 16-bit floats, which rondo adds up in
32 bits.
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
    parser.add_argument("--hook", choices=["average", "bf16", "fp16"])
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=120, help="images of all ranks together")
    args = parser.parse_args()

    dist.init_process_group(args.backend)
    rank = dist.get_rank()
    (images, classes), held_out = digits.load()
    model = DistributedDataParallel(digits.make_model())
    if args.hook:
        model.register_comm_hook(*rondo_hook(args.hook))
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    digits.train(model, optimizer, images, classes, args.epochs, args.batch)
    if rank == 0:
        print(f"accuracy {digits.accuracy(model.module, held_out):.4f}")
    dist.destroy_process_group()


def rondo_hook(name):
    from rondo.torch import hooks  # programs without it need rondo's name only
    return hooks.State(), {"average": hooks.average, "bf16": hooks.average_bf16,
                           "fp16": hooks.average_fp16}[name]


if __name__ == "__main__":
    main()
