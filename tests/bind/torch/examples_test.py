#!/usr/bin/env python3
"""The PyTorch examples under torchrun: rondo gives gloo's losses, and the digits are read.

The programs are as they are: PyTorch finds the backend by the package's entry points.

usage: examples_test.py EXAMPLES_FOLDER NAME
"""

import configparser
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import rondo

LOWEST_ACCURACY = {"ddp": 0.94, "fsdp": 0.94, "local_sgd": 0.85}
LARGEST_DIFFERENCE = 1e-3
OPTIONS = {"ddp": [["--hook", "bf16"]]}


def describe_package(folder):
    """What pip writes beside an installed package, of the one that was built: its entry points, as
    in pyproject.toml."""
    project = pathlib.Path(__file__).resolve().parents[3] / "pyproject.toml"
    points = configparser.ConfigParser()
    for group, lines in re.findall(r'\[project\.entry-points\."(.*?)"\]\n((?:\w+ = .*\n)+)',
                                   project.read_text()):
        points[group] = {name: target for name, target in re.findall(r'(\w+) = "(.*)"', lines)}
    assert "torch.backends" in points, points.sections()
    about = pathlib.Path(folder) / f"rondo-{rondo.__version__}.dist-info"
    about.mkdir()
    (about / "METADATA").write_text(f"Metadata-Version: 2.1\nName: rondo\n"
                                    f"Version: {rondo.__version__}\n")
    with open(about / "entry_points.txt", "w", encoding="utf-8") as file:
        points.write(file)


def train(program, ranks, backend, more, **variables):
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks),
               str(program), "--backend", backend, *more]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False,
                          env=dict(os.environ, **variables))
    if done.returncode != 0:
        sys.exit(f"{' '.join(command)} ended with {done.returncode}:\n{done.stdout}{done.stderr}")
    losses = list(map(float, re.findall(r"loss ([\d.]+)", done.stdout)))
    return losses, float(re.search(r"accuracy ([\d.]+)", done.stdout)[1])


def require_near(what, losses, expected):
    apart = max(abs(a - b) for a, b in zip(losses, expected, strict=True))
    print(f"{what}: losses differ by at most {apart:.2g}", flush=True)
    if apart > LARGEST_DIFFERENCE:
        sys.exit(f"rondo: {losses}\ngloo: {expected}")


def compare(program):
    name = program.stem
    for ranks in (1, 2, 4):
        losses, accuracy = train(program, ranks, "rondo", [])
        if accuracy < LOWEST_ACCURACY[name]:
            sys.exit(f"{name}, {ranks} ranks: reads only {accuracy:.2%}")
        expected, _ = train(program, ranks, "gloo", [])
        require_near(f"{name}, {ranks} ranks", losses, expected)
    replaced, _ = train(program, 4, "gloo", [], RONDO_TORCH_REPLACE="gloo")
    require_near(f"{name}, gloo replaced", replaced, expected)
    for option in OPTIONS.get(name, []):
        _, accuracy = train(program, 2, "rondo", option)
        if accuracy < LOWEST_ACCURACY[name]:
            sys.exit(f"{name} {option}: reads only {accuracy:.2%}")


def check_replaced():
    """Without it, what is called gloo would be equal to gloo for a poor reason."""
    program = ("import torch.distributed as dist, torch; "
               "dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1); "
               "group = dist.distributed_c10d._get_default_group(); "
               "print(dist.get_backend(), group._get_backend(torch.device('cpu')).name())")
    for replaced, expected in (("gloo", "gloo rondo"), ("", "gloo gloo")):
        said = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              timeout=100, check=True,
                              env=dict(os.environ, RONDO_TORCH_REPLACE=replaced)).stdout
        if said.strip() != expected:
            sys.exit(f"RONDO_TORCH_REPLACE={replaced}: {said} instead of {expected}")


def main():
    with tempfile.TemporaryDirectory() as folder:
        describe_package(folder)
        os.environ["PYTHONPATH"] += os.pathsep + folder
        check_replaced()
        compare(pathlib.Path(sys.argv[1]) / f"{sys.argv[2]}.py")


main()
