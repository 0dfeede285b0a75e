"""Compiles the backend for the PyTorch that is installed.

PyTorch's C++ interface changes with each of its versions, so a compiled backend belongs to one of
them. That of a build of rondo beside PyTorch comes with the package; for another PyTorch it is
compiled where it is first used, which takes about 40 s of a processor, and kept. `python -m
rondo.torch.building` does so ahead of time.
"""

import argparse
import fcntl
import hashlib
import os
import pathlib
import shlex
import shutil
import subprocess
import sys
import sysconfig
from typing import List, Sequence

FOLDER = pathlib.Path(__file__).resolve().parent
MODULE = "_rondo_torch"
LIBRARY = "librondo.so.0"
SOURCES = ("world.cpp", "queue.cpp", "work.cpp", "reduction.cpp", "blocks.cpp", "registered.cpp",
           "on_device.cpp", "messages.cpp", "backend.cpp", "sparse.cpp", "group.cpp", "module.cpp")


def file_name() -> str:
    """Of the compiled backend: it says what it was compiled for."""
    import torch  # pylint: disable=import-outside-toplevel  # is not needed to import this

    return f"{MODULE}-{torch.__version__}{sysconfig.get_config_var('EXT_SUFFIX')}"


def options_for(place: pathlib.Path, includes: Sequence[pathlib.Path], module: str) -> List[str]:
    """What a compiler is told for a PyTorch, which lies in `place`."""
    return [
        "-std=c++20", "-O2", "-fPIC", "-fvisibility=hidden", "-Wall", "-Wextra",
        f"-DTORCH_EXTENSION_NAME={module}",
        *(f"-I{folder}" for folder in includes),
        *("-isystem", str(place / "include")),
        *("-isystem", str(place / "include" / "torch" / "csrc" / "api" / "include")),
        *("-isystem", sysconfig.get_path("include")),
    ]


def write_unit(unit: pathlib.Path) -> None:
    """All sources as one, since PyTorch's headers take longer than they do."""
    unit.write_text("".join(f'#include "bind/torch/{name}"\n' for name in reversed(SOURCES)))


def compile_module(out: pathlib.Path, unit: pathlib.Path, includes: Sequence[pathlib.Path],
                   library: pathlib.Path, compiler: Sequence[str], module: str = MODULE,
                   more: Sequence[str] = ()) -> None:
    """A module for the PyTorch that is installed. Raises subprocess.CalledProcessError with what
    the compiler said."""
    import torch  # pylint: disable=import-outside-toplevel

    place = pathlib.Path(torch.__file__).resolve().parent
    partial = out.with_suffix(f".{os.getpid()}")
    code = partial.with_suffix(f".{os.getpid()}.o")
    for command in (
            [*options_for(place, includes, module), *more, "-c", unit, "-o", code,
             f"-D_GLIBCXX_USE_CXX11_ABI={int(torch.compiled_with_cxx11_abi())}"],
            # Python has loaded these when it loads the module: no path is needed then.
            ["-shared", code, "-o", partial, f"-L{place / 'lib'}", "-lc10", "-ltorch_cpu",
             "-ltorch_python", library]):
        subprocess.run([*compiler, *map(str, command)], check=True, capture_output=True, text=True)
    os.remove(code)
    os.replace(partial, out)


def compile_backend(out: pathlib.Path, includes: Sequence[pathlib.Path], library: pathlib.Path,
                    compiler: Sequence[str], more: Sequence[str] = ()) -> None:
    """As compile_module()."""
    unit = out.with_suffix(".cpp")
    write_unit(unit)
    compile_module(out, unit, includes, library, compiler, more=more)


def cache_folder() -> pathlib.Path:
    """Where rondo keeps what it has found out."""
    named = os.environ.get("RONDO_CACHE_DIR")
    if named:
        return pathlib.Path(named)
    base = os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache"
    return pathlib.Path(base) / "rondo"


def _fingerprint(source: pathlib.Path) -> str:
    digest = hashlib.sha256()
    for path in sorted(source.rglob("*.[ch]*")):
        digest.update(path.read_bytes())
    return digest.hexdigest()[:12]


def find_or_build() -> pathlib.Path:
    """The backend for the PyTorch that is imported. Raises ImportError where it cannot be compiled,
    with what to do."""
    packaged = FOLDER / file_name()
    if packaged.exists():
        return packaged
    source = FOLDER / "source"
    folder = cache_folder() / "torch" / _fingerprint(source)
    folder.mkdir(parents=True, exist_ok=True)
    out = folder / file_name()
    with open(folder / "lock", "w", encoding="ascii") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the ranks of a host come all at once
        if not out.exists():
            _build(out, source)
    return out


def _build(out: pathlib.Path, source: pathlib.Path) -> None:
    compiler = shlex.split(os.environ.get("CXX", "c++"))
    if shutil.which(compiler[0]) is None:
        raise ImportError(f"the backend has to be compiled for this PyTorch, and there is no "
                          f"{compiler[0]}: install g++, or name a compiler in CXX")
    print(f"rondo: compiling the backend for this PyTorch, once, into {out}", file=sys.stderr)
    try:
        compile_backend(out, [source], FOLDER.parent / LIBRARY, compiler)
    except subprocess.CalledProcessError as error:
        raise ImportError(f"the backend could not be compiled for this PyTorch:\n{error.stderr}") \
            from error


def main(arguments: List[str]) -> None:
    """Without arguments: compiles the backend and keeps it. With --out: for builds of rondo."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("--name", action="store_true", help="print the name of the file only")
    parser.add_argument("--out", type=pathlib.Path)
    parser.add_argument("--include", type=pathlib.Path, action="append", default=[])
    parser.add_argument("--library", type=pathlib.Path)
    parser.add_argument("--depfile")
    parser.add_argument("compiler", nargs="*")
    args = parser.parse_args(arguments)
    if args.name:
        print(file_name())
    elif args.out is None:
        print(find_or_build())
    else:
        try:
            compile_backend(args.out, [folder.resolve() for folder in args.include],
                            args.library.resolve(), args.compiler,
                            ["-MMD", "-MF", args.depfile, "-MT", str(args.out)])
        except subprocess.CalledProcessError as error:
            sys.exit(error.stderr)


if __name__ == "__main__":
    main(sys.argv[1:])
