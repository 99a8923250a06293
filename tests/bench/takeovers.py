# SPDX-License-Identifier: Apache-2.0
"""Benches of a takeover: how fast by pace and cause, by number of addresses, and a planned failback."""

import random
import time
from typing import Dict, List

from meter import MS, BenchError, Faults, Lan, Meter
from systems import ADDRESS, System, extra_addresses, start, system

CAUSES = ("silent crash", "carrier loss")
PACES = [("standin", 0.25), ("standin", 1), ("standin", 10), ("standin", 100),
         ("keepalived", 10), ("keepalived", 100), ("keepalived", 1000), ("ucarp", 1000)]
# Of the runs by number of addresses: both at keepalived's fastest.
CLAIM_MS = 10
QUIET_S = 0.4


def after(meter: Meter, at: int, what: str, mac: str) -> float:
    first = meter.first(what, mac, at)
    if first is None:
        raise BenchError(f"no {what} of {mac} was seen")
    return (first - at) / MS


def told(meter: Meter, mac: str, since: int) -> Dict[str, int]:
    """When each address was first announced by this MAC."""
    first: Dict[str, int] = {}
    for event in list(meter.events):
        if event.what == "announce" and event.mac == mac and event.at >= since:
            first.setdefault(event.ip, event.at)
    return first


def longest_gap_ms(meter: Meter, since: int) -> float:
    """Of the client's pings: the longest time from one answer to the next."""
    pongs = sorted(e.at for e in meter.events if e.what == "pong")
    return max(((b - a) / MS for a, b in zip(pongs, pongs[1:]) if b >= since), default=float("nan"))


def take_over(which: System, cause: str, n: int = 1) -> Dict[str, float]:
    """One takeover, measured by the client; ms since the fault was asked for."""
    with Lan() as lan:
        pair = which.on(lan, extra_addresses(n - 1))
        start(pair, which.old)
        old, new = lan.host(which.old).nic("eth0"), lan.host(which.new).nic("eth0")
        faults = Faults(lan)
        with Meter(lan.host("client"), ADDRESS) as meter:
            meter.wait(lambda: meter.first("pong", old.mac), "the client is served by its owner")
            time.sleep(0.3 + random.random() * max(0.1, which.interval_ms / 1000))
            at = faults.silence(old) if cause == CAUSES[0] else faults.unplug(old)
            meter.wait(lambda: meter.first("pong", new.mac), f"{which.new} answers after {cause}", 30)
            meter.wait(lambda: len(told(meter, new.mac, at)) >= n, f"{n} addresses are announced", 60)
            time.sleep(QUIET_S)
        faults.close()
        first = told(meter, new.mac, at)
        return {"first_answer_ms": after(meter, at, "reply", new.mac),
                "first_announcement_ms": (min(first.values()) - at) / MS,
                "last_announcement_ms": (max(first.values()) - at) / MS,
                "announcements_ms": (max(first.values()) - min(first.values())) / MS,
                "packet_after_announcement_ms": after(meter, first[ADDRESS], "ping", new.mac),
                "client_gap_ms": longest_gap_ms(meter, at)}


def failover_jobs() -> List[tuple]:
    return [(system(*pace).label, cause) for cause in CAUSES for pace in PACES]


def failover(label: str, cause: str) -> Dict[str, float]:
    which = next(system(*pace) for pace in PACES if system(*pace).label == label)
    return take_over(which, cause)


def claim_jobs(sizes: List[int]) -> List[tuple]:
    return [(name, n) for n in sizes for name in ("standin", "keepalived", "ip -batch", "libmnl")
            if n <= 5000 or name != "keepalived"]


def claim(name: str, n: int) -> Dict[str, float]:
    if name in ("standin", "keepalived"):
        return take_over(system(name, CLAIM_MS), CAUSES[0], n)
    from floors import FLOORS
    return FLOORS[name](n)


def failback(name: str) -> Dict[str, float]:
    """
    A planned way back, the source being there again: of standin, the command; of keepalived, a master that is started
    again and takes its place.
    """
    which = system(name, 100)
    with Lan() as lan:
        pair = which.on(lan)
        start(pair, which.old)
        old, new = lan.host(which.old).nic("eth0"), lan.host(which.new).nic("eth0")
        with Meter(lan.host("client"), ADDRESS) as meter:
            meter.wait(lambda: meter.first("pong", old.mac), "the client is served by its owner")
            if name == "standin":
                lan.host(which.old).crash_silently()
            else:
                pair.processes["one"].terminate()
            meter.wait(lambda: meter.first("pong", new.mac), f"{which.new} answers")
            time.sleep(2)
            if name == "standin":
                # A host that boots without its address, and gets it when it is wanted back.
                old.remove_address(f"{ADDRESS}/24")
                lan.host(which.old).heal()
                time.sleep(1)
                at = time.monotonic_ns()
                old.address(f"{ADDRESS}/24")
                pair.agent.ctl("failback", "web1")
            else:
                at = time.monotonic_ns()
                pair.restart("one")
            meter.wait(lambda: meter.first("pong", old.mac, at), f"{which.old} answers again", 30)
            time.sleep(2)
        served = [e for e in meter.events if e.what == "pong" and e.at >= at]
        return {"client_gap_ms": longest_gap_ms(meter, at),
                "owners": sum(a.mac != b.mac for a, b in zip(served, served[1:]))}
