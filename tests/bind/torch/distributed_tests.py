#!/usr/bin/env python3
"""PyTorch's own tests of a backend, which it ships: DistributedTest with BACKEND=rondo.

usage: distributed_tests.py [--all] [unittest's options and names]

BACKEND=gloo with RONDO_TORCH_REPLACE=gloo takes those that are written for gloo alone through
rondo. WORLD_SIZE says how many ranks (2). Without --all, these are left out: those whose outcome
depends on how busy the machine is; and with gloo's name, those that run with rondo's as well.
"""

import importlib.util
import os
import subprocess
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
import torch._dynamo  # noqa: E402,F401  # optimizers import it: here once, for all that is forked
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


def names_of_tests():
    """Those that PyTorch's decorators, which look at BACKEND, do not leave out."""
    return [name for name in unittest.defaultTestLoader.getTestCaseNames(RondoTest)
            if not getattr(getattr(RondoTest, name), "__unittest_skip__", False)]


def names_with_rondo():
    asked = [sys.executable, __file__, "--names"]
    return subprocess.run(asked, env=dict(os.environ, BACKEND="rondo"), check=True,
                          capture_output=True, text=True).stdout.split()


def main(words):
    leave_out(NOT_OURS)
    if "--names" in words:
        print("\n".join(names_of_tests()))
        return
    if "--all" in words:
        words.remove("--all")
    else:
        leave_out(TIMED)
        if os.environ["BACKEND"] != "rondo":
            leave_out(dict.fromkeys(names_with_rondo(), "runs with rondo's name"))
    unittest.main(defaultTest="RondoTest", argv=words)


if __name__ == "__main__":
    main(sys.argv)
