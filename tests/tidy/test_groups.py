#!/usr/bin/env python3
"""Shows which files are compiled as one, and which are not."""

import pathlib
import tempfile
import unittest

import groups

HEADER = ("#pragma once\nnamespace rondo {\nstruct Shape { int size() const; };\n"
          "int size_of(Shape);\n}\n")


def unnamed(text):
    return f"namespace rondo {{\nnamespace {{\n{text}\n}}  // namespace\n}}  // namespace rondo\n"


class GroupsTest(unittest.TestCase):
    def groups_of(self, *texts):
        """The numbers of the files in each group."""
        with tempfile.TemporaryDirectory() as name:
            folder = pathlib.Path(name)
            (folder / "shape.hpp").write_text(HEADER)
            paths = [folder / f"{number}.cpp" for number in range(len(texts))]
            for path, text in zip(paths, texts):
                path.write_text(text)
            return [[int(path.stem) for path in members]
                    for members in groups.group(paths, (folder,))]

    def assert_together(self, *texts):
        self.assertEqual(self.groups_of(*texts), [list(range(len(texts)))])

    def assert_apart(self, *texts):
        self.assertEqual(self.groups_of(*texts), [[number] for number in range(len(texts))])

    def test_what_two_files_keep_to_themselves(self):
        for text in ("int number() { return 1; }", "constexpr int number = 1;", "struct number {};",
                     "enum class number { one };", "enum { other, number };",
                     "using number = int;", "template <class T>\nconcept number = true;",
                     "template <class T>\nT number(T value) { return value; }",
                     "class number final : public Base<int> { void f() {} };",
                     "std::map<int, std::pair<int, int>> number;", "int number[4] = {};",
                     "Result<int> number(const std::string& text,\n  int base);"):
            self.assert_apart(unnamed(text), unnamed("int number = 0;"))
        self.assert_apart("static int number = 1;\n", unnamed("int number = 0;"))
        self.assert_apart("#define number 1\n", unnamed("int number = 0;"))
        self.assert_together(unnamed("int number = 1;"), unnamed("int text = 0;"))

    def test_what_the_other_one_includes_declares(self):
        shape = '#include "shape.hpp"\nint rondo::Shape::size() const { return 1; }\n'
        self.assert_apart(unnamed("struct Shape {};"), shape)
        self.assert_apart(shape, unnamed("int size_of(int);"))
        self.assert_together(unnamed("int size(int);"), shape)

    def test_what_the_other_one_calls(self):
        own = unnamed("int close(long);")
        self.assert_apart(own, "void end(int file) { close(file); }\n")
        self.assert_together(own, "void end(int file) { ::close(file); }\n")
        self.assert_together(own, "void end(File& file) { file.close(1); }\n")

    def test_what_hides_a_name_is_no_obstacle(self):
        self.assert_together(unnamed("constexpr int channel = 1;"),
                             "int next(int channel) { return channel + 1; }\n")
        self.assert_together(unnamed("struct A { int number; };\nint f() { int text = 0; }"),
                             unnamed("int text = 0; int number = 1;"))

    def test_comments_and_texts_say_nothing(self):
        self.assert_together(unnamed("// int number;\nauto a = \"int number;\";"),
                             unnamed("int number = 0;"))

    def test_groups_have_an_end(self):
        self.assertEqual([len(members) for members in self.groups_of(*["\n"] * 30)],
                         [groups.MOST_FILES, groups.MOST_FILES, 30 - 2 * groups.MOST_FILES])


if __name__ == "__main__":
    unittest.main()
