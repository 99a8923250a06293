# SPDX-License-Identifier: Apache-2.0
"""One fault of one pair of hosts, measured from outside: by who answers ARP, and by who answers the client."""

import dataclasses
import os
import signal
import threading
import time
from typing import Callable, Dict, List

from contenders import ADDRESS, Contender, Lan
from observer import Observer
from wire import Ping, Pinger

# How long is looked on after a fault began; what goes on for ever counts with this.
WINDOW_S = 12.0
FAULT_S = 5.0
ASK_S, PING_S = 0.005, 0.001
# Above all that is measured.
PRIORITY = 50


@dataclasses.dataclass
class Figures:
    """What a fault cost."""

    two_ms: float    # two hosts answered ARP for the address
    none_ms: float   # the client was not answered by anybody: pings lost, one each ms
    gap_ms: float    # of this, in one piece
    flips: int       # how often another host answered the client than before
    end: str         # who answers ARP in the end

    @property
    def wrong_ms(self) -> float:
        """Not exactly one answered: too many and too few count the same."""
        return self.two_ms + self.none_ms


def killed(everything: bool) -> Callable[[Contender, str, str], None]:
    def fault(pair: Contender, holder: str, _: str) -> None:
        pair.send(holder, signal.SIGKILL, everything)
    return fault


def frozen(holding: bool, everything: bool) -> Callable[[Contender, str, str], None]:
    def fault(pair: Contender, holder: str, watcher: str) -> None:
        member = holder if holding else watcher
        pair.send(member, signal.SIGSTOP, everything)
        time.sleep(FAULT_S)
        pair.send(member, signal.SIGCONT, everything)
    return fault


def cut_off(pair: Contender, holder: str, _: str) -> None:
    """The holder's switch port falls silent, and is back later."""
    host = pair.lan.host(holder)
    host.crash_silently()
    time.sleep(FAULT_S)
    host.heal()


CASES: Dict[str, Callable[[Contender, str, str], None]] = {
    "kill-daemon": killed(False),
    "kill-all": killed(True),
    "freeze-holder": frozen(True, False),
    "freeze-holder-all": frozen(True, True),
    "freeze-watcher": frozen(False, True),
    "partition": cut_off,
}


def two_s(observer: Observer, since: float, until: float) -> float:
    """How long two hosts answered: from one question to the next, where both answered this one."""
    answers = sorted((a.at, a.mac) for a in observer.answers)
    asked = [at for at in observer.asked if since <= at < until] + [until]
    total, position = 0.0, 0
    for at, following in zip(asked, asked[1:]):
        while position < len(answers) and answers[position][0] < at:
            position += 1
        macs = set()
        while position < len(answers) and answers[position][0] < following:
            macs.add(answers[position][1])
            position += 1
        total += following - at if len(macs) > 1 else 0
    return total


def longest_gap(pings: List[Ping]) -> float:
    longest, since = 0.0, None
    for ping in pings:
        if ping.by is None:
            since = ping.sent_at if since is None else since
            longest = max(longest, ping.sent_at - since + PING_S)
        else:
            since = None
    return longest


def go_first() -> None:
    """Every thread of ours before what else this machine does: what is late here would pass for an answer, or for
    none. What is started from here does not inherit that."""
    for thread in threading.enumerate():
        os.sched_setscheduler(thread.native_id, os.SCHED_RR | os.SCHED_RESET_ON_FORK, os.sched_param(PRIORITY))


def measure(kind: Callable[[Lan], Contender], case: str, window_s: float = WINDOW_S) -> Figures:
    with Lan() as lan:
        pair = kind(lan)
        pair.start()
        holder, = pair.holders()
        watcher = next(name for name in pair.members if name != holder)
        hosts = [*pair.members.values(), *([lan.host("web1")] if "web1" in lan.hosts else [])]
        with Observer(lan.host("observer"), hosts, lan.host("client"), [ADDRESS], interval_s=ASK_S) as observer, \
                Pinger(lan.host("client"), ADDRESS, PING_S) as pinger:
            go_first()
            if not pinger.wait_for(lan.host(holder).nic("eth0").mac, count=300):
                raise RuntimeError(f"the client is not served by {holder}\n{pair.story()}")
            began = time.monotonic()
            CASES[case](pair, holder, watcher)
            time.sleep(max(0, began + window_s - time.monotonic()))
            ended = time.monotonic()
        pings = [p for p in pinger.pings() if began <= p.sent_at < ended - 0.1]
        order: List[str] = []
        for ping in pings:
            if ping.by and (not order or order[-1] != ping.by):
                order.append(ping.by)
        return Figures(two_ms=round(two_s(observer, began, ended) * 1000), gap_ms=round(longest_gap(pings) * 1000),
                       none_ms=round(sum(p.by is None for p in pings) * PING_S * 1000), flips=max(0, len(order) - 1),
                       end=" and ".join(sorted(observer.name(m) for m in
                                               observer.holders(ADDRESS, ended - 0.5, ended))) or "nobody")
