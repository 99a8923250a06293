# SPDX-License-Identifier: Apache-2.0
"""The agent as a service: its own unit, with its whole sandbox, under a systemd that starts, stops and kills it."""

import os
import re
import shutil
import signal
import tempfile
import time
from typing import Dict, Optional

from machine import Machine, Service, make_install
from story import GATEWAY, Story, V4, V6, ipmap, main
from wire import Capture, Pinger

BODY = f"{V4}/24 dev eth0\n{V6}/64 dev eth0"
# The guard's time is long for a busy machine, and short against the lease.
GUARD_S, LEASE_S = 3, 20
CONF = ipmap(BODY, top=f"witness {GATEWAY}\nguard {GUARD_S}s", source=f"lease {LEASE_S}s")
NAME = "web1/eth0"


class Unit(Story):
    """The stage of the other stories, with a target that runs systemd."""

    def boot(self, conf: str = CONF, drop_in: str = "", start: bool = True,
             files: Optional[Dict[str, str]] = None) -> Service:
        """files: of the machine, beside the ipmap."""
        files = {**(files or {}), "etc/standin/ipmap.conf": conf}
        if drop_in:
            files["etc/systemd/system/standind.service.d/test.conf"] = drop_in
        self.machine = Machine(self.target, files)
        self.service = Service(self.machine)
        self.agents.append(self.service)
        if start:
            self.service.start()
        return self.service

    def boot_holding(self, **options) -> Service:
        """Up to the takeover, which is seen by a client."""
        service = self.boot(**options)
        service.wait_state(NAME, "up")
        self.source.crash_silently()
        service.wait_state(NAME, "holding")
        self.wait_until(lambda: self.client.ping(V4) and self.client.ping(V6), "a client is served")
        return service

    def main_pid(self) -> int:
        return int(self.machine.property("MainPID"))

    def gone(self) -> bool:
        return not {f"{V4}/32", f"{V6}/128"} & set(self.target.nic("eth0").addresses())

    def wait_gone(self) -> None:
        self.wait_until(self.gone, "nothing is held", timeout_s=30)
        self.assert_held("192.0.2.20", "2001:db8::20")

    def lose_no_ping(self, upheaval, address: str = V4) -> None:
        """While all this happens, and for longer than the guard of before would wait, each of a client's pings is
        answered, one in each ms; and the address is announced again."""
        capture = Capture(self.client.nic("eth0"), lambda frame: frame.src == address)
        with Pinger(self.client, address, interval_s=0.001) as pings:
            self.assertTrue(pings.wait_for(self.target_mac(), count=50))
            steady = time.monotonic()
            upheaval()
            self.service.wait_state(NAME, "holding")
            over = time.monotonic()
            time.sleep(GUARD_S + 1.5)
            self.assertTrue(pings.wait_for(self.target_mac(), count=50))
        capture.stop()
        self.assertGreater(len([p for p in pings.pings() if p.sent_at > steady]), 500)
        lost = pings.lost(since=steady)
        self.assertEqual(lost, [], f"{len(lost)} pings lost")
        self.assertEqual([p for p in pings.answers() if p.sent_at > steady and p.by != self.target_mac()], [])
        for kind in ("arp-announcement", "arp-gratuitous") if address == V4 else ("na-unsolicited",):
            again = [s for s in capture.of(kind, mac=self.target_mac()) if s.at > over]
            self.assertGreaterEqual(len(again), 2, f"{kind}: not announced again as after a takeover")
        self.assertNotIn("released by the guard", self.service.log())


class Start(Unit):
    """Start, reload, and what systemd gets to know."""

    def test_start_and_status(self) -> None:
        """`systemctl start` returns when the agent is ready, with its sandbox in force and its words in the journal."""
        service = self.boot()
        self.assertEqual(self.machine.property("ActiveState"), "active")
        report = service.wait_for(lambda r: service.nic(NAME, r)["state"] == "up")
        self.assertRegex(report["agent"]["guard"], r"^pid \d+")
        self.assertEqual(report["agent"]["memory_lock"], "locked")
        self.assertIn("watches as /etc/standin/ipmap.conf says", service.log())
        self.wait_until(lambda: "1 source" in self.machine.property("StatusText"), "systemd knows how things stand")
        self.assertIn(self.machine.property("StatusText"), self.machine.run("systemctl", "status", "standind"))
        for pid in self.machine.processes_of("standind"):
            with open(f"/proc/{pid}/status", encoding="ascii", errors="replace") as file:
                status = dict(re.findall(r"^(\w+):\s+(.*)$", file.read(), re.MULTILINE))
            self.assertEqual(status["NoNewPrivs"], "1")
            self.assertEqual(status["Seccomp"], "2")
            # NET_ADMIN, NET_RAW, IPC_LOCK and SYS_NICE, and not one more.
            self.assertEqual(int(status["CapBnd"], 16) & ~(1 << 12 | 1 << 13 | 1 << 14 | 1 << 23), 0)

    def test_not_configured(self) -> None:
        """Without a file the unit is no failure; it just does not run."""
        self.boot(start=False)
        os.remove(self.service.conf)
        self.machine.run("systemctl", "start", "standind")
        self.assertEqual(self.machine.property("ActiveState"), "inactive")
        self.assertEqual(self.machine.run("systemctl", "is-system-running").strip(), "running")

    def test_takeover(self) -> None:
        """Takes over, says so to systemd and to the journal, and gives back."""
        service = self.boot_holding()
        self.assert_held(V4, V6)
        self.assertTrue(self.client.ping(V4, count=20))
        self.wait_until(lambda: "1 held here" in self.machine.property("StatusText"), "systemd knows that it holds")
        service.wait_log(NAME, "holding")
        self.assertEqual(self.machine.run("journalctl", "-u", "standind", "-p", "warning", "-q", "-o", "cat", "-g",
                                          "holding").count("holding: the source was lost"), 1)
        self.source.heal()
        status, text = service.ctl("failback", "web1")
        self.assertEqual(status, 0, text)
        self.wait_gone()

    def test_reload(self) -> None:
        """`systemctl reload` waits for the file to be in effect, and fails for a bad one; what is held stays."""
        service = self.boot_holding()
        service.write(CONF.replace(BODY, f"{BODY}\n192.0.2.11/24 dev eth0"))
        self.machine.run("systemctl", "reload", "standind")
        self.assertEqual(len(service.nic(NAME)["addresses"]), 3)
        service.write("nonsense\n")
        self.assertNotEqual(self.machine.try_run("systemctl", "reload", "standind").returncode, 0)
        self.assertEqual(self.machine.property("ActiveState"), "active")
        self.assertEqual(len(service.nic(NAME)["addresses"]), 3)
        self.assertIn("ipmap.conf:1:", service.log())
        self.assert_held(V4, V6)


class Ends(Unit):
    """However the agent ends, nothing outlives it; and nothing is lost where a successor comes."""

    def test_stop(self) -> None:
        """`systemctl stop` returns at once, and nothing is held when the guard's time is over: no earlier."""
        service = self.boot_holding()
        pid = self.main_pid()
        start = time.monotonic()
        self.assertEqual(service.stop(), 0)
        stopped = time.monotonic()
        self.assertFalse(self.gone(), "the guard did not wait for a successor")
        self.wait_gone()
        self.assertGreater(time.monotonic() - start, GUARD_S * 0.9)
        self.assertLess(time.monotonic() - stopped, LEASE_S, "it was the lease, not the guard")
        self.assertIn("2 addresses released by the guard", service.log())
        self.wait_until(lambda: not self.machine.processes_of("standind"), "the guard has ended")
        self.assertEqual(self.machine.property("ActiveState"), "inactive")
        self.assertGreater(pid, 0)

    def test_stop_and_start(self) -> None:
        """A start while the guard of before waits is as good as a restart."""
        self.boot_holding()

        def stop_and_start() -> None:
            self.machine.run("systemctl", "stop", "standind")
            self.machine.run("systemctl", "start", "standind")
        self.lose_no_ping(stop_and_start)

    def test_restart(self) -> None:
        """`systemctl restart` loses not one ping, and announces again."""
        self.boot_holding()
        self.lose_no_ping(lambda: self.machine.run("systemctl", "restart", "standind"))

    def test_restart_ipv6(self) -> None:
        """The same for IPv6."""
        self.boot_holding()
        self.lose_no_ping(lambda: self.machine.run("systemctl", "restart", "standind"), V6)

    def test_upgrade(self) -> None:
        """New programs over the old ones, and what a package does then."""
        self.boot_holding()
        with tempfile.TemporaryDirectory() as new:
            make_install(new)

            def upgrade() -> None:
                for program in ("standind", "standinctl"):
                    path = f"{self.machine.files}/usr/sbin/{program}"
                    shutil.copy2(f"{new}/usr/sbin/{program}", path + ".new")
                    os.replace(path + ".new", path)
                self.machine.run("systemctl", "daemon-reload")
                self.machine.run("systemctl", "try-restart", "standind")
            self.lose_no_ping(upgrade)

    def test_killed(self) -> None:
        """kill -9: systemd starts a successor, which adopts all, and no ping is lost."""
        service = self.boot_holding()
        before = self.main_pid()

        def kill() -> None:
            service.kill()
            self.wait_until(lambda: self.main_pid() not in (0, before), "there is a successor")
        self.lose_no_ping(kill)
        self.assertEqual(self.machine.property("NRestarts"), "1")

    def test_killed_for_good(self) -> None:
        """kill -9 and nobody starts it again: the guard removes all, long before the lease would."""
        service = self.boot_holding(drop_in="[Service]\nRestart=no\n")
        start = time.monotonic()
        service.kill()
        self.wait_gone()
        self.assertGreater(time.monotonic() - start, GUARD_S * 0.9)
        self.assertLess(time.monotonic() - start, LEASE_S)
        self.assertIn("the agent died: 2 addresses released by the guard", service.log())
        self.assertEqual(self.machine.property("ActiveState"), "failed")

    def test_hung(self) -> None:
        """SIGSTOP: the guard removes, the watchdog has the agent replaced, and the new one verifies before it holds."""
        service = self.boot_holding(drop_in="[Service]\nWatchdogSec=6s\n")
        before = self.main_pid()
        # A thread writes it, which a busy machine may keep waiting, and which stops with the agent.
        self.wait_until(lambda: f"{V4} mac {self.source_mac()} held" in
                        self.machine.try_run("cat", "/var/lib/standin/journal").stdout, "the journal tells of the hold")
        service.freeze()
        self.wait_gone()
        self.assertEqual(self.main_pid(), before, "the guard was first")
        self.wait_until(lambda: self.main_pid() not in (0, before), "the watchdog had it replaced", timeout_s=40)
        self.assertIn("the agent hung: 2 addresses released by the guard", service.log())
        # The successor knows from the journal that the source was lost, looks again, and stands in again.
        service.wait_state(NAME, "holding")
        self.wait_until(lambda: not self.gone(), "it is held again")
        self.wait_until(lambda: self.client.ping(V4), "a client is served")
        self.source.heal()
        service.wait_log("the source is back")

    def test_frozen(self) -> None:
        """The whole control group is frozen: the kernel's lease ends the hold, and thawed the agent verifies anew."""
        service = self.boot_holding(conf=CONF.replace(f"lease {LEASE_S}s", "lease 2s"),
                                    drop_in="[Service]\nWatchdogSec=0\n")
        self.machine.run("systemctl", "freeze", "standind")
        self.wait_gone()
        self.assertNotIn("by the guard", service.log())
        self.source.heal()
        self.client.ip("neigh", "flush", "dev", "eth0")
        self.wait_until(lambda: self.client.ping(V4), "the source is back")
        self.machine.run("systemctl", "thaw", "standind")
        service.wait_state(NAME, "up")
        self.assert_never_held(V4, V6)

    def test_shutdown(self) -> None:
        """The host is shut down while it holds: nothing is held by a host that is off."""
        self.boot_holding()
        os.kill(self.machine.leader, signal.SIGRTMIN + 4)
        self.wait_until(lambda: not os.path.exists(self.machine.files), "it is off", timeout_s=40)


if __name__ == "__main__":
    main()
