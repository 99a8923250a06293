# SPDX-License-Identifier: Apache-2.0
"""Stories of what is held that are told side by side, because each is mostly waiting: a LAN for each, and helpers."""

import concurrent.futures
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
import unittest
from typing import Callable, Iterator, List, Sequence, Tuple

from agent import Agent, held_on
from lan import Host, Lan
from story import GATEWAY, V4, V6, ipmap

FREEZERS = ("/sys/fs/cgroup/freezer", "/sys/fs/cgroup/unified", "/sys/fs/cgroup")

# Of the kernel's headers; the agent's mark.
RTM_NEWADDR, RTM_DELADDR, RTM_GETADDR = 20, 21, 22
NLM_F_REQUEST, NLM_F_DUMP, IFA_PROTO = 1, 0x300, 11
RTMGRP_IPV4_IFADDR, SO_RCVBUFFORCE = 0x10, 33
MARK = 0x53

# Both lines of defence, each of them alone, neither.
BOTH = ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0", top=f"witness {GATEWAY}\nguard 1s", source="lease 1s")
LEASE_ALONE = BOTH.replace("guard 1s", "guard off")
GUARD_ALONE = BOTH.replace("lease 1s", "lease off")
NEITHER = LEASE_ALONE.replace("lease 1s", "lease off")


class Site:
    """A source that crashed, and a target that stands in for it."""

    def __init__(self, conf: str = BOTH, own: Sequence[str] = ("192.0.2.20/24", "2001:db8::20/64"), promote: int = 0):
        self.lan = Lan()
        self.source = self.lan.host("web1")
        self.source.nic("eth0", f"{V4}/24", f"{V6}/64")
        self.target = self.lan.host("spare")
        self.target.nic("eth0", *own)
        self.target.sysctl("net.ipv4.conf.all.promote_secondaries", 0)
        self.target.sysctl("net.ipv4.conf.eth0.promote_secondaries", promote)
        self.client = self.lan.host("client")
        self.client.nic("eth0", "192.0.2.50/24", "2001:db8::50/64")
        self.lan.host("gateway").nic("eth0", f"{GATEWAY}/24")
        self.before = self.target.ip("-o", "addr", "show", "dev", "eth0", "scope", "global")
        self.agent = Agent(self.target, conf)

    def hold(self) -> "Site":
        self.agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        self.agent.wait_state("web1/eth0", "holding")
        self.agent.wait_for(lambda _: {V4} <= set(self.held()), what="all is held")
        return self

    def held(self) -> List[str]:
        return [a.split("/")[0] for a in held_on(self.target)]

    def guard(self) -> int:
        found = re.match(r"pid (\d+)", self.agent.status()["agent"]["guard"])
        return int(found.group(1)) if found else 0

    def gone_after(self, began: float, patience_s: float = 20) -> float:
        """How long after `began` the last of what was held was gone; less what this test itself was kept waiting."""
        looked, longest = began, 0.0
        while {V4, V6} & set(self.held()):
            now = time.monotonic()
            longest, looked = max(longest, now - looked), now
            if now - began > patience_s:
                raise AssertionError(f"still held after {patience_s} s: {self.held()}")
            time.sleep(0.01)
        return time.monotonic() - began - longest

    def assert_whole(self) -> None:
        """The target's own addresses are what they were, and nothing else."""
        now = self.target.ip("-o", "addr", "show", "dev", "eth0", "scope", "global")
        assert sorted(now.split()) == sorted(self.before.split()), f"{self.before}\n{now}"


class Frozen:
    """A cgroup of this test's own that stands still: v2's cgroup.freeze, or v1's freezer."""

    def __init__(self, site: Site, *pids: int):
        root = next(f for f in FREEZERS if os.path.exists(f"{f}/cgroup.procs"))
        self.path = f"{root}/{site.lan.prefix}frozen"
        os.mkdir(self.path)
        site.lan.closers.append(self.close)
        for pid in pids:
            self.write("cgroup.procs", str(pid))
        if os.path.exists(f"{self.path}/freezer.state"):
            self.write("freezer.state", "FROZEN")
        else:
            self.write("cgroup.freeze", "1")

    def write(self, name: str, text: str) -> None:
        with open(f"{self.path}/{name}", "w", encoding="ascii") as file:
            file.write(text)

    def thaw(self) -> None:
        if os.path.exists(f"{self.path}/freezer.state"):
            self.write("freezer.state", "THAWED")
        else:
            self.write("cgroup.freeze", "0")

    def close(self) -> None:
        """Thawed, emptied of what is still in it, and removed."""
        if not os.path.isdir(self.path):
            return
        self.thaw()
        end = time.monotonic() + 10
        while time.monotonic() < end:
            with open(f"{self.path}/cgroup.procs", encoding="ascii") as file:
                for pid in file.read().split():
                    try:
                        os.kill(int(pid), signal.SIGKILL)
                    except ProcessLookupError:
                        pass
            try:
                os.rmdir(self.path)
                return
            except OSError:
                time.sleep(0.05)


class Monitor:
    """`ip monitor` of the target, and what it printed."""

    def __init__(self, host: Host, *what: str):
        self.process = host.start(["ip", "-ts", "monitor", *what], stdout=subprocess.PIPE, text=True)
        time.sleep(0.2)

    def end(self) -> str:
        self.process.terminate()
        return self.process.communicate()[0]


class Talk:
    """A connection through a held address, with a byte back and forth each 10 ms."""

    def __init__(self, site: Site, address: str = V4):
        self.served = site.target.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.served.bind((address, 7777))
        self.served.listen(1)
        self.client = site.client.socket(socket.AF_INET, socket.SOCK_STREAM)
        self.client.settimeout(10)
        self.client.connect((address, 7777))
        self.server = self.served.accept()[0]
        self.server.settimeout(10)
        self.turns = 0
        self.longest_s = 0.0
        self.failed = ""
        self.over = False
        self.thread = threading.Thread(target=self.run, daemon=True)
        self.thread.start()

    def run(self) -> None:
        try:
            while not self.over:
                began = time.monotonic()
                self.client.sendall(b"x")
                assert self.server.recv(1) == b"x"
                self.server.sendall(b"y")
                assert self.client.recv(1) == b"y"
                self.longest_s = max(self.longest_s, time.monotonic() - began)
                self.turns += 1
                time.sleep(0.01)
        except (OSError, AssertionError) as error:
            self.failed = repr(error)

    def end(self) -> None:
        self.over = True
        self.thread.join()
        for sock in (self.client, self.server, self.served):
            sock.close()


def messages(data: bytes) -> Iterator[Tuple[int, bytes]]:
    """The netlink messages of a datagram: kind and body."""
    while len(data) >= 16:
        length, kind = struct.unpack_from("=IH", data)
        yield kind, data[16:length]
        data = data[(length + 3) & ~3:]


def marks(host: Host) -> List[int]:
    """IFA_PROTO of every address of a host; `ip` of Debian 12 does not show it."""
    found = []
    with host.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0) as sock:
        sock.send(struct.pack("=IHHIIB7x", 24, RTM_GETADDR, NLM_F_REQUEST | NLM_F_DUMP, 1, 0, socket.AF_UNSPEC))
        while True:
            for kind, body in messages(sock.recv(1 << 16)):
                if kind != RTM_NEWADDR:
                    return found
                attributes = body[8:]
                while len(attributes) >= 4:
                    length, name = struct.unpack_from("=HH", attributes)
                    if name == IFA_PROTO:
                        found.append(attributes[4])
                    attributes = attributes[(length + 3) & ~3:]


def side_by_side(*stories: Callable[[Site], None], sites: List[Site]) -> None:
    """Each story on its site, all at once. Whatever failed is told, with what its agent has to say."""
    with concurrent.futures.ThreadPoolExecutor(len(stories)) as pool:
        futures = [pool.submit(story, site) for story, site in zip(stories, sites)]
    failed = []
    for future, story, site in zip(futures, stories, sites):
        if future.exception():
            failed.append(f"{story.__name__}: {future.exception()!r}")
            print(f"\n=== {story.__name__}", site.agent.story(), sep="\n", file=sys.stderr)
    if failed:
        raise AssertionError("\n".join(failed))


class Sites(unittest.TestCase):
    """Stories that are told side by side."""

    def tell(self, *stories: Callable[[Site], None], **options) -> List[Site]:
        sites = []
        for story in stories:
            made = dict(options, **getattr(story, "options", {}))
            sites.append(Site(**made))
            self.addCleanup(sites[-1].lan.close)
        for site in sites:
            site.hold()
        side_by_side(*stories, sites=sites)
        return sites


def on(**options):
    """The site that a story is told on."""
    def mark(story):
        story.options = options
        return story
    return mark
