#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Prints the lines that tests reached, file by file, and fails where a given part is below the limit.

    tests/coverage.py --build DIR --limit PERCENT PART...     (a folder or a file, from the root)
"""

import argparse
import json
import subprocess
import sys

SOURCES = ("agent/", "netlink/", "arp/", "probes/")


def measure(build):
    """What gcov counted in the build folder: {file: (lines reached, lines)}."""
    command = ["gcovr", "--root", ".", "--object-directory", build, "--json-summary"]
    for place in SOURCES:
        command += ["--filter", place]
    summary = subprocess.run([*command, build], check=True, stdout=subprocess.PIPE, text=True).stdout
    return {file["filename"]: (file["line_covered"], file["line_total"]) for file in json.loads(summary)["files"]}


def percent(reached, lines):
    return 100 * reached / lines if lines else 0


def line(name, counts):
    reached, lines = (sum(column) for column in zip(*counts)) if counts else (0, 0)
    print(f"{name:36} {reached:6} of {lines:6}  {percent(reached, lines):6.1f} %")
    return percent(reached, lines)


def main():
    parser = argparse.ArgumentParser(description="Prints and judges coverage.")
    parser.add_argument("--build", required=True)
    parser.add_argument("--limit", type=float, required=True)
    parser.add_argument("parts", nargs="+")
    arguments = parser.parse_args()

    files = measure(arguments.build)
    for name, counts in sorted(files.items()):
        line(name, [counts])
    print(f"\nat least {arguments.limit:g} % of these:")
    low = [part for part in arguments.parts
           if line(part, [counts for name, counts in files.items() if name == part or name.startswith(part + "/")])
           < arguments.limit]
    sys.exit(f"below the limit: {', '.join(low)}" if low else 0)


if __name__ == "__main__":
    main()
