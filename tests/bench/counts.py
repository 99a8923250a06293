#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""
What the workloads of the micro-benches cost in instructions, counted by callgrind, against what they are expected to.

    counts.py [--write]      (`make bench-counts`)

Prints TAP. A workload that costs 10 % more or less than tests/bench/counts.expected says fails: less, too, because the
next change could otherwise lose what this one won. The counts hold for Debian 12 with its compiler; elsewhere all is
printed, and skipped.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import subprocess
import sys
import tempfile
from typing import Dict, List, Tuple

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", "build")).resolve()
EXPECTED = HERE / "counts.expected"
TOLERANCE = 0.10
REFERENCE = ("12", "12.2.0")  # Debian, gcc
WORKERS = 2
LIMIT_S = 120
# Ten times as much must not cost much more than ten times as much.
LINEAR = (("ipmap_100000", "ipmap_10000", 12.0), ("core_claim_10000", "core_claim_1000", 12.0))
# Which string functions the C library takes depends on the processor: all take those that each has.
PLAIN = "-AVX2,-AVX512F,-AVX512VL,-AVX512BW,-AVX,-BMI2,-BMI1,-LZCNT,-MOVBE,-RTM,-ERMS,-FSRM,-SSE4_2,-SSE4_1,-SSSE3"
COUNTED = re.compile(r"^(?:summary|totals): (\d+)$", re.MULTILINE)


def platform() -> Tuple[str, str]:
    """The release of Debian, or "" for another system, and the version of the compiler, or "" for another one."""
    release = pathlib.Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r'^VERSION_ID="?([^"\n]+)', release, re.MULTILINE)
    debian = found.group(1) if found and re.search(r"^ID=debian$", release, re.MULTILINE) else ""
    cc = os.environ.get("CC", "cc")
    text = subprocess.run([cc, "--version"], capture_output=True, text=True, check=True).stdout
    version = subprocess.run([cc, "-dumpfullversion"], capture_output=True, text=True, check=False).stdout.strip()
    return debian, version if "Free Software Foundation" in text and version else ""


def workloads() -> List[Tuple[pathlib.Path, str]]:
    found = []
    for source in sorted(HERE.glob("micro_*.c")):
        program = BUILD / "tests/bench" / source.stem
        names = subprocess.run([program, "list"], capture_output=True, text=True, check=True).stdout.split()
        found += [(program, name) for name in names]
    return found


def count(job: Tuple[pathlib.Path, str]) -> Tuple[str, int]:
    """The instructions of one workload, without those of its preparation."""
    program, name = job
    with tempfile.TemporaryDirectory() as folder:
        command = ["valgrind", "--tool=callgrind", "--collect-atstart=no", "--toggle-collect=measured*",
                   f"--callgrind-out-file={folder}/out", str(program), name]
        environment = {"PATH": os.environ["PATH"], "GLIBC_TUNABLES": f"glibc.cpu.hwcaps={PLAIN}", "LC_ALL": "C"}
        done = subprocess.run(command, capture_output=True, text=True, env=environment, timeout=LIMIT_S, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{name}: exit {done.returncode}: {done.stderr.strip()}")
        counted = int(COUNTED.search(pathlib.Path(folder, "out").read_text(encoding="ascii")).group(1))
        if counted == 0:
            raise RuntimeError(f"{name}: nothing was counted")
        return name, counted


def read_expected() -> Dict[str, int]:
    lines = [line.split() for line in EXPECTED.read_text(encoding="ascii").splitlines() if not line.startswith("#")]
    return {name: int(number) for name, number in lines}


def write_expected(counts: Dict[str, int]) -> None:
    header = ("# Instructions of each workload of tests/bench/micro_*.c, on Debian 12 with its compiler. Written by\n"
              "# `make bench-counts`; a change that moves one by more than 10 % writes them anew, and says why.\n")
    EXPECTED.write_text(header + "".join(f"{name} {number}\n" for name, number in counts.items()), encoding="ascii")


def judge(counts: Dict[str, int], expected: Dict[str, int]) -> List[Tuple[bool, str]]:
    """A verdict and its sentence for each workload, for those that are gone, and for what must be linear."""
    verdicts = []
    for name, number in counts.items():
        if name not in expected:
            verdicts.append((False, f"{name}: {number} instructions, none expected: make bench-counts"))
            continue
        change = number / expected[name] - 1
        text = f"{name}: {number} instructions, {change:+.1%} of {expected[name]}"
        if abs(change) > TOLERANCE:
            text += ": dearer" if change > 0 else ": cheaper, which is to be kept: make bench-counts"
        verdicts.append((abs(change) <= TOLERANCE, text))
    verdicts += [(False, f"{name}: expected, and not there") for name in expected if name not in counts]
    for large, small, limit in LINEAR:
        ratio = counts[large] / counts[small]
        verdicts.append((ratio <= limit, f"{large} costs {ratio:.1f} times what {small} does, at most {limit:.0f}"))
    return verdicts


def main() -> int:
    parser = argparse.ArgumentParser(description="Instructions of the micro-benches, against what is expected.")
    parser.add_argument("--write", action="store_true", help="expect what is counted now")
    arguments = parser.parse_args()
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        counts = dict(pool.map(count, workloads()))
    here = platform()
    if arguments.write:
        if here != REFERENCE:
            sys.exit(f"counts are written on Debian {REFERENCE[0]} with gcc {REFERENCE[1]}; this is {here}")
        write_expected(counts)
        print(EXPECTED.read_text(encoding="ascii"), end="")
        return 0
    verdicts = judge(counts, read_expected())
    print(f"1..{len(verdicts)}")
    for number, (good, text) in enumerate(verdicts, 1):
        if here == REFERENCE:
            print(f"{'ok' if good else 'not ok'} {number} - {text}")
        else:
            print(f"ok {number} - {text} # SKIP counts are for Debian {REFERENCE[0]}, gcc {REFERENCE[1]}; {text}")
    return 0 if here != REFERENCE or all(good for good, _ in verdicts) else 1


if __name__ == "__main__":
    sys.exit(main())
