# SPDX-License-Identifier: Apache-2.0
"""What the benches see with: the client's meter, faults by netlink that take microseconds, what a process costs."""

import glob
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import Callable, List, NamedTuple, Optional

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path[:0] = [os.path.join(ROOT, "tests", kind) for kind in ("netns", "peers")]

from lan import Host, Lan, Nic, inside

BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"), "tests/bench")
MS = 1e6

RTM_SETLINK, NLM_F_REQUEST_ACK, IFF_UP, AF_BRIDGE = 19, 5, 1, 7
IFLA_PROTINFO, IFLA_BRPORT_STATE, NESTED = 12, 1, 0x8000


class BenchError(Exception):
    """A bench could not measure what it is about."""


class Event(NamedTuple):
    """One line of the meter."""
    at: int     # ns, CLOCK_MONOTONIC
    what: str   # reply, pong, announce, ping
    mac: str
    ip: str


class Meter:
    """A client that asks and pings an address each interval, and keeps what its NIC carries."""

    def __init__(self, host: Host, asked: str, interval_us: int = 500):
        nic = host.nic("eth0")
        own = nic.addresses()[0].split("/")[0]
        self.events: List[Event] = []
        self.process = host.start([f"{BUILD}/meter", "eth0", nic.mac, own, str(interval_us), asked],
                                  stdout=subprocess.PIPE, text=True)
        self.thread = threading.Thread(target=self.read, daemon=True)
        self.thread.start()

    def read(self) -> None:
        for line in self.process.stdout:
            at, what, mac, ip = line.split()
            self.events.append(Event(int(at), what, mac, ip))

    def first(self, what: str, mac: str, after: int = 0) -> Optional[int]:
        """When that was first seen of this MAC."""
        return next((e.at for e in self.events if e.what == what and e.mac == mac and e.at >= after), None)

    def wait(self, condition: Callable[[], object], what: str, timeout_s: float = 20) -> None:
        end = time.monotonic() + timeout_s
        while not condition():
            if time.monotonic() > end:
                raise BenchError(f"waited {timeout_s} s in vain: {what}")
            time.sleep(0.03)

    def stop(self) -> None:
        if self.process.poll() is None:
            self.process.terminate()
            self.process.wait()
        self.thread.join()

    def __enter__(self) -> "Meter":
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()


class Faults:
    """The switch, by a socket that is open already: a process of `ip` would come some milliseconds after its time."""

    def __init__(self, lan: Lan):
        self.lan = lan
        self.socket = inside(lan.switch, lambda: socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0))

    def change(self, nic: Nic, family: int, flags: int, attribute: bytes) -> int:
        """Returns when it was asked for, by CLOCK_MONOTONIC in ns."""
        index = inside(self.lan.switch, lambda: socket.if_nametoindex(nic.port))
        body = struct.pack("=BBHiII", family, 0, 0, index, flags, IFF_UP if not attribute else 0) + attribute
        message = struct.pack("=IHHII", 16 + len(body), RTM_SETLINK, NLM_F_REQUEST_ACK, 1, 0) + body
        at = time.monotonic_ns()
        self.socket.send(message)
        error, = struct.unpack_from("=i", self.socket.recv(4096), 16)
        if error:
            raise BenchError(f"netlink: {os.strerror(-error)}")
        return at

    def silence(self, nic: Nic) -> int:
        """The switch port takes and sends nothing; the carrier stays."""
        state = struct.pack("=HHB3x", 5, IFLA_BRPORT_STATE, 0)
        return self.change(nic, AF_BRIDGE, 0, struct.pack("=HH", 4 + len(state), IFLA_PROTINFO | NESTED) + state)

    def unplug(self, nic: Nic) -> int:
        """The cable is pulled."""
        return self.change(nic, socket.AF_UNSPEC, 0, b"")

    def close(self) -> None:
        self.socket.close()


class Noise:
    """How late a sleeper of 1 ms came while this was open."""

    def __enter__(self) -> "Noise":
        self.process = subprocess.Popen([f"{BUILD}/sleeper"], stdout=subprocess.PIPE, text=True)
        self.seen = {}
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        text, _ = self.process.communicate()
        self.seen = json.loads(text)


def cpu_ns(pids: List[int]) -> int:
    """What all threads of these processes have run so far."""
    total = 0
    for path in (path for pid in pids for path in glob.glob(f"/proc/{pid}/task/*/schedstat")):
        try:
            with open(path, encoding="ascii") as file:
                total += int(file.read().split()[0])
        except (OSError, IndexError):
            pass
    return total


def resident_kb(pids: List[int]) -> int:
    """What these processes keep in memory."""
    total = 0
    for pid in pids:
        with open(f"/proc/{pid}/status", encoding="ascii") as file:
            total += sum(int(line.split()[1]) for line in file if line.startswith("VmRSS:"))
    return total


def sent_packets(host: Host, nic: str = "eth0") -> int:
    return json.loads(host.ip("-s", "-json", "link", "show", "dev", nic))[0]["stats64"]["tx"]["packets"]


__all__ = ["BUILD", "MS", "BenchError", "Event", "Faults", "Host", "Lan", "Meter", "Noise", "ROOT", "cpu_ns",
           "resident_kb", "sent_packets"]
