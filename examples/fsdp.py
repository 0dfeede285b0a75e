#!/usr/bin/env python3
"""Training with sharded parameters, gradients and optimizer state, by fully_shard on the CPU.

    torchrun --nproc-per-node 2 fsdp.py [--backend rondo|gloo]
"""

import argparse
import pathlib
import sys

import torch
import torch.distributed as dist
from torch.distributed.device_mesh import init_device_mesh
from torch.distributed.fsdp import fully_shard

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / "torch"))
import digits  # noqa: E402


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--backend", default="rondo")
    parser.add_argument("--epochs", type=int, default=10)
    parser.add_argument("--batch", type=int, default=120, help="images of all ranks together")
    args = parser.parse_args()

    dist.init_process_group(args.backend)
    rank, ranks = dist.get_rank(), dist.get_world_size()
    mesh = init_device_mesh("cpu", (ranks,))
    (images, classes), held_out = digits.load()
    model = digits.make_model()
    for layer in model:
        if isinstance(layer, torch.nn.Linear):
            fully_shard(layer, mesh=mesh)
    fully_shard(model, mesh=mesh)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    digits.train(model, optimizer, images, classes, args.epochs, args.batch)
    read_right = digits.accuracy(model, held_out)  # all ranks gather the parameters
    if rank == 0:
        print(f"accuracy {read_right:.4f}")
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
