#!/usr/bin/env python3
"""Puts C++ files together that can be compiled as one, so that what they include is parsed once.

usage: groups.py FOLDER FILE...

Writes into FOLDER files that include those of a group, and prints their names.

What a file keeps to itself (in an unnamed namespace, static, or a macro) is visible to all that are
compiled with it. So no other file of its group may declare such a name at namespace scope, itself
or in what it includes, nor call a function by it. Elsewhere it stands for something else: a member,
or what is declared in a block, hides it.
"""

import functools
import os
import pathlib
import re
import sys

import rules

# Enough that parsing what they include no longer counts; and there are several groups to compile at
# the same time, none of which takes much memory.
MOST_FILES = 12

CALLED = re.compile(r"(?<![\w.>:])([A-Za-z_]\w*)\s*(?:<[^<>;{}()]*>\s*)?\(")
SCOPES = re.compile(r"\b(?:inline\s+)?namespace\b(?P<name>[\w:\s]*)$|\bextern\s*$")


def code_of(path):
    return rules.without_comments_and_texts(path.read_text())


def macros(code):
    return set(re.findall(r"^\s*#\s*define\s+(\w+)", code, flags=re.MULTILINE))


def without_directives(code):
    return re.sub(r"^\s*#(?:\\\n|[^\n])*", "", code, flags=re.MULTILINE)


def without_angles(text):
    """Without template arguments and parameters, as far as they are nested three deep."""
    for _ in range(3):
        text = re.sub(r"<[^<>;{}]*>", " ", text)
    return text


def declared(text):
    """The name that a declaration at namespace scope gives to something, in a set."""
    text = without_angles(re.sub(r"\[\[.*?\]\]|\balignas\s*\([^()]*\)", " ", text))
    if re.search(r"\boperator\b|^\s*static_assert\b", text):
        return set()
    for pattern in (r"\b(?:class|struct|union|enum(?:\s+(?:class|struct))?)\s+(\w+)\s*(?:final\s*)?"
                    r"(?::(?!:)|$)",
                    r"\b(?:using|concept)\s+(\w+)\s*=",
                    r"^[^(=]*?(?<!:)\b(\w+)\s*\(",
                    r"^[^(=]*?(?<!:)\b(\w+)\s*(?:\[[^=]*)?(?:=.*)?$"):
        found = re.search(pattern, text.strip(), flags=re.DOTALL)
        if found:
            return {found[1]}
    return set()


def declarations(code):
    """(names declared at namespace scope, those of them that the file keeps to itself)."""
    own = macros(code)
    names = set(own)
    code = without_directives(code)
    nesting = []  # of each open brace: whether its scope is a namespace, and unnamed
    start = 0  # of the declaration
    for found in re.finditer(r"[{};]", code):
        at_scope = all(is_namespace for is_namespace, _ in nesting)
        text = code[start:found.start()].strip() if at_scope else ""
        scope = SCOPES.search(text) if found[0] == "{" else None
        if at_scope and not scope:
            new = declared(text)
            if found[0] == "{" and re.search(r"\benum\b(?!\s+(class|struct))", text):
                new |= set(re.findall(r"\w+", code[found.end():code.index("}", found.end())]))
            names |= new
            if any(is_unnamed for _, is_unnamed in nesting) or re.search(r"\bstatic\b", text):
                own |= new
        if found[0] == "{":
            is_unnamed = bool(scope) and scope["name"] is not None and not scope["name"].strip()
            nesting.append((bool(scope), is_unnamed))
        elif found[0] == "}" and nesting:
            nesting.pop()
        if all(is_namespace for is_namespace, _ in nesting):
            start = found.end()
    return names, own


@functools.cache
def declared_by_header(path, folders):
    code = code_of(path)
    return declarations(code)[0] | declared_in_headers(path, folders)


def declared_in_headers(path, folders):
    names = set()
    for _, mark, header in rules.includes(path.read_text()):
        found = [folder / header for folder in folders if (folder / header).is_file()]
        if mark == '"' and found:
            names |= declared_by_header(found[0], folders)
    return names


class Source:
    def __init__(self, path, folders):
        self.path = path
        code = code_of(path)
        declared_here, self.own = declarations(code)
        self.taken = (declared_here | declared_in_headers(path, folders) |
                      set(CALLED.findall(without_directives(code))))

    def fits(self, other):
        return not (self.own & other.taken or other.own & self.taken)


def group(paths, folders):
    """Lists of paths, in the order of the first of each."""
    groups = []
    for source in (Source(path, folders) for path in paths):
        for members in groups:
            if len(members) < MOST_FILES and all(source.fits(other) for other in members):
                members.append(source)
                break
        else:
            groups.append([source])
    return [[source.path for source in members] for members in groups]


def text_of(paths):
    return "".join(f'#include "{path}"\n' for path in paths)


def write_if_changed(path, text):
    if not path.is_file() or path.read_text() != text:
        path.write_text(text)


def main():
    folder = pathlib.Path(sys.argv[1]).resolve()
    paths = [pathlib.Path(name).resolve() for name in sys.argv[2:]]
    root = pathlib.Path(__file__).resolve().parents[2]
    folder.mkdir(parents=True, exist_ok=True)
    for number, members in enumerate(group(paths, (root / "src", root / "include"))):
        path = folder / f"group_{number}.cpp"
        # So that another clone of the project has the same files.
        write_if_changed(path, text_of(os.path.relpath(member, folder) for member in members))
        print(path)


if __name__ == "__main__":
    main()
