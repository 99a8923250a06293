# SPDX-License-Identifier: Apache-2.0
"""A LAN that is broken by a schedule: the hosts, the faults, and the hand of an operator who puts things right."""

import heapq
import itertools
import os
import signal
import subprocess
import sys
import time
from typing import Callable, Dict, List, Tuple

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "netns"))

from agent import STANDINCTL, STANDIND, Agent
from lan import PORT_DISABLED, PORT_FORWARDING, Host, Lan, LanError, run
from observer import Observer
from schedule import Fault, TARGETS
from truth import Armed, Truth

V4, V6 = "192.0.2.10", "2001:db8::10"
HELD = {f"{V4}/32", f"{V6}/128"}
INTERVAL_MS, MISSES = 50, 4


def ipmap(failback: str, note: str = "") -> str:
    """The same on every target. note: what a reload storm changes."""
    return (f"defaults {{ interval {INTERVAL_MS}ms; misses {MISSES}; failback {failback} }}\nwitness 192.0.2.1\n"
            f"source web1 {{ nic eth0 {{\n{V4}/24 dev eth0\n{V6}/64 dev eth0\n}} }}\n{note}\n")


class World:
    """
    A source, two targets with one ipmap, a gateway that is the witness, a client that pings, and an observer. Only the
    source, the targets and the gateway have faults.
    """

    def __init__(self, lan: Lan, failback: str):
        self.lan = lan
        self.conf = ipmap(failback)
        self.hosts = {name: lan.host(name) for name in ("web1", *TARGETS, "gateway", "client", "observer")}
        for number, (name, host) in enumerate(self.hosts.items()):
            last = 1 if name == "gateway" else 10 * (number + 1)
            host.nic("eth0", f"192.0.2.{last}/24", f"2001:db8::{last}/64")
        for name in TARGETS:
            # Neither the host's own nor ours: somebody else's, and nobody's business.
            self.hosts[name].nic("eth0").address(f"192.0.2.{200 + TARGETS.index(name)}/24", "198.51.100.7/32")
        self.make_forgetful(self.hosts["client"])
        self.own = {name: set(self.hosts[name].nic("eth0").addresses()) for name in TARGETS}
        self.mac = {name: host.nic("eth0").mac for name, host in self.hosts.items()}
        self.truth = Truth(TARGETS)
        self.agents: Dict[str, Agent] = {name: Agent(self.hosts[name], self.conf) for name in TARGETS}
        self.armed = Armed(self.truth, TARGETS)
        self.dying: Dict[str, bool] = {name: False for name in TARGETS}
        self.frozen: Dict[int, str] = {}
        self.second: Dict[str, List[Agent]] = {name: [] for name in TARGETS}
        self.all_agents: List[Agent] = list(self.agents.values())
        self.monitors = {name: self.monitor(self.hosts[name]) for name in TARGETS}
        # A process of the client's own, steady for the whole run.
        for address in (V4, V6):
            self.hosts["client"].start(["ping", "-n", "-q", "-i", "0.05", address], stdin=subprocess.DEVNULL,
                                       stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.watch = Observer(self.hosts["observer"], [self.hosts[name] for name in ("web1", *TARGETS)],
                              self.hosts["client"], [V4, V6])
        self.commands: List[subprocess.Popen] = []
        self.todo: List[Tuple[float, int, Callable[[], None]]] = []
        self.serials = itertools.count()

    @staticmethod
    def make_forgetful(host: Host) -> None:
        """
        The client's neighbour cache looks again after 10 s and not after 50. Where agents were killed while they held
        an address that the source has again, nobody is left who could tell the client.
        """
        for family in ("ipv4", "ipv6"):
            host.sysctl(f"net.{family}.neigh.eth0.base_reachable_time_ms", 4000)
            host.sysctl(f"net.{family}.neigh.eth0.delay_first_probe_time", 1)

    def monitor(self, host: Host) -> str:
        """The file in which the kernel's own notes of address changes on a host gather."""
        path = os.path.join(self.lan.directory, f"{host.name}-monitor")
        with open(path, "wb") as file:
            host.start(["ip", "-o", "monitor", "address"], stdin=subprocess.DEVNULL, stdout=file)
        return path

    # What is to be done when.

    def at(self, when: float, what: Callable[[], None]) -> None:
        heapq.heappush(self.todo, (when, next(self.serials), what))

    def run_until(self, end: float) -> None:
        while self.todo and self.todo[0][0] <= end:
            when, _, what = heapq.heappop(self.todo)
            time.sleep(max(0, when - time.monotonic()))
            what()
        time.sleep(max(0, end - time.monotonic()))

    def make(self, fault: Fault, began: float) -> None:
        """Puts a fault, and its end, on the list."""
        handler = getattr(self, "do_" + fault.kind.replace("-", "_"), None)
        if handler:
            self.at(began + fault.at, lambda: handler(fault))
        else:
            self.at(began + fault.at, lambda: self.break_port(fault))

    # Faults of the network.

    def break_port(self, fault: Fault) -> None:
        self.truth.begins(fault.host, fault.kind)
        self.set_port(fault.host)
        if fault.kind == "flap":
            self.flap(fault, 2 * fault.more["count"])
        elif fault.lasts:
            self.at(time.monotonic() + fault.lasts, lambda: self.mend_port(fault.host, fault.kind))

    def flap(self, fault: Fault, left: int) -> None:
        """The cable is pulled and plugged in again, some times."""
        if fault.kind not in self.truth.at_work(fault.host):
            return
        nic = self.hosts[fault.host].nic("eth0")
        if left == 0:
            self.mend_port(fault.host, fault.kind)
            return
        (nic.unplug if left % 2 == 0 else nic.plug)()
        step = fault.lasts / (2 * fault.more["count"])
        self.at(time.monotonic() + step, lambda: self.flap(fault, left - 1))

    def mend_port(self, host: str, kind: str) -> None:
        """One fault of a port ends; the others stay."""
        if kind not in self.truth.at_work(host):
            return
        self.truth.active[host].remove(kind)
        self.set_port(host)
        self.truth.note()

    def set_port(self, host: str) -> None:
        """Makes a port what the faults at work say."""
        nic, kinds = self.hosts[host].nic("eth0"), self.truth.at_work(host)
        (nic.unplug if "unplug" in kinds else nic.plug)()
        state = PORT_DISABLED if "partition" in kinds else PORT_FORWARDING
        if "unplug" not in kinds:
            run("bridge", "-n", self.lan.switch, "link", "set", "dev", nic.port, "state", state)
        rules = {"drop-in": f'oifname "{nic.port}" drop', "drop-out": f'iifname "{nic.port}" drop',
                 "loss-in": f'oifname "{nic.port}" numgen random mod 100 < 30 drop',
                 "loss-out": f'iifname "{nic.port}" numgen random mod 100 < 30 drop'}
        drops = [rules[kind] for kind in sorted(kinds) if kind in rules]
        if self.lan.drops.get(nic.port, []) != drops:
            self.lan.drops[nic.port] = drops
            self.lan.write_drops()

    # Faults of the agents.

    def guard(self, host: str) -> int:
        """The pid of the guard in charge; 0 where there is none."""
        try:
            with open(self.agents[host].control + ".guard", encoding="ascii") as file:
                return int(file.read())
        except (OSError, ValueError):
            return 0

    def pids(self, host: str, agent: bool = True, guard: bool = False) -> List[int]:
        found = [self.guard(host)] if guard and self.guard(host) else []
        if agent and self.agents[host].process.poll() is None:
            found.append(self.agents[host].process.pid)
        return found

    @staticmethod
    def signal(pids: List[int], number: int) -> None:
        for pid in pids:
            try:
                os.kill(pid, number)
            except ProcessLookupError:
                pass

    def revive(self, host: str) -> None:
        """Starts the agent where it is not running, as a service manager would."""
        if self.agents[host].process.poll() is None:
            if self.dying[host]:
                self.at(time.monotonic() + 0.02, lambda: self.revive(host))
            return
        self.dying[host] = False
        self.agents[host].start(wait=False)
        self.armed.forget(host, time.monotonic())

    def ends_it(self, fault: Fault, number: int, guard: bool) -> None:
        self.signal(self.pids(fault.host, guard=guard), number)
        self.dying[fault.host] = True
        if fault.lasts:
            self.at(time.monotonic() + fault.lasts, lambda: self.revive(fault.host))

    def do_agent_kill(self, fault: Fault) -> None:
        self.ends_it(fault, signal.SIGKILL, False)

    def do_agent_term(self, fault: Fault) -> None:
        self.ends_it(fault, signal.SIGTERM, False)

    def do_both_kill(self, fault: Fault) -> None:
        self.ends_it(fault, signal.SIGKILL, True)

    def do_guard_kill(self, fault: Fault) -> None:
        self.signal(self.pids(fault.host, agent=False, guard=True), signal.SIGKILL)

    def freeze(self, fault: Fault, agent: bool, guard: bool) -> None:
        pids = self.pids(fault.host, agent, guard)
        self.signal(pids, signal.SIGSTOP)
        if agent:
            self.armed.froze(fault.host, time.monotonic(), fault.lasts)
        self.frozen.update({pid: fault.host for pid in pids})
        self.at(time.monotonic() + fault.lasts, lambda: self.thaw(pids))

    def thaw(self, pids: List[int]) -> None:
        self.signal(pids, signal.SIGCONT)
        for pid in pids:
            self.frozen.pop(pid, None)

    def do_agent_freeze(self, fault: Fault) -> None:
        self.freeze(fault, True, False)

    def do_guard_freeze(self, fault: Fault) -> None:
        self.freeze(fault, False, True)

    def do_both_freeze(self, fault: Fault) -> None:
        self.freeze(fault, True, True)

    def do_reload_storm(self, fault: Fault) -> None:
        agent = self.agents[fault.host]
        for n in range(fault.more["count"]):
            note = ("", "source web2 { nic eth0 { 192.0.2.90/24 dev eth0 } }", "source { a mistake")[n % 3]

            def reload(note: str = note) -> None:
                agent.write(self.conf + note)
                self.signal(self.pids(fault.host), signal.SIGHUP)
            self.at(time.monotonic() + fault.lasts * n / fault.more["count"], reload)

    def do_second_agent(self, fault: Fault) -> None:
        """Somebody starts another one on the same host, by mistake, and ends it again."""
        second = Agent(self.hosts[fault.host], self.conf, wait=False)
        self.second[fault.host].append(second)
        self.all_agents.append(second)
        number = signal.SIGKILL if fault.more["end"] == "kill" else signal.SIGTERM
        self.at(time.monotonic() + fault.lasts, lambda: second.process.poll() is None and second.signal(number))

    def command(self, host: str, *argv: str) -> None:
        self.commands = [c for c in self.commands if c.poll() is None]
        self.commands.append(subprocess.Popen([STANDINCTL, "--control", self.agents[host].control, *argv],
                                              stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                                              stderr=subprocess.DEVNULL))

    def do_failback(self, fault: Fault) -> None:
        self.failback(fault.host)

    def failback(self, host: str) -> None:
        self.command(host, "failback", "web1")
        self.armed.forget(host, time.monotonic())

    def do_failover(self, fault: Fault) -> None:
        self.command(fault.host, "failover", "web1")

    def do_delete(self, fault: Fault) -> None:
        """Somebody takes off what is claimed there."""
        nic = self.hosts[fault.host].nic("eth0")
        for address in HELD & set(nic.addresses()):
            try:
                nic.remove_address(address)
            except LanError:
                pass  # it went by itself meanwhile

    # Putting right.

    def heal(self, source: bool) -> None:
        """Every fault ends: the network's, but for the source's death where it is to last, and every pause."""
        self.todo.clear()
        for host in [*TARGETS, "gateway", *(["web1"] if source else [])]:
            for kind in sorted(self.truth.at_work(host)):
                while kind in self.truth.at_work(host):
                    self.mend_port(host, kind)
        if not source:
            for kind in sorted(self.truth.at_work("web1") - {"partition", "unplug"}):
                while kind in self.truth.at_work("web1"):
                    self.mend_port("web1", kind)
        self.thaw(list(self.frozen))
        for host in TARGETS:
            for second in self.second[host]:
                if second.process.poll() is None:
                    second.signal(signal.SIGTERM)
            self.second[host].clear()
            self.agents[host].write(self.conf)
            self.signal(self.pids(host), signal.SIGHUP)

    def revive_all(self) -> None:
        for host in TARGETS:
            self.revive(host)

    def holding(self) -> Dict[str, set]:
        """Which of the source's addresses each target's kernel has."""
        return {name: HELD & set(self.hosts[name].nic("eth0").addresses()) for name in TARGETS}

    def strangers(self) -> List[str]:
        """Addresses of the targets that went or came and should not have."""
        wrong = []
        for name in TARGETS:
            have = set(self.hosts[name].nic("eth0").addresses()) - HELD
            wrong += [f"{name} lost {a}" for a in self.own[name] - have]
            wrong += [f"{name} has {a}" for a in have - self.own[name]]
            with open(self.monitors[name], encoding="ascii", errors="replace") as notes:
                deleted = {line.split()[4] for line in notes if line.startswith("Deleted") and len(line.split()) > 4}
            wrong += [f"{name} was without {a} for a while" for a in self.own[name] & deleted]
        return wrong

    def stories(self) -> str:
        return "\n".join(agent.story() for agent in self.all_agents)


def in_effect(lan: Lan, statement: str) -> bool:
    """Whether this build does what a statement of the file says, rather than warn that it does not yet."""
    path = os.path.join(lan.directory, "asked.conf")
    with open(path, "w", encoding="ascii") as file:
        file.write(f"defaults {{ {statement} }}\nsource a {{ nic e {{ {V4}/24 dev lo }} }}\n")
    done = subprocess.run([STANDIND, "--check", "-f", path], text=True, capture_output=True, check=False)
    return done.returncode == 0 and "not in effect" not in done.stdout + done.stderr
