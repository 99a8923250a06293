# SPDX-License-Identifier: Apache-2.0
"""Thousands of addresses on one NIC: claimed, announced, given back, while everything else goes on."""

import collections
import time
import unittest

from agent import Agent, AgentError, held_on
from lan import Lan
from story import ipmap, main
from wire import Capture

N = 2000
FIRST, LAST = "10.9.0.1", "10.9.7.250"
# A busy machine does keep the agent waiting, now and then.
BUSY_STALLS = 5


class Many(unittest.TestCase):
    """A source with 2,000 addresses, and another one beside it."""

    def setUp(self) -> None:
        self.lan = Lan()
        self.addCleanup(self.lan.close)
        self.addresses = [f"10.9.{i // 250}.{i % 250 + 1}" for i in range(N)]
        self.source = self.lan.host("web1").nic("eth0", "10.9.200.3/16").host
        # The host has them all; the agent watches the first and the last of them.
        self.source.batch(*(f"route add local {a} dev eth0 table local" for a in self.addresses))
        self.lan.host("web2").nic("eth0", "10.9.210.1/16")
        self.client = self.lan.host("client").nic("eth0", "10.9.200.4/16").host
        self.target = self.lan.host("spare").nic("eth0", "10.9.200.1/16").host
        gateway = self.lan.host("gateway").nic("eth0", "10.9.200.2/16")
        # The kernel of this machine has one neighbour table for all hosts here, too small for thousands.
        for what in ("arp saddr ip 10.9.0.0/21", "ip saddr 10.9.0.0/21"):
            gateway.drop_incoming(what=what)
        lines = "\n".join(f"{a}/16 dev eth0" + ("" if a in (FIRST, LAST) else " { monitor no }")
                          for a in self.addresses)
        other = "source web2 { nic eth0 { 10.9.210.1/16 dev eth0 } }\n"
        self.agent = Agent(self.target, other + ipmap(lines, top="witness 10.9.200.2"))
        self.agent.wait_state("web1/eth0", "up")
        self.agent.wait_state("web2/eth0", "up")

    def run(self, result=None):
        """As usual, and after a failure what the agent said."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and hasattr(self, "agent"):
            print(self.said)
        return result

    def tearDown(self) -> None:
        self.said = self.agent.log()

    def wait_held(self, number: int) -> None:
        """Until the target has so many of them, without asking the agent, which has enough to do."""
        end = time.monotonic() + 60
        while sum(a.split("/")[0] in self.wanted for a in held_on(self.target)) != number:
            if time.monotonic() > end:
                raise AgentError(f"not {number} addresses held after 60 s")
            time.sleep(0.05)

    def assert_first_copies_first(self, told) -> None:
        """
        Nothing is announced again before all are announced, but for a kernel that takes longer than a second for its
        part.
        """
        copies = collections.Counter()
        first, again = [], []
        for seen in told:
            copies[seen.frame.src] += 1
            (first if copies[seen.frame.src] == 1 else again).append(seen.at)
        self.assertEqual(len(first), N)
        self.assertGreaterEqual(len(again), N)
        early = [at for at in again if at < first[-1]]
        self.assertGreaterEqual(min(early, default=first[0] + 1), first[0] + 0.95)

    def test_takeover_and_failback(self) -> None:
        """All are claimed and announced, those in use first; then all go, and nobody takes that for a hang."""
        self.wanted = set(self.addresses)
        with Capture(self.client.nic("eth0"), lambda frame: frame.src in self.wanted) as seen:
            self.source.crash_silently()
            self.wait_held(N)
            time.sleep(1)
        told = seen.of("arp-announcement", mac=self.target.nic("eth0").mac)
        order = list(dict.fromkeys(s.frame.src for s in told))
        self.assertEqual(len(order), N)
        self.assertEqual(order[:2], [FIRST, LAST])
        self.assert_first_copies_first(told)
        for address in (FIRST, LAST, self.addresses[N // 2]):
            self.assertTrue(self.client.ping(address, count=5), address)
        before = self.agent.nic("web2/eth0")["addresses"][0]["rounds"]
        self.assertEqual(self.agent.ask("failback", source="web1")["ok"], True)
        self.wait_held(0)
        report = self.agent.status()
        self.assertEqual(self.agent.nic("web2/eth0", report)["state"], "up")
        self.assertGreater(self.agent.nic("web2/eth0", report)["addresses"][0]["rounds"], before)
        # Neither a guard that took the work for a hang, nor waits that were none: there would be one a batch.
        self.assertNotIn("its guard took", self.agent.log())
        self.assertLess(report["agent"]["stalls"], BUSY_STALLS)

    def test_a_large_answer_does_not_stop_the_rounds(self) -> None:
        """A status that goes out in many pieces: probes go on."""
        def rounds() -> int:
            return self.agent.nic("web2/eth0")["addresses"][0]["rounds"]
        first = rounds()
        self.agent.wait_for(lambda r: self.agent.nic("web2/eth0", r)["addresses"][0]["rounds"] > first + 20,
                            what="rounds go on")


if __name__ == "__main__":
    main()
