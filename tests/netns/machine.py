# SPDX-License-Identifier: Apache-2.0
"""
A host of the LAN that runs a real systemd, with standin installed:

    machine = Machine(lan.host("spare"), {"etc/standin/ipmap.conf": conf})
    machine.run("systemctl", "start", "standind")

It is a container in the network namespace of the host, so that NICs, addresses and faults are handled as for any other
host. Its files are a layer in memory over the shared root of debian.py; its processes are in control groups of its own.
All of it goes with the LAN; the mounts are in a mount namespace of its own, so that they go with the last process.
"""

import atexit
import itertools
import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
import uuid
from typing import Dict, List, Optional

import debian
from agent import ROOT, Agent, AgentError
from lan import PREFIX, Host, LanError, sweep_folder

BOOT_S = 60
BUILD = os.environ.get("BUILD", "build")
# What of the hierarchies there is: the unified one, and systemd's own beside it.
CGROUPS = [path for path in ("/sys/fs/cgroup", "/sys/fs/cgroup/unified", "/sys/fs/cgroup/systemd")
           if os.path.exists(f"{path}/cgroup.procs")]
# Beyond what a container has anyhow: what the unit leaves to the agent.
CAPABILITIES = "CAP_NET_ADMIN,CAP_NET_RAW,CAP_SYS_NICE,CAP_IPC_LOCK"
# $1: where to; $2: the layers below; then the control groups, "--", and the rest of the command line.
BOOT = """
disk=$1 layers=$2; shift 2
while [ "$1" != -- ]; do echo $$ >"$1/cgroup.procs"; shift; done; shift
mount -t tmpfs -o mode=0755 tmpfs "$disk"
mkdir "$disk/upper" "$disk/work" "$disk/root"
mount -t overlay -o "lowerdir=$layers,upperdir=$disk/upper,workdir=$disk/work" overlay "$disk/root"
exec systemd-nspawn --quiet --boot --directory="$disk/root" "$@"
"""


def make_install(destination: str, build: str = BUILD) -> None:
    """What `make install` installs, as a package would."""
    command = ["make", "-s", "-C", ROOT, f"BUILD={build}", "PREFIX=/usr", f"DESTDIR={destination}", "install"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LanError(f"make install: {done.stderr}")


installed: List[str] = []


def installed_layer() -> str:
    """The files of one installation, shared by the machines of this run."""
    if not installed:
        path = tempfile.mkdtemp(prefix=f"{PREFIX}-{os.getpid()}-0-")
        atexit.register(shutil.rmtree, path, ignore_errors=True)
        os.chmod(path, 0o755)
        make_install(path)
        installed.append(path)
    return installed[0]


def remove_cgroup(path: str) -> None:
    """Ends all that is in a control group, and takes it away; where nobody can be killed by it, only the latter."""
    try:
        with open(f"{path}/cgroup.kill", "w", encoding="ascii") as file:
            file.write("1")
    except OSError:
        pass  # systemd's own hierarchy names the same processes
    end = time.monotonic() + 10
    while os.path.isdir(path) and time.monotonic() < end:
        for folder, _folders, _files in os.walk(path, topdown=False):
            try:
                os.rmdir(folder)
            except OSError:
                time.sleep(0.01)  # what was killed is not quite gone


# With the rights of the unit a sanitizer cannot look for leaks, and fails.
UNIT_OF_SANITIZED = {"etc/systemd/system/standind.service.d/sanitized.conf":
                     "[Service]\nEnvironment=ASAN_OPTIONS=detect_leaks=0\n"} if "SANITIZE" in os.environ else {}


class Machine:
    """A host with a systemd of its own, booted."""

    serials = itertools.count(1)

    def __init__(self, host: Host, files: Dict[str, str], enable: Optional[List[str]] = None):
        """files: by path, without the first slash; enable: units to be started at boot."""
        self.host = host
        self.name = f"{host.namespace}-{next(Machine.serials)}"
        self.directory = os.path.join(host.lan.directory, self.name)
        for base in CGROUPS:
            sweep_folder(base, lambda name, base=base: remove_cgroup(f"{base}/{name}"))
        self.cgroups = [f"{base}/{self.name}" for base in CGROUPS]
        self.console = os.path.join(self.directory, "console")
        os.makedirs(os.path.join(self.directory, "disk"))
        host.lan.closers.append(self.close)
        identity = {"etc/machine-id": uuid.uuid4().hex + "\n", "etc/hostname": host.name + "\n"}
        self.lay_out({**identity, **UNIT_OF_SANITIZED, **files}, enable or [])
        self.leader = self.boot([os.path.join(self.directory, "files"), installed_layer(), debian.root()])

    def lay_out(self, files: Dict[str, str], enable: List[str]) -> None:
        wants = os.path.join(self.directory, "files/etc/systemd/system/multi-user.target.wants")
        os.makedirs(wants)
        for name, text in files.items():
            self.write_at(os.path.join(self.directory, "files"), name, text)
        for unit in enable:
            os.symlink(f"/lib/systemd/system/{unit}", os.path.join(wants, unit))

    @staticmethod
    def write_at(root: str, name: str, text: str) -> None:
        path = os.path.join(root, name)
        os.makedirs(os.path.dirname(path), mode=0o755, exist_ok=True)
        with open(path, "w", encoding="utf-8") as file:
            file.write(text)

    def boot(self, layers: List[str]) -> int:
        """Starts it, and waits until it says that it is up; returns its process 1."""
        path = os.path.join(self.directory, "notify")
        for cgroup in self.cgroups:
            os.mkdir(cgroup)
        argv = ["setpriv", "--pdeathsig", "KILL", "unshare", "--mount", "--propagation", "private", "sh", "-euc", BOOT,
                "boot", os.path.join(self.directory, "disk"), ":".join(layers), *self.cgroups, "--",
                f"--network-namespace-path=/run/netns/{self.host.namespace}", f"--machine={self.name[-64:]}",
                f"--capability={CAPABILITIES}", "--register=no", "--keep-unit", "--console=read-only",
                "--notify-ready=yes", "--kill-signal=SIGRTMIN+4", "--link-journal=no", "--resolv-conf=off",
                "--timezone=off"]
        environment = {**os.environ, "NOTIFY_SOCKET": path, "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY": "1"}
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as news, open(self.console, "wb") as console:
            news.bind(path)
            news.settimeout(BOOT_S)
            process = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=console, stderr=console, env=environment,
                                       start_new_session=True)
            self.host.processes.append(process)
            return self.await_ready(news, process)

    def await_ready(self, news: socket.socket, process: subprocess.Popen) -> int:
        said: Dict[str, str] = {}
        news.settimeout(0.2)
        end = time.monotonic() + BOOT_S
        while "READY" not in said or "X_NSPAWN_LEADER_PID" not in said:
            try:
                said.update(line.split("=", 1) for line in news.recv(4096).decode().splitlines() if "=" in line)
            except socket.timeout:
                if process.poll() is not None or time.monotonic() > end:
                    raise LanError(f"{self.host.name} did not boot: {self.said()}") from None
        return int(said["X_NSPAWN_LEADER_PID"])

    def said(self) -> str:
        with open(self.console, encoding="utf-8", errors="replace") as file:
            return file.read()[-3000:]

    def close(self) -> None:
        for cgroup in self.cgroups:
            remove_cgroup(cgroup)

    @property
    def files(self) -> str:
        """Its root, as seen from here."""
        return f"/proc/{self.leader}/root"

    def write(self, name: str, text: str) -> None:
        self.write_at(self.files, name, text)

    def try_run(self, *argv: str, timeout_s: float = 60) -> subprocess.CompletedProcess:
        """Runs a command in it."""
        return subprocess.run(["nsenter", "-t", str(self.leader), "-a", *argv], stdin=subprocess.DEVNULL, text=True,
                              capture_output=True, timeout=timeout_s, check=False)

    def run(self, *argv: str, timeout_s: float = 60) -> str:
        """The same where it must succeed; what it printed."""
        done = self.try_run(*argv, timeout_s=timeout_s)
        if done.returncode != 0:
            raise LanError(f"{self.host.name}: {' '.join(argv)}: exit {done.returncode}: {done.stdout}{done.stderr}")
        return done.stdout

    def property(self, name: str, unit: str = "standind") -> str:
        """What systemd says of a unit."""
        return self.run("systemctl", "show", unit, "--property", name, "--value").strip()

    def signal_unit(self, number: int) -> int:
        """Sends the main process of the agent a signal; its pid, as seen from here."""
        # Pids inside are other numbers: the control group lists those of its processes as we see them.
        inside = self.property("MainPID")
        for pid in self.processes_of("standind"):
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                numbers = next(line for line in file if line.startswith("NSpid:")).split()
            if numbers[-1] == inside:
                os.kill(pid, number)
                return pid
        raise LanError(f"the main process {inside} is not there")

    def processes_of(self, unit: str) -> List[int]:
        """The processes in the control group of a service, as pids of here."""
        path = f"{self.cgroups[0]}/payload/system.slice/{unit}.service/cgroup.procs"
        if not os.path.exists(path):
            return []
        with open(path, encoding="ascii") as file:
            return [int(line) for line in file]


class Service(Agent):
    """The agent of a machine, run by its unit."""

    def __init__(self, machine: Machine):
        # pylint: disable=super-init-not-called
        self.machine = machine
        self.host = machine.host
        self.conf = f"{machine.files}/etc/standin/ipmap.conf"
        self.control = f"{machine.files}/run/standin/control.sock"
        self.mode = 0o600

    def start(self, wait: bool = True) -> None:
        """Returns when it is ready, as its unit says."""
        self.machine.run("systemctl", "start", *([] if wait else ["--no-block"]), "standind")

    def exit_status(self) -> Optional[int]:
        return None  # systemd's to know; it may be started again at any time

    def log(self) -> str:
        return self.machine.run("journalctl", "-u", "standind", "-o", "cat", "--no-pager", "-q")

    def story(self) -> str:
        if not os.path.exists(self.machine.files):
            return self.machine.said()
        return super().story() + self.machine.try_run("systemctl", "status", "standind", "--no-pager", "-l").stdout

    def ctl(self, *argv: str):
        done = self.machine.try_run("standinctl", *argv)
        return done.returncode, done.stdout + done.stderr

    def signal(self, number: int) -> None:
        self.machine.signal_unit(number)

    def kill(self) -> None:
        self.signal(signal.SIGKILL)

    def stop(self) -> int:
        self.machine.run("systemctl", "stop", "standind")
        return int(self.machine.property("ExecMainStatus"))


__all__ = ["Machine", "Service", "AgentError", "make_install"]
