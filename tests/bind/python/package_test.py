#!/usr/bin/env python3
"""The Python package as its users meet it.

usage: package_test.py PACKAGE_FOLDER    # the folder that has the folder rondo
"""

import ast
import os
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
SKIPPED = 77  # what Meson takes as "skipped"


def call(*command, code=0, **more):
    done = subprocess.run(list(map(str, command)), capture_output=True, text=True, timeout=300,
                          check=False, **more)
    if done.returncode != code:
        sys.exit(f"{' '.join(map(str, command))} ended with {done.returncode}:\n"
                 f"{done.stdout}{done.stderr}")
    return done.stdout + done.stderr


def check_world():
    for size in (1, 2, 3):
        text = call(sys.executable, "-m", "rondo.run", "-n", size, HERE / "world_test.py")
        for rank in range(size):
            if f"rank {rank} of {size}: done" not in text:
                sys.exit(f"rank {rank} of {size} did not come to its end:\n{text}")


def check_readme():
    """The README's Python program is one that runs."""
    text = (ROOT / "README.md").read_text()
    program = text.split("## Python", 1)[1].split("```python\n", 1)[1].split("```", 1)[0]
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "program.py"
        path.write_text(program)
        said = call(sys.executable, "-m", "rondo.run", "-n", 4, "--no-prefix", path)
    if "the sum of 1 to 4 is 10.0" not in said:
        sys.exit(f"the README's program said:\n{said}")


def check_run():
    """The launcher: options, other programs than Python's, and exit codes."""
    run = [sys.executable, "-m", "rondo.run"]
    assert "usage" in call(*run, "--help")
    assert call(*run, "-n", "2", "--no-prefix", "--", "sh", "-c", "echo $RONDO_RANK of $RONDO_SIZE"
                ).split().count("of") == 2
    call(*run, "-n", "1", "sh", "-c", "exit 7", code=7)


def check_explain():
    import rondo  # pylint: disable=import-outside-toplevel

    assert "ring" in rondo.explain("allreduce", "1MiB", ranks=4)
    assert "16 ranks" in rondo.explain("broadcast", 1024, machine="2 hosts x 8 cores")
    try:
        rondo.explain("allsum", 1)
    except rondo.InvalidArgument as error:
        assert "allsum" in str(error), error
    else:
        sys.exit("rondo.explain() took what there is not")
    assert rondo.__version__ == rondo.version()


def check_hints(package):
    """Everything that users call says what it takes and gives, and what it does."""
    for path in sorted(package.rglob("*.py")):
        tree = ast.parse(path.read_text())
        assert ast.get_docstring(tree), f"{path} has no docstring"
        for node in ast.walk(tree):
            if not isinstance(node, (ast.FunctionDef, ast.ClassDef)) or node.name.startswith("_"):
                continue
            is_inner = isinstance(node, ast.FunctionDef) and not ast.get_docstring(node)
            if is_inner and node.name not in ("exchange", "get_device_backend_map"):
                sys.exit(f"{path}:{node.lineno}: {node.name} has no docstring")
            if isinstance(node, ast.FunctionDef):
                arguments = [argument for argument in node.args.args
                             if argument.arg not in ("self", "cls")]
                if node.returns is None or not all(a.annotation for a in arguments):
                    sys.exit(f"{path}:{node.lineno}: {node.name} lacks type hints")


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    try:
        import numpy  # noqa: F401  # pylint: disable=import-outside-toplevel,unused-import
    except ImportError:
        print(f"{sys.executable} has no NumPy: name one that has in -Dpython_command")
        sys.exit(SKIPPED)
    os.environ["PYTHONPATH"] = str(folder)
    sys.path.insert(0, str(folder))
    check_hints(folder / "rondo")
    check_world()
    check_run()
    check_explain()
    check_readme()


main()
