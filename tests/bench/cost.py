# SPDX-License-Identifier: Apache-2.0
"""What watching costs: CPU of a packet sent, beside fping; CPU of a minute and memory, beside keepalived and ucarp."""

import os
import subprocess
import time
from typing import Dict, List

from meter import BUILD, BenchError, Lan, cpu_ns, resident_kb, sent_packets
from systems import start, system

from agent import Agent

PERIOD_MS = 100      # of an address, at the smaller size
SIZES = {1000: PERIOD_MS, 5000: 5 * PERIOD_MS}
WARM_S = 2
# fping ends after 65,536 pings: at 10,000 a second it has to be measured before.
PROBING_S, PROBING_WARM_S = 4, 1
GATEWAY = "198.19.0.1"
# The floor is what the network alone takes for a ping: it is charged to whoever sends.
PROGRAMS = ("fping", "floor", "standin icmp", "standin arp")


def addresses(n: int) -> List[str]:
    return [f"198.18.{i // 250}.{i % 250 + 1}" for i in range(n)]


def stage(lan: Lan):
    """A source that answers for all of 198.18/16, and the host that probes it."""
    source, prober = lan.host("web1"), lan.host("one")
    source.nic("eth0", "198.19.0.10/15").host.batch("route add local 198.18.0.0/16 dev lo")
    prober.nic("eth0", "198.19.0.20/15")
    lan.host("gateway").nic("eth0", f"{GATEWAY}/15")
    # A thousand neighbours and more, for the pings of all programs.
    for key in ("gc_thresh1", "gc_thresh2", "gc_thresh3"):
        lan_sysctl(key)
    return prober


def lan_sysctl(key: str) -> None:
    """Neighbours that the kernel keeps, of the whole machine; never lowered."""
    with open(f"/proc/sys/net/ipv4/neigh/default/{key}", "r+", encoding="ascii") as file:
        if int(file.read()) < 20000:
            file.seek(0)
            file.write("20000")


def measured(host, pids, seconds: float, warm_s: float = WARM_S) -> Dict[str, float]:
    time.sleep(warm_s)
    packets, cpu, begun = sent_packets(host), cpu_ns(pids()), time.monotonic()
    time.sleep(seconds)
    took = time.monotonic() - begun
    cpu, packets = cpu_ns(pids()) - cpu, sent_packets(host) - packets
    if resident_kb(pids()) == 0:
        raise BenchError("it ended meanwhile")
    return {"cpu_us_a_packet": cpu / 1000 / max(1, packets), "packets_a_second": packets / took,
            "cpu_percent": cpu / 1e7 / took, "rss_kb": resident_kb(pids())}


def probing(program: str, n: int) -> Dict[str, float]:
    """program: fping, the floor of all pings, or standin with one kind of probe."""
    period_ms = SIZES.get(n, PERIOD_MS)
    with Lan() as lan:
        host = stage(lan)
        if program == "fping":
            path = os.path.join(lan.directory, "targets")
            with open(path, "w", encoding="ascii") as file:
                file.write("\n".join(addresses(n)) + "\n")
            # Between two addresses it sleeps: with a shorter gap it keeps its pace, and is the cheapest.
            process = host.start(["fping", "-l", "-q", "-p", str(period_ms), "-i", "0.001", "-f", path],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            return measured(host, lambda: [process.pid], PROBING_S, PROBING_WARM_S)
        if program == "floor":
            process = host.start([f"{BUILD}/echo", str(n), str(period_ms)])
            return measured(host, lambda: [process.pid], PROBING_S, PROBING_WARM_S)
        lines = "\n".join(f"{address}/32 dev eth0" for address in addresses(n))
        agent = Agent(host, f"defaults {{ interval {period_ms}ms; misses 5; probe {program.split()[1]} }}\n"
                            f"witness {GATEWAY}\nsource web1 {{ nic eth0 {{\n{lines}\n}} }}\n")
        agent.wait_state("web1/eth0", "up")
        return measured(host, lambda: [agent.process.pid], PROBING_S, PROBING_WARM_S)


def idle(name: str, interval_ms: float, seconds: float) -> Dict[str, float]:
    """The host that waits for the other to fail; all processes of the program."""
    if name == "fping":
        with Lan() as lan:
            host = stage(lan)
            process = host.start(["fping", "-l", "-q", "-p", f"{interval_ms:g}", "-i", "1", addresses(1)[0]],
                                 stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            seen = measured(host, lambda: [process.pid], seconds)
    else:
        which = system(name, interval_ms)
        with Lan() as lan:
            pair = which.on(lan)
            start(pair, which.old)
            seen = measured(lan.host(which.new), lambda: pair.pids(which.new, True), seconds)
            seen["main_rss_kb"] = resident_kb([pair.processes[which.new].pid])
    return {"cpu_s_a_minute": seen["cpu_percent"] * 0.6, "rss_kb": seen["rss_kb"],
            "main_rss_kb": seen.get("main_rss_kb", seen["rss_kb"])}


__all__ = ["PROGRAMS", "SIZES", "idle", "probing"]
