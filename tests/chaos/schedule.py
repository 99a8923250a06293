# SPDX-License-Identifier: Apache-2.0
"""
What goes wrong, and when: drawn from a seed, before anything runs. The same seed draws the same faults at the same
times; what becomes of them differs, because processes, kernels and the machine are real.
"""

import random
from typing import Any, Dict, List, NamedTuple

EPISODE_S = 8.0
TARGETS = ("spare", "rival")


class Fault(NamedTuple):
    """One thing that goes wrong."""
    at: float      # seconds from the beginning of its episode
    kind: str
    host: str
    lasts: float   # seconds; where it ends by itself
    more: Dict[str, Any]

    def __str__(self) -> str:
        more = " ".join(f"{key}={value}" for key, value in self.more.items())
        lasts = f"for {self.lasts:.2f} s" if self.lasts else ""
        return f"{self.at:5.2f} s {self.kind} {self.host} {lasts} {more}".rstrip()


class Episode(NamedTuple):
    """Some seconds of faults; then all that can be healed is, and quiet is expected."""
    faults: List[Fault]
    source_stays_dead: bool  # at first; once that was looked at, it returns


def a_while(rng: random.Random, least: float, most: float) -> float:
    """Short times are as frequent as long ones."""
    return round(least * (most / least) ** rng.random(), 3)


# Each draws what is particular to its kind: (how long it lasts, what else).
def lasting(least: float, most: float):
    return lambda rng: (a_while(rng, least, most), {})


KINDS = {
    # of the agent; `lasts` is until it is started again, and 0 is not before the episode is over
    "agent-kill": lambda rng: (rng.choice((0, a_while(rng, 0.02, 3))), {}),
    "agent-term": lambda rng: (rng.choice((0, a_while(rng, 0.02, 3))), {}),
    "both-kill": lambda rng: (rng.choice((0, a_while(rng, 0.02, 5))), {}),
    "agent-freeze": lasting(0.05, 6),
    "guard-kill": lambda rng: (0, {}),
    "guard-freeze": lasting(0.3, 5),
    "both-freeze": lasting(0.3, 6),
    "reload-storm": lambda rng: (a_while(rng, 0.1, 1.5), {"count": rng.randint(5, 40)}),
    "second-agent": lambda rng: (a_while(rng, 0.3, 4), {"end": rng.choice(("kill", "term"))}),
    "failback": lambda rng: (0, {}),
    "failover": lambda rng: (0, {}),
    # of its host and its network
    "delete": lambda rng: (0, {}),
    "drop-in": lasting(0.2, 4),
    "drop-out": lasting(0.2, 4),
    "loss-in": lasting(0.5, 5),
    "loss-out": lasting(0.5, 5),
    "partition": lasting(0.2, 5),
    "flap": lambda rng: (a_while(rng, 0.1, 2), {"count": rng.randint(1, 4)}),
}
FOR_NETWORK = ("drop-in", "drop-out", "loss-in", "loss-out", "partition", "flap")
FOR_TARGET = tuple(KINDS)


def draw_fault(rng: random.Random) -> Fault:
    host = rng.choice(TARGETS + TARGETS + ("web1", "gateway"))
    kind = rng.choice(FOR_TARGET if host in TARGETS else FOR_NETWORK)
    lasts, more = KINDS[kind](rng)
    return Fault(round(rng.uniform(0, EPISODE_S - 1), 3), kind, host, lasts, more)


def draw_crash(rng: random.Random, dead: bool) -> List[Fault]:
    """In most episodes the source crashes, by itself or with its cable, and mostly it is back before the end."""
    if not dead and rng.random() < 0.2:
        return []
    at = round(rng.uniform(0, 3), 3)
    kind = rng.choice(("partition", "unplug"))
    return [Fault(at, kind, "web1", 0 if dead else a_while(rng, 0.3, EPISODE_S - at), {})]


def draw_episode(rng: random.Random) -> Episode:
    dead = rng.random() < 0.5
    faults = draw_crash(rng, dead) + [draw_fault(rng) for _ in range(rng.randint(1, 5))]
    return Episode(sorted(faults), dead)
