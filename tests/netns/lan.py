# SPDX-License-Identifier: Apache-2.0
"""
A LAN in network namespaces: hosts, their NICs, a switch with a bridge for each segment, and the faults of all three.

    with Lan() as lan:
        web1 = lan.host("web1").nic("eth0", "192.0.2.10/24").host
        spare = lan.host("spare").nic("eth0", "192.0.2.20/24").host
        web1.crash_silently()

Every namespace bears the process id of the run in its name. What a run made goes when it ends, however it ends; what a
killed run left behind goes when the next one starts. Nothing else on the machine is touched.
"""

import atexit
import ctypes
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from typing import Callable, Dict, List, Optional, TypeVar

PREFIX = "standin"
CLONE_NEWNET = 0x40000000
NETNS = "/run/netns"
# The disk of a LAN, in its folder.
DISK = "disk"
# Of a bridge port (IEEE 802.1D): frames are neither taken nor sent, though the cable keeps its carrier.
PORT_DISABLED, PORT_FORWARDING = "0", "3"

T = TypeVar("T")
libc = ctypes.CDLL(None, use_errno=True)


class LanError(Exception):
    """A command that builds or breaks the LAN failed."""


def run(*argv: str, text: Optional[str] = None) -> str:
    """Runs a command to its end and returns what it printed; LanError with its complaint where it failed."""
    done = subprocess.run(argv, input=text, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise LanError(f"{' '.join(argv)}: exit {done.returncode}: {done.stderr.strip()}\n{text or ''}")
    return done.stdout


def inside(namespace: str, action: Callable[[], T]) -> T:
    """Calls `action` in a thread of its own that has entered the namespace: sockets opened there stay there."""
    result: List[T] = []
    failure: List[BaseException] = []

    def enter() -> None:
        try:
            fd = os.open(f"{NETNS}/{namespace}", os.O_RDONLY | os.O_CLOEXEC)
            try:
                if libc.setns(fd, CLONE_NEWNET) != 0:
                    raise OSError(ctypes.get_errno(), f"setns {namespace}")
            finally:
                os.close(fd)
            result.append(action())
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=enter)
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


class Nic:
    """A NIC of a host, its cable, and the switch port at the cable's other end."""

    def __init__(self, host: "Host", name: str, segment: str, number: int, lagging: bool):
        self.host = host
        self.name = name
        self.segment = segment
        self.port = f"{host.name}-{name}"[:15]
        self.mac = f"02:00:00:00:{number >> 8:02x}:{number & 255:02x}"
        lan = host.lan
        # The kernel reports a lost carrier at once where a veth's two ends differ in index, and as late as for a real
        # NIC where they are the same.
        index = 1000 + number
        lan.switch_batch(
            f"link add name {self.port} index {index} type veth peer name {name} address {self.mac} "
            f"index {index if lagging else index + 10000} netns {host.namespace}",
            f"link set {self.port} master {lan.bridge(segment)} up")
        host.batch(f"link set {name} up")

    def address(self, *addresses: str) -> "Nic":
        self.host.batch(*(f"addr add {a} dev {self.name}{' nodad' if ':' in a else ''}" for a in addresses))
        return self

    def remove_address(self, *addresses: str) -> None:
        self.host.batch(*(f"addr del {a} dev {self.name}" for a in addresses))

    def addresses(self) -> List[str]:
        """As `ip` prints them: address/prefix; link-local ones left out."""
        out = self.host.ip("-o", "addr", "show", "dev", self.name)
        return [a for a in re.findall(r"inet6? (\S+)", out) if not a.startswith("fe80")]

    def carrier(self) -> bool:
        return "LOWER_UP" in self.host.ip("-o", "link", "show", "dev", self.name)

    def silence(self) -> None:
        """The switch port takes and sends nothing; both ends keep their carrier."""
        run("bridge", "-n", self.host.lan.switch, "link", "set", "dev", self.port, "state", PORT_DISABLED)

    def heal(self) -> None:
        """Undoes silence, unplug and every drop rule of this NIC."""
        self.plug()
        run("bridge", "-n", self.host.lan.switch, "link", "set", "dev", self.port, "state", PORT_FORWARDING)
        self.host.lan.clear_drops(self.port)

    def unplug(self) -> None:
        """The cable is pulled at the switch: the NIC loses its carrier."""
        self.host.lan.switch_batch(f"link set {self.port} down")

    def plug(self) -> None:
        self.host.lan.switch_batch(f"link set {self.port} up")

    def down(self) -> None:
        """The host itself takes its NIC down."""
        self.host.batch(f"link set {self.name} down")

    def up(self) -> None:
        self.host.batch(f"link set {self.name} up")

    def drop_outgoing(self, percent: int = 100, what: str = "") -> None:
        """Of what this NIC sends, the switch loses so much; `what`: an nft match, such as `ether type arp`."""
        self.host.lan.drop(self.port, f'iifname "{self.port}" {what}', percent)

    def drop_incoming(self, percent: int = 100, what: str = "") -> None:
        """Of what is sent to this NIC, the switch loses so much."""
        self.host.lan.drop(self.port, f'oifname "{self.port}" {what}', percent)


class Host:
    """A host: a network namespace with NICs, and the processes that were started in it."""

    def __init__(self, lan: "Lan", name: str):
        self.lan = lan
        self.name = name
        self.namespace = lan.new_namespace(name)
        self.nics: Dict[str, Nic] = {}
        self.processes: List[subprocess.Popen] = []
        # Addresses are usable at once: the stories decide when there is a conflict, not a second of waiting.
        self.sysctl("net.ipv6.conf.default.accept_dad", 0)
        self.sysctl("net.ipv6.conf.default.dad_transmits", 0)
        self.sysctl("net.ipv6.conf.default.router_solicitations", 0)
        self.batch("link set lo up")

    def nic(self, name: str, *addresses: str, segment: str = "lan", lagging: bool = False) -> Nic:
        """The NIC of this name; made, with these addresses, where there is none."""
        if name not in self.nics:
            self.nics[name] = Nic(self, name, segment, self.lan.number(), lagging).address(*addresses)
        return self.nics[name]

    def ip(self, *argv: str) -> str:
        return run("ip", "-n", self.namespace, *argv)

    def batch(self, *lines: str) -> None:
        if lines:
            run("ip", "-n", self.namespace, "-batch", "-", text="\n".join(lines) + "\n")

    def route(self, gateway: str) -> "Host":
        self.batch(f"route add default via {gateway}")
        return self

    def sysctl(self, key: str, value: object) -> None:
        def write() -> None:
            with open("/proc/sys/" + key.replace(".", "/"), "w", encoding="ascii") as file:
                file.write(str(value))
        inside(self.namespace, write)

    def socket(self, family: int, kind: int, protocol: int = 0) -> socket.socket:
        return inside(self.namespace, lambda: socket.socket(family, kind, protocol))

    def start(self, argv: List[str], **options: object) -> subprocess.Popen:
        """Starts a program on this host; it dies with this run, even when the run is killed, but for a kept LAN's."""
        leash = [] if self.lan.kept else ["setpriv", "--pdeathsig", "KILL"]
        command = [*leash, "ip", "netns", "exec", self.namespace, *argv]
        # A session of its own, so that a Ctrl-C on the run's terminal ends the run, and the run ends this.
        process = subprocess.Popen(command, start_new_session=True, **options)
        self.processes.append(process)
        return process

    def neighbour(self, address: str) -> Optional[str]:
        """The MAC that this host has for a neighbour; None where it has none."""
        found = re.search(r"lladdr (\S+)", self.ip("neigh", "show", address))
        return found.group(1) if found else None

    def ping(self, address: str, count: int = 1, wait_s: float = 1) -> bool:
        """Whether any of so many pings was answered."""
        argv = ["ip", "netns", "exec", self.namespace, "ping", "-n", "-q", "-i", "0.01", "-c", str(count),
                "-W", str(wait_s), address]
        return subprocess.run(argv, capture_output=True, check=False).returncode == 0

    def crash_silently(self) -> None:
        """The host is gone from the LAN, and no carrier tells."""
        for nic in self.nics.values():
            nic.silence()

    def crash(self) -> None:
        """The host is gone and its cables are dead."""
        for nic in self.nics.values():
            nic.unplug()

    def heal(self) -> None:
        """The host is back as it was."""
        for nic in self.nics.values():
            nic.heal()

    def kill_processes(self) -> None:
        for process in self.processes:
            if process.poll() is None:
                process.kill()
            process.wait()
        self.processes.clear()


class Lan:
    """Hosts on a switch. A context manager: everything is gone afterwards."""

    living: List["Lan"] = []
    made = 0

    def __init__(self, kept: bool = False) -> None:
        """kept: nothing goes when the run ends, nor is it swept later."""
        require_root()
        sweep()
        catch_signals()
        Lan.made += 1
        self.kept = kept
        self.prefix = f"{PREFIX}-kept-{os.getpid()}-" if kept else f"{PREFIX}-{os.getpid()}-{Lan.made}-"
        self.directory = tempfile.mkdtemp(prefix=self.prefix)
        os.chmod(self.directory, 0o755)
        self.namespaces: List[str] = []
        self.hosts: Dict[str, Host] = {}
        self.bridges: List[str] = []
        self.drops: Dict[str, List[str]] = {}
        self.numbers = 0
        self.closers: List[Callable[[], None]] = []
        Lan.living.append(self)
        try:
            self.switch = self.new_namespace("switch")
            # The switch is only a switch: it neither speaks IP nor lets the firewall code look into frames.
            inside(self.switch, make_plain_switch)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Lan":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        if self not in Lan.living:
            return
        Lan.living.remove(self)
        for closer in reversed(self.closers):
            closer()
        if self.kept:
            return
        for host in self.hosts.values():
            host.kill_processes()
        for namespace in self.namespaces:
            subprocess.run(["ip", "netns", "del", namespace], capture_output=True, check=False)
        remove_folder(self.directory)

    def disk(self, size: str) -> str:
        """A small disk of its own, as a folder."""
        folder = os.path.join(self.directory, DISK)
        os.makedirs(folder)
        run("mount", "-t", "tmpfs", "-o", f"size={size}", "none", folder)
        return folder

    def new_namespace(self, name: str) -> str:
        namespace = self.prefix + name
        self.namespaces.append(namespace)
        run("ip", "netns", "add", namespace)
        return namespace

    def number(self) -> int:
        self.numbers += 1
        return self.numbers

    def host(self, name: str) -> Host:
        """The host of this name; made where there is none."""
        if name not in self.hosts:
            self.hosts[name] = Host(self, name)
        return self.hosts[name]

    def bridge(self, segment: str) -> str:
        """The bridge of a segment; made where there is none."""
        name = f"br-{segment}"
        if name not in self.bridges:
            self.bridges.append(name)
            self.switch_batch(f"link add {name} type bridge stp_state 0 mcast_snooping 0 ageing_time 30000",
                              f"link set {name} up")
        return name

    def switch_batch(self, *lines: str) -> None:
        run("ip", "-n", self.switch, "-batch", "-", text="\n".join(lines) + "\n")

    def drop(self, port: str, match: str, percent: int) -> None:
        chance = "" if percent >= 100 else f"numgen random mod 100 < {percent} "
        self.drops.setdefault(port, []).append(f"{match} {chance}drop")
        self.write_drops()

    def clear_drops(self, port: str) -> None:
        if self.drops.pop(port, None):
            self.write_drops()

    def write_drops(self) -> None:
        rules = "\n".join(rule for rules in self.drops.values() for rule in rules)
        text = ("table bridge faults {}\ndelete table bridge faults\n"
                f"table bridge faults {{\nchain forward {{\ntype filter hook forward priority 0\n{rules}\n}}\n}}\n")
        run("ip", "netns", "exec", self.switch, "nft", "-f", "-", text=text)


def make_plain_switch() -> None:
    for key, value in (("ipv6/conf/default/disable_ipv6", "1"), ("ipv6/conf/all/disable_ipv6", "1"),
                       ("bridge/bridge-nf-call-iptables", "0"), ("bridge/bridge-nf-call-ip6tables", "0"),
                       ("bridge/bridge-nf-call-arptables", "0")):
        try:
            with open(f"/proc/sys/net/{key}", "w", encoding="ascii") as file:
                file.write(value)
        except FileNotFoundError:
            pass  # br_netfilter is not loaded: nothing to switch off


def require_root() -> None:
    if os.geteuid() != 0:
        raise LanError("network namespaces need root: run with sudo")


def remove_folder(folder: str) -> None:
    if os.path.ismount(os.path.join(folder, DISK)):
        run("umount", "-l", os.path.join(folder, DISK))
    shutil.rmtree(folder, ignore_errors=True)


def sweep_folder(folder: str, remove: Callable[[str], object]) -> None:
    """Removes what runs left behind there that were killed: their process ids, in the names, are nobody's now."""
    for name in os.listdir(folder) if os.path.isdir(folder) else []:
        owner = re.match(rf"{PREFIX}-(\d+)-\d+-", name)
        if owner and not os.path.exists(f"/proc/{owner.group(1)}"):
            try:
                remove(name)
            except (LanError, OSError):
                pass  # another run swept it first


def sweep() -> None:
    sweep_folder(NETNS, lambda name: run("ip", "netns", "del", name))
    sweep_folder(tempfile.gettempdir(), lambda name: remove_folder(f"{tempfile.gettempdir()}/{name}"))


def close_all() -> None:
    for lan in list(Lan.living):
        lan.close()


def catch_signals() -> None:
    """Being ended is leaving by an exception, so that what was made is removed on the way out."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) == signal.SIG_DFL:
            signal.signal(number, lambda number, _: sys.exit(128 + number))


atexit.register(close_all)
