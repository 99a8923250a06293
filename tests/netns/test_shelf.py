# SPDX-License-Identifier: Apache-2.0
"""Many IPv4 addresses for one target NIC lie on NICs of the agent's own, and nobody else can tell the difference."""

import collections
import os
import signal
import socket
import time
import unittest
from typing import Callable, Dict

from agent import Agent, AgentError
from lan import Lan
from story import ipmap, main

N = 600
# The first shelf takes 512 of them.
ADDRESSES = [f"10.9.{i // 250}.{i % 250 + 1}" for i in range(N)]
FIRST, LAST = ADDRESSES[0], ADDRESSES[-1]
OWN = "10.9.200.1"
GUARD_S = 3


class Shelf(unittest.TestCase):
    """A source with 600 addresses that its target stands in for."""

    strict = False
    lease_s = 60

    def setUp(self) -> None:
        self.lan = Lan()
        self.addCleanup(self.lan.close)
        source = self.lan.host("web1").nic("eth0", "10.9.200.3/16").host
        source.batch(*(f"route add local {a} dev eth0 table local" for a in ADDRESSES))
        self.client = self.lan.host("client").nic("eth0", "10.9.200.4/16").host
        self.target = self.lan.host("spare").nic("eth0", f"{OWN}/16").host
        if self.strict:
            self.target.sysctl("net.ipv4.conf.all.arp_ignore", 1)
        self.lan.host("gateway").nic("eth0", "10.9.200.2/16")
        self.agent = Agent(self.target, self.conf(ADDRESSES))
        self.agent.wait_state("web1/eth0", "up")
        source.crash_silently()
        self.agent.wait_state("web1/eth0", "holding")

    def conf(self, addresses) -> str:
        """The agent watches the first and the last of them."""
        lines = "\n".join(f"{a}/16 dev eth0" + ("" if a in (FIRST, LAST) else " { monitor no }") for a in addresses)
        return ipmap(lines, top=f"witness 10.9.200.2\nguard {GUARD_S}s", source=f"lease {self.lease_s}s")

    def run(self, result=None):
        """As usual, and after a failure what the agent said."""
        before = len(result.failures) + len(result.errors)
        super().run(result)
        if len(result.failures) + len(result.errors) > before and hasattr(self, "agent"):
            print(self.said)
        return result

    def tearDown(self) -> None:
        self.said = self.agent.log()

    def by_nic(self) -> Dict[str, int]:
        """How many of them each NIC of the target has."""
        wanted = set(ADDRESSES)
        found = collections.Counter()
        for line in self.target.ip("-o", "-4", "addr", "show").splitlines():
            words = line.split()
            if words[3].split("/")[0] in wanted:
                found[words[1].split("-")[1] if words[1].startswith("standin") else words[1]] += 1
        return dict(found)

    def shelves(self) -> int:
        return self.target.ip("-br", "link").count("standin")

    def shelf(self, number: int) -> str:
        names = (line.split()[0] for line in self.target.ip("-br", "link").splitlines())
        return next(name for name in names if name.startswith("standin") and name.endswith(f"-{number}"))

    def wait(self, condition: Callable[[], bool], what: str, seconds: float = 20) -> None:
        end = time.monotonic() + seconds
        while not condition():
            if time.monotonic() > end:
                raise AgentError(f"{what}: not after {seconds} s")
            time.sleep(0.05)

    def assert_own_is_there(self) -> None:
        self.assertIn(f"{OWN}/16", self.target.nic("eth0").addresses())

    def guard(self) -> int:
        return int(self.agent.status()["agent"]["guard"].split()[1].rstrip(","))


class OnShelves(Shelf):
    """The kernel is free to answer for them on the target NIC."""

    def test_they_serve(self) -> None:
        """ARP, ping, bind, and which source address is chosen: all as if they lay on the target NIC."""
        self.assertEqual(self.by_nic(), {"0": 512, "1": N - 512})
        for address in (FIRST, ADDRESSES[511], LAST):
            self.assertTrue(self.client.ping(address, count=3), address)
            self.assertEqual(self.client.neighbour(address), self.target.nic("eth0").mac)
        server = self.target.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        server.bind((LAST, 80))
        server.listen()
        caller = self.client.socket(socket.AF_INET, socket.SOCK_STREAM, 0)
        caller.settimeout(10)
        caller.connect((LAST, 80))
        accepted, peer = server.accept()
        self.assertEqual(peer[0], "10.9.200.4")
        for end in (accepted, caller, server):
            end.close()
        self.assertIn(f"src {OWN} ", self.target.ip("route", "get", "10.9.200.4"))
        held = self.agent.nic("web1/eth0")
        self.assertEqual([a["held_on"] for a in held["addresses"]], ["eth0"] * N)

    def test_failback(self) -> None:
        """They go, and nothing else."""
        self.assertEqual(self.agent.ask("failback", source="web1")["ok"], True)
        self.wait(lambda: not self.by_nic(), "all are gone")
        self.assert_own_is_there()
        self.assertEqual(self.agent.stop(), 0)
        self.wait(lambda: self.shelves() == 0, "the shelves are gone, too")

    def test_a_new_agent_adopts_them(self) -> None:
        """After kill -9: none is lost on the way, and none is left when they are given back."""
        self.agent.kill()
        self.agent.start()
        self.agent.wait_state("web1/eth0", "holding")
        self.assertEqual(self.by_nic(), {"0": 512, "1": N - 512})
        time.sleep(GUARD_S + 1)
        self.assertEqual(self.by_nic(), {"0": 512, "1": N - 512})
        self.assertEqual(self.agent.nic("web1/eth0")["state"], "holding")
        self.assertNotIn("released by the guard", self.agent.log())
        self.agent.ask("failback", source="web1")
        self.wait(lambda: not self.by_nic(), "all are gone")

    def test_who_takes_one_off(self) -> None:
        """It is put back, on the same shelf."""
        self.target.ip("addr", "del", f"{FIRST}/32", "dev", self.shelf(0))
        self.agent.wait_log(f"another program took {FIRST} off eth0")
        self.wait(lambda: self.by_nic() == {"0": 512, "1": N - 512}, "it is back")

    def test_who_removes_a_shelf(self) -> None:
        """What lay there is put back."""
        self.target.ip("link", "del", self.shelf(1))
        self.wait(lambda: sum(self.by_nic().values()) == N, "all are back")
        self.wait(lambda: self.shelves() == 2, "the shelf is made anew")
        self.assertTrue(self.client.ping(LAST, count=3))

    def test_the_file_has_fewer(self) -> None:
        """Those that it does not have any more go, and the others stay."""
        self.agent.write(self.conf([FIRST, LAST]))
        self.assertEqual(self.agent.ask("reload")["ok"], True)
        self.wait(lambda: self.by_nic() == {"0": 1, "1": 1}, "the others are gone")
        self.assertTrue(self.client.ping(FIRST, count=3))
        self.assertTrue(self.client.ping(LAST, count=3))

    def test_the_agent_is_killed(self) -> None:
        """Its guard takes them off, and the empty NICs, too."""
        self.agent.kill()
        self.wait(lambda: not self.by_nic(), "all are gone")
        self.wait(lambda: self.shelves() == 0, "the shelves are gone, too")
        self.assert_own_is_there()

    def test_the_target_nic_is_removed(self) -> None:
        """What was held for it goes, too."""
        self.target.ip("link", "del", "eth0")
        self.wait(lambda: not self.by_nic(), "all are gone")

    def test_the_target_nic_goes_down_and_up(self) -> None:
        """They are announced and served again."""
        self.target.nic("eth0").down()
        self.target.nic("eth0").up()
        self.wait(lambda: self.client.ping(LAST), "they are served again")
        self.assertEqual(sum(self.by_nic().values()), N)


class Leased(Shelf):
    """What the kernel alone cares for."""

    lease_s = 1

    def test_agent_and_guard_are_killed(self) -> None:
        """The kernel takes them off, each when its lease is over."""
        guard = self.guard()
        self.agent.freeze()
        os.kill(guard, signal.SIGKILL)
        self.agent.kill()
        self.wait(lambda: not self.by_nic(), "all are gone")
        self.assert_own_is_there()


class OnTheTargetNic(Shelf):
    """The kernel was told to answer on a NIC only for what is on it."""

    strict = True

    def test_they_lie_on_the_target_nic(self) -> None:
        """Which takes longer, and works."""
        self.assertEqual(self.by_nic(), {"eth0": N})
        self.assertEqual(self.shelves(), 0)
        self.assertTrue(self.client.ping(LAST, count=3))
        self.assertEqual(self.agent.ask("failback", source="web1")["ok"], True)
        self.wait(lambda: not self.by_nic(), "all are gone")


if __name__ == "__main__":
    main()
