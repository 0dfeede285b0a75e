#!/usr/bin/env python3
"""Installs rondo into a temporary folder, builds programs against it as other projects do (with
pkg-config, with CMake, and as a Meson subproject), and runs them.

usage: check.py SOURCE BUILD
"""

import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def call(*command, **options):
    command = [str(part) for part in command]
    run = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                         check=False, **options)
    if run.returncode != 0:
        sys.exit(f"{shlex.join(command)} ended with {run.returncode}:\n{run.stdout}")
    return run.stdout


def run_consumer(kind, program, library_folder=None):
    environment = dict(os.environ)
    if library_folder:
        environment["LD_LIBRARY_PATH"] = str(library_folder)
    output = call(program, env=environment).strip()
    print(f"{kind}: {output}")
    if not output.startswith("2.5"):
        sys.exit(f"{kind}: the consumer does not compute as it should")


def install(build, folder):
    """Returns the folder that the prefix has become."""
    call("meson", "install", "-C", build, "--destdir", folder, "--no-rebuild", "--quiet")
    config = next(folder.rglob("rondo.pc"))
    prefix = next(line.split("=")[1] for line in config.read_text().splitlines()
                  if line.startswith("prefix="))
    return folder / prefix.lstrip("/"), config.parent


def with_pkg_config(prefix, config_folder, work):
    environment = dict(os.environ, PKG_CONFIG_PATH=str(config_folder))

    def flags(*options):
        return shlex.split(call("pkg-config", f"--define-variable=prefix={prefix}", *options,
                                "rondo", env=environment))

    shared = flags("--cflags", "--libs")
    library_folder = next(flag[2:] for flag in shared if flag.startswith("-L"))
    call("g++", "-std=c++20", HERE / "consumer.cpp", *shared, "-o", work / "shared")
    run_consumer("pkg-config, shared", work / "shared", library_folder)
    call("gcc", "-std=c99", "-Wpedantic", "-Werror", HERE / "consumer.c", *shared, "-o", work / "c")
    run_consumer("pkg-config, C", work / "c", library_folder)
    # rondo itself is static; what it needs in turn comes as the system has it.
    static = ["-l:librondo.a" if flag == "-lrondo" else flag
              for flag in flags("--static", "--libs")]
    call("g++", "-std=c++20", HERE / "consumer.cpp", *flags("--cflags"), *static,
         "-o", work / "static")
    run_consumer("pkg-config, static", work / "static")


def with_cmake(prefix, work):
    call("cmake", "-S", HERE, "-B", work, f"-DCMAKE_PREFIX_PATH={prefix}")
    call("cmake", "--build", work)
    for kind in ("consumer", "consumer-static", "consumer-c"):
        run_consumer(f"CMake, {kind}", work / kind)  # CMake sets the path of the library


def as_subproject(source, work):
    (work / "subprojects").mkdir(parents=True)
    (work / "subprojects/rondo").symlink_to(source)
    shutil.copy(HERE / "subproject.build", work / "meson.build")
    shutil.copy(HERE / "consumer.cpp", work)
    call("meson", "setup", work / "build", work, "--wrap-mode=forcefallback",
         "-Drondo:buildtype=plain", "-Db_pch=true")
    call("ninja", "-C", work / "build", "consumer")
    run_consumer("Meson subproject", work / "build/consumer")


def main():
    source, build = (pathlib.Path(argument) for argument in sys.argv[1:3])
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prefix, config_folder = install(build, folder / "installed")
        for way in ("pkg-config", "cmake"):
            (folder / way).mkdir()
        with_pkg_config(prefix, config_folder, folder / "pkg-config")
        with_cmake(prefix, folder / "cmake")
        as_subproject(source, folder / "meson")


if __name__ == "__main__":
    main()
