"""Runs MPI programs with and without rondo and compares what their ranks got.

usage: programs_test.py RONDO FAMILY PROGRAMS FOLDER; FAMILY is openmpi or mpich, PROGRAMS the
folder of the sources, FOLDER where to work.
"""

import json
import os
import pathlib
import shutil
import subprocess
import sys
import unittest

RONDO, FAMILY, PROGRAMS, FOLDER = sys.argv[1:5]
GENEROUS_S = 600
OPEN_MPI = FAMILY == "openmpi"
FORMS = ("component", "preload") if OPEN_MPI else ("preload",)
# MPICH takes milliseconds for each call where ranks share cores.
RANKS = (2, 3) if OPEN_MPI else (2,)
ALL, SOME = () if OPEN_MPI else ("some",), ("some",)  # of the calls that a program can make
FORTRAN = ("MPIF_H", "MPI", "MPI_F08")

ENVIRONMENT = dict(os.environ, OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1",
                   OMPI_MCA_rmaps_base_oversubscribe="1", OMPI_MCA_mpi_yield_when_idle="1")


def tool(name):
    return shutil.which(f"{name}.{FAMILY}")


def compile_program(compiler, source, program, *options):
    subprocess.run([compiler, "-O1", "-w", *options, "-o", program, f"{PROGRAMS}/{source}"],
                   check=True, timeout=GENEROUS_S)


def reasons(stats):
    """Why blocking calls were passed."""
    why = stats["total"]["passed"]["why"]
    return {key: why[key] for key in why if key not in ("nonblocking", "persistent")}


class Programs(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = pathlib.Path(FOLDER) / FAMILY
        cls.folder.mkdir(parents=True, exist_ok=True)
        for name in ("reductions", "manners", "extremes", "settled", "counted", "large"):
            compile_program(tool("mpicc"), f"{name}.c", cls.folder / name)
        compile_program(tool("mpicxx"), "movements.cpp", cls.folder / "movements", "-std=c++20",
                        "-DOMPI_SKIP_MPICXX", "-DMPICH_SKIP_MPICXX")

    def run_program(self, ranks, name, *words, before=(), **environment):
        done = subprocess.run([*before, tool("mpirun"), "-np", str(ranks), self.folder / name,
                               *words], env=dict(ENVIRONMENT, **environment), timeout=GENEROUS_S,
                              stdin=subprocess.DEVNULL, capture_output=True, text=True)
        self.assertEqual(done.returncode, 0, f"{name} on {ranks}: {done.stdout}{done.stderr}")
        return done

    def run_with_rondo(self, ranks, name, form, mode, *words, **environment):
        result = self.folder / f"{name}.{form}.{mode}.{ranks}"
        stats = self.folder / f"{name}.{form}.{mode}.{ranks}.json"
        stats.unlink(missing_ok=True)
        done = self.run_program(
            ranks, name, result, *words, before=(RONDO, "mpi", "--form", form, "--mode", mode,
                                                 "--stats", stats, "--"), **environment)
        self.assertIn(f": {form} ", done.stderr)
        return result.read_text(), json.loads(stats.read_text())

    def compare(self, name, ranks, cases, *words):
        plain = self.folder / f"{name}.plain.{ranks}"
        self.run_program(ranks, name, plain, *words)
        expected = plain.read_text().splitlines()
        self.assertGreater(len(expected), ranks)
        all_stats = []
        for form, mode, environment in cases:
            with self.subTest(name=name, ranks=ranks, form=form, mode=mode):
                text, stats = self.run_with_rondo(ranks, name, form, mode, *words, **environment)
                wrong = [pair for pair in zip(expected, text.splitlines()) if pair[0] != pair[1]]
                self.assertEqual(wrong[:10], [])
                self.assertEqual(len(text.splitlines()), len(expected))
                # One that takes nothing would get everything right.
                self.assertGreater(stats["total"]["taken"]["calls"], 0)
                self.assertEqual(stats["form"], form)
                self.assertEqual(stats["counted_ranks"], ranks)
                all_stats.append(stats)
        return all_stats

    def compare_forms(self, name, cases):
        """All calls in one form, which is enough to see what they get; some in the others."""
        self.compare(name, RANKS[-1], [(FORMS[0], "always", {})], *ALL)
        for ranks in RANKS:
            self.compare(name, ranks, cases, *SOME)

    def cases(self):
        for form in FORMS:
            yield form, "always", {}
        yield FORMS[0], "measured", {"RONDO_MPI_AFTER": "2"}

    def test_reductions(self):
        self.compare_forms("reductions", self.cases())

    def test_bits_are_taken(self):
        for form in FORMS:
            for op in ("band", "bor", "bxor", "land", "lor", "lxor"):
                _, stats = self.run_with_rondo(RANKS[0], "reductions", form, "always", "some", op)
                passed = reasons(stats)
                with self.subTest(form=form, op=op, why=passed):
                    self.assertLessEqual(set(passed), {"no bytes"})
                    self.assertGreater(stats["total"]["taken"]["calls"], 0)

    def test_calls_of_all_ranks_are_counted(self):
        """Those that make none do not hold up the others."""
        for form in FORMS:
            for ranks in RANKS:
                _, stats = self.run_with_rondo(ranks, "counted", form, "always")
                with self.subTest(form=form, ranks=ranks):
                    self.assertEqual(stats["counted_ranks"], ranks)
                    self.assertEqual(stats["ranks"], ranks)
                    sums = stats["collectives"]["MPI_Allreduce"]
                    self.assertEqual(sums["taken"]["calls"], 10 * 2)
                    self.assertEqual(sums["taken"]["bytes"], 10 * 2 * 4)
                    self.assertEqual(sums["passed"]["why"]["user operation"]["calls"], 3 * 2)
                    scans = stats["collectives"]["MPI_Scan"]["passed"]["why"]
                    self.assertEqual(scans["nonblocking"]["calls"], 5 * 2)
                    if form == "component":
                        self.assertEqual(scans["persistent"]["calls"], 1 * 2)

    def test_statistics_do_not_wait_for_ever(self):
        """For a rank whose environment does not ask for them."""
        stats = self.folder / "alone.json"
        stats.unlink(missing_ok=True)
        done = self.run_program(2, "counted", self.folder / "alone", "forget", before=(
            RONDO, "mpi", "--form", FORMS[0], "--mode", "always", "--stats", stats, "--"))
        told = json.loads(stats.read_text())
        self.assertEqual(told["counted_ranks"], 1)
        self.assertEqual(told["collectives"]["MPI_Allreduce"]["taken"]["calls"], 10)
        self.assertIn("the statistics are those of rank 0 alone", done.stderr)

    def test_movements(self):
        self.compare_forms("movements", self.cases())

    def test_elements_of_more_than_2_gib(self):
        text, stats = self.run_with_rondo(2, "large", FORMS[-1], "always")
        first, last = ([line.split()[1] for line in text.splitlines() if line.startswith(what)]
                       for what in ("first:", "last:"))
        self.assertEqual(len(first), 2)
        self.assertEqual(len(set(first + last)), 1, text)
        bcasts = stats["collectives"]["MPI_Bcast"]
        self.assertEqual(bcasts["passed"]["why"]["more than 2 GiB"]["calls"], 2)
        self.assertEqual(bcasts["taken"]["calls"], 2)

    def test_manners(self):
        for ranks in RANKS:
            self.compare("manners", ranks, [(form, "always", {}) for form in FORMS])

    def test_what_is_settled(self):
        """Without statistics, so that what is left to the MPI below is not looked at again."""
        for ranks in RANKS:
            plain = self.folder / f"settled.plain.{ranks}"
            self.run_program(ranks, "settled", plain)
            for form in FORMS:
                # No communicator of rondo's: everything is left below.
                for environment in ({"RONDO_MPI_AFTER": "2"},
                                    {"RONDO_MPI_AFTER": "2", "RONDO_TRANSPORT": "none"}):
                    with self.subTest(ranks=ranks, form=form, environment=environment):
                        result = self.folder / f"settled.{form}.{ranks}"
                        done = self.run_program(ranks, "settled", result, before=(
                            RONDO, "mpi", "--form", form, "--"), **environment)
                        self.assertIn(f": {form} ", done.stderr)
                        self.assertEqual("goes on with the MPI below" in done.stderr,
                                         "RONDO_TRANSPORT" in environment, done.stderr)
                        self.assertEqual(result.read_text(), plain.read_text())

    def test_extremes(self):
        for form in FORMS:
            self.run_with_rondo_checked(RANKS[-1], form)

    def run_with_rondo_checked(self, ranks, form):
        self.run_program(ranks, "extremes",
                         before=(RONDO, "mpi", "--form", form, "--mode", "always", "-q", "--"))

    def compile_fortran(self, name, way, *sources):
        program = f"{name}_{way}"
        # Open MPI 4.1 has persistent collectives in an extension, for Fortran too.
        words = ("-DWITH_EXTENSION",) if OPEN_MPI else ()
        modules = self.folder / program
        modules.with_suffix(".modules").mkdir(exist_ok=True)
        compile_program(tool("mpifort"), f"{name}.F90", self.folder / program, f"-DWITH_{way}",
                        *words, "-fallow-argument-mismatch", "-ffree-line-length-none",
                        f"-J{modules}.modules", *[f"{PROGRAMS}/{source}" for source in sources])
        return program

    def require_fortran(self):
        if tool("mpifort") is None or shutil.which("gfortran") is None:
            self.skipTest("there is no gfortran")

    def test_fortran(self):
        self.require_fortran()
        for way in FORTRAN:
            name = self.compile_fortran("languages", way)
            for stats in self.compare(name, RANKS[-1], [(form, "always", {}) for form in FORMS]):
                # Logical values of Fortran too.
                self.assertEqual(reasons(stats), {})

    def test_all_of_fortran(self):
        """Every type and operation in each form, by the newest way; some by the others."""
        self.require_fortran()
        for way in FORTRAN:
            name = self.compile_fortran("forms", way, "typed_fortran.c")
            for stats in self.compare(name, RANKS[-1], [(form, "always", {}) for form in FORMS],
                                      *(ALL if way == FORTRAN[-1] else SOME)):
                why = stats["total"]["passed"]["why"]
                self.assertGreater(why["nonblocking"]["calls"], 0)
                if stats["form"] == "component":
                    self.assertGreater(why["persistent"]["calls"], 0)

    def test_inside_mpirun(self):
        result = self.folder / "inside"
        plain = self.folder / "inside.plain"
        self.run_program(2, "manners", plain)
        done = subprocess.run([tool("mpirun"), "-np", "2", RONDO, "mpi", "--mode", "always", "--",
                               self.folder / "manners", result], env=ENVIRONMENT, text=True,
                              timeout=GENEROUS_S, stdin=subprocess.DEVNULL, capture_output=True)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr.count("rondo mpi: "), 1, done.stderr)
        self.assertEqual(result.read_text(), plain.read_text())

    def test_off(self):
        stats = self.folder / "off.json"
        stats.unlink(missing_ok=True)
        self.run_program(2, "manners", self.folder / "off",
                         before=(RONDO, "mpi", "--mode", "off", "-q", "--"))

    def test_bad_variable_switches_off(self):
        done = self.run_program(2, "manners", self.folder / "bad",
                                before=(RONDO, "mpi", "-q", "--"), RONDO_MPI="on")
        self.assertIn("RONDO_MPI=on: expected always, measured or off", done.stderr)
        self.assertEqual(done.stderr.count("RONDO_MPI=on"), 1)


if __name__ == "__main__":
    sys.argv = sys.argv[:1]
    unittest.main()
