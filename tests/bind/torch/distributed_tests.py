#!/usr/bin/env python3
"""PyTorch's own tests of a backend, which it ships: DistributedTest with BACKEND=rondo.

usage: distributed_tests.py [--all | --part I/N] [unittest's options and names]

Without --all, those whose outcome depends on how busy the machine is are left out; with --part,
also all but each Nth, beginning with the Ith. BACKEND=gloo
with RONDO_TORCH_REPLACE=gloo takes those that are written for gloo alone through rondo. WORLD_SIZE
says how many ranks (2).
"""

import importlib.util
import os
import sys
import tempfile
import unittest

SKIPPED = 77  # what Meson takes as "skipped"
for _needed in ("expecttest", "numpy", "torch"):
    if importlib.util.find_spec(_needed) is None:
        print(f"{sys.executable} has no {_needed}, which PyTorch's tests need")
        sys.exit(SKIPPED)

os.environ.setdefault("BACKEND", "rondo")
os.environ.setdefault("WORLD_SIZE", "2")
_folder = tempfile.TemporaryDirectory()
os.environ.setdefault("TEMP_DIR", _folder.name)
for _name in ("barrier", "test_dir", "init_dir"):
    os.makedirs(os.path.join(os.environ["TEMP_DIR"], _name), exist_ok=True)

import torch  # noqa: E402  # reads the variables
import rondo.torch  # noqa: E402,F401
from torch.testing._internal import common_distributed  # noqa: E402

# PyTorch's tests know what its own backends can do. They ask when they are imported.
_features = common_distributed.DistTestCases.backend_feature
for _backends in _features.values():
    if "gloo" in _backends:
        _backends.add("rondo")
_features["plugin"].add("rondo")

from torch.testing._internal.distributed import distributed_test  # noqa: E402


class RondoTest(distributed_test.TestDistBackend, distributed_test.DistributedTest._DistTestBase):
    """Each test in processes of its own."""

    def setUp(self):
        super().setUp()
        # Forked, so that PyTorch is imported once.
        self._start_processes(torch.multiprocessing.get_context("fork").Process)


NOT_OURS = {
    "test_ddp_logging_data_cpu": "PyTorch logs 'custom' for every backend that is not its own",
}
TIMED = {name: "expects ranks to come within 2 s or less" for name in (
    "test_monitored_barrier_gloo", "test_monitored_barrier_failure_order",
    "test_barrier_timeout_full_group", "test_barrier_timeout_global", "test_barrier_timeout_group")}


def leave_out(tests):
    for name, reason in tests.items():
        setattr(RondoTest, name, unittest.skip(reason)(getattr(RondoTest, name)))


def leave_out_others(part):
    """All but those of a part, given as I/N with I from 1 to N."""
    index, count = map(int, part.split("/"))
    names = unittest.defaultTestLoader.getTestCaseNames(RondoTest)
    leave_out({name: f"not in part {part}" for number, name in enumerate(names)
               if number % count != index - 1})


if __name__ == "__main__":
    leave_out(NOT_OURS)
    if "--part" in sys.argv:
        position = sys.argv.index("--part")
        leave_out_others(sys.argv[position + 1])
        del sys.argv[position:position + 2]
    if "--all" in sys.argv:
        sys.argv.remove("--all")
    else:
        leave_out(TIMED)
    unittest.main(defaultTest="RondoTest")
