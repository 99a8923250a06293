# SPDX-License-Identifier: Apache-2.0
"""The part of the chaos that `make check` runs, and whether those who judge it can find a fault at all."""

import os
import random
import subprocess
import sys
import time
import unittest

from judge import GOOD_WHILE_S, Judge
from schedule import draw_episode
from truth import Truth
from world import Lan, World

SECONDS, LANS = 75, 3


class Chaos(unittest.TestCase):
    """Random faults."""

    def test_for_a_while(self) -> None:
        """Some LANs at once. SEED=n plays the same faults; it is printed."""
        program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "chaos.py")
        done = subprocess.run([sys.executable, program, "--seconds", str(SECONDS), "--lans", str(LANS)], check=False,
                              stdout=subprocess.PIPE, text=True)
        print(done.stdout, file=sys.stderr)
        self.assertEqual(done.returncode, 0)


class Judges(unittest.TestCase):
    """What is wrong is found."""

    def setUp(self) -> None:
        lan = Lan()
        self.addCleanup(lan.close)
        self.world = World(lan, "manual")
        self.judge = Judge(self.world)
        self.assertIsNotNone(self.judge.settles({"web1"}, "at the beginning", time.monotonic()))

    def test_a_claim_from_a_living_source(self) -> None:
        """An address that a target takes while the source is within reach."""
        time.sleep(GOOD_WHILE_S)
        self.world.hosts["spare"].nic("eth0").address("192.0.2.10/32")
        time.sleep(1)
        self.judge.claims()
        self.assertIn("spare claimed 192.0.2.10", " ".join(self.judge.wrong))

    def test_two_answer(self) -> None:
        """Two hosts that answer for one address have not settled."""
        self.world.hosts["rival"].nic("eth0").address("192.0.2.10/32")
        time.sleep(1)
        good, seen = self.judge.state({"web1"}, time.monotonic())
        self.assertFalse(good, seen)
        self.assertIn("rival and web1", seen)

    def test_a_foreign_address_is_missing(self) -> None:
        """What is not the source's must stay, and not go even for a moment."""
        nic = self.world.hosts["spare"].nic("eth0")
        nic.remove_address("198.51.100.7/32")
        nic.address("198.51.100.7/32")
        time.sleep(0.5)
        self.judge.foreign()
        self.assertIn("spare was without 198.51.100.7/32 for a while", self.judge.wrong)

    def test_left_behind(self) -> None:
        """An address that outlives the agents."""
        self.world.hosts["spare"].nic("eth0").address("192.0.2.10/32")
        self.judge.nothing_left(0.5)
        self.assertTrue(self.judge.wrong)


class Schedules(unittest.TestCase):
    """What a seed draws."""

    def test_a_seed_repeats(self) -> None:
        """The same seed draws the same episodes."""
        first, second = ([draw_episode(rng) for _ in range(20)] for rng in (random.Random(7), random.Random(7)))
        self.assertEqual(first, second)

    def test_reach(self) -> None:
        """A cut that ended is no reach through it, and a claim is judged by the whole while."""
        truth = Truth(("spare",))
        began = time.monotonic()
        truth.begins("web1", "partition")
        truth.ends("web1", "partition")
        self.assertFalse(truth.reachable_through("spare", began, time.monotonic()))
        self.assertTrue(truth.reachable_through("spare", time.monotonic(), time.monotonic() + 1))


if __name__ == "__main__":
    unittest.main(verbosity=2)
