#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
Breaks LANs at random, and looks whether the agents kept their promises.

    chaos.py [--seconds N] [--lans N] [--seed N]

Prints TAP, a line for each LAN, and the seed. The same seed plays the same schedule of faults; timing is real, so what
comes of it may differ. BUILD=dir, or STANDIND and STANDINCTL, choose the programs.
"""

import argparse
import os
import random
import signal
import statistics
import subprocess
import sys
import time
from typing import List

from schedule import Episode, TARGETS, draw_episode
from world import Lan, World, in_effect
from judge import Judge

# Guard and lease together, and room for a busy machine.
GONE_S = 10.0
# How long the operator looks on before he says `standinctl failback`, and says it again.
PATIENCE_S = 2.0


class Run:
    """One LAN through its episodes."""

    def __init__(self, lan: Lan, seed: int, seconds: float):
        self.rng = random.Random(seed)
        self.end = time.monotonic() + seconds
        automatic = self.rng.random() < 0.5 and in_effect(lan, "failback automatic")
        self.manual = not automatic
        self.world = World(lan, "automatic" if automatic else "manual")
        self.judge = Judge(self.world)
        self.next_failback = 0.0
        self.settled: List[float] = []
        self.episodes = self.faults = 0

    def say(self, text: str) -> None:
        print(f"# {self.world.watch.clock(time.monotonic())} {text}", flush=True)

    def play(self) -> None:
        """Episodes until the time is over or something is wrong."""
        self.note(self.judge.settles({"web1"}, "at the beginning", time.monotonic()))
        while time.monotonic() < self.end and not self.judge.wrong:
            self.episode(draw_episode(self.rng))
        if not self.judge.wrong:
            self.kill_for_good()

    def note(self, took) -> None:
        if took is not None:
            self.settled.append(took)

    def episode(self, episode: Episode) -> None:
        self.episodes += 1
        self.faults += len(episode.faults)
        began = time.monotonic()
        self.say(f"episode {self.episodes}, the source {'stays dead' if episode.source_stays_dead else 'returns'}")
        for fault in episode.faults:
            self.say(f"    {fault}")
            self.world.make(fault, began)
        self.world.run_until(began + max(fault.at for fault in episode.faults) + self.rng.uniform(0.05, 2))
        if episode.source_stays_dead:
            self.world.heal(source=False)
            self.note(self.judge.settles(self.expected(), f"episode {self.episodes}, the source dead",
                                         time.monotonic()))
        if not self.judge.wrong:
            self.world.heal(source=True)
            self.world.revive_all()
            self.next_failback = time.monotonic() + PATIENCE_S
            self.note(self.judge.settles({"web1"}, f"episode {self.episodes}, the source back", time.monotonic(),
                                         self.operator))
        self.judge.claims()
        self.judge.foreign()
        self.world.watch.forget(time.monotonic() - 5)

    def expected(self):
        """Who must stand in for a dead source: any target, where one runs that has seen it alive. None: any may."""
        able = [t for t in TARGETS if self.world.agents[t].process.poll() is None and self.world.armed.certainly(t)]
        return set(TARGETS) if able else None

    def operator(self) -> None:
        """Gives back what is held, where the file leaves that to a person, once the source may have been seen."""
        now = time.monotonic()
        self.world.run_until(now)
        if now < self.next_failback or not self.manual:
            return
        for target, held in self.world.holding().items():
            if held:
                self.say(f"    standinctl failback on {target}")
                self.world.failback(target)
                self.next_failback = now + PATIENCE_S

    def kill_for_good(self) -> None:
        """The end: the source dies, somebody stands in, and then all agents are killed, some with their guards."""
        self.world.truth.begins("web1", "partition")
        self.world.set_port("web1")
        self.judge.settles(self.expected(), "at the end, the source dead", time.monotonic())
        for target in TARGETS:
            guard = self.rng.random() < 0.5
            self.say(f"kill -9 of the agent{' and the guard' if guard else ''} on {target}, for good")
            self.world.signal(self.world.pids(target, guard=guard), signal.SIGKILL)
        self.judge.nothing_left(GONE_S)
        self.judge.foreign()


def run_lan(seed: int, seconds: float) -> int:
    with Lan() as lan:
        run = Run(lan, seed, seconds)
        run.play()
        median, slowest = (statistics.median(run.settled), max(run.settled)) if run.settled else (0, 0)
        print(f"# {run.episodes} episodes, {run.faults} faults, {run.world.watch.claims_of(TARGETS)} claims, failback "
              f"{'manual' if run.manual else 'automatic'}; settled {len(run.settled)} times, after {median:.1f} s "
              f"(median), {slowest:.1f} s (slowest)", flush=True)
        for wrong in run.judge.wrong:
            print(f"# WRONG: {wrong}", flush=True)
        if run.judge.wrong:
            print(run.world.stories(), file=sys.stderr, flush=True)
        return 1 if run.judge.wrong else 0


def main() -> int:
    parser = argparse.ArgumentParser(description="Breaks LANs at random.")
    parser.add_argument("--seconds", type=float, default=120)
    parser.add_argument("--lans", type=int, default=3)
    parser.add_argument("--seed", type=int, default=int(os.environ.get("SEED") or int.from_bytes(os.urandom(4), "big")))
    parser.add_argument("--lan", action="store_true", help="play one LAN in this process")
    arguments = parser.parse_args()
    if arguments.lan:
        return run_lan(arguments.seed, arguments.seconds)
    print(f"# SEED={arguments.seed}, {arguments.lans} LANs, {arguments.seconds:.0f} s\n1..{arguments.lans}", flush=True)
    lans = [subprocess.Popen([sys.executable, __file__, "--lan", "--seed", str(arguments.seed + n), "--seconds",
                              str(arguments.seconds)], stdout=subprocess.PIPE, text=True)
            for n in range(arguments.lans)]
    failed = 0
    for number, lan in enumerate(lans, 1):
        out, _ = lan.communicate()
        failed += lan.returncode != 0
        print(out, end="")
        print(f"{'ok' if lan.returncode == 0 else 'not ok'} {number} - LAN with seed {arguments.seed + number - 1}",
              flush=True)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
