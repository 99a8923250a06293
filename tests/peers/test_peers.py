# SPDX-License-Identifier: Apache-2.0
"""Side by side with keepalived, in short: the order of the two, and by how much. `make peers` measures."""

import functools
import sys
import unittest
from typing import Callable

from contenders import INTERVAL_MS
from measure import Figures
from peers import run

# Long enough for the lease of an agent that was killed together with its guard, and for the other target after it.
WINDOW_S = 9.0
# What a busy machine spoils is measured again; what is wrong is wrong each time.
TURNS = 3
# Where the other one answers twice for seconds: the part of its wrong time that ours may be.
CLEARLY = 0.1


class SideBySide(unittest.TestCase):
    """The same fault of the host that has the address."""

    @staticmethod
    @functools.lru_cache
    def measured(case: str, peer: str, turn: int) -> Figures:
        return run([case], [peer], 1, lambda line: print(line, file=sys.stderr), WINDOW_S)[case, peer][0]

    def compare(self, case: str, wins: Callable[[Figures, Figures], bool], peer: str = "standin") -> None:
        """wins: says of theirs and ours whether it is as it should be; in one of some turns it is."""
        seen = []
        for turn in range(TURNS):
            theirs, ours = self.measured(case, "keepalived", turn), self.measured(case, peer, turn)
            self.assertNotIn(" and ", ours.end, "exactly one answers in the end")
            self.assertNotEqual(ours.end, "nobody")
            if wins(theirs, ours):
                return
            seen.append((theirs, ours))
        self.fail(f"{case}, keepalived and {peer}: {seen}")

    def alone(self, case: str, holds: Callable[[Figures], bool]) -> None:
        """Where the other one need not be asked: holds says of ours whether it is as it should be."""
        seen = []
        for turn in range(TURNS):
            ours = self.measured(case, "standin", turn)
            if holds(ours):
                return
            seen.append(ours)
        self.fail(f"{case}: {seen}")

    def test_the_daemon_is_killed(self) -> None:
        """kill -9 of the main process: the guard asks for the address that it took off, and the other one has it."""
        self.compare("kill-daemon", lambda theirs, ours: ours.two_ms <= theirs.two_ms and ours.none_ms < theirs.none_ms)

    def test_all_is_killed(self) -> None:
        """kill -9 of all that belongs to it: with keepalived both answer for ever, here never."""
        self.compare("kill-all", lambda theirs, ours: ours.two_ms == 0 and ours.wrong_ms < theirs.wrong_ms * CLEARLY)

    def test_the_daemon_is_frozen(self) -> None:
        """SIGSTOP of the main process for 5 s: nobody answers for less time than one round takes to follow another."""
        self.alone("freeze-holder", lambda ours: ours.two_ms == 0 and ours.none_ms < INTERVAL_MS)

    def test_all_is_frozen(self) -> None:
        """SIGSTOP of all for 5 s: with keepalived both answer for as long."""
        self.compare("freeze-holder-all",
                     lambda theirs, ours: ours.two_ms == 0 and ours.wrong_ms < theirs.wrong_ms * CLEARLY)

    def test_the_watcher_is_frozen(self) -> None:
        """SIGSTOP of the other one for 5 s: nothing happens."""
        self.alone("freeze-watcher", lambda ours: ours.wrong_ms == 0)

    def test_cut_off(self) -> None:
        """Cut off for 5 s, and back: the other is quicker to stand in, and the two settle it as quickly."""
        self.compare("partition", lambda theirs, ours: ours.wrong_ms < theirs.wrong_ms)

    def test_a_source_with_nothing_installed_is_cut_off(self) -> None:
        """The same of a plain host, which no program of the other kind can protect."""
        self.compare("partition", lambda theirs, ours: ours.wrong_ms < theirs.wrong_ms, "standin (source)")


if __name__ == "__main__":
    unittest.main(verbosity=2)
