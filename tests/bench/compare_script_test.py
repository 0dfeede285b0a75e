"""Tests the programs of bench/compare from outside:
compare_script_test.py COMPARE_FOLDER BUILD_FOLDER.
"""

import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest
import xml.etree.ElementTree

FOLDER, BUILD = (pathlib.Path(word) for word in sys.argv[1:3])
BARE, CHART, COPYING = (BUILD / "bench" / "compare" / name
                        for name in ("bare-allreduce", "compare-chart", "copy-bandwidth"))
GENEROUS_S = 120

sys.path.insert(0, str(FOLDER))
sys.dont_write_bytecode = True
import processes  # noqa: E402
from compare_samples import FOREVER, GOOD  # noqa: E402


def run_script(*words):
    return subprocess.run([str(FOLDER / "run.py"), *words], capture_output=True, text=True,
                          check=False, timeout=GENEROUS_S)


class Script(unittest.TestCase):
    def test_rondo_alone(self):
        with tempfile.TemporaryDirectory() as directory:
            done = run_script("--build", str(BUILD), "--quick", "--max", "4K", "--only", "rondo",
                              "--out", directory)
            self.assertEqual(done.returncode, 0, done.stderr)
            results = json.loads(pathlib.Path(directory, "comparison.json").read_text())
            sizes = [each["size"] for each in results["panels"][0]["results"]]
            self.assertEqual(sizes, [4, 64, 1024])
            self.assertEqual(pathlib.Path(directory, "comparison.md").read_text(), done.stdout)
            picture = pathlib.Path(directory, "allreduce_2.svg").read_text()
            self.assertIn("svg", xml.etree.ElementTree.fromstring(picture).tag)

    def test_what_cannot_be_is_refused_before_anything_is_measured(self):
        with tempfile.NamedTemporaryFile() as file:
            for words, wrong in ((["--only", "nobody"], "--only: nobody: expected some of rondo, "),
                                 (["--out", file.name], f"--out {file.name}: "),
                                 (["--out", f"{file.name}/new"], f"--out {file.name}/new: "),
                                 (["--launch", "no-such-command"], "--launch 'no-such-command': "),
                                 (["--launch", "false"], "--launch 'false': process 0 ended with"),
                                 (["--launch", "echo"], "--launch 'echo': it started nothing"),
                                 (["--flags=--nonsense"], "unknown flag --nonsense"),
                                 (["--factor", "0"], "--factor: 0: expected a whole number")):
                done = run_script("--build", str(BUILD), "--quick", *words)
                self.assertEqual((done.returncode, done.stdout), (2, ""), words)
                self.assertRegex(done.stderr, r"^run\.py: [^\n]*\n$")
                self.assertIn(wrong, done.stderr)

    def test_without_rondo_there_is_nothing_to_compare(self):
        done = run_script("--build", "/nowhere")
        self.assertEqual(done.returncode, 2)
        self.assertRegex(done.stderr, r"^run\.py: [^\n]* was not built: build it [^\n]*\n$")


# Stands for rondo-perf: its first rounds are good, in the next one it hangs with all that it has.
HANGING = f"""#!/bin/sh
case "$*" in *--help*) exit 0;; esac
test "$RONDO_RANK" = 0 || exit 0
if test -e "$0.good"; then
  rm "$0.good"
  while test "$1" != --json; do shift; done
  {GOOD.replace("$1", '"$2"')}
  exit 0
fi
setsid {FOREVER} &
touch "$0.hangs"
wait
"""


class Interrupted(unittest.TestCase):
    def build_with(self, folder, good_rounds):
        perf = folder / "bench" / "rondo-perf"
        perf.parent.mkdir()
        perf.write_text(HANGING)
        perf.chmod(0o755)
        if good_rounds:
            perf.with_suffix(".good").touch()
        (perf.parent / "compare").mkdir()
        for program in (COPYING, CHART):
            (perf.parent / "compare" / program.name).symlink_to(program)
        return perf.with_suffix(".hangs")

    def interrupt(self, number, good_rounds):
        """In the round after the good ones. Returns what it said and wrote."""
        with tempfile.TemporaryDirectory() as directory:
            folder = pathlib.Path(directory)
            hangs = self.build_with(folder, good_rounds)
            words = ["--build", directory, "--only", "rondo", "--quick", "--rounds", "3", "--out",
                     str(folder / "new" / "out"), "--timeout", "86400"]
            script = subprocess.Popen([str(FOLDER / "run.py"), *words], text=True,
                                      stdout=subprocess.PIPE, stderr=subprocess.PIPE)
            self.addCleanup(processes.kill_descendants)
            self.addCleanup(script.kill)
            end = time.monotonic() + GENEROUS_S
            while not hangs.exists():
                self.assertLess(time.monotonic(), end)
                self.assertIsNone(script.poll())
                time.sleep(0.01)
            before = self.files_of(folder)
            script.send_signal(number)
            out, said = script.communicate(timeout=GENEROUS_S)
            self.assertEqual(script.returncode, 128 + number)
            self.assertNotIn("Traceback", said)
            self.assertEqual(processes.descendants(), [])
            return out, said, before, self.files_of(folder)

    def files_of(self, folder):
        return {path.name: path.read_text() for path in (folder / "new" / "out").iterdir()}

    def test_finished_rounds_are_kept(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            out, said, before, after = self.interrupt(number, good_rounds=1)
            self.assertEqual(list(before), ["comparison.json"])
            self.assertEqual(json.loads(before["comparison.json"])["rounds"], 1)
            self.assertIn(f"ended by {number.name}: 1 of 3 rounds are finished: they are kept",
                          said)
            self.assertIn("median microseconds of 1 rounds", out)
            self.assertIn("| 4 B | 1.00 |", out)
            self.assertEqual(after["comparison.md"], out)
            self.assertEqual(json.loads(after["comparison.json"])["panels"][0]["absent"], {})
            self.assertEqual(sorted(after),
                             ["allreduce_2.svg", "comparison.json", "comparison.md"])

    def test_before_the_end_of_the_first_round(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            out, said, _, after = self.interrupt(number, good_rounds=0)
            self.assertIn(f"ended by {number.name}: 0 of 3 rounds are finished: there is nothing "
                          "to keep", said)
            self.assertEqual((out, after), ("", {}))


class Bare(unittest.TestCase):
    cores = sorted(os.sched_getaffinity(0))

    def measure(self, cores, *words):
        mask = ",".join(str(core) for core in cores)
        return subprocess.run(["taskset", "-c", mask, str(BARE), *words], capture_output=True,
                              text=True, check=False, timeout=GENEROUS_S)

    @unittest.skipIf(len(cores) < 2, "two cores are needed")
    def test_the_sizes_that_were_asked_for(self):
        done = self.measure(self.cores[-2:], "--size", "4", "--hot", "--size", "2056")
        self.assertEqual(done.returncode, 0, done.stderr)
        lines = done.stdout.splitlines()
        self.assertEqual([line.split()[0] for line in lines], ["bytes", "4", "2056"])

    def test_one_core_is_too_few(self):
        done = self.measure(self.cores[-1:], "--size", "4")
        self.assertEqual((done.returncode, done.stdout), (1, ""))
        self.assertIn("two cores are needed, and this process may run on 1", done.stderr)

    def test_help(self):
        done = self.measure(self.cores, "--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        self.assertIn("--size BYTES", done.stdout)

    def test_mistakes(self):
        for words, wrong in ((["--size"], "--size (nothing): expected 4, or a multiple of 8"),
                             (["--size", "12"], "--size 12: expected"),
                             (["--size", "0"], "--size 0: expected"),
                             (["--size", "4Q"], "--size 4Q: expected"),
                             (["--size", "128M"], "up to 64M"), (["4"], "unknown flag 4"),
                             (["--cold"], "unknown flag --cold")):
            done = self.measure(self.cores, *words)
            self.assertEqual((done.returncode, done.stdout), (2, ""), words)
            self.assertRegex(done.stderr, r"^bare-allreduce: [^\n]*\n$")
            self.assertIn(wrong, done.stderr)


class Copying(unittest.TestCase):
    def test_more_processes_than_cores(self):
        done = subprocess.run([str(COPYING), "5", "64K"], capture_output=True, text=True,
                              check=True, timeout=GENEROUS_S)
        found = json.loads(done.stdout)
        self.assertEqual((found["processes"], found["bytes"]), (5, 65536))
        self.assertGreater(found["traffic_gbps"], 0)

    def test_mistakes(self):
        for words in ([], ["0", "64M"], ["2", "12"], ["2", "64Q"]):
            done = subprocess.run([str(COPYING), *words], capture_output=True, text=True,
                                  check=False)
            self.assertEqual(done.returncode, 2, words)
            self.assertIn("Usage", done.stderr)


if __name__ == "__main__":
    processes.adopt_orphans()
    unittest.main(argv=sys.argv[:1])
