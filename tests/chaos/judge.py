# SPDX-License-Identifier: Apache-2.0
"""What must hold, and what the wire and the kernels say about it."""

import time
from typing import Callable, List, Optional, Set, Tuple

from schedule import TARGETS
from world import V4, V6, World

# A claim is a fault where the source was alive and within reach for so long before it, and until it.
GOOD_WHILE_S = 2.0
# Once nothing is broken any more, everything is as it should be within so long, and stays so for STEADY_S. Of this the
# guard's patience is 1 s, the lease 3 s and up to 2.5 s more, and what is left is for a busy machine.
SETTLE_S = 15.0
STEADY_S = 1.0
# Of the client's pings in that time, so many are answered.
SERVED = 0.9


class Judge:
    """Looks at one world; what is wrong is text."""

    def __init__(self, world: World):
        self.world = world
        self.judged_claims = 0
        self.wrong: List[str] = []

    def name(self, macs: Set[str]) -> str:
        return " and ".join(sorted(self.world.watch.name(mac) for mac in macs)) or "nobody"

    def claims(self) -> None:
        """Nobody began to speak for an address of a source that was alive and within his reach."""
        fresh, watch = self.world.watch.claims[self.judged_claims:], self.world.watch
        self.judged_claims += len(fresh)
        for claim in fresh:
            since = claim.after - GOOD_WHILE_S
            if claim.host in TARGETS and self.world.truth.reachable_through(claim.host, since, claim.at):
                self.wrong.append(f"{claim.host} claimed {claim.address} between {watch.clock(claim.after)} and "
                                  f"{watch.clock(claim.at)}, though the source was alive and within reach")

    def foreign(self) -> None:
        """Nothing but the source's addresses was touched."""
        self.wrong += self.world.strangers()

    def state(self, expected: Optional[Set[str]], now: float) -> Tuple[bool, str]:
        """
        Whether exactly one of the expected hosts answers and serves, or nobody where nobody is expected; and what is
        seen. expected: names; None: anybody or nobody.
        """
        watch, since = self.world.watch, now - STEADY_S
        answering = {address: watch.holders(address, since, now) for address in (V4, V6)}
        names = {watch.name(mac) for macs in answering.values() for mac in macs}
        serving = [watch.served_by(address, since, now) for address in (V4, V6)]
        holding = {name for name, held in self.world.holding().items() if held}
        seen = (f"{V4} is answered for by {self.name(answering[V4])}, {V6} by {self.name(answering[V6])}; "
                + "the client is served by " + ", ".join(f"{self.name(m)} ({part:.0%})" for m, part in serving)
                + f"; kernels: {', '.join(sorted(holding)) or 'none'}")
        if not names and not holding:
            return not expected, seen
        one = len(names) == 1 and all(len(macs) == 1 for macs in answering.values())
        served = all(part >= SERVED and macs == answering[V4] for macs, part in serving)
        return (one and served and holding == names & set(TARGETS) and (expected is None or names <= expected)), seen

    def settles(self, expected: Optional[Set[str]], what: str, began: float,
                help_along: Callable[[], None] = lambda: None) -> Optional[float]:
        """Waits until it is as it should be; how long that took, or None where it never was."""
        seen = ""
        while time.monotonic() < began + SETTLE_S + STEADY_S:
            time.sleep(0.1)
            help_along()
            now = time.monotonic()
            if now - began > STEADY_S:
                good, seen = self.state(expected, now)
                if good:
                    return now - STEADY_S - began
        self.wrong.append(f"{what}: not settled within {SETTLE_S:.0f} s: {seen}")
        return None

    def nothing_left(self, within_s: float) -> None:
        """All agents were killed for good: no address of the source's is left on a target."""
        began = time.monotonic()
        while time.monotonic() < began + within_s:
            if not any(self.world.holding().values()):
                break
            time.sleep(0.1)
        else:
            self.wrong.append(f"{within_s:.0f} s after the agents were killed: {self.world.holding()}")
        time.sleep(0.3)
        now = time.monotonic()
        for address in (V4, V6):
            answering = self.world.watch.holders(address, now - 0.2, now) - {self.world.mac["web1"]}
            if answering:
                self.wrong.append(f"{self.name(answering)} still answers for {address}")
