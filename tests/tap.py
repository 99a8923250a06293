# SPDX-License-Identifier: Apache-2.0
"""Test results as TAP lines (https://testanything.org): writing them for unittest, and reading them from anybody."""

import importlib.util
import os
import pathlib
import re
import sys
import unittest

RESULT = re.compile(r"^(not )?ok\b *(\d+)?(?: *- *)?(.*)$")
PLAN = re.compile(r"^1\.\.(\d+)")
SKIP = re.compile(r"# *SKIP\b *(.*)$", re.IGNORECASE)


class Tally:
    """What the TAP lines of one program add up to."""

    def __init__(self):
        self.passed = 0
        self.failed = []   # names
        self.skipped = []  # reasons
        self.planned = 0   # tests announced, over all plans

    def read(self, text):
        """Counts every result in `text`. A skip counts as such, whichever word stands before it."""
        for line in text.splitlines():
            plan = PLAN.match(line)
            if plan:
                self.planned += int(plan.group(1))
            result = RESULT.match(line)
            if not result:
                continue
            wrong, _number, name = result.groups()
            skip = SKIP.search(name)
            if skip:
                self.skipped.append(skip.group(1) or "no reason given")
            elif wrong:
                self.failed.append(name.strip())
            else:
                self.passed += 1

    def settle(self, status):
        """Adds what no line said: tests that never ran, a program that ended badly, or that tested nothing."""
        results = self.passed + len(self.failed) + len(self.skipped)
        if status < 0:
            self.failed.append(f"killed by signal {-status}")
        elif status != 0 and not self.failed:
            self.failed.append(f"exit status {status}")
        if results < self.planned:
            self.failed.append(f"{self.planned - results} of {self.planned} tests did not run")
        if results == 0 and not self.failed:
            self.failed.append("there is no test in it")


class TapResult(unittest.TestResult):
    """Writes each result of a unittest suite as one TAP line; what failed is explained in comments."""

    def __init__(self, out):
        super().__init__()
        self.out = out
        self.count = 0

    def write(self, word, test, note=""):
        self.count += 1
        name = test.id().replace("#", "")
        self.out.write(f"{word} {self.count} - {name}{note}\n")
        self.out.flush()

    def wrong(self, test, error):
        self.write("not ok", test)
        for line in self._exc_info_to_string(error, test).splitlines():
            self.out.write(f"#   {line}\n")

    def addSuccess(self, test):
        super().addSuccess(test)
        self.write("ok", test)

    def addError(self, test, err):
        super().addError(test, err)
        self.wrong(test, err)

    def addFailure(self, test, err):
        super().addFailure(test, err)
        self.wrong(test, err)

    def addSubTest(self, test, subtest, err):
        super().addSubTest(test, subtest, err)
        if err is not None:
            self.wrong(subtest, err)

    def addSkip(self, test, reason):
        super().addSkip(test, reason)
        self.write("ok", test, f" # SKIP {reason}")

    def addExpectedFailure(self, test, err):
        super().addExpectedFailure(test, err)
        self.write("ok", test)

    def addUnexpectedSuccess(self, test):
        super().addUnexpectedSuccess(test)
        self.write("not ok", test)


def run_unittest_file(path):
    """Runs the unittests of one file, TAP on standard output; what the tests print themselves goes to stderr."""
    with os.fdopen(os.dup(1), "w", encoding="utf-8") as out:
        os.dup2(2, 1)
        sys.path.insert(0, str(pathlib.Path(path).resolve().parent))
        spec = importlib.util.spec_from_file_location(pathlib.Path(path).stem, path)
        module = importlib.util.module_from_spec(spec)
        sys.modules[spec.name] = module
        spec.loader.exec_module(module)
        result = TapResult(out)
        unittest.defaultTestLoader.loadTestsFromModule(module).run(result)
        return 0 if result.wasSuccessful() else 1


if __name__ == "__main__":
    sys.exit(run_unittest_file(sys.argv[1]))
