# SPDX-License-Identifier: Apache-2.0
"""Leases where there is much to do: a busy machine, thousands of addresses."""

import os
import select
import socket
import subprocess
import sys
import time
import unittest

from agent import Agent, held_on
from lan import Lan
from sites import RTM_DELADDR, RTM_NEWADDR, RTMGRP_IPV4_IFADDR, SO_RCVBUFFORCE, Monitor, Site, Sites, messages
from story import V4, V6, ipmap, main


class Busy(Sites):
    """More work than there are processors."""

    def test_a_busy_machine(self) -> None:
        """Twenty seconds of more work than there are processors: no lease of a second is lost."""
        def hold_out(site: Site) -> None:
            monitor = Monitor(site.target, "address")
            burners = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(8)]
            try:
                time.sleep(20)
            finally:
                for burner in burners:
                    burner.kill()
                    burner.wait()
            seen = monitor.end()
            assert "Deleted" not in seen, seen
            assert {V4, V6} <= set(site.held())
        self.tell(hold_out)


class Masses(unittest.TestCase):
    """Thousands of them."""

    def test_a_thousand_are_watched_from_the_start(self) -> None:
        """The agent that begins with more rounds than it can serve in time goes on asking all the same."""
        lan = Lan()
        self.addCleanup(lan.close)
        lan.host("web1").nic("eth0", "198.19.0.10/15").host.batch("route add local 198.18.0.0/16 dev lo")
        target = lan.host("spare")
        target.nic("eth0", "198.19.0.20/15")
        lines = "\n".join(f"198.18.{i // 250}.{i % 250 + 1}/32 dev eth0" for i in range(1000))
        agent = Agent(target, ipmap(lines, top="witness none", interval_ms=100, misses=5))
        # Asking for the status would wake it.
        time.sleep(3)
        self.assertGreater(agent.address("198.18.0.1")["rounds"], 5)

    def test_renewals_are_spread_and_cheap(self) -> None:
        """3,000 addresses: no burst of renewals much beyond the mean, and a small share of a processor."""
        n, lease_s = 3000, 3
        lines = "\n".join(f"10.9.{i // 250}.{i % 250 + 1}/16 dev eth0" + (" { monitor no }" if i else "")
                          for i in range(n))
        lan = Lan()
        self.addCleanup(lan.close)
        source = lan.host("web1")
        source.nic("eth0", "10.9.0.1/16")
        target = lan.host("spare")
        target.nic("eth0", "10.9.200.1/16")
        lan.host("gateway").nic("eth0", "10.9.200.2/16")
        agent = Agent(target, ipmap(lines, top="witness 10.9.200.2", source=f"lease {lease_s}s"))
        agent.wait_state("web1/eth0", "up")
        source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        agent.wait_for(lambda _: len(held_on(target)) >= n, what="all are held")
        time.sleep(2)
        sock = target.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.addCleanup(sock.close)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 64 << 20)
        sock.bind((0, RTMGRP_IPV4_IFADDR))
        pid = agent.status()["agent"]["pid"]
        seconds, per_slot, gone = 12.0, {}, 0
        before, began = cpu_s(pid), time.monotonic()
        while (left := began + seconds - time.monotonic()) > 0:
            if not select.select([sock], [], [], left)[0]:
                continue
            data = sock.recv(1 << 16)
            slot = int((time.monotonic() - began) * 10)
            for kind, _ in messages(data):
                per_slot[slot] = per_slot.get(slot, 0) + (kind == RTM_NEWADDR)
                gone += kind == RTM_DELADDR
        share = (cpu_s(pid) - before) / seconds
        total = sum(per_slot.values())
        mean, most = total / (seconds * 10), max(per_slot.values())
        print(f"{total} renewals in {seconds:.0f} s: {mean:.0f} in 100 ms, at most {most}; {share:.1%} of a processor")
        self.assertEqual(gone, 0)
        self.assertGreaterEqual(len(held_on(target)), n)
        self.assertGreater(total, n)
        self.assertLess(most, 3 * mean + 64)
        self.assertLess(share, 0.25)


def cpu_s(pid: int) -> float:
    with open(f"/proc/{pid}/stat", encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    main()
