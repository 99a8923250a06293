#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
standin side by side with keepalived and ucarp, on the same LAN, through the same faults, in turns.

    peers.py [--runs N] [--case NAME]... [--peer NAME]... [--json FILE]

Prints a table of medians and ranges; --json adds a line for each run to a file.
"""

import argparse
import dataclasses
import json
import statistics
import sys
from typing import Dict, List, Tuple

from contenders import KINDS
from measure import CASES, WINDOW_S, Figures, measure

Results = Dict[Tuple[str, str], List[Figures]]


def jobs(cases: List[str], peers: List[str]) -> List[Tuple[str, str]]:
    """What one turn measures. A source on which nothing is installed has no daemon to kill: it can only be cut off."""
    return [(case, peer) for case in cases for peer in peers if peer != "standin (source)" or case == "partition"]


def run(cases: List[str], peers: List[str], runs: int, tell=lambda line: None, window_s: float = WINDOW_S) -> Results:
    results: Results = {}
    for turn in range(runs):
        for case, peer in jobs(cases, peers):
            figures = measure(KINDS[peer], case, window_s)
            results.setdefault((case, peer), []).append(figures)
            tell(json.dumps({"case": case, "peer": peer, "run": turn, **dataclasses.asdict(figures),
                             "wrong_ms": figures.wrong_ms}))
    return results


def spread(values: List[float]) -> str:
    return f"{statistics.median(values):.0f} ({min(values):.0f}..{max(values):.0f})"


def table(results: Results) -> str:
    rows = [("case", "program", "two answer, ms", "client lost, ms", "wrong, ms", "longest gap, ms", "flips",
             "answers in the end")]
    for (case, peer), figures in results.items():
        rows.append((case, peer, spread([f.two_ms for f in figures]), spread([f.none_ms for f in figures]),
                     spread([f.wrong_ms for f in figures]), spread([f.gap_ms for f in figures]),
                     spread([f.flips for f in figures]),
                     ", ".join(sorted({f.end for f in figures}))))
    widths = [max(len(row[n]) for row in rows) for n in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows)


def main() -> int:
    parser = argparse.ArgumentParser(description="standin side by side with keepalived and ucarp.")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--case", action="append", choices=CASES)
    parser.add_argument("--peer", action="append", choices=KINDS)
    parser.add_argument("--json", type=argparse.FileType("w", encoding="ascii"))
    arguments = parser.parse_args()

    def tell(line: str) -> None:
        print(line, flush=True)
        if arguments.json:
            print(line, file=arguments.json, flush=True)
    results = run(arguments.case or list(CASES), arguments.peer or list(KINDS), arguments.runs, tell)
    print(f"\nOf the {WINDOW_S:.0f} s after the fault began, median (least..most) of {arguments.runs} runs:\n")
    print(table(results))
    return 0


if __name__ == "__main__":
    sys.exit(main())
