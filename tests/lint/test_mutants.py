# SPDX-License-Identifier: Apache-2.0
"""What mutants break stands in the sources, each text once: else a change has made one void without a word."""

import os
import sys
import unittest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "mutants"))

from mutants import MUTANTS  # noqa: E402


class Texts(unittest.TestCase):
    """Looked at without building anything."""

    def test_each_stands_once(self) -> None:
        for mutant in MUTANTS:
            with open(os.path.join(ROOT, mutant.file), encoding="utf-8") as file:
                self.assertEqual(file.read().count(mutant.old), 1, mutant.name)

    def test_names_differ(self) -> None:
        self.assertEqual(len({mutant.name for mutant in MUTANTS}), len(MUTANTS))


if __name__ == "__main__":
    unittest.main()
