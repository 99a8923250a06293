#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Runs fuzzers, each first over its seeds and then for some seconds on inputs of its own.

    tests/fuzz/run.py [--build DIR] [--seconds N] [NAME]...

Seeds stand in tests/fuzz/seeds/NAME. What the fuzzer learns goes to DIR/corpus/NAME and serves the next run; an input
that breaks the program goes to DIR/finds/NAME and is printed. Without a name, every fuzzer runs.
"""

import argparse
import pathlib
import subprocess
import sys

HERE = pathlib.Path(__file__).resolve().parent
# One input must not take longer than this, nor the whole more memory than that.
INPUT_LIMIT_S = 5
MEMORY_LIMIT_MB = 1024


def fuzz(build, name, seconds):
    """Runs one fuzzer; returns whether it found nothing."""
    seeds = HERE / "seeds" / name
    if not seeds.is_dir() or not any(seeds.iterdir()):
        print(f"{name}: no seeds in {seeds}")
        return False
    corpus, finds = build / "corpus" / name, build / "finds" / name
    corpus.mkdir(parents=True, exist_ok=True)
    finds.mkdir(parents=True, exist_ok=True)
    before = set(finds.iterdir())
    status = subprocess.run([
        build / "tests/fuzz" / name, f"-max_total_time={seconds}", f"-timeout={INPUT_LIMIT_S}",
        f"-rss_limit_mb={MEMORY_LIMIT_MB}", f"-artifact_prefix={finds}/", "-print_final_stats=1", "-verbosity=1",
        corpus, seeds,
    ], check=False).returncode
    for find in sorted(set(finds.iterdir()) - before):
        print(f"{name}: found {find}; make it a seed when it is mended")
        print(find.read_bytes()[:4096].hex(" ", 4), flush=True)
    return status == 0


def main():
    parser = argparse.ArgumentParser(description="Runs fuzzers.")
    parser.add_argument("--build", type=pathlib.Path, default=pathlib.Path("build-fuzz"))
    parser.add_argument("--seconds", type=int, default=60)
    parser.add_argument("names", nargs="*")
    arguments = parser.parse_args()

    names = arguments.names or sorted(source.stem for source in HERE.glob("*.c"))
    good = [fuzz(arguments.build, name, arguments.seconds) for name in names]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
