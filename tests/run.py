#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Builds and runs every kind of test, prints one line a file, and counts.

    tests/run.py [--long] [--only PATTERN]... [--list]

PATTERN is a part of a file's name as printed (`unit`, `netns/crash`, `lint/format`), with * and ? if wanted. The
build folder is $BUILD, or `build`. The last line reads `N passed, N failed, N skipped`; the exit status is 0 when none
failed. --long: what takes longer than all of the others together, see long_jobs.

Kinds run one after the other: the sources' checks first, then what needs nothing but a processor, then what needs
namespaces and quiet, then the fuzzers. Within a kind, two files run at a time.
"""

import argparse
import concurrent.futures
import dataclasses
import fnmatch
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import time

import tap

HERE = pathlib.Path(__file__).resolve().parent
BUILD = pathlib.Path(os.environ.get("BUILD", "build"))
WORKERS = 2
FUZZ_SECONDS = 4
MUTANTS = 5
SANITIZED = f"{BUILD}-sanitize"
# Those of the unit tests that `make check` runs under valgrind: each folder that allocates, once.
VALGRIND_SAMPLE = ("config_files", "control_json", "effects_text", "guard_notes", "netlink_message", "base_heap")
# Under valgrind these miss the pace that they measure; do without the allocations that they let fail, as valgrind has
# its own; or have no guard, which closes what it does not know of, valgrind's descriptors too. The sanitizers read
# them all the same.
NOT_FOR_VALGRIND = ("arp_pace", "probes_pace", "config_limits", "guard_agent", "guard_orders", "guard_process")
SANITIZED_ONLY = [word for kind in ("unit/", "sim/", "faults/", "netns/") for word in ("--only", kind)]
# How long what ran out of time may clean up before it is killed.
GRACE_S = 10


@dataclasses.dataclass
class Job:
    """One file to run: its results count one by one where it speaks TAP, else as one check by its exit status."""

    name: str       # as printed, "kind/what"
    command: list
    limit_s: int
    tap: bool = True


@dataclasses.dataclass
class Outcome:
    job: Job
    tally: tap.Tally
    output: str
    seconds: float


def make(*arguments):
    return ["make", *arguments]


def build_jobs(kinds):
    """What must be built for the chosen kinds; checks of sources build what they read. A test that does not build is a
    test that fails."""
    programs = Job("build/programs", make(f"-j{WORKERS}", "all"), 900, tap=False)
    faults = Job("build/faults", make(f"-j{WORKERS}", "-k", "faults"), 900, tap=False)
    tests = Job("build/tests", make(f"-j{WORKERS}", "-k", "unit", "worlds"), 900, tap=False)
    fuzzers = Job("build/fuzzers", make(f"-j{WORKERS}", "-k", "fuzzers"), 900, tap=False)
    micro = Job("build/micro", make(f"-j{WORKERS}", "-k", "plain-micro"), 900, tap=False)
    sanitized = Job("build/sanitized", make("SANITIZE=1", f"BUILD={SANITIZED}", f"-j{WORKERS}", "-k", "all", "unit",
                                            "worlds", "faults"), 1800, tap=False)
    needs = {"lint": [], "unit": [programs, tests], "sim": [tests], "mutants": [tests], "faults": [programs, faults],
             "netns": [programs], "chaos": [programs], "peers": [programs], "valgrind": [tests], "bench": [micro],
             "fuzz": [fuzzers],
             "long": [programs, tests, faults, fuzzers, sanitized]}
    chosen = [job for kind in kinds for job in needs[kind]]
    return [job for job in (programs, tests, faults, micro, fuzzers, sanitized) if job in chosen]


def lint_jobs():
    names = subprocess.run(make("-s", "lint-list"), check=True, capture_output=True, text=True).stdout.split()
    return [Job(f"lint/{name}", make("-s", f"lint-{name}"), 600, tap=False) for name in names]


def binary_jobs(kind, pattern, limit_s):
    """One job a source file, so that what was not built is missed."""
    return [Job(f"{kind}/{source.stem}", [str(BUILD.resolve() / "tests" / kind / source.stem)], limit_s)
            for source in sorted((HERE / kind).glob(pattern))]


def python_jobs(kind, limit_s=400):
    return [Job(f"{kind}/{path.stem.removeprefix('test_')}", [sys.executable, str(HERE / "tap.py"), str(path)], limit_s)
            for path in sorted((HERE / kind).glob("test_*.py"))]


def faults_jobs():
    """The model, then the real programs with calls that fail. All faults of these take half an hour."""
    limit_s = 6600 if os.environ.get("FAULTS") == "all" else 600
    return [Job("faults/model", [str(BUILD.resolve() / "tests/faults/model")], limit_s),
            *python_jobs("faults", limit_s)]


def valgrind_jobs(names, limit_s):
    """Unit tests under memcheck: what is read must have been written, and what was allocated must be freed."""
    command = ["valgrind", "--quiet", "--leak-check=full", "--error-exitcode=9", "--child-silent-after-fork=yes",
               f"--suppressions={HERE / 'valgrind.supp'}"]
    return [Job(f"valgrind/{name}", [*command, str(BUILD.resolve() / "tests/unit" / name)], limit_s) for name in names]


def long_jobs():
    """What does not fit into `make check`, of which that runs a sample. A new one is a line here."""
    units = [path.stem for path in sorted((HERE / "unit").glob("*.c")) if path.stem not in NOT_FOR_VALGRIND]
    every = ["env", "FAULTS=all"]
    again = [sys.executable, str(HERE / "run.py")]
    jobs = [
        Job("long/faults", [*every, *again, "--only", "faults/"], 7200, tap=False),
        Job("long/sanitize", ["env", "SANITIZE=1", f"BUILD={SANITIZED}", *again, *SANITIZED_ONLY], 7200, tap=False),
        Job("long/fuzz", make("fuzz", "TIME=300"), 7200, tap=False),
        Job("long/chaos", make("chaos", "TIME=1800"), 7200, tap=False),
    ]
    return jobs + [dataclasses.replace(job, name=f"long/{job.name}") for job in valgrind_jobs(units, 1200)]


def fuzz_jobs():
    runner = [sys.executable, str(HERE / "fuzz/run.py"), "--build", f"{BUILD}-fuzz", "--seconds", str(FUZZ_SECONDS)]
    return [Job(f"fuzz/{source.stem}", [*runner, source.stem], FUZZ_SECONDS + 60, tap=False)
            for source in sorted((HERE / "fuzz").glob("*.c"))]


def all_jobs(long):
    """The jobs of each kind, in the order in which the kinds run."""
    if long:
        return {"long": long_jobs()}
    return {
        "lint": lint_jobs(),
        "unit": binary_jobs("unit", "*.c", 120),
        "sim": binary_jobs("sim", "world_*.c", 600),
        "mutants": [Job("mutants/sample", make("-s", "sim-mutants", f"SAMPLE={MUTANTS}"), 900)],
        "faults": faults_jobs(),
        "netns": python_jobs("netns"),
        "chaos": python_jobs("chaos"),
        "peers": python_jobs("peers"),
        "valgrind": valgrind_jobs(VALGRIND_SAMPLE, 300),
        "bench": [Job("bench/counts", make("-s", "bench-check"), 300)],
        "fuzz": fuzz_jobs(),
    }


def environment():
    """Ours, without the outer make's job server; its variables are there by themselves."""
    result = {name: value for name, value in os.environ.items() if name not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL")}
    result.update(BUILD=str(BUILD), CMOCKA_MESSAGE_OUTPUT="TAP")
    return result


def end_group(process):
    """Ends a program and all that it started: asks first, so that namespaces go, then kills."""
    for number, grace_s in ((signal.SIGTERM, GRACE_S), (signal.SIGKILL, None)):
        try:
            os.killpg(process.pid, number)
        except ProcessLookupError:
            pass
        try:
            process.wait(grace_s)
        except subprocess.TimeoutExpired:
            pass


def execute(job, output, noise):
    """Runs one job, its outputs into these two files. Returns its exit status and, if it has none, why."""
    try:
        process = subprocess.Popen(job.command, stdin=subprocess.DEVNULL, stdout=output, stderr=noise,
                                   cwd=HERE.parent, env=environment(), start_new_session=True)
    except OSError as error:
        return 1, f"cannot be run: {error.strerror} (was it built?)"
    try:
        return process.wait(job.limit_s), None
    except subprocess.TimeoutExpired:
        return 1, f"took longer than {job.limit_s} s"
    finally:
        end_group(process)


def read(file):
    file.seek(0)
    return file.read().decode(errors="replace")


def run(job):
    """Runs one job and counts."""
    start = time.monotonic()
    # TAP is what stands on standard output; nothing that a test or the agent logs to the other can be taken for it.
    with tempfile.TemporaryFile() as output, tempfile.TemporaryFile() as noise:
        status, wrong = execute(job, output, noise)
        text, log = (read(file) for file in (output, noise))
    tally = tap.Tally()
    if wrong:
        tally.failed.append(wrong)
    if job.tap:
        tally.read(text)
        tally.settle(status)
    elif status != 0:
        tally.failed.append(f"exit status {status}")
    else:
        tally.passed = 1
    return Outcome(job, tally, text + log, time.monotonic() - start)


def show(outcome):
    """One line for a file that passed; for one that failed also what it wrote."""
    tally = outcome.tally
    counts = f"{tally.passed} passed"
    if tally.failed:
        counts += f", {len(tally.failed)} failed"
    if tally.skipped:
        counts += f", {len(tally.skipped)} skipped"
    word = "FAIL" if tally.failed else "ok"
    print(f"{word:4}  {outcome.job.name:28} {outcome.seconds:7.1f} s  {counts}", flush=True)
    for reason in tally.skipped:
        print(f"          skipped: {reason}")
    if tally.failed:
        for line in outcome.output.rstrip().splitlines():
            print(f"      | {line}")
        for name in tally.failed:
            print(f"          failed: {name}", flush=True)


def run_all(jobs, workers):
    """Runs jobs, shows each as it ends, and returns the outcomes."""
    outcomes = []
    with concurrent.futures.ThreadPoolExecutor(workers) as pool:
        for future in concurrent.futures.as_completed([pool.submit(run, job) for job in jobs]):
            outcomes.append(future.result())
            show(outcomes[-1])
    return outcomes


def chosen(jobs, patterns):
    """The jobs whose names hold one of the patterns; all of them where there is no pattern."""
    if not patterns:
        return jobs
    return [job for job in jobs if any(fnmatch.fnmatch(job.name, f"*{pattern}*") for pattern in patterns)]


def main():
    parser = argparse.ArgumentParser(description="Builds and runs every kind of test.")
    parser.add_argument("--only", action="append", default=[], metavar="PATTERN")
    parser.add_argument("--long", action="store_true", help="what takes longer than all of the others together")
    parser.add_argument("--list", action="store_true", help="name the files and run nothing")
    arguments = parser.parse_args()
    os.chdir(HERE.parent)

    kinds = {kind: chosen(jobs, arguments.only) for kind, jobs in all_jobs(arguments.long).items()}
    kinds = {kind: jobs for kind, jobs in kinds.items() if jobs}
    if not kinds:
        sys.exit(f"no test's name holds {' or '.join(arguments.only)}")
    if arguments.list:
        print("\n".join(job.name for jobs in kinds.values() for job in jobs))
        return
    outcomes = run_all(build_jobs(kinds), 1)
    for kind, jobs in kinds.items():
        # The checks of sources use all processors by themselves.
        outcomes += run_all(jobs, 1 if kind in ("lint", "long") else WORKERS)
    passed = sum(outcome.tally.passed for outcome in outcomes)
    failed = sum(len(outcome.tally.failed) for outcome in outcomes)
    skipped = sum(len(outcome.tally.skipped) for outcome in outcomes)
    print(f"{passed} passed, {failed} failed, {skipped} skipped")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
