# SPDX-License-Identifier: Apache-2.0
"""Thousands of addresses of one source NIC, at a short interval."""

import collections
import time
import unittest
from typing import Dict, List

from agent import Agent
from lan import Lan
from story import main
from wire import Capture

ADDRESSES = 5000
PATIENCE_S = 60
OTHER = "10.1.201.1"
TOLD = "cannot ask 5000 addresses as often as the file says"


def addresses() -> List[str]:
    return [f"10.1.{1 + i // 250}.{1 + i % 250}" for i in range(ADDRESSES)]


class Base(unittest.TestCase):
    """A source with thousands of addresses, and its target."""

    def setUp(self) -> None:
        self.lan = Lan()
        self.addCleanup(self.lan.close)
        self.source = self.lan.host("web1").nic("eth0", "10.1.0.1/16").host
        self.source.batch("route add local 10.1.0.0/17 dev eth0 table local")
        self.target = self.lan.host("spare").nic("eth0", "10.1.200.1/16").host
        self.lan.host("gateway").nic("eth0", "10.1.200.2/16")

    def watch(self, rest: str, others: str = "") -> Agent:
        lines = "\n".join(f"{a}/16 dev eth0 {rest if i else ''}" for i, a in enumerate(addresses()))
        agent = Agent(self.target, "defaults { interval 10ms; misses 3 }\nwitness 10.1.200.2\n"
                                   f"source web1 {{ nic eth0 {{\n{lines}\n}} }}\n{others}")
        agent.wait_state("web1/eth0", "up", timeout_s=PATIENCE_S)
        time.sleep(1)
        return agent

    def held(self) -> int:
        """On the target NIC and on NICs of the agent's own."""
        return self.target.ip("-o", "-4", "addr", "show").count(" 10.1.") - 1

    def lose(self, agent: Agent) -> None:
        """The source dies, and all that it had is taken over. Nothing was, as long as it lived."""
        self.assertEqual(self.held(), 0)
        self.source.crash_silently()
        end = time.monotonic() + PATIENCE_S
        while self.held() < ADDRESSES:
            self.assertLess(time.monotonic(), end, f"{self.held()} of {ADDRESSES} are held\n{agent.log()[-4000:]}")
            time.sleep(0.1)
        agent.wait_state("web1/eth0", "holding", timeout_s=PATIENCE_S)


class Thousands(Base):
    """However long its own work takes, the agent comes to its verdict."""

    def test_one_is_probed_and_all_are_asked_for_by_verify(self) -> None:
        self.lose(self.watch("{ monitor no }"))

    def test_more_are_probed_than_can_be_in_an_interval(self) -> None:
        agent = self.watch("")
        # People are told, once, and nothing else comes of it.
        agent.wait_log(TOLD)
        self.lose(agent)
        self.assertEqual(agent.log().count(TOLD), 1)


class Others(Base):
    """Another source, while thousands are claimed."""

    def setUp(self) -> None:
        super().setUp()
        self.other = self.lan.host("web2").nic("eth0", f"{OTHER}/16").host
        self.agent = self.watch("{ monitor no }", "source web2 { interval 20ms; misses 5\n"
                                f"nic eth0 {{ {OTHER}/16 dev eth0 }} }}\n")
        self.agent.wait_state("web2/eth0", "up", timeout_s=PATIENCE_S)

    def test_it_is_probed_meanwhile(self) -> None:
        """Rounds go on, and each is answered."""
        with Capture(self.other.nic("eth0"), lambda frame: OTHER in (frame.dst, frame.src)) as capture:
            begin = time.monotonic()
            time.sleep(1)
            quiet = len(capture.of("arp-request")) / (time.monotonic() - begin)
            before, begin = len(capture.of("arp-request")), time.monotonic()
            self.lose(self.agent)
            rounds = len(capture.of("arp-request")) - before
            busy = rounds / (time.monotonic() - begin)
        print(f"# rounds a second: {quiet:.1f}, while thousands are claimed {busy:.1f}")
        self.assertEqual(self.agent.nic("web2/eth0")["state"], "up")
        self.assertGreater(busy, quiet / 2)
        # The last one may have come when the capture ended.
        self.assertGreaterEqual(len(capture.of("arp-reply", src=OTHER)), len(capture.of("arp-request")) - 1)

    def test_it_dies_meanwhile(self) -> None:
        """It is found, and announced before the thousands are announced again."""
        with Capture(self.target.nic("eth0"), lambda frame: frame.kind == "arp-announcement") as capture:
            self.source.crash_silently()
            self.other.crash_silently()
            self.agent.wait_state("web2/eth0", "holding", timeout_s=PATIENCE_S)
            end = time.monotonic() + PATIENCE_S
            while len(self.announced_again(capture)) < ADDRESSES and time.monotonic() < end:
                time.sleep(0.1)
        again = self.announced_again(capture)
        first = next(i for i, s in enumerate(capture.seen) if s.frame.src == OTHER)
        print(f"# announced before {sum(at > first for at in again)} of {len(again)} second copies")
        self.assertEqual(len(again), ADDRESSES)
        self.assertLess(first, again[-1])

    @staticmethod
    def announced_again(capture: Capture) -> List[int]:
        """Where second copies stand among all announcements."""
        count: Dict[str, int] = collections.Counter()
        places = []
        for place, seen in enumerate(list(capture.seen)):
            count[seen.frame.src] += 1
            if count[seen.frame.src] == 2 and seen.frame.src != OTHER:
                places.append(place)
        return places


if __name__ == "__main__":
    main()
