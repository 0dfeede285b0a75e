"""The rules of the source tree, each a function from a file to its findings.

A rule takes the path inside the project and the text, and yields (line, message). RULES names all.
"""

import pathlib
import re

MOST_FILE_LINES = 500
MOST_FUNCTION_LINES = 70
MOST_COLUMNS = 100

# In the order of dependencies: a folder may include those before it.
LAYERS = ("base", "topology", "schedule", "check", "plan", "device", "transport", "execute",
          "bootstrap", "api", "bind", "cli")
# The functional core: no thread, socket, clock, file or environment.
PURE = LAYERS[:LAYERS.index("plan") + 1]
IMPURE_HEADERS = re.compile(
    r"(atomic|barrier|chrono|condition_variable|ctime|filesystem|fstream|future|latch|mutex|"
    r"semaphore|shared_mutex|stop_token|thread|csignal|signal\.h|time\.h|unistd\.h|pthread\.h|"
    r"sched\.h|poll\.h|fcntl\.h|dlfcn\.h|netdb\.h|mpi\.h|cuda.*|"
    r"(sys|netinet|arpa|linux)/.*|rondo/(communicator|work|transport|rondo)\.hpp)")
# What base is: a closed list, so that it does not become a drawer for everything.
BASE = ("descriptor", "hash", "invariant", "names", "past_cache", "text", "units", "words")
# Owns file descriptors, and closes them: all that it may know of the system. Other pure folders
# have no use for it.
DESCRIPTOR = "base/descriptor.hpp"
DESCRIPTOR_CALLS = ("src/base/descriptor.cpp", "unistd.h")
# What librondo-cuda is made of, besides its own files: those of the library that it implements.
CUDA_USES = ("cuda", "rondo", "base", "device")
CUDA_HEADERS = re.compile(r"(cuda|cuda_.*|cudaTypedefs|cooperative_groups|nvml)\.(h|hpp)|cub/.*")
# The files that may look at the machine on behalf of topology/. Only the first includes hwloc.
DISCOVERY = ("src/topology/discover_hwloc.cpp", "src/topology/discover_linux.cpp")

CPP = (".cpp", ".hpp", ".c", ".h", ".cu", ".cuh")
CODE = CPP + (".py", ".sh", ".build", ".in", ".map")


def is_cpp(path):
    return path.endswith(CPP)


def line_of(text, offset):
    return text.count("\n", 0, offset) + 1


def blank(match):
    """Keeps line breaks, so that offsets still give lines."""
    return re.sub(r"[^\n]", " ", match.group())


def without_comments_and_texts(text):
    raw = r'R"(?P<mark>[^(\s]{0,16})\(.*?\)(?P=mark)"'
    quoted = r'"(?:\\.|[^"\\\n])*"'
    # A character, but not the digit separator of 1'000.
    character = r"(?<![0-9a-fA-F])'(?:\\.|[^'\\\n])+'"
    pattern = rf"//[^\n]*|/\*.*?\*/|{raw}|{quoted}|{character}"
    return re.sub(pattern, blank, text, flags=re.DOTALL)


def includes(text):
    for found in re.finditer(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]', text, flags=re.MULTILINE):
        yield line_of(text, found.start(2)), found[1], found[2]


def layering(path, text):
    parts = pathlib.PurePosixPath(path).parts
    if not is_cpp(path):
        return
    if parts[0] == "include":
        for line, mark, name in includes(text):
            if mark == '"' and not name.startswith("rondo/"):
                yield line, f"a public header includes {name}, which is not installed"
    if parts[0] == "examples":
        for line, mark, name in includes(text):
            if mark == '"' and "/" in name:
                yield line, f"an example includes {name}; it sees what users see"
    if parts[0] == "cuda":
        for line, mark, name in includes(text):
            if mark == '"' and name.split("/")[0] not in CUDA_USES:
                yield line, f"cuda includes {name}; it may use {' '.join(CUDA_USES)}"
    if parts[0] != "src" or len(parts) < 3:
        return
    folder = parts[1]
    if folder not in LAYERS:
        yield 1, f"src/{folder} has no place among the layers: {' '.join(LAYERS)}"
        return
    if folder == "base" and pathlib.PurePosixPath(path).stem not in BASE:
        yield 1, f"base is a closed list: {' '.join(BASE)}"
    for line, mark, name in includes(text):
        target = name.split("/")[0]
        if mark != '"' or target in ("rondo", folder):
            continue
        if folder == "bind":
            yield line, f"bind includes {name}; it sees public headers only"
        elif target not in LAYERS:
            yield line, f'"{name}" does not name its folder'
        elif LAYERS.index(target) > LAYERS.index(folder):
            yield line, f"{folder} includes {name}, but {target} comes after it"


def purity(path, text):
    parts = pathlib.PurePosixPath(path).parts
    if not is_cpp(path) or parts[0] != "src":
        return
    for line, _, name in includes(text):
        if re.fullmatch(r"hwloc(\.h|/.*)", name) and path != DISCOVERY[0]:
            yield line, f"only {DISCOVERY[0]} includes hwloc"
    if parts[1] not in PURE or path in DISCOVERY:
        return
    for line, _, name in includes(text):
        is_descriptor = name == DESCRIPTOR and parts[1] != "base"
        if is_descriptor or (IMPURE_HEADERS.fullmatch(name) and (path, name) != DESCRIPTOR_CALLS):
            yield line, f"{parts[1]} is pure, but includes {name}"
    code = without_comments_and_texts(text)
    for found in re.finditer(r"\b(getenv|random_device|thread_local|std::c(out|err|in))\b", code):
        yield line_of(code, found.start()), f"{parts[1]} is pure, but uses {found[1]}"


def cuda(path, text):
    """One folder knows CUDA: everything else is built, and tested, without it."""
    parts = pathlib.PurePosixPath(path).parts
    if not is_cpp(path) or parts[0] == "cuda" or path.endswith((".cu", ".cuh")):
        return
    for line, _, name in includes(text):
        if CUDA_HEADERS.fullmatch(name):
            yield line, f"only cuda/ includes headers of CUDA, and {name} is one"


def names(path, text):
    for part in pathlib.PurePosixPath(path).parts:
        if re.fullmatch(r"(utils?|utilit(y|ies)|helpers?|common|misc|managers?)",
                        part.split(".")[0].lower()):
            yield 1, f"{part} says nothing about what is in it"


def file_length(path, text):
    lines = text.count("\n")
    if lines > MOST_FILE_LINES:
        yield 1, f"{lines} lines, more than {MOST_FILE_LINES}"


def functions(code):
    """(first line, last line) of each function body at namespace or class scope."""
    scope = re.compile(r"\b(namespace|class|struct|union|enum|extern)\b")
    nesting = []  # True for a scope that holds declarations
    start = 0  # of the declaration
    for found in re.finditer(r"[{};]", code):
        at_scope = all(nesting)
        if found[0] == "{":
            before = code[start:found.start()]
            nesting.append(at_scope and bool(scope.search(before)) and ")" not in
                           re.sub(r"\[\[.*?\]\]|__attribute__\(\(.*?\)\)", "", before))
            if nesting[-1]:
                start = found.end()
        elif found[0] == "}":
            was_scope = nesting.pop() if nesting else True
            if all(nesting):
                # `a{1}, b{2} {`: the initialisers of a constructor, whose body is still to come.
                continues = code[found.end():].lstrip()[:1] in (",", "{")
                declaration = code[start:found.start()]
                if not was_scope and not continues and ")" in declaration.split("{")[0]:
                    lead = len(declaration) - len(declaration.lstrip())
                    yield line_of(code, start + lead), line_of(code, found.start())
                if not continues:
                    start = found.end()
        elif at_scope:
            start = found.end()


def function_length(path, text):
    if not is_cpp(path):
        return
    code = re.sub(r"^\s*#(?:\\\n|[^\n])*", blank, without_comments_and_texts(text),
                  flags=re.MULTILINE)
    code = re.sub(r"\b(public|protected|private)\s*:(?!:)", blank, code)
    for first, last in functions(code):
        if last - first + 1 > MOST_FUNCTION_LINES:
            yield first, f"a function of {last - first + 1} lines, more than {MOST_FUNCTION_LINES}"


def columns(path, text):
    for number, line in enumerate(text.splitlines(), 1):
        if len(line) > MOST_COLUMNS:
            yield number, f"{len(line)} columns, more than {MOST_COLUMNS}"
        if line != line.rstrip():
            yield number, "white space at the end of the line"


def no_promises(path, text):
    # Put together, so that this file does not find itself.
    promises = "|".join(("TO" "DO", "FIX" "ME", "X" "XX", "T" "BD"))
    for found in re.finditer(rf"\b({promises})\b", text):
        yield line_of(text, found.start()), f"{found[0]}: do it, or say plainly what is not there"


def pragma_once(path, text):
    if path.endswith((".hpp", ".h")) and not text.startswith("#pragma once\n"):
        yield 1, "a header begins with #pragma once"


def no_exit(path, text):
    """The library never ends the process of its user."""
    if not is_cpp(path) or not path.startswith("src/") or path.startswith("src/cli/"):
        return
    code = without_comments_and_texts(text)
    ends = r"(?:exit|_exit|_Exit|quick_exit|abort|terminate)"
    pattern = (rf"\bstd::{ends}\s*\(|(?<![\w>])::{ends}\s*\(|"
               rf"(?<![\w.:>~ ])\s*\b(?:exit|_exit|_Exit|quick_exit)\s*\(|"
               r"[;{})]\s*(?:abort|terminate)\s*\(\s*\)|\bassert\s*\(")
    for found in re.finditer(pattern, code):
        call = found[0].strip(" \n;{})(")
        yield line_of(code, found.end()), f"{call} would end the process of the library's user"


RULES = {
    "layering": layering,
    "purity": purity,
    "cuda": cuda,
    "names": names,
    "file length": file_length,
    "function length": function_length,
    "columns": columns,
    "promises": no_promises,
    "pragma once": pragma_once,
    "exit": no_exit,
}
