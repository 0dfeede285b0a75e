"""Tests bench/hosts/hosts.py from outside: hosts_test.py HOSTS_FOLDER RONDO_PERF.

Ends with code 77, which Meson counts as skipped, where no network namespaces can be made.
"""

import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time
import unittest

FOLDER, RONDO_PERF = sys.argv[1:3]
HOSTS = os.path.join(FOLDER, "hosts.py")
GENEROUS_S = 120
SKIPPED = 77

sys.path.insert(0, FOLDER)
sys.dont_write_bytecode = True
import network  # noqa: E402
import stream  # noqa: E402


def namespaces_of(pid):
    return [name for name in network.namespaces() if name.startswith(f"{network.PREFIX}{pid}-")]


def run_hosts(*words):
    """A run to its end, which must leave nothing behind."""
    process = subprocess.Popen([HOSTS, *words], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               text=True)
    out, err = process.communicate(timeout=GENEROUS_S)
    assert namespaces_of(process.pid) == [], f"left behind: {namespaces_of(process.pid)}"
    return process.returncode, out, err


def alive(pid):
    return network.start_time(pid) is not None


def await_that(condition, what):
    end = time.monotonic() + GENEROUS_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.01)


class Job(unittest.TestCase):
    def test_allreduce_between_two_hosts(self):
        code, out, err = run_hosts("--hosts", "2", "--rate", "1gbit", "--", RONDO_PERF, "allreduce",
                                   "-b", "4", "-e", "4M", "-f", "32", "-n", "3", "-w", "1")
        self.assertEqual(code, 0, out + err)
        self.assertIn("[0] # Out of bounds values : 0 OK", out)
        self.assertRegex(out, r"\[0\] .*Rank +1 .* on host1 ")

    def test_each_rank_knows_its_place(self):
        script = 'echo $RONDO_RANK $RONDO_SIZE $RONDO_LOCAL_RANK $RONDO_LOCAL_SIZE $(hostname)'
        code, out, err = run_hosts("--hosts", "2", "--ranks-per-host", "2", "--", "sh", "-c",
                                   script)
        self.assertEqual(code, 0, err)
        self.assertEqual(sorted(out.splitlines()),
                         ["[0] 0 4 0 2 host0", "[1] 1 4 1 2 host0", "[2] 2 4 0 2 host1",
                          "[3] 3 4 1 2 host1"])

    def test_one_failure_ends_all_with_its_code(self):
        script = "test $RONDO_RANK != 1 || exit 7; exec sleep 1000"
        code, _, err = run_hosts("--hosts", "3", "--grace", "0.1", "--", "sh", "-c", script)
        self.assertEqual(code, 7)
        self.assertIn("rank 1 ended with code 7", err)

    def test_a_rank_that_a_signal_ended(self):
        code, _, _ = run_hosts("--hosts", "1", "--", "sh", "-c", "kill -SEGV $$")
        self.assertEqual(code, 128 + signal.SIGSEGV)

    def test_time_limit(self):
        code, _, err = run_hosts("--hosts", "1", "--timeout", "0.2", "--", "sleep", "1000")
        self.assertEqual(code, 124)
        self.assertIn("no end after 0.2 s", err)

    def test_what_a_rank_leaves_running_is_not_waited_for(self):
        code, out, _ = run_hosts("--hosts", "1", "--grace", "0.1", "--", "sh", "-c",
                                 "echo done; sleep 1000 &")
        self.assertEqual((code, out), (0, "[0] done\n"))

    def test_mistakes_in_the_flags(self):
        for words, text in ((["--rate", "fast", "true"], "such as 500mbit"),
                            (["--slow", "4=1gbit", "true"], "a host from 0 to 3"),
                            (["--hosts", "0", "true"], "from 1 to 250"),
                            (["--hosts", "1", "--payload", "true"], "at least 2 hosts"),
                            (["--hosts", "2"], "no command")):
            code, _, err = run_hosts(*words)
            self.assertEqual(code, 2, words)
            self.assertIn(text, err)


class Interrupted(unittest.TestCase):
    """What ends the run early, while a rank has a child in a session of its own."""

    def start(self):
        directory = tempfile.TemporaryDirectory(prefix="rondo-hosts-test-")
        self.addCleanup(directory.cleanup)
        path = pathlib.Path(directory.name, "pid")
        script = f"setsid sh -c 'echo $$ > {path}; exec sleep 1000' & wait"
        process = subprocess.Popen([HOSTS, "--hosts", "1", "--", "sh", "-c", script],
                                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.addCleanup(process.wait)
        self.addCleanup(process.kill)
        await_that(lambda: path.exists() and path.read_text().endswith("\n"), "the rank starts")
        return process, int(path.read_text())

    def test_by_signals(self):
        for number in (signal.SIGINT, signal.SIGTERM):
            process, child = self.start()
            process.send_signal(number)
            self.assertEqual(process.wait(GENEROUS_S), 128 + number)
            self.assertEqual(namespaces_of(process.pid), [])
            await_that(lambda child=child: not alive(child), "the rank's child ends")

    def test_killed_and_cleaned_up_by_the_next(self):
        process, child = self.start()
        process.kill()
        process.wait()
        self.assertNotEqual(namespaces_of(process.pid), [])
        self.assertTrue(alive(child))
        code, _, err = run_hosts("--hosts", "1", "--", "true")
        self.assertEqual(code, 0, err)
        self.assertEqual(namespaces_of(process.pid), [])
        await_that(lambda: not alive(child), "the rank's child ends")

    def test_the_next_leaves_a_running_one_alone(self):
        process, child = self.start()
        before = namespaces_of(process.pid)
        run_hosts("--hosts", "1", "--", "true")
        self.assertEqual(namespaces_of(process.pid), before)
        self.assertTrue(alive(child))


class Rates(unittest.TestCase):
    """No link is much faster than it should be: what has gathered while the machine did other
    things comes at once. How much slower depends on that, too."""

    def test_in_both_directions(self):
        with network.Network([1e8, 4e7]) as net:
            for pair in ((0, 1), (1, 0)):
                rate = stream.payload_rates(net, [pair])[0]
                self.assertLess(rate, 4e7 * 1.5)
                self.assertGreater(rate, 4e7 * 0.3)


if __name__ == "__main__":
    reason = network.unavailable()
    if reason:
        print(f"skipped: {reason}")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1])
