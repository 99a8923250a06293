# SPDX-License-Identifier: Apache-2.0
"""Hosts that answer and serve nothing; hooks, fences and checks around a takeover, run for real."""

import os
import shutil
import signal
import tempfile
import threading
import time
from typing import Dict, List

from story import QUIET_S, Story, V4, V6, ipmap, main

PORT = 8443


class Scripts:
    """A folder that only root may write, where hooks must be; each script writes what it was told to a log."""

    def __init__(self, lan):
        self.directory = tempfile.mkdtemp(prefix="standin-tests-", dir="/var/lib")
        os.chmod(self.directory, 0o755)
        lan.closers.append(lambda: shutil.rmtree(self.directory, ignore_errors=True))
        self.log = os.path.join(self.directory, "log")

    def add(self, name: str, body: str = "exit 0") -> str:
        path = os.path.join(self.directory, name)
        with open(path, "w", encoding="ascii") as file:
            file.write(f"#!/bin/sh\ninput=$(cat)\necho \"{name}|$STANDIN_POINT|$STANDIN_CAUSE|$STANDIN_SOURCE|"
                       f"$STANDIN_NIC|$STANDIN_ADDRESSES|$input\" >>{self.log}\n{body}\n")
        os.chmod(path, 0o755)
        return path

    def lines(self) -> List[List[str]]:
        if not os.path.exists(self.log):
            return []
        with open(self.log, encoding="utf-8") as file:
            return [line.rstrip("\n").split("|", 6) for line in file]

    def names(self) -> List[str]:
        return [line[0] for line in self.lines()]


class Service:
    """Something on a host of the LAN that accepts connections, until it is told not to."""

    def __init__(self, host, port: int = PORT):
        code = ("import socket\ns=socket.socket(socket.AF_INET6)\n"
                "s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)\n"
                f"s.bind(('::', {port}))\ns.listen(99)\n"
                "while True: s.accept()[0].close()\n")
        self.process = host.start(["python3", "-c", code])

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()


class ServiceStory(Story):
    """A source with a service, and a folder of scripts."""

    def setUp(self) -> None:
        super().setUp()
        self.scripts = Scripts(self.lan)
        self.service = Service(self.source)

    def of_source(self, agent) -> Dict:
        return agent.status()["sources"][0]

    def wait_service(self, agent, *states: str) -> Dict:
        report = agent.wait_for(lambda r: r["sources"][0]["service"] in states, what=f"services are {states}")
        return report["sources"][0]

    CHECK = f"probe arp\nprobe icmp\nprobe tcp {PORT} {{ interval 100ms; misses 3; timeout 100ms }}\n"


BOTH = f"{V4}/24 dev eth0\n{V6}/64 dev eth0"


class Checks(ServiceStory):
    """What a service does says nothing of its host."""

    def test_a_service_that_stops_is_told(self) -> None:
        """It is told with its evidence; nothing is claimed from a host that answers."""
        agent = self.watching(ipmap(source=self.CHECK))
        self.wait_service(agent, "passing")
        self.service.stop()
        source = self.wait_service(agent, "failed")
        self.assertIn("Connection refused", source["checks"][0]["outcome"])
        self.assertFalse(source["healthy"])
        self.assertEqual(agent.ctl("status")[0], 4)
        self.assert_never_held(V4, V6)
        self.service = Service(self.source)
        self.wait_service(agent, "passing")
        agent.wait_log("check", "passes again")

    def test_exec(self) -> None:
        """An exit status of 0 passes, another fails, and what it wrote is kept for status."""
        flag = os.path.join(self.scripts.directory, "broken")
        check = self.scripts.add("check", f"test ! -e {flag} || {{ echo 'the queue is full' >&2; exit 3; }}")
        agent = self.watching(
            ipmap(source=f'probe arp\nprobe exec "{check}" {{ interval 200ms; misses 2; timeout 200ms }}'))
        self.wait_service(agent, "passing")
        with open(flag, "w", encoding="ascii"):
            pass
        source = self.wait_service(agent, "failed")
        self.assertIn("3", source["checks"][0]["outcome"])
        self.assertIn("the queue is full", source["checks"][0]["outcome"])

    def test_a_check_that_may_be_changed_by_others_is_not_run(self) -> None:
        """That says nothing of the service: it could not be run."""
        check = self.scripts.add("check")
        os.chmod(check, 0o777)
        agent = self.watching(
            ipmap(source=f'probe arp\nprobe exec "{check}" {{ interval 100ms; misses 2; timeout 100ms }}'))
        agent.wait_for(lambda r: r["sources"][0]["checks"][0]["unable"] > 3, what="it is refused")
        self.assertEqual(self.of_source(agent)["service"], "unknown")
        self.assertEqual(self.scripts.names(), [])


class Fences(ServiceStory):
    """A failed service: the host is fenced, and then it is lost like any other."""

    def conf(self, script: str) -> str:
        return ipmap(BOTH, source=f'{self.CHECK}on service automatic\nfence "{script}" {{ timeout 5s }}')

    def test_fenced_and_taken_over(self) -> None:
        """Not before the fence has succeeded, and then at once."""
        agent = self.watching(self.conf(self.scripts.add("fence", "sleep 0.5")))
        self.wait_service(agent, "passing")

        def obey() -> None:
            while "fence" not in self.scripts.names():
                time.sleep(0.01)
            self.source.crash_silently()

        fencer = threading.Thread(target=obey)
        fencer.start()
        self.service.stop()
        agent.wait_state("web1/eth0", "holding")
        fencer.join()
        self.assert_held(V4, V6)
        self.assertEqual(self.scripts.lines()[0][:4], ["fence", "fence", "service", "web1"])
        self.assertEqual(self.scripts.names().count("fence"), 1)

    def test_a_fence_that_fails(self) -> None:
        """Nothing is claimed, whatever becomes of the host."""
        agent = self.watching(self.conf(self.scripts.add("fence", "echo 'no such outlet' >&2; exit 1")))
        self.wait_service(agent, "passing")
        self.service.stop()
        source = self.wait_service(agent, "failed")
        self.assertIn("no such outlet", source["trouble"])
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "blocked")
        self.assert_never_held(V4, V6)

    def test_a_fence_that_hangs(self) -> None:
        """Its time limit ends it, and what it has started."""
        script = self.scripts.add("fence", "sleep 1000 & sleep 1000")
        agent = self.watching(self.conf(script).replace("timeout 5s", "timeout 1s"))
        self.wait_service(agent, "passing")
        self.service.stop()
        source = self.wait_service(agent, "failed")
        self.assertIn("time limit", source["trouble"])
        self.assert_never_held(V4, seconds=0.5)


class Hooks(ServiceStory):
    """Hooks in their order, with what they are told."""

    def conf(self, **bodies: str) -> str:
        points = {"may_i": "pre-takeover", "tell": "post-takeover", "drain": "pre-failback", "done": "post-failback"}
        hooks = []
        for name, point in points.items():
            path = self.scripts.add(name, bodies.get(name, "exit 0"))
            hooks.append(f'hook {point} "{path}" {{ timeout 3s{"; veto yes" if name == "may_i" else ""} }}')
        return ipmap(BOTH, source="\n".join(hooks))

    def test_all_of_them(self) -> None:
        """Before and after a takeover and a failback, each told of the same source."""
        agent = self.holding(self.conf())
        self.wait_until(lambda: self.scripts.names() == ["may_i", "tell"], "the hooks of the takeover have run")
        flag = os.path.join(os.path.dirname(agent.control), "held", "web1")
        self.assertTrue(os.path.exists(flag))
        code, text = agent.ctl("failback", "web1")
        self.assertEqual(code, 0, text)
        self.wait_until(lambda: len(self.scripts.names()) == 4, "the hooks of the failback have run")
        self.assertFalse(os.path.exists(flag))
        lines = self.scripts.lines()
        self.assertEqual([line[1] for line in lines],
                         ["pre-takeover", "post-takeover", "pre-failback", "post-failback"])
        self.assertEqual([line[2] for line in lines], ["host", "host", "operator", "operator"])
        for line in lines:
            self.assertEqual(line[3:5], ["web1", "eth0"])
            self.assertEqual(line[5].split(), [f"{V4}/24", f"{V6}/64"])
            self.assertIn('"source":"web1"', line[6])

    def test_a_veto(self) -> None:
        """Nothing is claimed, and status says who said no and why."""
        agent = self.watching(self.conf(may_i="echo 'maintenance until noon'; exit 1"))
        self.source.crash_silently()
        state = agent.wait_state("web1/eth0", "blocked")
        self.assertIn("said no", state["reason"])
        self.assertIn("maintenance until noon", self.of_source(agent)["trouble"])
        self.assert_never_held(V4, V6)
        self.assertEqual(self.scripts.names(), ["may_i"])

    def test_a_hook_that_hangs_holds_nothing_up_but_its_takeover(self) -> None:
        """The agent answers and watches meanwhile; the time limit is the answer of a veto hook."""
        agent = self.watching(self.conf(may_i="sleep 1000"))
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "preparing")
        self.assert_never_held(V4, seconds=QUIET_S)
        state = agent.wait_state("web1/eth0", "blocked")
        self.assertIn("said no", state["reason"])

    def test_a_flood_of_output(self) -> None:
        """What it writes is read and thrown away; the takeover goes on."""
        agent = self.holding(self.conf(may_i="dd if=/dev/zero bs=1M count=50 2>/dev/null | tr '\\0' x; exit 0"))
        self.assert_held(V4)
        self.assertLess(len(agent.log()), 1 << 20)

    def test_a_hook_that_refuses_the_failback(self) -> None:
        """It is held on; `--force` gives it back all the same."""
        agent = self.holding(self.conf(drain="echo 'still busy'; exit 1"))
        code, text = agent.ctl("failback", "web1")
        self.assertEqual(code, 1, text)
        self.assert_held(V4, V6)
        self.assertIn("still busy", self.of_source(agent)["trouble"])
        code, text = agent.ctl("failback", "web1", "--force")
        self.assertEqual(code, 0, text)
        self.assert_not_held(V4, V6)

    def test_a_runner_that_dies(self) -> None:
        """What it had in hand counts as not run: a veto hook that cannot say yes says no, and is asked again."""
        agent = self.watching(self.conf(may_i="sleep 1"))
        self.source.crash_silently()
        self.wait_until(lambda: self.scripts.names() == ["may_i"], "the hook runs")
        for pid in children_of(agent.process.pid):
            if name_of(pid).startswith("standin-runner"):
                os.kill(pid, signal.SIGKILL)
        agent.wait_state("web1/eth0", "blocked")
        agent.wait_state("web1/eth0", "holding", timeout_s=30)
        self.assert_held(V4)


class Load(ServiceStory):
    """Checks must never cost the probes their time."""

    def test_a_thousand_checks_that_hang(self) -> None:
        """While a thousand connections wait for an answer that never comes, a crash is seen as quickly as ever."""
        self.source.nic("eth0").drop_incoming(what="tcp dport 20000-21000")
        checks = "".join(f"probe tcp {20000 + i} {{ interval 1s; misses 3; timeout 900ms }}\n" for i in range(1000))
        agent = self.watching(ipmap(source=f"probe arp\nprobe icmp\n{checks}"))
        self.wait_service(agent, "failed")
        before = agent.status()["agent"]["stalls"]
        began = time.monotonic()
        time.sleep(3)
        missed = agent.address(V4)["missed"]
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        self.assertLess(missed, 3, "rounds were missed while checks hung")
        self.assertLess(agent.status()["agent"]["stalls"] - before, 3 + (time.monotonic() - began))


def children_of(pid: int) -> List[int]:
    """All processes below this one."""
    found = []
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        try:
            with open(f"/proc/{entry}/stat", encoding="ascii", errors="replace") as file:
                parent = int(file.read().rsplit(")", 1)[1].split()[1])
        except (OSError, IndexError, ValueError):
            continue
        if parent == pid:
            found += [int(entry), *children_of(int(entry))]
    return found


def name_of(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/comm", encoding="ascii", errors="replace") as file:
            return file.read().strip()
    except OSError:
        return ""


if __name__ == "__main__":
    main()
