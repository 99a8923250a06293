# SPDX-License-Identifier: Apache-2.0
"""Side by side with keepalived, in short: the order of the two, with room for a busy machine. `make peers` measures."""

import functools
import sys
import unittest

from measure import Figures
from peers import run

# Long enough for the lease of an agent that was killed together with its guard, and for the other target after it.
WINDOW_S = 9.0
# Of what one program took, the other must take this part at most.
CLEARLY = 0.5
# A busy machine may add so much to the time without an answer.
ROOM_MS = 1000


class SideBySide(unittest.TestCase):
    """The same fault of the host that has the address."""

    @staticmethod
    @functools.lru_cache
    def measured(case: str, peer: str) -> Figures:
        return run([case], [peer], 1, lambda line: print(line, file=sys.stderr), WINDOW_S)[case, peer][0]

    def compare(self, case: str, standin: str = "standin"):
        """How long two answered, theirs and ours; how long nobody did, theirs and ours."""
        theirs, ours = self.measured(case, "keepalived"), self.measured(case, standin)
        self.assertNotIn(" and ", ours.end, "exactly one answers in the end")
        self.assertNotEqual(ours.end, "nobody")
        return theirs.two_ms, ours.two_ms, theirs.none_ms, ours.none_ms

    def test_killed(self) -> None:
        """kill -9 of all that belongs to it: with keepalived both answer for ever, here never."""
        their_two, our_two, _, our_none = self.compare("kill-all")
        self.assertLess(our_two, their_two * CLEARLY)
        self.assertLess(our_none, their_two, "nobody answers for less long than two do there")

    def test_frozen(self) -> None:
        """SIGSTOP for 5 s: with keepalived both answer for as long."""
        their_two, our_two, _, our_none = self.compare("freeze-holder-all")
        self.assertLess(our_two, their_two * CLEARLY)
        self.assertLess(our_none, their_two)

    def test_the_watcher_is_frozen(self) -> None:
        """SIGSTOP of the other one for 5 s: nothing happens."""
        _, our_two, _, our_none = self.compare("freeze-watcher")
        self.assertEqual((our_two, our_none), (0, 0))

    def test_cut_off(self) -> None:
        """Cut off for 5 s, and back: two answer no longer than there, and the other is as quick to stand in."""
        their_two, our_two, their_none, our_none = self.compare("partition")
        self.assertLess(our_two, their_two + ROOM_MS)
        self.assertLess(our_none, their_none + ROOM_MS)

    def test_a_source_with_nothing_installed_is_cut_off(self) -> None:
        """The same of a plain host, which no program of the other kind can protect."""
        their_two, our_two, their_none, our_none = self.compare("partition", "standin (source)")
        self.assertLess(our_two, their_two + ROOM_MS)
        self.assertLess(our_none, their_none + ROOM_MS)


if __name__ == "__main__":
    unittest.main(verbosity=2)
