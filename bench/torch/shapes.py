"""Shapes of a model's parameters, and the buckets in which DDP sends their gradients."""

import pathlib

import torch
import torch.distributed as dist

FOLDER = pathlib.Path(__file__).resolve().parent
BUCKET_BYTES = 25 << 20  # DDP's bucket_cap_mb; its first bucket is smaller


def load(model):
    """Shapes in the order in which the model has its parameters."""
    lines = (FOLDER / f"{model}.txt").read_text(encoding="utf-8").splitlines()
    return [tuple(map(int, line.split()[1:])) for line in lines if not line.startswith("#")]


def buckets(shapes):
    """Elements of each bucket, in the order in which they are sent: the last layers' gradients come
    first. PyTorch's own function divides them, as in each step after the first one."""
    gradients = [torch.empty(shape, device="meta") for shape in reversed(shapes)]
    limits = [dist._DEFAULT_FIRST_BUCKET_BYTES, BUCKET_BYTES]
    parts, _ = dist._compute_bucket_assignment_by_size(gradients, limits)
    return [sum(gradients[at].numel() for at in part) for part in parts]
