#!/usr/bin/env python3
"""Runs clang-tidy on every file of src/ in the compile database, a few at a time.

usage: clang_tidy.py ROOT BUILD [FILE...]

Most of the time goes into what files include, so those with the same flags are checked as one, in
groups. Where something is found in a group, its files are checked again, each alone.
"""

import concurrent.futures
import json
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

import groups

CLANG_TIDY = "clang-tidy-14"
SKIPPED = 77  # what Meson takes as "skipped"
# g++ knows these and clang does not, which matters to nobody here.
EXTRA = ("--extra-arg=-Wno-unknown-warning-option",
         "--extra-arg=-Wno-ignored-optimization-argument")
# As in .clang-tidy, and the files of a group, which it includes.
GROUP_FILTER = r"--header-filter=/(src|include/rondo)/.*\.[ch]pp$"
WITH_VALUE = ("-o", "-MF", "-MQ", "-c")


def flags_of(entry):
    """(folder to run in, all that the file is compiled with)."""
    words = iter(shlex.split(entry["command"]))
    flags = []
    for word in words:
        if word in WITH_VALUE:
            next(words)
        elif word != "-MD":
            flags.append(word)
    while flags and not flags[0].startswith("-"):  # the compiler, and what calls it
        flags.pop(0)
    return entry["directory"], tuple(flags)


def files_by_flags(root, build):
    """Lists of files of the library that are compiled with the same flags; each file once."""
    files = {}
    for entry in json.loads((build / "compile_commands.json").read_text()):
        path = (pathlib.Path(entry["directory"]) / entry["file"]).resolve()
        if (root / "src") in path.parents:
            files.setdefault(path, flags_of(entry))
    together = {}
    for path in sorted(files):
        together.setdefault((path.suffix, *files[path]), []).append(path)
    return [(members, folder, flags) for (_, folder, flags), members in together.items()]


def run(*arguments, **options):
    done = subprocess.run([CLANG_TIDY, "--quiet", *EXTRA, *map(str, arguments)],
                          capture_output=True, text=True, check=False, **options)
    return done.returncode, done.stdout if done.stdout.strip() else done.stderr


def check_alone(build, path):
    return path, *run("-p", build, path)


def check_together(root, file, folder, flags):
    """Of what a file includes, as well."""
    return run(f"--config-file={root}/.clang-tidy", GROUP_FILTER, file, "--", *flags, cwd=folder)


class Check:
    def __init__(self, root, build, work):
        self.root, self.build, self.work = root, build, work

    def __call__(self, numbered):
        """The findings in a group, as check_alone() gives them."""
        number, (members, folder, flags) = numbered
        if len(members) > 1:
            file = self.work / f"group_{number}.cpp"
            file.write_text(groups.text_of(members))
            status, _ = check_together(self.root, file, folder, flags)
            if status == 0:
                return []
        checked = [check_alone(self.build, path) for path in members]
        return [(path, output) for path, status, output in checked if status != 0]


def main():
    root, build = (pathlib.Path(argument).resolve() for argument in sys.argv[1:3])
    if shutil.which(CLANG_TIDY) is None:
        print(f"{CLANG_TIDY} is not installed: names and bug patterns are not checked")
        sys.exit(SKIPPED)
    chosen = {pathlib.Path(argument).resolve() for argument in sys.argv[3:]}
    batches = []
    for members, folder, flags in files_by_flags(root, build):
        members = [path for path in members if not chosen or path in chosen]
        if members and members[0].suffix == ".cpp":
            split = groups.group(members, (root / "src", root / "include"))
        else:
            split = [[path] for path in members]
        batches += [(batch, folder, flags) for batch in split]
    with (tempfile.TemporaryDirectory() as work,
          concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool):
        check = Check(root, build, pathlib.Path(work))
        findings = [finding for found in pool.map(check, enumerate(batches)) for finding in found]
    for _, output in findings:
        print(output)
    count = sum(len(members) for members, _, _ in batches)
    print(f"{count} files in {len(batches)} groups, {len(findings)} with findings")
    sys.exit(1 if findings or not count else 0)


if __name__ == "__main__":
    main()
