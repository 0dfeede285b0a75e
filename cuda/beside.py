#!/usr/bin/env python3
"""Times another library's allreduce of float32 by several ranks on one device.

usage: beside.py nccl|gloo RANKS BYTES [cuda|cpu]   by PyTorch's process groups
       beside.py nccl-tests RANKS BYTES             by all_reduce_perf

Where it does not run, the last line says why, and the exit code is 77.
"""

import importlib.util
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import time

NOT_RUN = 77
SECONDS = 100


def rank_of_torch(backend, ranks, count, place, rank, store):
    import torch
    import torch.distributed as dist
    dist.init_process_group(backend, init_method=f"file://{store}", world_size=ranks, rank=rank)
    data = torch.zeros(count, device=place)

    def finish():
        if place == "cuda":
            torch.cuda.synchronize()

    times = []
    for _ in range(12):
        dist.barrier()
        finish()
        begin = time.perf_counter()
        dist.all_reduce(data)
        finish()
        times.append(time.perf_counter() - begin)
    if rank == 0:
        print(f"{backend}, {ranks} ranks, {4 * count} bytes on {place}: "
              f"{sorted(times[2:])[5] * 1e6:.1f} us")
    dist.destroy_process_group()


def why_no_torch(backend, place):
    if importlib.util.find_spec("torch") is None:
        return "python3 has no torch"
    import torch
    if place == "cuda" and not torch.cuda.is_available():
        return "torch finds no device of CUDA"
    if not getattr(torch.distributed, f"is_{backend}_available")():
        return f"torch has no {backend}"
    return None


def reason_in(texts):
    """The line of an error that says most."""
    lines = [line.strip() for text in texts for line in text.splitlines() if line.strip()]
    told = [line for line in lines if "duplicate" in line.lower()]
    told += [line for line in reversed(lines) if "error" in line.lower()]
    return (told or lines or ["it said nothing"])[0]


def run_all(commands):
    """What they print; or None, and why they do not run."""
    with tempfile.TemporaryFile("w+") as said:
        started = [subprocess.Popen(words, stdout=said, stderr=said) for words in commands]
        end = time.monotonic() + SECONDS
        codes = []
        for each in started:
            try:
                codes.append(each.wait(max(0.1, end - time.monotonic())))
            except subprocess.TimeoutExpired:
                codes.append(None)
        for each in started:
            each.kill()
            each.wait()
        said.seek(0)
        text = said.read()
    if all(code == 0 for code in codes):
        return text, None
    return None, reason_in([text]) if None not in codes else f"not done after {SECONDS} s"


def measure(what, ranks, size, place):
    """What was measured, or None, and why not."""
    if what == "nccl-tests":
        program = shutil.which("all_reduce_perf")
        if program is None:
            return None, "there is no all_reduce_perf"
        return run_all([[program, "-b", str(size), "-e", str(size), "-g", "1", "-t", str(ranks)]])
    missing = why_no_torch(what, place)
    if missing:
        return None, missing
    with tempfile.TemporaryDirectory() as folder:
        store = pathlib.Path(folder) / "store"
        return run_all([[sys.executable, __file__, "--rank", what, str(ranks), str(size), place,
                         str(rank), str(store)] for rank in range(ranks)])


def main(what, ranks, size, place="cuda"):
    measured, reason = measure(what, int(ranks), int(size), place)
    if reason is None:
        print(measured, end="")
        return 0
    print(f"{what} by {ranks} ranks on one device does not run: {reason}")
    return NOT_RUN


if __name__ == "__main__":
    if sys.argv[1:2] == ["--rank"]:
        kind, world, length, where, number, meeting = sys.argv[2:]
        os.environ.setdefault("CUDA_VISIBLE_DEVICES", "0")
        rank_of_torch(kind, int(world), int(length) // 4, where, int(number), meeting)
    elif len(sys.argv) in (4, 5) and sys.argv[1] in ("nccl", "gloo", "nccl-tests"):
        sys.exit(main(*sys.argv[1:]))
    else:
        sys.exit(__doc__)
