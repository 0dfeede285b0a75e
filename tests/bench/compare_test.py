"""Tests the parts of bench/compare: compare_test.py COMPARE_FOLDER BUILD_FOLDER."""

import contextlib
import io
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest
import xml.etree.ElementTree

FOLDER, BUILD = (pathlib.Path(word) for word in sys.argv[1:3])
CHART = BUILD / "bench" / "compare" / "compare-chart"
COPYING = BUILD / "bench" / "compare" / "copy-bandwidth"
GENEROUS_S = 120

sys.path.insert(0, str(FOLDER))
sys.dont_write_bytecode = True
import arguments  # noqa: E402
import contestants  # noqa: E402
import processes  # noqa: E402
import report  # noqa: E402
import run  # noqa: E402
from compare_samples import FOREVER, GOOD, report_of  # noqa: E402

ALLREDUCE = contestants.Panel("allreduce", 2, in_place=False)
BROADCAST = contestants.Panel("broadcast", 4, in_place=True)


def measured():
    """Three rounds of rondo and a peer at 4 B and 64 MiB; another peer is not there."""
    times = report.Times(ALLREDUCE, ["rondo", "peer & co", "other"])
    times.drop("other", "missing", "nobody built it")
    for small, large in ((2, 10_000), (1, 8_000), (90, 9_000)):
        times.add("rondo", report_of({4: small, 64 << 20: large}))
        times.add("peer & co", report_of({4: 3 * small, 64 << 20: 27_000}))
        times.traffic_gbps.append(large / 300)
    return times


class Figures(unittest.TestCase):
    def test_the_median_of_the_rounds_counts(self):
        times = measured()
        self.assertEqual(times.median("rondo", 4), 2)
        self.assertEqual(times.median("rondo", 64 << 20), 9_000)
        self.assertIsNone(times.median("other", 4))

    def test_calls_without_bytes_are_left_out(self):
        times = report.Times(ALLREDUCE, ["rondo"])
        times.add("rondo", report_of({0: 1, 64: 2}))
        self.assertEqual(times.sizes(), [64])

    def test_ratios_say_how_many_times_as_long_as_the_first(self):
        times = measured()
        self.assertEqual(times.ratio("peer & co", 4), 3)
        self.assertEqual(times.ratio("rondo", 4), 1)
        self.assertIsNone(times.ratio("other", 4))

    def test_traffic_reads_each_input_and_writes_each_output_once(self):
        def panel(collective, ranks, in_place=False):
            return contestants.Panel(collective, ranks, in_place)

        self.assertEqual(report.traffic_of(panel("allreduce", 4), 100), 800)
        self.assertEqual(report.traffic_of(panel("broadcast", 4, True), 100), 400)
        self.assertEqual(report.traffic_of(panel("allgather", 4), 100), 500)
        self.assertEqual(report.traffic_of(panel("reduce_scatter", 4), 100), 500)
        self.assertEqual(report.traffic_of(panel("allgather", 4, True), 100), 400)

    def test_bound_and_efficiency(self):
        times = measured()
        # 30 GB/s is the median.
        self.assertAlmostEqual(times.bound(64 << 20), 4 * (64 << 20) / 30e9 * 1e6)
        self.assertAlmostEqual(times.efficiency("rondo", 64 << 20), times.bound(64 << 20) / 9_000)
        self.assertIsNone(times.bound(4), "what fits a cache is not bound by memory")
        self.assertIsNone(times.efficiency("other", 64 << 20))

    def test_who_is_dropped_keeps_no_times(self):
        times = measured()
        times.drop("peer & co", "failed", "it fell")
        self.assertIsNone(times.median("peer & co", 4))

    def test_times_and_ratios_have_as_many_digits_as_they_need(self):
        self.assertEqual([report.short_time(time) for time in (0.171, 12.34, 123.4, 36_600.4)],
                         ["0.17", "12.3", "123.4", "36,600"])
        self.assertEqual([report.short_ratio(ratio) for ratio in (0.999, 12.34, 5376.2)],
                         ["1.00", "12.3", "5376"])
        self.assertEqual([report.short_size(size) for size in (4, 2048, 3 << 20, 1 << 30)],
                         ["4 B", "2 KiB", "3 MiB", "1 GiB"])


class Table(unittest.TestCase):
    def test_each_contestant_has_a_column_also_one_that_is_missing(self):
        lines = report.markdown(measured()).splitlines()
        self.assertEqual(lines[0], "| size | rondo | peer & co | other | memory bound |")
        self.assertEqual(lines[2], "| 4 B | 2.00 | 6.00 (3.00) | missing |  |")
        self.assertEqual(lines[3], "| 64 MiB | 9,000 | 27,000 (3.00) | missing | 8,948 |")
        self.assertIn("other is missing: nobody built it.", lines)
        self.assertIn("64 MiB: rondo 0.99, peer & co 0.33.", lines[-1])

    def test_json_has_every_round(self):
        results = report.as_json(measured())
        self.assertEqual(results["absent"],
                         {"other": {"state": "missing", "reason": "nobody built it"}})
        large = [each for each in results["results"]
                 if each["library"] == "rondo" and each["size"] == 64 << 20]
        self.assertEqual(large[0]["rounds_us"], [10_000, 8_000, 9_000])
        self.assertEqual((large[0]["median_us"], large[0]["best_us"]), (9_000, 8_000))


def draw(lines):
    return subprocess.run([str(CHART)], input=lines, capture_output=True, text=True, check=False)


class Chart(unittest.TestCase):
    def test_a_line_for_each_contestant_and_a_dashed_one_for_the_bound(self):
        times = measured()
        for time in (700, 900):
            times.add("rondo", report_of({1 << 20: time}))
        drawn = draw(report.chart_lines(times, "a <machine>"))
        self.assertEqual(drawn.returncode, 0, drawn.stderr)
        picture = xml.etree.ElementTree.fromstring(drawn.stdout)
        space = "{http://www.w3.org/2000/svg}"
        curves = picture.findall(f"{space}polyline")
        self.assertEqual(len(curves), 3)
        self.assertEqual(sum("stroke-dasharray" in curve.attrib for curve in curves), 1)
        texts = [text.text for text in picture.findall(f"{space}text")]
        for text in ("rondo", "peer & co", "memory bound", "a <machine>"):
            self.assertIn(text, texts)
        self.assertNotIn("other", texts)

    def test_nonsense_is_refused(self):
        for lines in ("", "series a\npoint 4 1\n", "point 4 1\npoint 8 1\n", "curve a\n",
                      "series a\npoint 4 1\npoint 8 -1\n", "series a\npoint 4 1\npoint 8\n"):
            drawn = draw(lines)
            self.assertEqual((drawn.returncode, drawn.stdout), (2, ""), lines)


def shell(*scripts):
    return [(["sh", "-c", script], {}) for script in scripts]


class Processes(unittest.TestCase):
    def run_to_end(self, *scripts, seconds=GENEROUS_S):
        with tempfile.TemporaryDirectory() as directory:
            processes.run_to_end(shell(*scripts), directory, seconds)

    def test_all_end_well(self):
        self.run_to_end("true", "true")

    def test_who_fails_is_quoted_and_the_others_are_ended(self):
        with self.assertRaisesRegex(processes.Failed, "process 1 ended with code 3: out of luck"):
            self.run_to_end(FOREVER, "echo out of luck >&2; exit 3")
        self.assertEqual(processes.descendants(), [])

    def test_who_hangs_is_ended_with_all_that_it_started(self):
        with self.assertRaisesRegex(processes.Failed, "^no end after 1 s$"):
            self.run_to_end(f"trap '' TERM; setsid {FOREVER} & {FOREVER}", seconds=1)
        self.assertEqual(processes.descendants(), [])

    def test_what_is_left_running_after_a_good_end_is_ended(self):
        with tempfile.TemporaryDirectory() as directory:
            number = pathlib.Path(directory, "number")
            self.run_to_end(f"(setsid sh -c 'echo $$ >{number}; exec {FOREVER}' &); "
                            f"while ! test -s {number}; do sleep 0.01; done")
            with self.assertRaises(ProcessLookupError):
                os.kill(int(number.read_text()), 0)

    def test_environment(self):
        with tempfile.TemporaryDirectory() as directory:
            commands = [(["sh", "-c", 'test "$COLOUR" = green && test -n "$PATH"'],
                         {"COLOUR": "green"})]
            processes.run_to_end(commands, directory, GENEROUS_S)


class Starting(unittest.TestCase):
    place = contestants.Place((3, 5), ("nice",))

    def test_ranks_take_turns_at_the_cores(self):
        rondo = contestants.Rondo("rondo", "rondo-perf", flags=("--transport", "shm"))
        commands = rondo.commands(self.place, 3, "/nowhere", ["allreduce"])
        self.assertEqual([words for words, _ in commands],
                         [["taskset", "-c", core, "nice", "rondo-perf", "allreduce", "--transport",
                           "shm"] for core in ("3", "5", "3")])
        self.assertEqual([each["RONDO_RANK"] for _, each in commands], ["0", "1", "2"])
        self.assertEqual(len({each["RONDO_ROOT"] for _, each in commands}), 1)

    def test_an_mpi_launcher_gets_a_command_for_each_rank(self):
        mpi = contestants.Mpi("MPI", "mpi-perf", flags=("--flag",), launcher="mpirun")
        (words, _), = mpi.commands(self.place, 2, "/nowhere", ["allreduce"])
        self.assertEqual(" ".join(words), "mpirun --flag -n 1 taskset -c 3 nice mpi-perf allreduce "
                         ": -n 1 taskset -c 5 nice mpi-perf allreduce")

    def test_the_drop_in_stands_around_the_launcher(self):
        for name, mode, more in (("drop-in", "always", {}),
                                 ("drop-in measured", "measured", {"RONDO_MPI_AFTER": "64"})):
            with tempfile.TemporaryDirectory() as directory:
                found = contestants.find_contestants(pathlib.Path(directory))
                drop_in = next(each for each in found if each.name == name)
                openmpi = next(each for each in found if each.name == "Open MPI")
                (words, environment), = drop_in.commands(self.place, 2, directory, ["allreduce"])
                (plain, as_plain), = openmpi.commands(self.place, 2, directory, ["allreduce"])
            self.assertEqual(words[1:6], ["mpi", "-q", "--mode", mode, "--"])
            self.assertEqual(words[6:], plain)
            self.assertEqual(environment, as_plain | more)

    def test_gloo_ranks_meet_in_a_folder_of_their_own(self):
        with tempfile.TemporaryDirectory() as directory:
            gloo = contestants.Gloo("gloo", "gloo-perf")
            commands = gloo.commands(self.place, 2, directory, ["allreduce"])
            self.assertEqual(commands[1][0], ["taskset", "-c", "5", "nice", "chrt", "--batch", "0",
                                              "gloo-perf", "1", "2", f"{directory}/meeting",
                                              "allreduce"])
            self.assertEqual(os.listdir(f"{directory}/meeting"), [])

    def test_gloo_runs_under_the_policy_that_suits_it(self):
        def has_policy(place, ranks):
            with tempfile.TemporaryDirectory() as directory:
                commands = contestants.Gloo("gloo", "").commands(place, ranks, directory, [])
                return "--batch" in commands[0][0]

        self.assertTrue(has_policy(self.place, 2))
        self.assertFalse(has_policy(self.place, 3))
        self.assertFalse(has_policy(contestants.Place((3, 5), ("chrt", "-f", "10")), 2))

    def test_what_was_not_built_is_missing_with_a_reason(self):
        with tempfile.TemporaryDirectory() as directory:
            found = contestants.find_contestants(pathlib.Path(directory))
        self.assertEqual(found[0].name, "rondo")
        self.assertEqual(len({each.name for each in found}), 9)
        for each in found:
            self.assertRegex(each.missing, "was not built|is a launcher of")

    def test_a_launcher_of_another_maker_is_not_taken(self):
        with tempfile.TemporaryDirectory() as directory:
            for name, maker in (("one", "maker A"), ("two", "maker B")):
                script = pathlib.Path(directory, name)
                script.write_text(f"#!/bin/sh\necho this is of {maker}\n")
                script.chmod(0o755)
            paths = [str(pathlib.Path(directory, name)) for name in ("none", "one", "two")]
            self.assertEqual(contestants.find_launcher(paths, "maker B"), paths[2])
            self.assertIsNone(contestants.find_launcher(paths, "maker C"))

    def test_what_a_library_does_not_have(self):
        gloo, mpi = contestants.Gloo("gloo", ""), contestants.Mpi("MPI", "")
        scatter = contestants.Panel("reduce_scatter", 2, in_place=False)
        self.assertIsNone(gloo.lacks(ALLREDUCE))
        self.assertIn("no reduce_scatter", gloo.lacks(scatter))
        self.assertIsNone(mpi.lacks(scatter))


class Scripted(contestants.Contestant):
    """A shell script; $1 is the file for the report."""

    def commands(self, place, ranks, directory, flags):
        return [(["sh", "-c", self.program, "sh", flags[flags.index("--json") + 1]], {})]


class Rounds(unittest.TestCase):
    def compare(self, *scripts, rounds=2, seconds=GENEROUS_S):
        given = arguments.arguments_of(["--build", str(BUILD), "--rounds", str(rounds),
                                        "--timeout", str(seconds)])
        entrants = [Scripted(name, script) for name, script in scripts]
        place = contestants.Place(tuple(sorted(os.sched_getaffinity(0))))
        comparison = run.Comparison([ALLREDUCE], entrants, place, given)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            comparison.measure_rounds()
        self.assertEqual(processes.descendants(), [])
        return comparison, said.getvalue()

    def test_all_rounds_of_all(self):
        comparison, _ = self.compare(("rondo", GOOD), ("peer", GOOD))
        times = comparison.times[0]
        self.assertEqual(times.absent, {})
        self.assertEqual(len(times.rounds["peer"][4]), 2)
        self.assertEqual(len(times.traffic_gbps), 2)
        self.assertEqual(comparison.libraries["peer"], "a library")
        self.assertFalse(comparison.has_failures)

    def test_who_fails_is_named_and_the_others_go_on(self):
        comparison, said = self.compare(("rondo", GOOD), ("peer", "echo broken >&2; exit 1"))
        times = comparison.times[0]
        self.assertTrue(comparison.has_failures)
        self.assertIn("peer failed (allreduce, out of place, 2 ranks): process 0 ended with code 1",
                      said)
        self.assertEqual(times.absent["peer"][0], "failed")
        self.assertEqual(len(times.rounds["rondo"][4]), 2)
        self.assertIn("| 1.00 | failed |", report.markdown(times))
        self.assertIn("\npeer failed: process 0", report.markdown(times))

    def test_ranks_that_did_not_find_each_other_have_failed(self):
        alone = f"echo '{json.dumps(report_of({4: 1}, ranks=1))}' >$1"
        _, said = self.compare(("rondo", GOOD), ("peer", alone), rounds=1)
        self.assertIn("it ran with 1 instead of 2 ranks", said)

    def test_who_hangs_is_named(self):
        comparison, said = self.compare(("peer", FOREVER), rounds=1, seconds=1)
        self.assertTrue(comparison.has_failures)
        self.assertIn("peer failed (allreduce, out of place, 2 ranks): no end after 1 s", said)

    def test_who_writes_no_report_is_named(self):
        comparison, said = self.compare(("rondo", GOOD), ("peer", "true"), rounds=1)
        self.assertTrue(comparison.has_failures)
        self.assertIn("peer failed (allreduce, out of place, 2 ranks): it ended well, but without",
                      said)

    def test_without_the_speed_of_memory_there_is_no_bound(self):
        given = arguments.arguments_of(["--rounds", "1"])
        place = contestants.Place(tuple(sorted(os.sched_getaffinity(0))), ("false",))
        comparison = run.Comparison([ALLREDUCE], [Scripted("rondo", GOOD)], place, given)
        with contextlib.redirect_stderr(io.StringIO()) as said:
            comparison.measure_rounds()
        self.assertIn("copy-bandwidth failed (2 ranks): it ended with code 1", said.getvalue())
        self.assertTrue(comparison.has_failures)
        self.assertEqual(comparison.times[0].median("rondo", 4), 1)
        self.assertIsNone(comparison.times[0].bound(64 << 20))

    def test_each_finished_round_can_be_kept(self):
        given = arguments.arguments_of(["--build", str(BUILD), "--rounds", "2"])
        place = contestants.Place(tuple(sorted(os.sched_getaffinity(0))))
        comparison = run.Comparison([ALLREDUCE], [Scripted("rondo", GOOD)], place, given)
        kept = []
        with contextlib.redirect_stderr(io.StringIO()):
            comparison.measure_rounds(lambda: kept.append(
                (comparison.rounds, len(comparison.times[0].rounds["rondo"][4]))))
        self.assertEqual(kept, [(1, 1), (2, 2)])


class Arguments(unittest.TestCase):
    def test_sizes_are_those_of_rondo_perf(self):
        for text, expected in (("64", 64), ("4K", 4096), ("1.5m", 3 << 19), ("2G", 2 << 30)):
            self.assertEqual(arguments.size(text), expected)

    def test_defaults(self):
        given = arguments.arguments_of([])
        self.assertEqual((given.ranks, given.rounds, given.factor), ((2, 4), 5, 4))
        self.assertEqual((given.min, given.max, given.timeout), (4, 64 << 20, 120))
        self.assertEqual((given.flags, given.launch), ((), ()))

    def test_quick_gives_way_to_what_was_said(self):
        given = arguments.arguments_of(["--quick", "--ranks", "4,3,4"])
        self.assertEqual((given.ranks, given.rounds, given.collectives),
                         ((4, 3), 1, ("allreduce",)))

    def test_the_build_folder_is_found_from_everywhere(self):
        self.assertEqual(arguments.arguments_of([]).build, FOLDER.resolve().parents[1] / "build")

    def refusal(self, *words):
        with contextlib.redirect_stderr(io.StringIO()) as said:
            with self.assertRaises(SystemExit) as ended:
                arguments.arguments_of(words)
        self.assertEqual(ended.exception.code, 2)
        return said.getvalue()

    def test_mistakes_are_told_in_one_line(self):
        for flag, value, right in (
                ("--collectives", "alltoall", "allreduce, broadcast"),
                ("--rounds", "0", "a whole number from 1 on"),
                ("--rounds", "many", "a whole number from 1 on"),
                ("--ranks", "two", "a whole number from 1 to 256"),
                ("--ranks", "2,300", "a whole number from 1 to 256"),
                ("--ranks", "", "a whole number from 1 to 256"),
                ("--min", "abc", "bytes, such as 64"), ("--min", "0", "bytes, such as 64"),
                ("--max", "1.3", "bytes, such as 64"), ("--max", "2T", "bytes, such as 64"),
                ("--factor", "0", "from 2 on"), ("--factor", "1", "from 2 on"),
                ("--timeout", "0", "more than 0"), ("--timeout", "nan", "more than 0"),
                ("--timeout", "inf", "at most 86400"), ("--minutes", "-1", "more than 0"),
                ("--launch", "'", "the words of a command")):
            said = self.refusal(flag, value)
            wrong = value.rpartition(",")[2] or "(nothing)"
            self.assertRegex(said, rf"^run\.py: {flag}: {re.escape(wrong)}: expected [^\n]*\n$")
            self.assertIn(right, said)

    def test_the_smallest_size_is_not_above_the_largest(self):
        for words in (["--min", "1K", "--max", "1023"], ["--min", "128M"], ["--max", "2"]):
            self.assertRegex(self.refusal(*words),
                             r"^run\.py: --min [0-9]+: more than --max [^\n]*\n$")
        self.assertEqual(arguments.arguments_of(["--min", "1K", "--max", "1K"]).min, 1024)


if __name__ == "__main__":
    processes.adopt_orphans()
    unittest.main(argv=sys.argv[:1])
