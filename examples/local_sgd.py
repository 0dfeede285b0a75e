#!/usr/bin/env python3
"""Local SGD: every rank trains by itself, and all take the mean of their models now and then.

    torchrun --nproc-per-node 2 local_sgd.py [--backend rondo|gloo] [--every 4]

Communicates once in `--every` steps instead of in each.
"""

import argparse
import itertools
import pathlib
import sys

import torch
import torch.distributed as dist

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "torch"))
import digits  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="rondo")
    parser.add_argument("--every", type=int, default=4, help="steps between two means")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=120, help="images of all ranks together")
    args = parser.parse_args()

    dist.init_process_group(args.backend)
    rank = dist.get_rank()
    (images, classes), held_out = digits.load()
    model = digits.make_model()
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1)
    steps = itertools.count(1)

    def agree_now_and_then():
        if next(steps) % args.every == 0:
            take_mean(model)

    digits.train(model, optimizer, images, classes, args.epochs, args.batch, agree_now_and_then)
    take_mean(model)
    if rank == 0:
        print(f"accuracy {digits.accuracy(model, held_out):.4f}")
    dist.destroy_process_group()


def take_mean(model):
    """All parameters in one message."""
    with torch.no_grad():
        flat = torch.nn.utils.parameters_to_vector(model.parameters())
        dist.all_reduce(flat)
        flat /= dist.get_world_size()
        torch.nn.utils.vector_to_parameters(flat, model.parameters())


if __name__ == "__main__":
    main()
