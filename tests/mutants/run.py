#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Breaks the agent on purpose, one way at a time, and sees to it that the simulation tells.

    run.py [--sample N] [NAME...]        build the worlds before; see README.md

Prints one TAP line a mutant, with the test that caught it. A mutant that is caught by none, whose text is not in the
sources any more, or that does not compile has failed. --sample N plays N of them, which ones SEED says.
"""

import argparse
import concurrent.futures
import os
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile

from mutants import MUTANTS

WORKERS = 2
LIMIT_S = 120   # one world program; what takes longer was broken by the mutant
RANDOM_WORLDS = "1500"
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
# The cheapest first; random worlds last.
ORDER = ["takeover", "evidence", "holding", "operator", "isolation", "rivals", "stall",
         "return", "restart", "reload", "random", "many"]


def words(name):
    """The words of a variable that the Makefile hands over."""
    return shlex.split(os.environ[name])


def mutate(mutant, folder):
    """Writes the mutated source into `folder`. Returns its path; raises ValueError where the text is gone."""
    text = pathlib.Path(mutant.file).read_text(encoding="utf-8")
    if text.count(mutant.old) != 1:
        raise ValueError(f"{mutant.file} has the text to be replaced {text.count(mutant.old)} times, not once")
    path = folder / pathlib.Path(mutant.file).name
    path.write_text(text.replace(mutant.old, mutant.new), encoding="utf-8")
    return path


def tool(command):
    """Runs compiler or linker; raises ValueError with what it said."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ValueError("does not build: " + " ".join(done.stderr.split())[:300])


def link(world, mutated, folder):
    """A world program with the mutated object in place of its own: it comes before the archives, and is enough."""
    program = folder / world
    base = BUILD / "tests/sim"
    libraries = sorted(str(path) for path in base.glob("lib*.o"))
    tool([*words("MUTANT_CC"), *words("MUTANT_LINK"), "-o", str(program), str(base / f"world_{world}.o"), *libraries,
          str(mutated), *words("MUTANT_ARCHIVES"), *words("MUTANT_LIBS"), "-lcmocka"])
    return program


def catches(program, world):
    """The name of the test that fails, or None."""
    environment = dict(os.environ, CMOCKA_MESSAGE_OUTPUT="TAP", WORLDS=RANDOM_WORLDS, SECONDS="0", REDUCE="0")
    try:
        done = subprocess.run([str(program)], capture_output=True, text=True, check=False, timeout=LIMIT_S,
                              env=environment)
    except subprocess.TimeoutExpired:
        return f"{world}: takes for ever"
    if done.returncode == 0:
        return None
    if world == "random":
        said = re.search(r"^# (SEED=\d+: .*)$", done.stdout, re.MULTILINE)
        return f"random: {said.group(1) if said else 'ended badly'}"
    failed = re.search(r"^not ok \d+ - (\S+)", done.stdout, re.MULTILINE)
    return f"{world}: {failed.group(1) if failed else 'ended badly'}"


def judge(mutant):
    """(whether it was caught, by whom or why not)."""
    order = [mutant.first] * bool(mutant.first) + [world for world in ORDER if world != mutant.first]
    with tempfile.TemporaryDirectory(prefix="mutant.") as name:
        folder = pathlib.Path(name)
        try:
            source = mutate(mutant, folder)
            mutated = source.with_suffix(".o")
            tool([*words("MUTANT_CC"), *words("MUTANT_CFLAGS"), "-Wno-error", "-w", "-c", "-o", str(mutated),
                  str(source)])
            for world in order:
                caught = catches(link(world, mutated, folder), world)
                if caught:
                    return True, f"caught by {caught}"
        except ValueError as error:
            return False, str(error)
    return False, "survives: a test is missing"


def choose(arguments):
    if arguments.names:
        return [mutant for mutant in MUTANTS if mutant.name in arguments.names]
    if not arguments.sample:
        return MUTANTS
    seed = int(os.environ.get("SEED") or "1", 0)
    return [MUTANTS[(seed * arguments.sample + i) % len(MUTANTS)] for i in range(arguments.sample)]


def main():
    parser = argparse.ArgumentParser(description="Breaks the agent on purpose, and sees that the simulation tells.")
    parser.add_argument("--sample", type=int, default=0, metavar="N")
    parser.add_argument("names", nargs="*")
    chosen = choose(parser.parse_args())
    survived = 0
    print(f"1..{len(chosen)}", flush=True)
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as pool:
        for number, (mutant, (caught, how)) in enumerate(zip(chosen, pool.map(judge, chosen)), 1):
            survived += not caught
            print(f"{'ok' if caught else 'not ok'} {number} - {mutant.name}\n# {how}", flush=True)
    print(f"# {len(chosen) - survived} of {len(chosen)} mutants caught")
    sys.exit(1 if survived or not chosen else 0)


if __name__ == "__main__":
    main()
