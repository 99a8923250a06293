#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""What the pure objects ask of the world, by `nm -u`: each other, and the few functions below.

    purity.py OBJECT... [--allocating OBJECT...]
"""

import argparse
import subprocess
import sys

PURE = {
    "memchr", "memcmp", "memcpy", "memmove", "memset", "strchr", "strcmp", "strlen", "strncmp", "strnlen",
    "bsearch", "inet_ntop", "inet_pton", "__assert_fail",
}
ALLOCATING = {"malloc", "calloc", "free"}
# What compilers add: stack protector, fortified forms of the above, sanitizers, coverage.
COMPILER = ("__stack_chk_fail", "_GLOBAL_OFFSET_TABLE_", "__asan_", "__ubsan_", "__gcov", "__sanitizer_")


def symbols(path, *options):
    """The names that `nm` lists for one object."""
    listing = subprocess.run(["nm", "-P", *options, path], check=True, capture_output=True, text=True).stdout
    return {line.split()[0] for line in listing.splitlines() if line.strip()}


def plain(name):
    """The name without its fortified form's decoration."""
    return name[2:-4] if name.startswith("__") and name.endswith("_chk") else name


def impure(undefined, known):
    """The names that no pure object may ask for."""
    return sorted(name for name in undefined - known if plain(name) not in known and not name.startswith(COMPILER))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pure", nargs="+")
    parser.add_argument("--allocating", nargs="*", default=[])
    arguments = parser.parse_args()

    ours = {name for path in arguments.pure for name in symbols(path, "--defined-only", "--extern-only")}
    failed = False
    for path in arguments.pure + arguments.allocating:
        known = PURE | ours | (ALLOCATING if path in arguments.allocating else set())
        for name in impure(symbols(path, "-u"), known):
            print(f"{path}: uses {name}, which is not pure")
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
