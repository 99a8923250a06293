#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""Installs into an empty folder and judges the units and the system files there, and that uninstalling is clean."""

import os
import pathlib
import re
import subprocess
import sys
import tempfile

EXPOSURE_MAX = 3.0
PREFIX = "/usr/local"
BUILD = os.environ.get("BUILD", "build")


def run(*command):
    """Runs a command; returns its exit status and all that it wrote."""
    done = subprocess.run(command, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    return done.returncode, done.stdout


def make(root, target):
    status, text = run("make", "-s", f"BUILD={BUILD}", f"DESTDIR={root}", f"PREFIX={PREFIX}", target)
    if status != 0:
        sys.exit(f"make {target} failed:\n{text}")


def judge_units(root, folder):
    """Yields what is wrong with the units as they were installed into `folder` under `root`."""
    units = sorted(folder.glob("standin*"))
    if "standind.service" not in [unit.name for unit in units]:
        yield "standind.service was not installed"
    for unit in units:
        text = unit.read_text(encoding="utf-8")
        for program in re.findall(r"^Exec\w+=(\S+)", text, re.MULTILINE):
            # Those that are not ours, as rsync, are looked for by systemd-analyze.
            if program.startswith(PREFIX) and not os.access(f"{root}{program}", os.X_OK):
                yield f"{unit.name}: {program} was not installed"
        if re.search("=/usr/(sbin|lib)/", text):
            yield f"{unit.name}: PREFIX was not written everywhere"
        # The programs are in the new root only: verify asks for them where the unit points.
        unit.write_text(re.sub(f"={PREFIX}/(sbin|lib)/", rf"={root}{PREFIX}/\1/", text), encoding="utf-8")
    for unit in units:
        status, complaints = run("systemd-analyze", "verify", "--man=no", str(unit))
        if status != 0 or complaints.strip():
            yield f"{unit.name}: systemd-analyze verify: {complaints.strip()}"

    # The runner is outside every sandbox, and that is what it is for.
    _status, table = run("systemd-analyze", "security", "--offline=true", "--no-pager",
                         str(folder / "standind.service"))
    exposure = re.search(r"exposure level for \S+ ([\d.]+)", table)
    if exposure is None or float(exposure.group(1)) > EXPOSURE_MAX:
        yield f"systemd-analyze security: an exposure of at most {EXPOSURE_MAX} is wanted:\n{table}"


def judge_system_files(root, library):
    """Yields what systemd-sysusers and systemd-tmpfiles dislike in their files."""
    for program, place in (("systemd-sysusers", "sysusers.d"), ("systemd-tmpfiles", "tmpfiles.d")):
        create = ["--create"] if program == "systemd-tmpfiles" else []
        pathlib.Path(root, "etc").mkdir(exist_ok=True)
        status, complaints = run(program, f"--root={root}", *create, str(library / place / "standin.conf"))
        if status != 0:
            yield f"{program}: {complaints.strip()}"


def judge(root):
    """Yields all that is wrong with an installation into `root`."""
    make(root, "install")
    library = pathlib.Path(root + PREFIX, "lib")
    yield from judge_units(root, library / "systemd/system")
    make(root, "uninstall")
    left = [str(path) for path in pathlib.Path(root).rglob("*") if not path.is_dir()]
    if left:
        yield f"make uninstall left {', '.join(left)}"
    make(root, "install")
    yield from judge_system_files(root, library)


def main():
    with tempfile.TemporaryDirectory() as root:
        wrong = list(judge(root))
    print("\n".join(wrong), end="\n" if wrong else "")
    sys.exit(1 if wrong else 0)


if __name__ == "__main__":
    main()
