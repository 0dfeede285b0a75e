#!/usr/bin/env python3
"""Shows that each rule finds what it is there for, and lets good code pass."""

import unittest

import rules


def found(rule, path, text):
    return [line for line, _ in rules.RULES[rule](path, text)]


class RulesTest(unittest.TestCase):
    def test_every_rule_has_a_test(self):
        tested = {name.removeprefix("test_").replace("_", " ") for name in dir(self)}
        self.assertEqual(set(rules.RULES) - tested, set())

    def test_layering(self):
        upward = '#pragma once\n#include "execute/engine.hpp"\n'
        self.assertEqual(found("layering", "src/schedule/a.hpp", upward), [2])
        self.assertEqual(found("layering", "src/api/a.hpp", upward), [])
        self.assertEqual(found("layering", "src/execute/a.hpp", upward), [])
        self.assertEqual(found("layering", "src/bind/a.cpp", upward), [2])
        self.assertEqual(found("layering", "include/rondo/a.hpp", upward), [2])
        self.assertEqual(found("layering", "examples/a.cpp", upward), [2])
        self.assertEqual(found("layering", "src/other/a.cpp", ""), [1])
        self.assertEqual(found("layering", "src/base/strings.hpp", "#pragma once\n"), [1])
        self.assertEqual(found("layering", "src/base/text.cpp", '#include "base/text.hpp"\n'), [])
        self.assertEqual(found("layering", "src/api/a.cpp", '#include "state.hpp"\n'), [1])
        self.assertEqual(found("layering", "src/bind/a.cpp", '#include "rondo/types.hpp"\n'), [])
        self.assertEqual(found("layering", "src/bind/a.cpp", '#include "bind/drop_in/b.hpp"\n'), [])

    def test_purity(self):
        for header in ("<thread>", "<mutex>", "<chrono>", "<sys/socket.h>", "<unistd.h>"):
            text = f"#include <vector>\n#include {header}\n"
            self.assertEqual(found("purity", "src/plan/a.cpp", text), [2])
            self.assertEqual(found("purity", "src/execute/a.cpp", text), [])
        for header in ("transport", "communicator", "work", "rondo"):
            text = f'#pragma once\n#include "rondo/schedule.hpp"\n#include "rondo/{header}.hpp"\n'
            for layer in rules.PURE:
                self.assertEqual(found("purity", f"src/{layer}/a.hpp", text), [3])
            self.assertEqual(found("purity", "src/transport/a.hpp", text), [])
        self.assertEqual(found("purity", "src/base/a.cpp", 'auto a = std::getenv("A");\n'), [1])
        self.assertEqual(found("purity", "src/base/a.cpp", '// getenv\nauto a = "getenv";\n'), [])
        descriptor = '#include "base/descriptor.hpp"\n#include <unistd.h>\n'
        self.assertEqual(found("purity", "src/base/descriptor.cpp", descriptor), [])
        self.assertEqual(found("purity", "src/base/text.cpp", descriptor), [2])
        self.assertEqual(found("purity", "src/plan/a.cpp", descriptor), [1, 2])
        self.assertEqual(found("purity", "src/cli/a.cpp", descriptor), [])
        sockets = "#include <sys/socket.h>\n"
        self.assertEqual(found("purity", "src/base/descriptor.cpp", sockets), [1])
        for header in ("<hwloc.h>", "<hwloc/distances.h>"):
            text = f"#include {header}\n"
            self.assertEqual(found("purity", rules.DISCOVERY[0], text), [])
            self.assertEqual(found("purity", rules.DISCOVERY[1], text), [1])
            self.assertEqual(found("purity", "src/topology/a.cpp", text), [1])
            self.assertEqual(found("purity", "src/execute/a.cpp", text), [1])
        for path in rules.DISCOVERY:
            self.assertEqual(found("purity", path, "#include <fstream>\n"), [])

    def test_cuda(self):
        for header in ("<cuda_runtime.h>", "<cuda.h>", '"cuda_runtime_api.h"'):
            text = f"#include <vector>\n#include {header}\n"
            self.assertEqual(found("cuda", "src/device/a.cpp", text), [2])
            self.assertEqual(found("cuda", "tests/device/a.cpp", text), [2])
            self.assertEqual(found("cuda", "cuda/a.cpp", text), [])
            self.assertEqual(found("cuda", "examples/a.cu", text), [])
            self.assertEqual(found("cuda", "examples/a.cuh", text), [])
            self.assertEqual(found("cuda", "examples/a.hpp", text), [2])
        self.assertEqual(found("cuda", "src/api/a.cpp", '#include "rondo/cuda.hpp"\n'), [])
        self.assertEqual(found("layering", "cuda/a.cpp", '#include "execute/engine.hpp"\n'), [1])
        for fine in ("cuda/driver.hpp", "device/runtime.hpp", "base/text.hpp", "rondo/error.hpp"):
            self.assertEqual(found("layering", "cuda/a.cpp", f'#include "{fine}"\n'), [])
        self.assertEqual(found("layering", "src/plan/a.cpp", '#include "device/runtime.hpp"\n'),
                         [1])
        self.assertEqual(found("layering", "src/transport/a.cpp",
                               '#include "device/runtime.hpp"\n'), [])

    def test_names(self):
        for path in ("src/util/a.cpp", "src/api/helpers.hpp", "tests/common/b.cpp"):
            self.assertEqual(found("names", path, ""), [1])
        self.assertEqual(found("names", "src/base/text.hpp", ""), [])

    def test_file_length(self):
        self.assertEqual(found("file length", "src/a.cpp", "\n" * 501), [1])
        self.assertEqual(found("file length", "src/a.cpp", "\n" * 500), [])

    def test_function_length(self):
        def function(head, lines):
            return "namespace rondo {\n\n" + head + " {\n" + "  f();\n" * (lines - 2) + "}\n}\n"

        for head in ("void f(int a)", "A::A(int a) : a_{a}, b_(1)", "int A::g() const noexcept",
                     "struct B f(const struct A& a)", "TEST(Suite, Name)"):
            self.assertEqual(found("function length", "src/a.cpp", function(head, 71)), [3], head)
            self.assertEqual(found("function length", "src/a.cpp", function(head, 70)), [], head)
        method = "class A {\n public:\n" + function("int f()", 71).split("\n", 2)[2] + ";\n"
        self.assertEqual(found("function length", "src/a.cpp", method), [3])
        struct = "struct [[gnu::visibility(\"hidden\")]] A {\n" + "  int a;\n" * 90 + "};\n"
        self.assertEqual(found("function length", "src/a.cpp", struct), [])
        texts = "void f() {\n  g('{', \"{{\", 1'000'000);  // {\n}\nint a;\n" + "int b;\n" * 90
        self.assertEqual(found("function length", "src/a.cpp", texts), [])

    def test_columns(self):
        self.assertEqual(found("columns", "src/a.cpp", "\n" + "x" * 101 + "\n"), [2])
        self.assertEqual(found("columns", "src/a.cpp", "\n" + "x" * 100 + "\n"), [])
        self.assertEqual(found("columns", "src/a.cpp", "x \n"), [1])

    def test_promises(self):
        self.assertEqual(found("promises", "src/a.cpp", "\n// TO" "DO: later\n"), [2])
        self.assertEqual(found("promises", "src/a.cpp", "// to do nothing\n"), [])

    def test_pragma_once(self):
        self.assertEqual(found("pragma once", "src/a.hpp", "// hello\n#pragma once\n"), [1])
        self.assertEqual(found("pragma once", "src/a.hpp", "#pragma once\n"), [])
        self.assertEqual(found("pragma once", "src/a.cpp", "int a;\n"), [])

    def test_exit(self):
        for call in ("std::exit(1)", "::_exit(1)", "exit(1)", "abort()", "std::terminate()",
                     "assert(a)"):
            text = "void f() {\n  " + call + ";\n}\n"
            self.assertEqual(found("exit", "src/api/a.cpp", text), [2], call)
            self.assertEqual(found("exit", "src/cli/a.cpp", text), [], call)
        for fine in ("engine.abort()", "comm->abort(reason)", "// exit(1)", "static_assert(a)"):
            text = "void f() {\n  " + fine + ";\n}\n"
            self.assertEqual(found("exit", "src/api/a.cpp", text), [], fine)
        self.assertEqual(found("exit", "src/api/a.cpp", "void Engine::abort() {\n}\n"), [])


if __name__ == "__main__":
    unittest.main()
