# SPDX-License-Identifier: Apache-2.0
"""What watching costs: wake-ups and system calls in numbers, which a busy machine does not change much."""

import os
import re
import subprocess
import time
import unittest

from agent import Agent
from lan import Lan, LanError

ADDRESSES = 1000
INTERVAL_MS = 100
MEASURED_S = 4
# A round each by itself would take above 6,000 system calls and 1,000 wake-ups for so many probes.
CALLS_PER_1000_MAX = 1000
WAKEUPS_PER_1000_MAX = 250
# A round and its answer: two waits, one request, one reading; the guard's beats are few beside them. fping needs six.
CALLS_OF_ONE_MAX = 5
# The least that must be sent meanwhile, of what the file asks for, on a machine that is busy otherwise.
SENT_PART_MIN = 0.5
KIB_OF_ONE_MAX = 8 * 1024


def address(number: int) -> str:
    return f"10.0.{1 + number // 250}.{1 + number % 250}"


def ipmap(count: int, interval_ms: int) -> str:
    """So many sources of one address each, which are asked by ICMP alone."""
    sources = "".join(f"source s{i} {{ probe icmp; nic eth0 {{ {address(i)}/16 dev eth0 }} }}\n" for i in range(count))
    return f"defaults {{ interval {interval_ms}ms; misses 100; takeover notify }}\nwitness none\n{sources}"


def voluntary_switches(pid: int) -> int:
    """How often the main thread went to sleep."""
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^voluntary_ctxt_switches:\s+(\d+)", file.read(), re.MULTILINE).group(1))


def resident_kib(pid: int) -> int:
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"^VmRSS:\s+(\d+)", file.read(), re.MULTILINE).group(1))


def count_calls(pid: int, seconds: float) -> int:
    """All system calls of the process in that time, by strace."""
    with subprocess.Popen(["strace", "-f", "-c", "-p", str(pid)], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as strace:
        time.sleep(seconds)
        strace.terminate()
        _, table = strace.communicate(timeout=20)
    return int(re.search(r"^100\.00\s+\S+(?:\s+\d+)?\s+(\d+)(?:\s+\d+)?\s+total$", table, re.MULTILINE).group(1))


class Cost(unittest.TestCase):
    """Many sources are watched at little cost: they share wake-ups and system calls."""

    def setUp(self) -> None:
        try:
            self.lan = Lan()
        except LanError as error:
            self.skipTest(str(error))
        self.addCleanup(self.lan.close)
        self.source = self.lan.host("sources").nic("eth0", "10.0.0.1/16").host
        self.target = self.lan.host("spare").nic("eth0", "10.0.0.2/16").host

    def watch(self, count: int, interval_ms: int) -> Agent:
        """An agent that watches so many addresses, and sees them all."""
        self.source.batch(*(f"addr add {address(i)}/32 dev eth0" for i in range(count)))
        # The kernel's table of neighbours has too little room for all of them, unless they stand in it for good.
        mac = self.source.nics["eth0"].mac
        self.target.batch(*(f"neigh replace {address(i)} lladdr {mac} dev eth0 nud permanent" for i in range(count)))
        agent = Agent(self.target, ipmap(count, interval_ms))
        agent.wait_for(lambda r: all(n["state"] == "up" for s in r["sources"] for n in s["nics"]), what="all are up")
        return agent

    def answered(self, agent: Agent) -> int:
        return sum(a["answered"] for s in agent.status()["sources"] for n in s["nics"] for a in n["addresses"])

    def pid(self, agent: Agent) -> int:
        """setpriv and ip end by becoming the program that they start."""
        self.assertEqual(os.readlink(f"/proc/{agent.process.pid}/exe").split("/")[-1], "standind")
        return agent.process.pid

    def test_many_sources_share_wakeups_and_system_calls(self) -> None:
        agent = self.watch(ADDRESSES, INTERVAL_MS)
        pid = self.pid(agent)
        before, switches, began = self.answered(agent), voluntary_switches(pid), time.monotonic()
        time.sleep(MEASURED_S)
        wakeups, elapsed_s = voluntary_switches(pid) - switches, time.monotonic() - began
        answered = self.answered(agent) - before
        self.assertGreater(answered, SENT_PART_MIN * ADDRESSES * elapsed_s * 1000 / INTERVAL_MS)
        self.assertLess(wakeups * 1000 / answered, WAKEUPS_PER_1000_MAX, f"{wakeups} wake-ups, {answered} answers")

        before = self.answered(agent)
        calls = count_calls(pid, MEASURED_S)
        answered = self.answered(agent) - before
        self.assertLess(calls * 1000 / answered, CALLS_PER_1000_MAX, f"{calls} system calls, {answered} answers")

    def test_one_source_takes_little_memory_and_wakes_nobody_without_need(self) -> None:
        agent = self.watch(1, 1000)
        pid = self.pid(agent)
        before = voluntary_switches(pid)
        time.sleep(MEASURED_S)
        # A round and its answer are two wake-ups each second, and the guard is fed five times.
        self.assertLess(voluntary_switches(pid) - before, 20 * MEASURED_S)
        if "SANITIZE" not in os.environ:
            self.assertLess(resident_kib(pid), KIB_OF_ONE_MAX)

    def test_one_source_takes_two_wakeups_and_four_system_calls_a_round(self) -> None:
        agent = self.watch(1, 10)
        pid = self.pid(agent)
        before = self.answered(agent)
        calls = count_calls(pid, MEASURED_S)
        answered = self.answered(agent) - before
        self.assertGreater(answered, SENT_PART_MIN * MEASURED_S * 100)
        self.assertLess(calls / answered, CALLS_OF_ONE_MAX, f"{calls} system calls, {answered} answers")


if __name__ == "__main__":
    unittest.main()
