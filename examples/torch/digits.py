"""Handwritten digits, and a small network that reads them: what the PyTorch examples train."""

import pathlib

import torch
import torch.distributed as dist

DATA = pathlib.Path(__file__).resolve().parent.parent / "train_digits" / "digits.csv"


def load(path=DATA):
    """(images, classes) to train with, and the same held out: every fifth."""
    rows = torch.tensor([list(map(int, line.split(","))) for line in
                         pathlib.Path(path).read_text().splitlines()])
    images, classes = rows[:, :64].float() / 16, rows[:, 64]
    held_out = torch.arange(len(rows)) % 5 == 0
    return (images[~held_out], classes[~held_out]), (images[held_out], classes[held_out])


def make_model(hidden=256):
    """The same on all ranks."""
    torch.manual_seed(1)
    return torch.nn.Sequential(
        torch.nn.Linear(64, hidden), torch.nn.ReLU(),
        torch.nn.Linear(hidden, hidden), torch.nn.ReLU(),
        torch.nn.Linear(hidden, 10))


def batches(count, size, rank, ranks, epoch):
    """Which images a rank takes in each step: its share of `size` images in shuffled order."""
    generator = torch.Generator().manual_seed(epoch)
    order = torch.randperm(count, generator=generator)
    for at in range(0, count - size + 1, size):
        yield order[at:at + size][rank::ranks]


def train(model, optimizer, images, classes, epochs, batch, after_step=lambda: None):
    """Each rank takes its share of every batch; rank 0 prints the mean loss of each epoch."""
    rank, ranks = dist.get_rank(), dist.get_world_size()
    for epoch in range(epochs):
        loss_sum = torch.zeros(2)
        for mine in batches(len(images), batch, rank, ranks, epoch):
            optimizer.zero_grad()
            loss = torch.nn.functional.cross_entropy(model(images[mine]), classes[mine])
            loss.backward()
            optimizer.step()
            after_step()
            loss_sum += torch.tensor([loss.item(), 1.0])
        dist.all_reduce(loss_sum)
        if rank == 0:
            print(f"epoch {epoch} loss {loss_sum[0] / loss_sum[1]:.6f}")


def accuracy(model, held_out):
    """Share of the held-out images that are read right."""
    images, classes = held_out
    with torch.no_grad():
        return (model(images).argmax(1) == classes).float().mean().item()
