#!/usr/bin/env python3
"""rondo-perf --device on emulated devices.

usage: device_test.py RONDO RONDO_PERF
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import unittest

RONDO, PERF = sys.argv[1:3]
COLLECTIVES = ("allreduce", "broadcast", "reduce", "allgather", "reduce_scatter", "alltoall",
               "gather", "scatter", "scan", "exscan")


def measure(*flags, ranks=3, devices=1):
    """The process that has ended; its ranks see so many devices each."""
    command = [RONDO, "run", "-n", str(ranks), "--no-prefix", "--", PERF, *flags, "--device"]
    return subprocess.run(command, capture_output=True, text=True, timeout=240,
                          env=os.environ | {"EMULATED_DEVICES": str(devices)}, check=False)


class OnEmulatedDevices(unittest.TestCase):
    def lines_of(self, run):
        self.assertEqual(run.returncode, 0, run.stdout + run.stderr)
        return [line.split() for line in run.stdout.splitlines() if not line.startswith("#")]

    def test_every_collective_is_right(self):
        for collective in COLLECTIVES:
            with self.subTest(collective):
                run = measure(collective, "-e", "4K", "-f", "16", "-n", "3", "-w", "1", "-c", "2")
                for line in self.lines_of(run):
                    self.assertEqual([line[8], line[12]], ["0", "0"])  # wrong, on both sides

    def test_every_type_and_operation_is_right(self):
        run = measure("allreduce", "-b", "64", "-e", "64", "-d", "all", "-o", "all", "-n", "2",
                      "-w", "1", ranks=2)
        lines = self.lines_of(run)
        self.assertIn(("f8e4m3", "sum"), [(line[2], line[3]) for line in lines])
        for line in lines:
            self.assertEqual([line[8], line[12]], ["0", "0"], line)

    def test_every_collective_is_right_from_device_to_device(self):
        for reading in "1", "2":
            for collective in COLLECTIVES:
                with self.subTest(collective, reading=reading):
                    command = [PERF, collective, "--device", "--transport", "inproc", "--ranks",
                               "3", "-e", "4K", "-f", "16", "-n", "3", "-w", "1", "-c", "1", "-R",
                               reading]
                    run = subprocess.run(command, capture_output=True, text=True, timeout=240,
                                         env=os.environ | {"EMULATED_DEVICES": "2"}, check=False)
                    for line in self.lines_of(run):
                        self.assertEqual([line[8], line[12]], ["0", "0"])

    def test_every_collective_is_right_by_graphs(self):
        for collective in COLLECTIVES:
            with self.subTest(collective):
                run = measure(collective, "-e", "4K", "-f", "32", "-n", "3", "-w", "1", "-G", "1")
                for line in self.lines_of(run):
                    self.assertEqual([line[8], line[12]], ["0", "0"])

    def test_graphs_go_from_device_to_device(self):
        command = [PERF, "allreduce", "--device", "--transport", "inproc", "--ranks", "3", "-e",
                   "4K", "-f", "32", "-n", "3", "-w", "1", "-R", "2", "-G", "1"]
        run = subprocess.run(command, capture_output=True, text=True, timeout=240,
                             env=os.environ | {"EMULATED_DEVICES": "2"}, check=False)
        for line in self.lines_of(run):
            self.assertEqual([line[8], line[12]], ["0", "0"])
        self.assertIn(" graph: 1", run.stdout)

    def test_devices_that_are_not_connected_are_not_measured_as_such(self):
        run = measure("allreduce", "-R", "1")  # each process has an emulated machine of its own
        self.assertNotEqual(run.returncode, 0)
        self.assertIn("the devices of the ranks are not connected", run.stderr)
        self.assertIn("goes by way of the host's: rank", run.stderr)

    def test_single_calls_are_timed_where_each_is_waited_for(self):
        for blocking in "0", "1":
            run = measure("allreduce", "-b", "64", "-e", "64", "-z", blocking)
            fields = self.lines_of(run)[0]
            self.assertGreater(float(fields[5]), 0)
            for field in fields[-4:]:
                if blocking == "0":
                    self.assertEqual(field, "N/A")
                else:
                    self.assertGreater(float(field), 0)

    def test_devices_are_dealt_out_in_turns(self):
        run = measure("broadcast", "-b", "4", "-e", "4", devices=2)
        devices = [line.split(" device ")[1] for line in run.stdout.splitlines()
                   if " device " in line]
        self.assertEqual([device.split()[:2] for device in devices],
                         [["0", "[0000:00:00.0]"], ["1", "[0000:01:00.0]"],
                          ["0", "[0000:00:00.0]"]], run.stdout + run.stderr)

    def test_the_file_says_so(self):
        with tempfile.TemporaryDirectory() as folder:
            file = pathlib.Path(folder) / "out.json"
            self.lines_of(measure("allreduce", "-b", "4", "-e", "4", "-J", str(file)))
            written = json.loads(file.read_text())
        self.assertTrue(written["config"]["device"])
        self.assertIsNone(written["results"][0]["in_place"]["median_us"])
        self.assertGreater(written["results"][0]["in_place"]["time_us"], 0)

    def test_without_a_device_it_refuses(self):
        run = measure("allreduce", devices=0)
        self.assertEqual(run.returncode, 1)
        self.assertIn("rondo-perf: --device: there is no device: the driver says so", run.stderr)
        self.assertEqual(run.stdout, "")


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
