# SPDX-License-Identifier: Apache-2.0
"""The stage of every story: a LAN with a source, a target, a client and a gateway; agents; what is asked of them."""

import sys
import time
import unittest
from typing import List

import agent
from agent import Agent, AgentError, held_on
from lan import Host, Lan, LanError

# Time for something not to happen: many times what the agent needs for it at the pace of `ipmap`.
QUIET_S = 1.5
INTERVAL_MS = 20

V4, V6 = "192.0.2.10", "2001:db8::10"
GATEWAY, GATEWAY6 = "192.0.2.1", "2001:db8::1"


def ipmap(body: str = "192.0.2.10/24 dev eth0", *, source: str = "", top: str = f"witness {GATEWAY}",
          interval_ms: int = INTERVAL_MS, misses: int = 3) -> str:
    """
    An ipmap of one source NIC, web1/eth0, at a quick pace. body: statements of the nic; source: of the source; top: of
    the file.
    """
    return (f"defaults {{ interval {interval_ms}ms; misses {misses} }}\n{top}\n"
            f"source web1 {{\n{source}\nnic eth0 {{\n{body}\n}}\n}}\n")


class Story(unittest.TestCase):
    """A test on a LAN of its own; what the agents said is shown when it fails."""

    def setUp(self) -> None:
        try:
            self.lan = Lan()
        except LanError as error:
            self.skipTest(str(error))
        self.addCleanup(self.lan.close)
        self.agents: List[Agent] = []
        self.source = self.lan.host("web1")
        self.target = self.lan.host("spare")
        self.client = self.lan.host("client")
        self.gateway = self.lan.host("gateway")
        self.source.nic("eth0", f"{V4}/24", f"{V6}/64")
        self.target.nic("eth0", "192.0.2.20/24", "2001:db8::20/64")
        self.client.nic("eth0", "192.0.2.50/24", "2001:db8::50/64")
        self.gateway.nic("eth0", f"{GATEWAY}/24", f"{GATEWAY6}/64")

    def run(self, result=None):
        """As usual, and after a failure what the agents have to say about it."""
        result = result or self.defaultTestResult()
        before = len(result.failures) + len(result.errors)
        self.stories: List[str] = []
        super().run(result)
        if len(result.failures) + len(result.errors) > before:
            print(f"\n=== {self.id()}", *self.stories, sep="\n", file=sys.stderr)
        return result

    def tearDown(self) -> None:
        self.stories = [agent.story() for agent in self.agents]

    def agent(self, conf: str = "", host: Host = None, **options) -> Agent:
        """Starts an agent, on the target where no host is named."""
        made = Agent(host or self.target, conf or ipmap(), **options)
        self.agents.append(made)
        return made

    def watching(self, conf: str = "", name: str = "web1/eth0") -> Agent:
        """An agent that has seen its source alive."""
        made = self.agent(conf)
        made.wait_state(name, "up")
        return made

    def holding(self, conf: str = "", name: str = "web1/eth0") -> Agent:
        """An agent that stands in for a source that crashed silently."""
        made = self.watching(conf, name)
        self.source.crash_silently()
        made.wait_state(name, "holding")
        return made

    def source_mac(self) -> str:
        return self.source.nic("eth0").mac

    def target_mac(self) -> str:
        return self.target.nic("eth0").mac

    def assert_held(self, *addresses: str, host: Host = None) -> None:
        """The kernel of the target has them, whatever the agent says."""
        have = [a.split("/")[0] for a in held_on(host or self.target)]
        for address in addresses:
            self.assertIn(address, have)

    def assert_not_held(self, *addresses: str, host: Host = None) -> None:
        have = [a.split("/")[0] for a in held_on(host or self.target)]
        for address in addresses:
            self.assertNotIn(address, have)

    def assert_never_held(self, *addresses: str, seconds: float = QUIET_S) -> None:
        """For so long, the target does not take any of them."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            self.assert_not_held(*addresses)
            time.sleep(0.02)

    def wait_until(self, condition, what: str, timeout_s: float = 15) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise AgentError(f"waited {timeout_s} s in vain: {what}")
            time.sleep(0.01)


def main() -> None:
    """What every file of stories runs when it is called by itself."""
    unittest.main(verbosity=2)


__all__ = ["Story", "Agent", "AgentError", "held_on", "ipmap", "main", "agent", "V4", "V6", "GATEWAY", "GATEWAY6",
           "QUIET_S"]
