#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
The benches: standin beside keepalived, ucarp, fping and the kernel alone, in turns.

    bench.py [--only NAME]... [--quick] [--report]      (`make bench [BENCH=NAME] [QUICK=1]`)

Each run writes a line of JSON a measurement to $BUILD/bench/; --report makes docs/benchmarks.md and its plots of it.
"""

import argparse
import dataclasses
import json
import os
import random
import subprocess
import sys
import time
from typing import Callable, Dict, List, Tuple

import cost
import load
import report
import takeovers
from meter import BUILD, ROOT, Noise


@dataclasses.dataclass
class Bench:
    """What is measured for each of some cases, in turns."""
    cases: Callable[[bool], List[tuple]]  # of a quick run, or of a whole one
    measure: Callable[..., Dict[str, float]]
    runs: Tuple[int, int]  # turns of a quick run and of a whole one


options: Dict[str, float] = {}


def scale(size: int) -> Dict[str, float]:
    done = subprocess.run([f"{BUILD}/scale", str(size)], capture_output=True, text=True, check=True, timeout=600)
    return json.loads(done.stdout.splitlines()[-1])


def false_cases(quick: bool) -> List[tuple]:
    seconds, seed = options.get("seconds") or (20 if quick else 60), random.randrange(1 << 30)
    return [("standin", 10, seconds, seed), ("standin", 2, seconds, seed), ("keepalived", 10, seconds, seed)]


BENCHES = {
    "failover": Bench(lambda quick: takeovers.failover_jobs(), takeovers.failover, (3, 7)),
    "claim": Bench(lambda quick: takeovers.claim_jobs([1, 100, 1000, 5000] + ([] if quick else [10000])),
                   takeovers.claim, (3, 5)),
    "failback": Bench(lambda quick: [("standin",), ("keepalived",)], takeovers.failback, (3, 5)),
    "cost": Bench(lambda quick: [(p, n) for n in cost.SIZES for p in cost.PROGRAMS],
                  cost.probing, (3, 5)),
    "idle": Bench(lambda quick: [("standin", 10), ("keepalived", 10), ("fping", 10), ("standin", 100),
                                 ("keepalived", 100), ("standin", 1000), ("ucarp", 1000)],
                  lambda name, ms: cost.idle(name, ms, 5), (2, 4)),
    "false": Bench(false_cases, load.false_takeovers, (1, 2)),
    "scale": Bench(lambda quick: [(n,) for n in (100, 300, 1000, 3000, 10000)], scale, (2, 3)),
}


def command(*argv: str) -> str:
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    lines = (done.stdout + done.stderr).strip().splitlines()
    return lines[0] if lines else "?"


def machine(quick: bool) -> Dict[str, object]:
    """What the figures depend on."""
    with open("/proc/cpuinfo", encoding="ascii") as file:
        model = next((line.split(":")[1].strip() for line in file if line.startswith("model name")), "?")
    return {"bench": "machine",
            "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()), "kernel": os.uname().release,
            "cores": os.cpu_count(), "processor": model, "load": os.getloadavg()[0], "quick": quick,
            "keepalived": command("keepalived", "--version"), "fping": command("fping", "--version"),
            "ucarp": command("dpkg-query", "-W", "-f", "${Version}", "ucarp"),
            "commit": command("git", "-C", ROOT, "rev-parse", "--short", "HEAD")}


def one(bench: Bench, name: str, case: tuple, turn: int) -> Dict[str, object]:
    """One measurement; what went wrong is told, and shown in the report."""
    line: Dict[str, object] = {"bench": name, "case": list(case), "turn": turn}
    try:
        line["figures"] = bench.measure(*case)
    except Exception as error:  # pylint: disable=broad-except
        line["error"] = f"{type(error).__name__}: {str(error).splitlines()[0][:160]}"
    return line


def run(names: List[str], quick: bool, path: str) -> bool:
    good = True
    with open(path, "w", encoding="utf-8") as file:
        def tell(line: Dict[str, object]) -> None:
            print(json.dumps(line), flush=True)
            print(json.dumps(line), file=file, flush=True)
        tell(machine(quick))
        for name in names:
            bench = BENCHES[name]
            with Noise() as noise:
                cases = bench.cases(quick)
                for turn in range(bench.runs[0 if quick else 1]):
                    for case in cases:
                        line = one(bench, name, case, turn)
                        good = good and "error" not in line
                        tell(line)
            tell({"bench": "noise", "of": name, **noise.seen})
    return good


def main() -> int:
    parser = argparse.ArgumentParser(description="standin beside keepalived, ucarp, fping and the kernel alone.")
    parser.add_argument("--only", action="append", choices=BENCHES, metavar="NAME", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="fewer turns: orders of magnitude")
    parser.add_argument("--report", action="store_true", help="writes docs/benchmarks.md")
    parser.add_argument("--seconds", type=float, help="how long a run of `false` takes")
    parser.add_argument("--from", dest="known", nargs="+", default=[], metavar="FILE",
                        help="measures nothing: a report of what was measured")
    arguments = parser.parse_args()
    options["seconds"] = arguments.seconds
    good = True
    if not arguments.known:
        folder = os.path.join(os.path.dirname(os.path.dirname(BUILD)), "bench")
        os.makedirs(folder, exist_ok=True)
        arguments.known = [os.path.join(folder, time.strftime("%Y%m%dT%H%M%S.jsonl", time.gmtime()))]
        good = run(arguments.only or list(BENCHES), arguments.quick, arguments.known[0])
    lines = []
    for path in arguments.known:
        with open(path, encoding="utf-8") as file:
            lines += [json.loads(line) for line in file]
    text, plots = report.make(lines)
    print(text)
    if arguments.report:
        report.write(os.path.join(ROOT, "docs"), text, plots)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
