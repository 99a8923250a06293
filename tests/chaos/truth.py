# SPDX-License-Identifier: Apache-2.0
"""What those who break the LAN know of it: who could reach whom, and since when. No agent is asked."""

import time
from typing import Dict, List, Set, Tuple

# Each cuts a port off; several may be at work at once.
CUTS = {"drop-in", "drop-out", "partition", "unplug", "flap"}
# A third of the frames lost on one way of one port leaves everybody within reach: all four probes of a round would have
# to be lost, several rounds in a row. More of it at once may look like a death, and is not judged.
LOSSES = {"loss-in", "loss-out"}


class Truth:
    """Which faults are at work at which port, and what follows from them."""

    def __init__(self, targets: Tuple[str, ...]):
        self.active: Dict[str, List[str]] = {}
        self.reach: Dict[str, List[Tuple[float, bool]]] = {target: [(time.monotonic(), True)] for target in targets}

    def begins(self, host: str, kind: str) -> None:
        """Called before the fault is made."""
        self.active.setdefault(host, []).append(kind)
        self.note()

    def ends(self, host: str, kind: str) -> None:
        """Called when it is mended."""
        self.active[host].remove(kind)
        self.note()

    def at_work(self, host: str) -> Set[str]:
        return set(self.active.get(host, []))

    def reachable(self, target: str) -> bool:
        """Whether the source and this target reach each other now, both ways."""
        kinds = self.active.get("web1", []) + self.active.get(target, [])
        return not CUTS & set(kinds) and sum(kind in LOSSES for kind in kinds) <= 1

    def note(self) -> None:
        for target, changes in self.reach.items():
            now = self.reachable(target)
            if changes[-1][1] != now:
                changes.append((time.monotonic(), now))

    def reachable_through(self, target: str, since: float, until: float) -> bool:
        """Whether the source was within reach of this target all the time."""
        state = False
        for at, reachable in self.reach[target]:
            if at > until:
                break
            if at <= since:
                state = reachable
            elif not reachable:
                return False
        return state


class Armed:
    """
    Which targets have certainly seen the source alive since they were started, or since they gave it back, and so must
    stand in for it.
    """

    SEEN_S = 2.0

    def __init__(self, truth: Truth, targets: Tuple[str, ...]):
        self.truth = truth
        self.since: Dict[str, float] = {target: time.monotonic() for target in targets}
        self.frozen: Dict[str, List[Tuple[float, float]]] = {target: [] for target in targets}

    def forget(self, target: str, at: float) -> None:
        """It was started, or told to give back."""
        self.since[target] = at

    def froze(self, target: str, at: float, lasts: float) -> None:
        self.frozen[target].append((at, at + lasts))

    def certainly(self, target: str) -> bool:
        """Whether there was a while in which it ran and the source was within reach."""
        # Wherever one could begin: after it was started, after a pause, after the source came within reach.
        begins = [self.since[target] + 1] + [end for _, end in self.frozen[target]]
        begins += [at for at, reachable in self.truth.reach[target] if reachable]
        return any(self.was_watching(target, at) for at in begins if at >= self.since[target] + 1)

    def was_watching(self, target: str, since: float) -> bool:
        until = since + self.SEEN_S
        return (until <= time.monotonic() and self.truth.reachable_through(target, since, until) and
                not any(begin < until and end > since for begin, end in self.frozen[target]))
