#!/usr/bin/env python3
"""Installs rondo into a temporary folder, builds programs against it as other projects do (with
pkg-config, with CMake, and as a Meson subproject), and runs them.

usage: check.py SOURCE BUILD [MPIRUN]; MPIRUN where there is Open MPI, and rondo built with it
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


def run_consumer(kind, *command, library_folder=None):
    environment = dict(os.environ)
    if library_folder:
        environment["LD_LIBRARY_PATH"] = str(library_folder)
    output = call(*command, env=environment).strip()
    print(f"{kind}: {output}")
    if not output.startswith("2.5"):
        sys.exit(f"{kind}: the consumer does not compute as it should")


def install(build, folder):
    """Returns the folder that the prefix has become."""
    call("meson", "install", "-C", build, "--destdir", folder, "--no-rebuild", "--quiet")
    config = next(folder.rglob("rondo.pc"))
    prefix = next(line.split("=")[1] for line in config.read_text().splitlines()
                  if line.startswith("prefix="))
    moved = folder / prefix.lstrip("/")
    for each in config.parent.glob("*.pc"):
        each.write_text(each.read_text().replace(f"prefix={prefix}\n", f"prefix={moved}\n"))
    return moved, config.parent


def flags_of(package, config_folder, *options):
    folders = [str(config_folder), os.environ.get("PKG_CONFIG_PATH", "")]
    environment = dict(os.environ, PKG_CONFIG_PATH=os.pathsep.join(filter(None, folders)))
    return shlex.split(call("pkg-config", *options, package, env=environment))


def with_pkg_config(config_folder, work):
    def flags(*options):
        return flags_of("rondo", config_folder, *options)

    shared = flags("--cflags", "--libs")
    library_folder = next(flag[2:] for flag in shared if flag.startswith("-L"))
    call("g++", "-std=c++20", HERE / "consumer.cpp", *shared, "-o", work / "shared")
    run_consumer("pkg-config, shared", work / "shared", library_folder=library_folder)
    call("gcc", "-std=c99", "-Wpedantic", "-Werror", HERE / "consumer.c", *shared, "-o", work / "c")
    run_consumer("pkg-config, C", work / "c", library_folder=library_folder)
    # rondo itself is static; what it needs in turn comes as the system has it.
    static = ["-l:librondo.a" if flag == "-lrondo" else flag
              for flag in flags("--static", "--libs")]
    call("g++", "-std=c++20", HERE / "consumer.cpp", *flags("--cflags"), *static,
         "-o", work / "static")
    run_consumer("pkg-config, static", work / "static")


def with_mpi(prefix, config_folder, work, mpirun):
    shared = flags_of("rondo-mpi-bridge", config_folder, "--cflags", "--libs")
    library_folder = next(flag[2:] for flag in shared if flag.startswith(f"-L{prefix}"))
    # Without the C++ bindings of MPI-2, which are a library of their own.
    call("g++", "-std=c++20", "-DOMPI_SKIP_MPICXX", HERE / "consumer_mpi.cpp", *shared,
         "-o", work / "mpi")
    os.environ.update(OMPI_ALLOW_RUN_AS_ROOT="1", OMPI_ALLOW_RUN_AS_ROOT_CONFIRM="1")
    run_consumer("pkg-config, rondo-mpi-bridge", mpirun, "--oversubscribe", "-np", "2",
                 work / "mpi", library_folder=library_folder)


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
    # Outside of the project: Meson takes what is in it but not in the subproject for the project's.
    # In groups, what one file has for itself looks to a compiler like a shadow on the next one.
    build = work.with_name("meson-build")
    call("meson", "setup", build, work, "--wrap-mode=forcefallback", "-Drondo:buildtype=plain",
         "-Drondo:grouped=true", "-Drondo:werror=false")
    call("ninja", "-C", build, "consumer")
    run_consumer("Meson subproject", build / "consumer")


def main():
    source, build = (pathlib.Path(argument) for argument in sys.argv[1:3])
    mpirun = sys.argv[3] if len(sys.argv) > 3 else None
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        prefix, config_folder = install(build, folder / "installed")
        for way in ("pkg-config", "mpi", "cmake"):
            (folder / way).mkdir()
        with_pkg_config(config_folder, folder / "pkg-config")
        if mpirun:
            with_mpi(prefix, config_folder, folder / "mpi", mpirun)
        with_cmake(prefix, folder / "cmake")
        as_subproject(source, folder / "meson")


if __name__ == "__main__":
    main()
