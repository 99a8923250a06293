#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Which folder may include what.

The arrows come from the Makefile as arguments `NAME:DIRECTORY:NAMES IT KNOWS`, one a folder. What the arrows cannot
say stands in the tables below: which folder may use which library, and exceptions by file.
"""

import pathlib
import re
import sys

INCLUDE = re.compile(r'^\s*#\s*include\s*(?:"([^"]+)"|<([^>]+)>)')

# A system header that begins so may be included by these folders only.
LIBRARIES = {
    "systemd/": {"effects", "runner", "shell"},
    "cap-ng.h": {"guard", "helper", "shell"},
    "seccomp.h": {"helper"},
    "curl/": {"helper"},
    "ldns/": {"helper"},
    "netlink/": {"netlink"},
    "libmnl/": {"netlink"},
    "linux/netfilter": {"netlink"},
    "pcap": {"arp"},
    "jansson.h": {"control", "effects", "helper", "shell"},
    # Threads are for what must wait for a disk, or for a library that waits.
    "pthread.h": {"effects", "helper", "shell"},
    "semaphore.h": {"effects"},
}

# Of these folders, others than the shell may include only these headers.
PUBLIC = {"arp": {"arp/frame.h"}, "effects": {"agent/effects/job.h"}}

# The core is pure: the headers of types, and AF_INET.
CORE_SYSTEM = {
    "assert.h", "errno.h", "inttypes.h", "limits.h", "stdbool.h", "stddef.h", "stdint.h", "string.h", "sys/socket.h",
}


class Folder:
    """One row of the Makefile's arrows."""

    def __init__(self, argument):
        self.name, self.directory, knows = argument.split(":")
        self.knows = set(knows.split())


def folder_of(folders, path):
    """The folder that a file stands in, or None."""
    for folder in folders:
        if str(pathlib.PurePath(path).parent) == folder.directory:
            return folder
    return None


def judge_own(folders, path, header):
    """What is wrong with including our own `header` in `path`; None when nothing is."""
    if str(pathlib.PurePath(header).parent) == "tests/" + pathlib.PurePath(path).parent.name:
        return None
    if path.startswith(("tests/faults/", "tests/bench/")) and header.startswith("tests/sim/"):
        return None  # the model of faults, and storms in numbers, play in the simulator's worlds
    target = folder_of(folders, header)
    if target is None:
        return "is in no folder of the Makefile; own headers are named from the root"
    if path == "agent/main.c":
        return None if target.name == "shell" else "main knows the shell alone"
    user = user_of(folders, path)
    if user is None:
        return None
    if target.name not in user.knows:
        return f"{user.name} must not know {target.name}"
    if target.name != user.name and user.name != "shell" and target.name in PUBLIC:
        if header not in PUBLIC[target.name] and not path.startswith("tests/"):
            return f"others than the shell may include only {', '.join(PUBLIC[target.name])} of {target.name}"
    return None


def user_of(folders, path):
    """The folder whose arrows bind a file: its own, or for a unit test the one in its name. None: may know all."""
    if path.startswith("tests/unit/"):
        name = pathlib.PurePath(path).name.split("_")[0]
        return next((folder for folder in folders if folder.name == name), None)
    return folder_of(folders, path)


def judge_system(folders, path, header):
    """What is wrong with including the system's `header` in `path`; None when nothing is."""
    if path.startswith("tests/"):
        return None
    user = folder_of(folders, path)
    name = user.name if user else "main"
    if name == "core" and header not in CORE_SYSTEM:
        return "the core is pure and includes types only"
    for prefix, users in LIBRARIES.items():
        if header.startswith(prefix) and name not in users:
            return f"is for {' and '.join(sorted(users))} only"
    return None


def judge_file(folders, path, text):
    """Yields (line, complaint) for each wrong include of one file."""
    for number, line in enumerate(text.splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        own, system = match.groups()
        wrong = judge_own(folders, path, own) if own else judge_system(folders, path, system)
        if wrong:
            yield number, f"{own or system}: {wrong}"


def main():
    folders = [Folder(argument) for argument in sys.argv[1:]]
    files = sorted({path for place in ("agent", "tests", *(folder.directory for folder in folders))
                    for path in pathlib.Path(place).rglob("*.[chyl]")})
    count = 0
    for path in files:
        if str(path).startswith("agent/") and folder_of(folders, path) is None and str(path) != "agent/main.c":
            print(f"{path}:1: stands in no folder of the Makefile")
            count += 1
        for number, wrong in judge_file(folders, str(path), path.read_text(encoding="utf-8")):
            print(f"{path}:{number}: {wrong}")
            count += 1
    if not files:
        sys.exit("includes: no sources here")
    sys.exit(1 if count else 0)


if __name__ == "__main__":
    main()
