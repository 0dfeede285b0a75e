#!/usr/bin/env python3
"""What the scripts of cuda/campaign.sh make of recorded output."""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

CUDA = pathlib.Path(__file__).resolve().parents[2] / "cuda"

# Of an emulated device, but for the times.
TABLE = """\
what                                               bytes          us        GB/s
synchronize an idle stream                             0        0.26
copy, device to device                              4096       51.72         0.2
copy, device to pinned                              4096       47.98         0.1
copy, device to device                             65536      100.00         1.3
copy by a kernel                                   65536       10.00        13.1
"""


def report(ranks, out_of_place, in_place, wrong=0):
    side = {"median_us": None, "iterations": 9, "nwrong": wrong, "max_ulp": 0}
    rows = [{"size": size, "count": size // 4, "type": "f32", "redop": "sum", "root": -1,
             "out_of_place": side | {"time_us": times[0]},
             "in_place": side | {"time_us": times[1]}}
            for size, times in ((4096, (1.0, 1.0)), (65536, (out_of_place, in_place)))]
    return {"config": {"ranks": ranks}, "results": rows}


class Bound(unittest.TestCase):
    def judge(self, *reports, table=TABLE):
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "measure.log").write_text(table)
            paths = []
            for number, each in enumerate(reports):
                paths.append(str(folder / f"{number}.json"))
                pathlib.Path(paths[-1]).write_text(json.dumps(each))
            return subprocess.run([sys.executable, str(CUDA / "bound.py"), "70",
                                   str(folder / "measure.log"), *paths],
                                  capture_output=True, text=True, check=False)

    # By 2 ranks 4 * 65536 bytes are moved, at 2 * 65536 in 100 us.
    def test_the_faster_side_of_the_largest_size_counts(self):
        done = self.judge(report(2, 400.0, 285.0))
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("2 ranks, 65536 bytes: out of place 50.0 %, in place 70.2 % of 200.00 us",
                      done.stdout)
        self.assertEqual(self.judge(report(2, 400.0, 287.0)).returncode, 1)

    def test_the_slowest_report_decides(self):
        done = self.judge(report(2, 200.0, 200.0), report(4, 800.0, 900.0))
        self.assertEqual(done.returncode, 1)
        self.assertIn("at least 50.0 % of the direct bound: 70 % are NOT reached", done.stdout)

    def test_wrong_results_and_tables_without_copies_are_refused(self):
        done = self.judge(report(2, 200.0, 200.0, wrong=1))
        self.assertEqual(done.returncode, 1)
        self.assertIn("there are wrong results", done.stderr)
        self.assertIn("has no line", self.judge(report(2, 1.0, 1.0), table="what\n").stderr)


class Beside(unittest.TestCase):
    def check_not_run(self, path, reason):
        done = subprocess.run([sys.executable, str(CUDA / "beside.py"), "nccl-tests", "2", "64"],
                              capture_output=True, text=True, check=False,
                              env=os.environ | {"PATH": path})
        self.assertEqual(done.returncode, 77, done.stderr)
        self.assertIn(f"does not run: {reason}", done.stdout)

    def test_what_does_not_run_says_why(self):
        with tempfile.TemporaryDirectory() as folder:
            self.check_not_run(folder, "there is no all_reduce_perf")
            program = pathlib.Path(folder) / "all_reduce_perf"
            program.write_text("#!/bin/sh\necho start\necho 'Duplicate GPU detected'\nexit 3\n")
            program.chmod(0o755)
            self.check_not_run(folder, "Duplicate GPU detected")


if __name__ == "__main__":
    unittest.main()
