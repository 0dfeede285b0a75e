#!/usr/bin/env python3
"""The PyTorch examples under torchrun: rondo gives gloo's losses, and the digits are read.

The programs are as they are: PyTorch finds the backend by the package's entry points.

usage: examples_test.py EXAMPLES_FOLDER NAME [--all]

Without --all, torchrun itself starts one of the runs, and the others are forked.
"""

import configparser
import contextlib
import os
import pathlib
import re
import runpy
import subprocess
import sys
import tempfile

import torch._dynamo  # noqa: F401  # optimizers import it: here once, for all that is forked
import torch.distributed as dist
import torch.distributed.fsdp  # noqa: F401  # the same

import ranks as world
import rondo

LOWEST_ACCURACY = {"ddp": 0.94, "fsdp": 0.94, "local_sgd": 0.85}
LARGEST_DIFFERENCE = 1e-3
ALL_RANKS = (1, 2, 4)
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


def by_torchrun(program, ranks, words, **variables):
    """As users start it: each rank imports PyTorch, which finds the backend by the entry points."""
    command = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks),
               str(program), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False,
                          env=dict(os.environ, **variables))
    return done.returncode, done.stdout, done.stderr


def rank_of_torchrun(_store_path, rank, ranks, program, words, port, out):
    os.environ.update(RANK=str(rank), LOCAL_RANK=str(rank), WORLD_SIZE=str(ranks),
                      LOCAL_WORLD_SIZE=str(ranks), MASTER_ADDR="127.0.0.1", MASTER_PORT=port,
                      TORCHELASTIC_USE_AGENT_STORE="True", TORCHELASTIC_RESTART_COUNT="0")
    sys.argv = [str(program), *words]
    with open(f"{out}/{rank}", "w", encoding="utf-8") as text, contextlib.redirect_stdout(text):
        runpy.run_path(str(program), run_name="__main__")


def by_fork(program, ranks, words):
    """With torchrun's variables and a store like that of its agent, in processes that have PyTorch
    already: nearly all of the time goes into importing it."""
    store = dist.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    with tempfile.TemporaryDirectory() as out:
        started, folder = world.start(rank_of_torchrun, ranks, program, words, str(store.port), out)
        with folder:
            for process in started:
                process.join()
        said = "".join(path.read_text() for path in sorted(pathlib.Path(out).iterdir()))
    return max(abs(process.exitcode) for process in started), said, ""


def train(program, ranks, backend, more, start=by_fork, **variables):
    words = ["--backend", backend, *more]
    code, said, error = start(program, ranks, words, **variables)
    # On a busy machine a program with gloo ended with an abort, after all its results.
    is_reference = backend == "gloo" and not variables
    has_results = "accuracy" in said
    if code != 0 and not (is_reference and has_results):
        sys.exit(f"{program} {words} among {ranks} ended with {code}:\n{said}{error}")
    losses = list(map(float, re.findall(r"loss ([\d.]+)", said)))
    return losses, float(re.search(r"accuracy ([\d.]+)", said)[1])


def require_near(what, losses, expected):
    apart = max(abs(a - b) for a, b in zip(losses, expected, strict=True))
    print(f"{what}: losses differ by at most {apart:.2g}", flush=True)
    if apart > LARGEST_DIFFERENCE:
        sys.exit(f"rondo: {losses}\ngloo: {expected}")


def compare(program, start):
    name = program.stem
    for ranks in ALL_RANKS:
        losses, accuracy = train(program, ranks, "rondo", [], start)
        if accuracy < LOWEST_ACCURACY[name]:
            sys.exit(f"{name}, {ranks} ranks: reads only {accuracy:.2%}")
        expected, _ = train(program, ranks, "gloo", [], start)
        require_near(f"{name}, {ranks} ranks", losses, expected)
        if ranks == 2:
            replaced, _ = train(program, ranks, "gloo", [], by_torchrun,
                                RONDO_TORCH_REPLACE="gloo")
            require_near(f"{name}, gloo replaced", replaced, expected)
    for option in OPTIONS.get(name, []):
        _, accuracy = train(program, 2, "rondo", option, start)
        if accuracy < LOWEST_ACCURACY[name]:
            sys.exit(f"{name} {option}: reads only {accuracy:.2%}")


def check_replaced():
    """Without it, what is called gloo would be equal to gloo for a poor reason."""
    program = ("import torch.distributed as dist, torch; "
               "dist.init_process_group('gloo', store=dist.HashStore(), rank=0, world_size=1); "
               "group = dist.distributed_c10d._get_default_group(); "
               "print(dist.get_backend(), group._get_backend(torch.device('cpu')).name())")
    for replaced, expected in (("gloo", "gloo rondo"), ("", "gloo gloo"), ("nccl", "gloo gloo")):
        done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True,
                              timeout=100, check=True,
                              env=dict(os.environ, RONDO_TORCH_REPLACE=replaced))
        if done.stdout.strip() != expected:
            sys.exit(f"RONDO_TORCH_REPLACE={replaced}: {done.stdout} instead of {expected}")
        if ("set RONDO_TORCH_REPLACE=gloo, or unset it" in done.stderr) != (replaced == "nccl"):
            sys.exit(f"RONDO_TORCH_REPLACE={replaced}: it said\n{done.stderr}")


def main():
    name = sys.argv[2]
    with tempfile.TemporaryDirectory() as folder:
        describe_package(folder)
        os.environ["PYTHONPATH"] += os.pathsep + folder
        if name == "ddp":
            check_replaced()
        compare(pathlib.Path(sys.argv[1]) / f"{name}.py",
                by_torchrun if "--all" in sys.argv else by_fork)


if __name__ == "__main__":
    main()
