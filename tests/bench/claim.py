#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Where the time of a takeover and of a failback goes, by number of addresses: until all are on the NIC, are announced,
are announced again, and are off; and `ip -batch` adding the same addresses in the same run.

    tests/bench/claim.py [--ipv6] [--runs N] NUMBER...

One line of JSON a run. Times are in ms, those of the takeover counted from the first announcement on the wire, which
leaves a fraction of a ms after the first address is on; `lateness` is the agent's own, at its worst so far.
"""

import argparse
import ipaddress
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import time
from typing import Dict, List, Tuple

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(ROOT, "tests", "netns"))

# pylint: disable=wrong-import-position
from agent import Agent, AgentError
from lan import Host, Lan, run

RTM_NEWADDR, RTM_DELADDR = 20, 21
# RTMGRP_IPV4_IFADDR, RTMGRP_IPV6_IFADDR.
GROUPS = 0x10 | 0x100
NET = {4: "10.1.0.0/16", 6: "2001:db8:1::/64"}


class AddressEvents:
    """When the kernel of a host had told of so many addresses put on, and of so many taken off."""

    def __init__(self, host: Host, number: int):
        self.number = number
        self.socket = host.socket(socket.AF_NETLINK, socket.SOCK_RAW, 0)
        self.socket.setsockopt(socket.SOL_SOCKET, 33, 64 << 20)  # SO_RCVBUFFORCE
        self.socket.bind((0, GROUPS))
        self.socket.settimeout(0.2)
        self.last: Dict[int, float] = {}
        self.count = {RTM_NEWADDR: 0, RTM_DELADDR: 0}
        self.ended = False
        self.thread = threading.Thread(target=self.work, daemon=True)
        self.thread.start()

    def work(self) -> None:
        while not self.ended:
            try:
                data = self.socket.recv(1 << 16)
            except TimeoutError:
                continue
            at, offset = time.time(), 0
            while offset + 16 <= len(data):
                length, kind = struct.unpack_from("=IH", data, offset)
                if kind in self.count:
                    self.count[kind] += 1
                    if self.count[kind] == self.number:
                        self.last[kind] = at
                offset += (length + 3) & ~3

    def close(self) -> None:
        self.ended = True
        self.thread.join()
        self.socket.close()


def announcements(path: str) -> List[Tuple[float, str]]:
    """(when, whose) of every announcement's first form in a capture."""
    found = []
    with open(path, "rb") as file:
        data = file.read()
    unit = 1e9 if struct.unpack_from("=I", data)[0] == 0xa1b23c4d else 1e6
    offset = 24
    while offset + 16 <= len(data):
        seconds, fraction, length, _ = struct.unpack_from("=IIII", data, offset)
        frame = data[offset + 16:offset + 16 + length]
        offset += 16 + length
        if frame[12:14] == b"\x08\x06" and frame[20:22] == b"\x00\x01" and frame[28:32] == frame[38:42]:
            found.append((seconds + fraction / unit, str(ipaddress.ip_address(frame[28:32]))))
        elif frame[12:14] == b"\x86\xdd" and frame[54:55] == b"\x88":
            found.append((seconds + fraction / unit, str(ipaddress.ip_address(frame[62:78]))))
    return found


def addresses(version: int, number: int) -> List[str]:
    net = ipaddress.ip_network(NET[version])
    return [str(net[i]) for i in range(1, number + 1)]


def ip_batch(lan: Lan, name: str, those: List[str]) -> float:
    """ms that `ip -batch` takes to add them as the agent would."""
    host = lan.host(name).nic("eth0").host
    bits, more = (32, "scope host") if "." in those[0] else (128, "nodad")
    text = "".join(f"addr add {a}/{bits} dev eth0 {more}\n" for a in those)
    start = time.monotonic()
    run("ip", "-n", host.namespace, "-batch", "-", text=text)
    return (time.monotonic() - start) * 1e3


def wait_for(events: AddressEvents, kind: int) -> None:
    """Nobody asks the agent meanwhile: a status of thousands of addresses is work, too."""
    end = time.monotonic() + 120
    while kind not in events.last:
        if time.monotonic() > end:
            raise AgentError(f"{events.count[kind]} addresses of {events.number}")
        time.sleep(0.05)


def worst_lateness(agent: Agent) -> float:
    return agent.status()["agent"]["lateness_max_ns"] / 1e6


def measure(version: int, number: int) -> Dict[str, object]:
    net = ipaddress.ip_network(NET[version])
    those = addresses(version, number)
    own = [f"{net[0xff00 + i]}/{net.prefixlen}" for i in range(4)]
    with Lan() as lan:
        source = lan.host("web1").nic("eth0", own[0]).host
        source.batch(*(f"route add local {a} dev eth0 table local" if version == 4 else
                       f"addr add {a}/128 dev eth0 nodad" for a in those))
        target = lan.host("spare").nic("eth0", own[1]).host
        lan.host("gateway").nic("eth0", own[2])
        client = lan.host("client").nic("eth0", own[3]).host
        body = "\n".join(f"{a}/{net.prefixlen} dev eth0" for a in those)
        kind = "arp" if version == 4 else "nd"
        interval = max(100, number // 20)
        agent = Agent(target, f"defaults {{ interval {interval}ms; misses 3; probe {kind} }}\n"
                              f"witness {own[2].split('/')[0]}\nsource web1 {{ nic eth0 {{\n{body}\n}} }}\n")
        agent.wait_state("web1/eth0", "up", timeout_s=60)
        time.sleep(2)
        lateness = [worst_lateness(agent)]
        path = os.path.join(lan.directory, "capture")
        capture = client.start(["tcpdump", "-Z", "root", "-n", "-i", "eth0", "-B", "65536", "-s", "128", "-w", path,
                                f"ether src {target.nic('eth0').mac} and (arp or icmp6)"],
                               stderr=subprocess.PIPE, text=True)
        capture.stderr.readline()
        events = AddressEvents(target, number)
        crash = time.time()
        source.crash_silently()
        wait_for(events, RTM_NEWADDR)
        time.sleep(3)
        capture.terminate()
        dropped = next(int(line.split()[0]) for line in capture.stderr if "dropped by kernel" in line)
        capture.wait()
        copies: Dict[str, List[float]] = {}
        for at, whose in announcements(path):
            copies.setdefault(whose, []).append(at)
        lateness.append(worst_lateness(agent))
        release = time.time()
        agent.ask("failback", source="web1")
        wait_for(events, RTM_DELADDR)
        released = (events.last[RTM_DELADDR] - release) * 1e3
        lateness.append(worst_lateness(agent))
        first = [c[0] for c in copies.values()]
        second = [c[1] for c in copies.values() if len(c) > 1]
        began = min(first)
        result = {"version": version, "number": number, "announced": len(first), "announced_again": len(second),
                  "crash_to_first": (began - crash) * 1e3, "all_claimed": (events.last[RTM_NEWADDR] - began) * 1e3,
                  "all_announced": (max(first) - began) * 1e3, "first_again": (min(second) - began) * 1e3,
                  "all_again": (max(second) - began) * 1e3, "all_released": released,
                  "lateness_before": lateness[0], "lateness_claimed": lateness[1], "lateness_released": lateness[2],
                  "not_captured": dropped, "ip_batch": ip_batch(lan, "batch", those)}
        events.close()
        return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--ipv6", action="store_true")
    parser.add_argument("--runs", type=int, default=1)
    parser.add_argument("number", type=int, nargs="+")
    arguments = parser.parse_args()
    for _ in range(arguments.runs):
        for number in arguments.number:
            result = measure(6 if arguments.ipv6 else 4, number)
            print(json.dumps({k: round(v, 2) if isinstance(v, float) else v for k, v in result.items()}), flush=True)


if __name__ == "__main__":
    main()
