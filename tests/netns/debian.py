# SPDX-License-Identifier: Apache-2.0
"""
The root of a minimal Debian with systemd and what standind links, made once and kept outside the sources: in
$STANDIN_CACHE, or /var/cache/standin-tests. It is only read: each machine writes to a layer of its own.
"""

import contextlib
import fcntl
import glob
import hashlib
import os
import re
import shutil
import subprocess
from typing import Iterator, List

CACHE = os.environ.get("STANDIN_CACHE", "/var/cache/standin-tests")
SUITE = "bookworm"
PACKAGES = ["systemd", "systemd-sysv", "dbus", "iproute2",
            # what standind links
            "libnl-3-200", "libnl-route-3-200", "libmnl0", "libpcap0.8", "libsystemd0", "libjansson4", "libcap-ng0",
            # what standin-helper links
            "libcurl4", "libldns3", "libseccomp2",
            # the same under the sanitizers
            "libasan8", "libubsan1",
            # a web site, and what copies its content
            "nginx-light", "rsync", "openssh-server",
            # what manages addresses beside systemd-networkd
            "network-manager"]
OPTIONS = ["--quiet", "--variant=minbase", "--mode=root", '--aptopt=APT::Install-Recommends "false"',
           *(f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("doc", "man", "locale"))]
MAKING_S = 600
# Nothing of this may run by itself in a machine: it would be late, loud, or at the addresses.
MASKED = ["NetworkManager.service", "NetworkManager-wait-online.service", "NetworkManager-dispatcher.service",
          "systemd-networkd.service", "systemd-networkd.socket", "systemd-networkd-wait-online.service",
          "nginx.service", "ssh.service",
          "apt-daily.timer", "apt-daily-upgrade.timer", "dpkg-db-backup.timer", "e2scrub_all.timer", "fstrim.timer",
          "e2scrub_reap.service", "console-getty.service", "getty.target"]
WANTS = "etc/systemd/system/*.wants/"


class DebianError(Exception):
    """The root could not be made."""


def sources() -> List[str]:
    """Where this machine's own apt gets its packages from."""
    found = ["/etc/apt/sources.list", *glob.glob("/etc/apt/sources.list.d/*.list"),
             *glob.glob("/etc/apt/sources.list.d/*.sources")]
    return [path for path in found if os.path.exists(path) and os.path.getsize(path) > 0]


def key() -> str:
    """Another list of packages is another root."""
    return hashlib.sha256(" ".join([SUITE, *PACKAGES, *OPTIONS, *MASKED]).encode()).hexdigest()[:12]


@contextlib.contextmanager
def locked(path: str) -> Iterator[None]:
    """For one process at a time, however it ends."""
    with open(path, "w", encoding="ascii") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def silence(root: str) -> None:
    """Leaves out what starts by itself; a machine enables what its story is about."""
    for name in MASKED:
        for link in glob.glob(os.path.join(root, WANTS, name)):
            os.remove(link)
    os.symlink("/dev/null", os.path.join(root, "etc/systemd/system/console-getty.service"))


def make(path: str) -> None:
    if not shutil.which("mmdebstrap"):
        raise DebianError("mmdebstrap is missing: make deps")
    command = ["mmdebstrap", *OPTIONS, f"--include={','.join(PACKAGES)}", SUITE, path, *sources()]
    try:
        done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=MAKING_S,
                              check=False)
    except subprocess.TimeoutExpired:
        raise DebianError(f"mmdebstrap took longer than {MAKING_S} s") from None
    if done.returncode != 0:
        raise DebianError(f"mmdebstrap: exit {done.returncode}: {done.stderr.strip()[-2000:]}")
    silence(path)


def root() -> str:
    """The folder of the root; made now, in under half a minute, where it is not there yet."""
    path = os.path.join(CACHE, f"root-{key()}")
    os.makedirs(CACHE, exist_ok=True)
    with locked(os.path.join(CACHE, "lock")):
        if not os.path.isdir(path):
            # Half-made ones of a run that was killed, and those of other lists of packages that nobody uses now.
            for name in os.listdir(CACHE):
                if re.fullmatch(r"root-\w+\.making", name):
                    shutil.rmtree(os.path.join(CACHE, name), ignore_errors=True)
            make(f"{path}.making")
            os.rename(f"{path}.making", path)
    return path
