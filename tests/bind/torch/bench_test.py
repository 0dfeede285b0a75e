#!/usr/bin/env python3
"""bench/torch from outside, in its quick mode, and what it makes of measured times.

usage: bench_test.py BENCH_FOLDER BUILD_FOLDER
"""

import json
import math
import pathlib
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

FOLDER, BUILD = (pathlib.Path(word) for word in sys.argv[1:3])
sys.dont_write_bytecode = True
sys.path.insert(0, str(FOLDER))
import run  # noqa: E402
import shapes  # noqa: E402

GENEROUS_S = 500
ELEMENTS = {"resnet50": 25_557_032, "gpt2": 124_439_808}  # as the papers' models have


def measure(*words):
    return subprocess.run([sys.executable, str(FOLDER / "run.py"), "--build", str(BUILD), *words],
                          capture_output=True, text=True, check=False, timeout=GENEROUS_S)


class Shapes(unittest.TestCase):
    def test_models_are_complete(self):
        for model, elements in ELEMENTS.items():
            self.assertEqual(sum(map(math.prod, shapes.load(model))), elements)
            self.assertEqual(sum(shapes.buckets(shapes.load(model))), elements)

    def test_last_layers_come_first_in_a_small_bucket(self):
        mebi = 1 << 18  # elements
        self.assertEqual(shapes.buckets([(20 * mebi,), (4 * mebi, 2), (mebi, 1), (5,)]),
                         [mebi + 5, 28 * mebi])


class Derived(unittest.TestCase):
    def test_overlap_is_the_share_that_was_hidden(self):
        self.assertEqual(run.overlap(compute=4, alone=2, step=4), 1)
        self.assertEqual(run.overlap(compute=4, alone=2, step=5), 0.5)
        self.assertEqual(run.overlap(compute=2, alone=4, step=6), 0)

    def test_table_of_steps(self):
        measured = {"models": {"gpt2": {
            "alone_s": {"rondo": [0.1, 9, 0.1], "gloo": [0.4]},
            "steps": {"core": {"compute_s": [0.4], "step_s": {"rondo": [0.45], "gloo": [0.6]}}}}},
                    "digits": {"alone": [0.002], "rondo": [0.0025], "gloo": [0.004]}}
        lines = run.step_table(run.steps_of(measured)).splitlines()
        self.assertEqual(lines[2:], [
            "| gpt2: communication alone | 100.0 | 400.0 (4.00) |  |  |",
            "| gpt2: step, 400 ms computed on the core | 450.0 | 600.0 (1.33) | 50 % and 50 % |  |",
            "| digits: step, 2.00 ms without communication | 2.50 | 4.00 (1.60) |  |"
            " 20 % and 50 % |"])


class Script(unittest.TestCase):
    def test_quick(self):
        with tempfile.TemporaryDirectory() as folder:
            done = measure("--quick", "--out", folder)
            self.assertEqual(done.returncode, 0, done.stderr)
            out = pathlib.Path(folder)
            self.assertEqual((out / "torch.md").read_text(), done.stdout)
            found = json.loads((out / "torch.json").read_text())
            self.assertEqual([line["what"].split(",")[0] for line in found["steps"]],
                             ["resnet50: communication alone", "resnet50: step", "resnet50: step",
                              "digits: step"])
            for line in found["steps"]:
                self.assertTrue(all(seconds > 0 for seconds in line["seconds"].values()), line)
            sizes = [sorted({each["size"] for each in panel["results"]})
                     for panel in found["panels"]]
            self.assertEqual(sizes[:2], [[4, 64, 1024]] * 2)
            self.assertEqual(4 * ELEMENTS["resnet50"], sum(sizes[2]))
            for name in ("allreduce_blocking_2", "allreduce_asynchronous_2",
                         "buckets_of_resnet50_2"):
                picture = (out / f"{name}.svg").read_text()
                self.assertIn("svg", xml.etree.ElementTree.fromstring(picture).tag)

    def test_help_and_refusals(self):
        self.assertIn("--models", measure("--help").stdout)
        for words, wrong in ((["--models", "lenet"], "--models: lenet: expected some of resnet50"),
                             (["--compute", "moon"], "--compute: moon: expected some of core, "),
                             (["--ranks", "1"], "--ranks: 1: expected a whole number"),
                             (["--launch", "false"], "--launch 'false': process 0 ended with"),
                             (["--min", "1M"], "--min 1048576: more than --max 1024")):
            done = measure("--quick", *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertIn(wrong, done.stderr)

    def test_a_python_without_pytorch_is_named(self):
        done = measure("--quick", "--python", "/bin/false")
        self.assertEqual(done.returncode, 1)
        self.assertIn("ended with code 1", done.stderr)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1])
