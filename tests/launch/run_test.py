"""Tests `rondo run` from outside: run_test.py RONDO JOIN_WORLD DESCRIBE_WORLD."""

import os
import pathlib
import pty
import re
import signal
import subprocess
import sys
import tempfile
import time
import unittest

RONDO, JOIN_WORLD, DESCRIBE_WORLD = sys.argv[1:4]
GENEROUS_S = 60


def alive(pid):
    """Whether the process runs; one that only waits to be collected does not."""
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def await_that(condition, what):
    end = time.monotonic() + GENEROUS_S
    while not condition():
        if time.monotonic() > end:
            raise AssertionError(f"never happened: {what}")
        time.sleep(0.01)


class RunTest(unittest.TestCase):
    def setUp(self):
        self.directory = tempfile.TemporaryDirectory(prefix="rondo-launch-test-")
        self.addCleanup(self.directory.cleanup)
        self.scratch = os.path.join(self.directory.name, "scratch")  # of the ranks
        self.temporary = os.path.join(self.directory.name, "tmp")  # of rondo run
        os.mkdir(self.scratch)
        os.mkdir(self.temporary)
        self.cache = os.path.join(self.directory.name, "cache")
        self.environment = dict(os.environ, TMPDIR=self.temporary, SCRATCH=self.scratch,
                                RONDO_CACHE_DIR=self.cache)

    def tearDown(self):
        self.assertEqual(os.listdir(self.temporary), [], "files are left behind")

    def run_rondo(self, *words, stdin=""):
        return subprocess.run([RONDO, "run", *words], env=self.environment, input=stdin, text=True,
                              capture_output=True, timeout=GENEROUS_S)

    def run_shell(self, ranks, script, *options, stdin=""):
        return self.run_rondo("-n", str(ranks), *options, "--", "sh", "-c", script, stdin=stdin)

    def start_shell(self, ranks, script, *options, **more):
        """Starts without waiting; the script may report through files in $SCRATCH."""
        process = subprocess.Popen([RONDO, "run", "-n", str(ranks), *options, "sh", "-c", script],
                                   env=self.environment, text=True, stdin=subprocess.DEVNULL,
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, **more)
        self.addCleanup(self.finish, process)
        return process

    @staticmethod
    def finish(process):
        if process.poll() is None:
            process.kill()
        process.communicate()

    def pids(self, names):
        """Process ids that the ranks wrote into files of these names."""
        paths = [pathlib.Path(self.scratch, name) for name in names]

        def complete():
            return all(path.exists() and path.read_text().endswith("\n") for path in paths)

        await_that(complete, f"{names} are written")
        return [int(path.read_text()) for path in paths]


class Output(RunTest):
    def test_every_line_has_its_rank(self):
        result = self.run_shell(3, "echo out; echo err >&2; echo second")
        self.assertEqual(result.returncode, 0)
        self.assertEqual(sorted(result.stdout.splitlines()),
                         sorted(f"[{r}] {t}" for r in range(3) for t in ("out", "second")))
        self.assertEqual(sorted(result.stderr.splitlines()), [f"[{r}] err" for r in range(3)])

    def test_without_prefix(self):
        result = self.run_shell(2, "echo out", "--no-prefix")
        self.assertEqual(result.stdout, "out\nout\n")

    def test_a_last_line_without_newline_arrives(self):
        result = self.run_shell(2, "printf 'no newline'")
        self.assertEqual(sorted(result.stdout.splitlines()), ["[0] no newline", "[1] no newline"])

    def test_lines_stay_whole_when_ranks_write_at_once(self):
        script = "import os, sys\n" \
                 "for i in range(500):\n" \
                 "    for part in ('<', os.environ['RANK'] * 50, str(i), '>\\n'):\n" \
                 "        os.write(1, part.encode())\n"
        result = self.run_rondo("-n", "4", sys.executable, "-c", script)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), 4 * 500)
        expected = sorted(f"[{r}] <{str(r) * 50}{i}>" for r in range(4) for i in range(500))
        self.assertEqual(sorted(lines), expected)

    def test_much_output_arrives_completely(self):
        result = self.run_shell(2, "yes 0123456789 | head -n 200000", "--no-prefix")
        self.assertEqual(result.stdout, "0123456789\n" * 400000)

    def test_a_reader_that_leaves_ends_the_ranks(self):
        result = subprocess.run(f"'{RONDO}' run -n 2 yes 2>/dev/null | head -n 1", shell=True,
                                env=self.environment, text=True, capture_output=True,
                                timeout=GENEROUS_S)
        self.assertRegex(result.stdout, r"^\[[01]\] y\n$")

    def test_a_reader_that_stops_does_not_stop_signals(self):
        process = self.start_shell(2, 'echo $$ > "$SCRATCH/pid$RANK"; exec yes')
        pids = self.pids(["pid0", "pid1"])
        time.sleep(0.2)  # fill the pipes; the test is right with any amount in them
        process.send_signal(signal.SIGTERM)
        await_that(lambda: not any(map(alive, pids)), "the ranks end")
        process.communicate(timeout=GENEROUS_S)


class ExitCode(RunTest):
    def test_success(self):
        self.assertEqual(self.run_shell(4, "exit 0").returncode, 0)

    def test_of_the_rank_that_failed(self):
        result = self.run_shell(3, 'test $RANK != 1 || exit 7')
        self.assertEqual(result.returncode, 7)
        self.assertRegex(result.stderr, r"rondo run: rank 1 \(pid \d+\) exited with code 7")

    def test_of_the_first_failure_while_others_report(self):
        script = 'if [ $RANK = 2 ]; then echo $$ > "$SCRATCH/new"; ' \
                 'mv "$SCRATCH/new" "$SCRATCH/pid"; kill -9 $$; fi; ' \
                 'while ! grep -q ") Z" "/proc/$(cat "$SCRATCH/pid")/stat"; do sleep 0.05; done ' \
                 '2>/dev/null; echo lost a peer >&2; exit 1'
        start = time.monotonic()
        result = self.run_shell(4, script)
        self.assertEqual(result.returncode, 128 + signal.SIGKILL)
        self.assertRegex(result.stderr, r"rank 2 \(pid \d+\) was killed by SIGKILL; "
                                        r"ending the others in 2 s")
        self.assertEqual(result.stderr.count("lost a peer"), 3)
        self.assertLess(time.monotonic() - start, GENEROUS_S / 2)

    def test_program_not_found(self):
        result = self.run_rondo("-n", "2", "no-such-program")
        self.assertEqual(result.returncode, 127)
        self.assertIn("cannot start 'no-such-program': there is no such program in PATH",
                      result.stderr)
        result = self.run_rondo("-n", "2", "./no-such-program")
        self.assertEqual(result.returncode, 127)
        self.assertIn("No such file", result.stderr)

    def test_program_not_executable(self):
        result = self.run_rondo("-n", "2", "/etc/passwd")
        self.assertEqual(result.returncode, 126)
        self.assertIn("Permission denied", result.stderr)

    def test_usage(self):
        for words, text in [([], "-n RANKS is missing"), (["true"], "-n RANKS is missing"),
                            (["-n", "2"], "program to run is missing"),
                            (["-n", "0", "true"], "option -n"), (["-n", "x", "true"], "option -n"),
                            (["-n", "2", "--what", "true"], "--what"),
                            (["-n", "2", "--bind", "x", "true"], "--bind is core or none"),
                            (["-n"], "-n needs a value")]:
            result = self.run_rondo(*words)
            self.assertEqual(result.returncode, 2, words)
            self.assertIn(text, result.stderr)

    def test_help_lists_the_variables(self):
        result = self.run_rondo("--help")
        self.assertEqual(result.returncode, 0)
        self.assertIn("--timeout S", result.stdout)
        self.assertIn("RONDO_JOIN_TIMEOUT_MS", result.stdout)

    def test_rondo_env_prints_the_same_table(self):
        table = subprocess.run([RONDO, "env"], text=True, capture_output=True, timeout=GENEROUS_S)
        self.assertEqual(table.returncode, 0)
        self.assertTrue(self.run_rondo("--help").stdout.endswith(table.stdout))
        self.assertIn("  RONDO_ROOT ", table.stdout)

    def test_options_after_the_program_are_the_programs(self):
        result = self.run_rondo("-n", "1", "echo", "-n", "--timeout", "3", "--help")
        self.assertEqual(result.stdout, "[0] --timeout 3 --help\n")


class Ending(RunTest):
    def test_a_killed_rank_ends_the_others_after_the_grace(self):
        process = self.start_shell(4, 'echo $$ > "$SCRATCH/pid$RANK"; exec sleep 1000')
        pids = self.pids([f"pid{rank}" for rank in range(4)])
        start = time.monotonic()
        os.kill(pids[2], signal.SIGKILL)
        _, errors = process.communicate(timeout=GENEROUS_S)
        self.assertGreater(time.monotonic() - start, 1.9, "the others get their grace")
        self.assertEqual(process.returncode, 128 + signal.SIGKILL)
        self.assertIn(f"rank 2 (pid {pids[2]}) was killed by SIGKILL; ending the others in 2 s",
                      errors)
        self.assertFalse(any(map(alive, pids)))

    def test_ranks_that_ignore_sigterm_are_killed(self):
        process = self.start_shell(
            3, 'trap "" TERM; echo $$ > "$SCRATCH/pid$RANK"; while :; do sleep 0.1; done')
        pids = self.pids(["pid0", "pid1", "pid2"])
        os.kill(pids[0], signal.SIGKILL)
        _, errors = process.communicate(timeout=GENEROUS_S)
        self.assertIn("ranks 1, 2 did not end on SIGTERM; sending SIGKILL", errors)
        self.assertFalse(any(map(alive, pids)))

    def test_a_stopped_rank_is_ended_too(self):
        process = self.start_shell(2, 'echo $$ > "$SCRATCH/pid$RANK"; exec sleep 1000')
        pids = self.pids(["pid0", "pid1"])
        os.kill(pids[1], signal.SIGSTOP)
        os.kill(pids[0], signal.SIGKILL)
        process.communicate(timeout=GENEROUS_S)
        self.assertFalse(any(map(alive, pids)))

    def test_children_of_ranks_are_ended_after_success_too(self):
        process = self.start_shell(2, 'sleep 1000 & echo $! > "$SCRATCH/child$RANK"')
        pids = self.pids(["child0", "child1"])
        process.communicate(timeout=GENEROUS_S)
        self.assertEqual(process.returncode, 0)
        await_that(lambda: not any(map(alive, pids)), "children of ranks end")

    def test_ranks_die_with_rondo_run(self):
        process = self.start_shell(2, 'echo $$ > "$SCRATCH/pid$RANK"; exec sleep 1000')
        pids = self.pids(["pid0", "pid1"])
        process.kill()
        await_that(lambda: not any(map(alive, pids)), "the ranks end")
        for name in os.listdir(self.temporary):  # nobody was there to remove it
            os.rmdir(os.path.join(self.temporary, name))

    def test_nothing_is_left_of_a_world_when_rondo_run_is_killed(self):
        process = self.start_shell(
            2, f"'{JOIN_WORLD}' && '{JOIN_WORLD}'; "
               'echo $$ > "$SCRATCH/pid$RANK"; exec sleep 1000')
        pids = self.pids(["pid0", "pid1"])
        self.assertEqual(os.listdir(self.temporary), [], "rank 0 removes it with its file")
        process.kill()
        output, _ = process.communicate(timeout=GENEROUS_S)
        self.assertEqual(output.count("of 2 by rondo"), 4)
        await_that(lambda: not any(map(alive, pids)), "the ranks end")

    def test_timeout(self):
        result = self.run_shell(2, "exec sleep 1000", "--timeout", "1")
        self.assertEqual(result.returncode, 124)
        self.assertIn("1 s are over; ending ranks 0, 1", result.stderr)

    def test_a_timeout_that_is_not_reached(self):
        self.assertEqual(self.run_shell(2, "exit 3", "--timeout", "1000").returncode, 3)


class Signals(RunTest):
    def test_reach_all_ranks(self):
        for name in ("INT", "TERM", "HUP", "QUIT", "USR1", "USR2"):
            with self.subTest(name):
                process = self.start_shell(
                    3, f'trap "echo got {name}; exit 0" {name}; echo $$ > "$SCRATCH/{name}$RANK"; '
                       'while :; do sleep 0.05; done')
                self.pids([f"{name}{rank}" for rank in range(3)])
                process.send_signal(getattr(signal, "SIG" + name))
                output, _ = process.communicate(timeout=GENEROUS_S)
                self.assertEqual(sorted(output.splitlines()),
                                 [f"[{rank}] got {name}" for rank in range(3)])
                self.assertEqual(process.returncode, 0)

    def test_an_interrupt_that_ends_the_ranks_is_the_exit_code(self):
        process = self.start_shell(2, 'echo $$ > "$SCRATCH/pid$RANK"; exec sleep 1000')
        self.pids(["pid0", "pid1"])
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=GENEROUS_S)
        self.assertEqual(process.returncode, 128 + signal.SIGINT)

    def test_ranks_start_with_ordinary_signals(self):
        result = self.run_rondo("-n", "1", "--no-prefix", "sh", "-c",
                                "grep -E 'Sig(Blk|Ign)' /proc/self/status")
        for line in result.stdout.splitlines():
            self.assertEqual(int(line.split()[1], 16) & (1 << (signal.SIGPIPE - 1)), 0, line)
        self.assertIn("SigBlk:\t0000000000000000", result.stdout)


class Input(RunTest):
    def test_goes_to_rank_0_only(self):
        result = self.run_shell(3, "cat", stdin="typed\n")
        self.assertEqual(result.stdout, "[0] typed\n")

    def test_typed_at_a_terminal_goes_to_rank_0(self):
        pid, terminal = pty.fork()
        if pid == 0:
            os.environ.update(self.environment)
            os.execv(RONDO, [RONDO, "run", "-n", "2", "sh", "-c",
                             "read word; echo rank $RANK got $word."])
        os.write(terminal, b"hello\n")
        seen = b""
        try:
            while part := os.read(terminal, 4096):
                seen += part
        except OSError:  # how a terminal says that nobody is left
            pass
        os.close(terminal)
        os.waitpid(pid, 0)
        self.assertIn(b"[0] rank 0 got hello.", seen)
        self.assertIn(b"[1] rank 1 got .", seen)


class Environment(RunTest):
    def test_variables(self):
        self.environment["RONDO_ROOT"] = "elsewhere:1"
        self.environment["RANK"] = "99"
        result = self.run_shell(2, "env")
        for rank in range(2):
            own = {line.split("=", 1)[0][4:]: line.split("=", 1)[1]
                   for line in result.stdout.splitlines()
                   if line.startswith(f"[{rank}] ") and "=" in line}
            for name in ("RONDO_RANK", "RONDO_LOCAL_RANK", "RANK", "LOCAL_RANK"):
                self.assertEqual(own[name], str(rank))
            for name in ("RONDO_SIZE", "RONDO_LOCAL_SIZE", "WORLD_SIZE", "LOCAL_WORLD_SIZE"):
                self.assertEqual(own[name], "2")
            self.assertRegex(own["RONDO_JOB"], "^[0-9a-f]{32}$")
            self.assertTrue(own["RONDO_STORE"].startswith("file:" + self.temporary))
            self.assertNotIn("RONDO_ROOT", own)

    def test_cores_are_divided(self):
        usable = os.sched_getaffinity(0)
        script = "import os; print(sorted(os.sched_getaffinity(0)))"
        ranks = min(2, len(usable))
        result = self.run_rondo("-n", str(ranks), "--no-prefix", sys.executable, "-c", script)
        shares = [set(map(int, re.findall(r"\d+", line))) for line in result.stdout.splitlines()]
        self.assertEqual(set().union(*shares), usable)
        self.assertEqual(sum(map(len, shares)), len(usable), "no CPU is given twice")
        for words in (["--bind", "none", "-n", "1"], ["-n", str(len(usable) + 1)]):
            result = self.run_rondo(*words, "--no-prefix", sys.executable, "-c", script)
            for line in result.stdout.splitlines():
                self.assertEqual(set(map(int, re.findall(r"\d+", line))), usable)


class World(RunTest):
    def test_ranks_find_each_other(self):
        for ranks in (1, 2, 5, 32):
            result = self.run_rondo("-n", str(ranks), JOIN_WORLD)
            self.assertEqual(result.returncode, 0, result.stderr)
            self.assertEqual(sorted(result.stdout.splitlines()),
                             sorted(f"[{r}] rank {r} of {ranks} by rondo" for r in range(ranks)))

    def test_two_worlds_at_once_do_not_meet(self):
        processes = [self.start_shell(3, f"exec '{JOIN_WORLD}'") for _ in range(4)]
        for process in processes:
            output, errors = process.communicate(timeout=GENEROUS_S)
            self.assertEqual(process.returncode, 0, errors)
            self.assertEqual(output.count("of 3 by rondo"), 3)

    def test_a_rank_that_never_joins_is_named(self):
        self.environment["RONDO_JOIN_TIMEOUT_MS"] = "1000"
        result = self.run_shell(3, f"test $RANK = 1 || exec '{JOIN_WORLD}'")
        self.assertEqual(result.returncode, 4)
        self.assertEqual(result.stderr.count("rank 1 did not join within"), 2, result.stderr)

    def test_mpirun_and_torchrun_variables_lead_to_a_world_too(self):
        families = {
            "torchrun": "TORCHELASTIC_RUN_ID=none MASTER_ADDR=localhost MASTER_PORT=29500 "
                        "RANK=$i WORLD_SIZE=3 LOCAL_RANK=$i LOCAL_WORLD_SIZE=3",
            "Open MPI": "PMIX_NAMESPACE=77 OMPI_COMM_WORLD_RANK=$i OMPI_COMM_WORLD_SIZE=3 "
                        "OMPI_COMM_WORLD_LOCAL_RANK=$i OMPI_COMM_WORLD_LOCAL_SIZE=3",
            "PMI": "PMI_RANK=$i PMI_SIZE=3 MPI_LOCALRANKID=$i MPI_LOCALNRANKS=3",
            "Slurm": "SLURM_JOB_ID=5 SLURM_STEP_ID=0 SLURM_PROCID=$i SLURM_NTASKS=3 "
                     "SLURM_LOCALID=$i SLURM_NODEID=0 SLURM_STEP_TASKS_PER_NODE=3 "
                     "SLURM_STEP_NODELIST=node7",
        }
        self.environment["XDG_RUNTIME_DIR"] = self.scratch
        for launcher, variables in families.items():
            script = f"for i in 0 1 2; do env {variables} '{JOIN_WORLD}' & done; wait"
            result = subprocess.run(["sh", "-c", script], env=self.environment, text=True,
                                    capture_output=True, timeout=GENEROUS_S)
            self.assertEqual(sorted(result.stdout.splitlines()),
                             [f"rank {r} of 3 by {launcher}" for r in range(3)], result.stderr)
            self.assertEqual(os.listdir(self.scratch), [], "the rendezvous is left behind")


class WhatRanksKnow(RunTest):
    """Of where they live and of what their links cost."""

    def file(self, name, text):
        path = os.path.join(self.directory.name, name)
        pathlib.Path(path).write_text(text, encoding="utf-8")
        return path

    def made_up(self, name, words):
        text = subprocess.run([RONDO, "topo", "--synthetic", words, "--text"], text=True,
                              capture_output=True, check=True, timeout=GENEROUS_S).stdout
        return self.file(name, text)

    def known(self, ranks):
        result = self.run_rondo("-n", str(ranks), "--no-prefix", DESCRIBE_WORLD)
        self.assertEqual(result.returncode, 0, result.stderr)
        lines = result.stdout.splitlines()
        self.assertEqual(len(lines), ranks)
        self.assertEqual(len(set(lines)), 1, "all know the same")
        return lines[0]

    def test_the_present_host(self):
        for ranks in (1, 2, 3):
            self.assertIn(f"hosts 1 ranks {ranks} ", self.known(ranks))
        kept = os.listdir(self.cache)
        self.assertEqual(len([name for name in kept if name.startswith("machine-")]), 1, kept)
        self.assertTrue([name for name in kept if re.fullmatch("costs-[0-9a-f]{16}-shm.*", name)])

    def test_no_folder_to_keep_things_in(self):
        self.environment["RONDO_CACHE_DIR"] = "/dev/null/nowhere"
        self.assertIn("hosts 1 ranks 3 ", self.known(3))

    def test_a_topology_from_a_file(self):
        self.environment["RONDO_TOPOLOGY"] = self.made_up("world", "2 hosts x 2 cores, 2 ranks")
        self.assertIn("hosts 2 ranks 4 pus 1 ", self.known(4))

    def test_different_topologies(self):
        self.made_up("file0", "2 hosts x 1 cores")
        self.made_up("file1", "1 hosts x 2 cores")
        script = f"RONDO_TOPOLOGY={self.directory.name}/file$RONDO_RANK exec '{DESCRIBE_WORLD}'"
        result = self.run_shell(2, script)
        self.assertEqual(result.returncode, 4)
        self.assertIn("the world of 2 ranks was not formed: option topology differs: rank ",
                      result.stderr)

    def test_costs_from_a_file(self):
        self.environment["RONDO_COSTS"] = self.file(
            "costs", "rondo costs 1\nl3 latency 1us wire 5GB/s\n")
        first = self.known(2)
        self.assertEqual(first, self.known(2))

    def goes_on_without(self, variable, files, speaker, trouble, unable, *options):
        """Each rank has one of the files; one of them says why all do without. What they know."""
        ranks = len(files)
        for rank, text in enumerate(files):
            pathlib.Path(self.directory.name, f"file{rank}").unlink(missing_ok=True)
            if text is not None:
                self.file(f"file{rank}", text)
        script = f"{variable}={self.directory.name}/file$RONDO_RANK exec '{DESCRIBE_WORLD}'"
        result = self.run_shell(ranks, script, *options)
        self.assertEqual(result.returncode, 0, result.stderr)
        known = {re.sub(r"^\[\d+\] ", "", line) for line in result.stdout.splitlines()}
        self.assertEqual(len(known), 1, result.stdout)
        text = known.pop()
        self.assertRegex(text, f" ranks {ranks} .* sum {ranks * (ranks + 1) // 2}$")
        said = [line for line in result.stderr.splitlines() if variable in line]
        self.assertEqual(len(said), 1, result.stderr)
        start = f"[{speaker}] rondo: {variable}={self.directory.name}/file{speaker}: {trouble}"
        self.assertEqual(said[0][:len(start)], start)
        self.assertIn(f"; since {unable} cannot use the file, all ranks use ", said[0])
        return text

    def test_a_bad_topology_is_named_and_not_used(self):
        good = pathlib.Path(self.made_up("good", "2 hosts x 1 cores")).read_text()
        large = pathlib.Path(self.made_up("large", "2 hosts x 2 cores")).read_text()
        broken = "rondo topology 1\nnonsense\n"
        unread, unfit = "cannot read the file: No such file", "the topology is of 4 ranks, but this"
        wrong = "topology text: line 2: expected 'machine'"
        for files, speaker, trouble, unable in (
                ([broken, broken], 0, wrong, "ranks 0, 1"),
                ([large, large], 0, unfit, "ranks 0, 1"),
                ([None, None], 0, unread, "ranks 0, 1"), ([good, None], 1, unread, "rank 1"),
                ([good, large], 1, unfit, "rank 1"), ([broken, good], 0, wrong, "rank 0")):
            known = self.goes_on_without("RONDO_TOPOLOGY", files, speaker, trouble, unable)
            self.assertIn(" hosts 1 ", known)

    def test_bad_costs_are_named_and_not_used(self):
        good = "rondo costs 1\nl3 latency 1us wire 5GB/s\n"
        self.environment["RONDO_COSTS"] = self.file("costs", good)
        with_file = self.known(2)
        del self.environment["RONDO_COSTS"]
        broken = "rondo costs 1\nl3 latency 1\n"
        wrong = "cost text: line 2: expected a time"
        for files, speaker, trouble, unable in (
                ([broken, broken], 0, wrong, "ranks 0, 1"), ([good, broken], 1, wrong, "rank 1"),
                ([None, good], 0, "cannot read the file: No such file", "rank 0"),
                ([good, "rondo costs 1\n"], 1, "the file names no class of paths", "rank 1")):
            known = self.goes_on_without("RONDO_COSTS", files, speaker, trouble, unable)
            self.assertNotEqual(known, with_file)

    def test_a_bad_plan_file_is_named_and_not_used(self):
        good = "allreduce .. ring\n"  # ranks with and without this rule would disagree
        broken = "# mine\nallreduce .. fastest\n"
        wrong = "line 2: expected one of"
        for files, speaker, trouble, unable in (
                ([broken, broken], 0, wrong, "ranks 0, 1"),
                ([good, broken, None], 1, wrong, "ranks 1, 2"),
                ([None, good], 0, "cannot read the file: No such file", "rank 0")):
            for transport in ("shm", "tcp"):
                self.goes_on_without("RONDO_PLAN_FILE", files, speaker, trouble, unable,
                                     "--transport", transport)


if __name__ == "__main__":
    # A script that starts us in the background has us ignore these, and the ranks would do so too.
    for ignored in (signal.SIGINT, signal.SIGQUIT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_DFL)
    unittest.main(argv=[sys.argv[0], *sys.argv[4:]], verbosity=2)
