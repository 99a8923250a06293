# SPDX-License-Identifier: Apache-2.0
"""Thousands of addresses of one source NIC, at a short interval."""

import time
import unittest
from typing import List

from agent import Agent
from lan import Lan
from story import main

ADDRESSES = 5000
PATIENCE_S = 60
TOLD = "cannot ask 5000 addresses as often as the file says"


def addresses() -> List[str]:
    return [f"10.1.{1 + i // 250}.{1 + i % 250}" for i in range(ADDRESSES)]


class Thousands(unittest.TestCase):
    """However long its own work takes, the agent comes to its verdict."""

    def setUp(self) -> None:
        self.lan = Lan()
        self.addCleanup(self.lan.close)
        self.source = self.lan.host("web1").nic("eth0", "10.1.0.1/16").host
        self.source.batch("route add local 10.1.0.0/17 dev eth0 table local")
        self.target = self.lan.host("spare").nic("eth0", "10.1.200.1/16").host
        self.lan.host("gateway").nic("eth0", "10.1.200.2/16")

    def watch(self, rest: str) -> Agent:
        lines = "\n".join(f"{a}/16 dev eth0 {rest if i else ''}" for i, a in enumerate(addresses()))
        agent = Agent(self.target, "defaults { interval 10ms; misses 3 }\nwitness 10.1.200.2\n"
                                   f"source web1 {{ nic eth0 {{\n{lines}\n}} }}\n")
        agent.wait_state("web1/eth0", "up", timeout_s=PATIENCE_S)
        time.sleep(1)
        return agent

    def held(self) -> int:
        return len(self.target.nic("eth0").addresses()) - 1

    def lose(self, agent: Agent) -> None:
        """The source dies, and all that it had is taken over. Nothing was, as long as it lived."""
        self.assertEqual(self.held(), 0)
        self.source.crash_silently()
        end = time.monotonic() + PATIENCE_S
        while self.held() < ADDRESSES:
            self.assertLess(time.monotonic(), end, f"{self.held()} of {ADDRESSES} are held\n{agent.log()[-4000:]}")
            time.sleep(0.1)
        agent.wait_state("web1/eth0", "holding", timeout_s=PATIENCE_S)

    def test_one_is_probed_and_all_are_asked_for_by_verify(self) -> None:
        self.lose(self.watch("{ monitor no }"))

    def test_more_are_probed_than_can_be_in_an_interval(self) -> None:
        agent = self.watch("")
        # People are told, once, and nothing else comes of it.
        agent.wait_log(TOLD)
        self.lose(agent)
        self.assertEqual(agent.log().count(TOLD), 1)


if __name__ == "__main__":
    main()
