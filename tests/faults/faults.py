# SPDX-License-Identifier: Apache-2.0
"""The preloaded library of tests/faults/preload.c: which call of a program fails, and how often it called."""

import errno
import mmap
import os
import random
import struct
import sys
from typing import Dict, Iterator, List, Tuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns"))

from agent import BUILD  # noqa: E402

LIBRARY = os.path.join(BUILD, "tests/faults/preload.so")

# In the order of enum function: what each may plausibly fail with, in an agent that runs.
ERRORS: Dict[str, Tuple[int, ...]] = {
    "memory": (errno.ENOMEM,),
    "socket": (errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.EPERM),
    "socketpair": (errno.EMFILE,),
    "bind": (errno.ENOMEM, errno.ENODEV),
    "connect": (errno.EAGAIN, errno.ENOMEM),
    "listen": (errno.ENOMEM,),
    "accept": (errno.EMFILE, errno.ENOMEM, errno.EINTR, errno.ECONNABORTED),
    "setsockopt": (errno.ENOMEM, errno.ENOBUFS, errno.EPERM),
    "getsockopt": (errno.ENOMEM,),
    "send": (errno.ENOBUFS, errno.ENOMEM, errno.EPERM, errno.EAGAIN, errno.EINTR),
    "recv": (errno.EINTR, errno.ENOMEM, errno.ENOBUFS, errno.EAGAIN),
    "open": (errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.EACCES, errno.EIO, errno.EINTR),
    "read": (errno.EINTR, errno.EAGAIN),
    "write": (errno.EINTR, errno.ENOSPC, errno.EIO, errno.EAGAIN),
    "ioctl": (errno.ENOMEM, errno.ENODEV, errno.EPERM),
    "epoll_create": (errno.EMFILE, errno.ENOMEM),
    "epoll_ctl": (errno.ENOMEM, errno.ENOSPC),
    "epoll_wait": (errno.EINTR,),
    "timerfd": (errno.EMFILE, errno.ENOMEM),
    "signalfd": (errno.EMFILE, errno.ENOMEM),
    "eventfd": (errno.EMFILE, errno.ENOMEM),
    "fork": (errno.EAGAIN, errno.ENOMEM),
    "thread": (errno.EAGAIN,),
    "poll": (errno.EINTR, errno.ENOMEM),
    "fcntl": (errno.EMFILE,),
    "file": (errno.EIO, errno.ENOSPC, errno.EROFS),
    "mmap": (errno.ENOMEM,),
}
NAMES = list(ERRORS)
HEAD = struct.Struct("=iiIIiI")
SIZE = HEAD.size + 4 * (len(NAMES) + 1)


class Trial:
    """One fault: the Nth call of a function, or each from the Nth on, fails with this errno."""

    def __init__(self, function: str, nth: int, error: int, lasting: bool):
        self.function, self.nth, self.error, self.lasting = function, nth, error, lasting

    def may_be(self) -> bool:
        """No kernel interrupts for ever, and who calls again when interrupted would do nothing else."""
        return not (self.lasting and self.error == errno.EINTR)

    def __str__(self) -> str:
        return f"{self.function} {self.nth}{' and on' if self.lasting else ''}: {errno.errorcode[self.error]}"


class Faults:
    """The file that tells the library what to do."""

    def __init__(self, directory: str):
        self.path = os.path.join(directory, "faults")
        with open(self.path, "wb") as file:
            file.truncate(SIZE)
        with open(self.path, "r+b") as file:
            self.memory = mmap.mmap(file.fileno(), SIZE)
        # What a program is run by.
        self.prefix = ("env", f"LD_PRELOAD={LIBRARY}", f"STANDIN_FAULTS={self.path}",
                       "ASAN_OPTIONS=verify_asan_link_order=0")

    def arm(self, pid: int, trial: Trial = None) -> None:
        """From now on in this process; -1: in each that begins. Without a trial, calls are only counted."""
        self.memory[0:4] = struct.pack("=i", 0)
        self.memory[HEAD.size:SIZE] = bytes(SIZE - HEAD.size)
        if trial:
            head = HEAD.pack(0, NAMES.index(trial.function), trial.nth, trial.lasting, trial.error, 0)
        else:
            head = HEAD.pack(0, 0, 0, 0, 0, 0)
        self.memory[0:HEAD.size] = head
        self.memory[0:4] = struct.pack("=i", pid)

    def disarm(self) -> None:
        self.memory[0:4] = struct.pack("=i", 0)

    def hits(self) -> int:
        return HEAD.unpack(self.memory[0:HEAD.size])[5]

    def calls(self) -> Dict[str, int]:
        """How often each function was called since arm."""
        counts = struct.unpack(f"={len(NAMES)}I", self.memory[HEAD.size:SIZE - 4])
        return {name: count for name, count in zip(NAMES, counts) if count > 0}


def trials(faults: Faults, sample: int) -> Iterator[Trial]:
    """
    Of the calls that were counted just now: each Nth of each function, once and from then on. Where FAULTS=all is not
    set, until so many as SEED chooses were hit, the functions in turn. A fault that the program did not come to counts
    as not tried; where that is most of them, the test has failed. SEED is 1 where it is not set: the same sample each
    time, and other ones by SEED or in `make check-long`.
    """
    seed = int(os.environ.get("SEED", "0") or 0) or 1
    chance = random.Random(seed)
    by_function = []
    for function, count in faults.calls().items():
        errors = ERRORS[function]
        of_it = [Trial(function, nth, errors[nth % len(errors)], lasting)
                 for nth in range(1, count + 1) for lasting in (False, True)]
        of_it = [trial for trial in of_it if trial.may_be()]
        chance.shuffle(of_it)
        by_function.append(of_it)
    chance.shuffle(by_function)
    everything = list(in_turn(by_function))
    wanted = len(everything) if os.environ.get("FAULTS") == "all" else min(sample, len(everything))
    hit, missed = 0, []
    for trial in everything:
        if hit == wanted or len(missed) > wanted:
            break
        yield trial
        if faults.hits() > 0:
            hit += 1
        else:
            missed.append(str(trial))
    print(f"SEED={seed}: {hit} of {len(everything)} faults hit, {len(missed)} not come to: {', '.join(missed)}",
          file=sys.stderr)
    if wanted == 0 or hit * 2 < wanted:
        raise AssertionError(f"only {hit} of {wanted} faults were hit")


def in_turn(lists: List[List[Trial]]) -> Iterator[Trial]:
    for place in range(max((len(one) for one in lists), default=0)):
        for one in lists:
            if place < len(one):
                yield one[place]
