# SPDX-License-Identifier: Apache-2.0
"""The programs that are compared: two hosts run one each, and one of the two has the address."""

import os
import subprocess
import sys
import time
from typing import Dict, List, Sequence

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns"))

from agent import Agent
from lan import Host, Lan

ADDRESS, GATEWAY = "192.0.2.10", "192.0.2.1"
MEMBERS = ("one", "two")
# All detect at the same pace: advertisements or probes each 100 ms, three of which have to fail.
INTERVAL_MS, MISSES = 100, 3
PATIENCE_S = 20


def children(pid: int) -> List[int]:
    """All processes below one."""
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
            direct = [int(word) for word in file.read().split()]
    except OSError:
        return []
    return direct + [deeper for child in direct for deeper in children(child)]


class Contender:
    """Two hosts that share an address, or many, by one program."""

    name = ""

    def __init__(self, lan: Lan, interval_ms: float = INTERVAL_MS, extra: Sequence[str] = ()):
        """extra: addresses that go with ADDRESS, and are not monitored themselves."""
        self.lan = lan
        self.interval_ms, self.extra = interval_ms, extra
        self.members: Dict[str, Host] = {name: lan.host(name) for name in MEMBERS}
        for last, name in ((20, "one"), (30, "two"), (1, "gateway"), (50, "client"), (60, "observer")):
            lan.host(name).nic("eth0", f"192.0.2.{last}/24", f"2001:db8::{last}/64")
        self.processes: Dict[str, subprocess.Popen] = {}

    def start(self) -> None:
        """Starts both, and comes back when one of the two has the address."""
        raise NotImplementedError

    def holders(self) -> List[str]:
        return [name for name, host in self.members.items()
                if any(a.split("/")[0] == ADDRESS for a in host.nic("eth0").addresses())]

    def wait_for_holder(self) -> None:
        end = time.monotonic() + PATIENCE_S
        while len(self.holders()) != 1:
            if time.monotonic() > end:
                raise RuntimeError(f"{self.name}: {len(self.holders())} hosts have the address\n{self.story()}")
            time.sleep(0.05)

    def pids(self, member: str, everything: bool) -> List[int]:
        """Of the daemon, or of all that belongs to it."""
        pid = self.processes[member].pid
        return [*(children(pid) if everything else []), pid]

    def send(self, member: str, number: int, everything: bool) -> None:
        for pid in self.pids(member, everything):
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def log(self, member: str) -> str:
        return os.path.join(self.lan.directory, f"{member}.log")

    def run(self, member: str, *argv: str) -> None:
        with open(self.log(member), "ab") as log:
            self.processes[member] = self.members[member].start(list(argv), stdin=subprocess.DEVNULL, stdout=log,
                                                                stderr=log)

    def story(self) -> str:
        text = ""
        for member in MEMBERS:
            if os.path.exists(self.log(member)):
                with open(self.log(member), encoding="utf-8", errors="replace") as file:
                    text += f"--- {member}\n{file.read()}\n"
        return text

    def write(self, name: str, text: str, mode: int = 0o600) -> str:
        path = os.path.join(self.lan.directory, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(text)
        os.chmod(path, mode)
        return path


class Keepalived(Contender):
    """VRRP version 3, with advertisements each 100 ms and otherwise as it comes."""

    name = "keepalived"

    def start(self) -> None:
        lines = "".join(f"{address}/32\n" for address in self.extra)
        # An advertisement has no room for many.
        extra = f"virtual_ipaddress_excluded {{\n{lines}}}\n" if lines else ""
        for member, state, priority in (("one", "MASTER", 150), ("two", "BACKUP", 100)):
            self.write(f"{member}.conf", f"""\
global_defs {{ router_id {member}
vrrp_version 3 }}
vrrp_instance v {{
    state {state}
    interface eth0
    virtual_router_id 51
    priority {priority}
    advert_int {self.interval_ms / 1000:g}
    virtual_ipaddress {{ {ADDRESS}/24 }}
{extra}}}
""")
            self.restart(member)
        self.wait_for_holder()
        time.sleep(1)

    def restart(self, member: str) -> None:
        files = [f"{self.lan.directory}/{member}.{what}.pid" for what in ("main", "checkers", "vrrp")]
        self.run(member, "keepalived", "--dont-fork", "--log-console", "--vrrp", "--use-file",
                 f"{self.lan.directory}/{member}.conf", "--pid", files[0], "--checkers_pid", files[1], "--vrrp_pid",
                 files[2])


class Ucarp(Contender):
    """CARP, as fast as it can be told to be: one second and its fraction between advertisements."""

    name = "ucarp"

    def start(self) -> None:
        up = self.write("up", f'#!/bin/sh\nip addr add {ADDRESS}/32 dev "$1"\n', 0o755)
        down = self.write("down", f'#!/bin/sh\nip addr del {ADDRESS}/32 dev "$1"\n', 0o755)
        for member, own, skew in (("one", "192.0.2.20", "0"), ("two", "192.0.2.30", "50")):
            self.run(member, "ucarp", "--interface=eth0", f"--srcip={own}", "--vhid=1", "--pass=secret", "--advbase=1",
                     f"--advskew={skew}", f"--addr={ADDRESS}", f"--upscript={up}", f"--downscript={down}", "--shutdown",
                     "--neutral")
        self.wait_for_holder()
        time.sleep(1)


class Standin(Contender):
    """
    The source is a host with nothing installed. It is dead already, and one of two targets stands in for it: this is
    the holder, as with the others.
    """

    name = "standin"
    source_dies_first = True
    failback = "manual"

    def start(self) -> None:
        self.source = self.lan.host("web1")
        self.source.nic("eth0", f"{ADDRESS}/24")
        extra = "".join(f"{address}/32 dev eth0 {{ monitor no }}\n" for address in self.extra)
        conf = (f"defaults {{ interval {self.interval_ms * 1000:.0f}us; misses {MISSES}; failback {self.failback} }}\n"
                f"witness {GATEWAY}\nsource web1 {{ nic eth0 {{ {ADDRESS}/24 dev eth0\n{extra}}} }}\n")
        self.agents = {member: Agent(host, conf) for member, host in self.members.items()}
        self.processes = {member: agent.process for member, agent in self.agents.items()}
        for agent in self.agents.values():
            agent.wait_state("web1/eth0", "up")
        if self.source_dies_first:
            self.source.crash_silently()
            self.wait_for_holder()
        time.sleep(1)

    def pids(self, member: str, everything: bool) -> List[int]:
        guard = []
        if everything:
            with open(self.agents[member].control + ".guard", encoding="ascii") as file:
                guard = [int(file.read())]
        return guard + super().pids(member, everything)

    def story(self) -> str:
        return "\n".join(agent.story() for agent in self.agents.values())


class StandinSource(Standin):
    """The holder is the source itself, on which nothing is installed; it may have its addresses back at once."""

    name = "standin (source)"
    source_dies_first = False
    failback = "automatic"

    def holders(self) -> List[str]:
        return super().holders() or ["web1"]


KINDS = {kind.name: kind for kind in (Keepalived, Ucarp, Standin, StandinSource)}
__all__ = ["ADDRESS", "KINDS", "MEMBERS", "Contender", "Keepalived", "Lan", "Standin", "StandinSource", "Ucarp"]
