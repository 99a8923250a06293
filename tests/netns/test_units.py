# SPDX-License-Identifier: Apache-2.0
"""Units, hooks and flags around a takeover, under a real systemd."""

import os
import signal
import time
from typing import Dict, List

from machine import Service
from story import V4, V6, ipmap, main
from test_systemd import GUARD_S, NAME, Unit

BODY = f"{V4}/24 dev eth0\n{V6}/64 dev eth0"
ORDER = "/run/order"
UNITS = "etc/systemd/system/"
MOUNT = "[Mount]\nWhat=tmpfs\nWhere=/srv/shop\nType=tmpfs\n"


def service(name: str, start: str = "", more: str = "") -> str:
    """A unit that writes down when it is started and stopped, and whether the address is held then."""
    held = f"ip -o address show | grep -q {V4} && held=held || held=free; echo"
    return (f"[Unit]\n{more}\n[Service]\nType=oneshot\nRemainAfterExit=yes\n"
            f"ExecStart={start or f'/bin/sh -c ^{held} start {name} $held >>{ORDER}^'}\n"
            f"ExecStop=/bin/sh -c ^{held} stop {name} $held >>{ORDER}^\n").replace("^", "'").replace("$held", "$$held")


class UnitStory(Unit):
    """A target host with units of its own, which the ipmap names."""

    def conf(self, *statements: str) -> str:
        return ipmap(BODY, top=f"witness 192.0.2.1\nguard {GUARD_S}s", source="\n".join(statements))

    def boot_with(self, conf: str, files: Dict[str, str]) -> Service:
        """Up to the takeover."""
        made = self.boot(conf=conf, files=files, start=False)
        if UNITS + "extra.service" in files:
            self.machine.run("systemctl", "enable", "extra")
        made.start()
        made.wait_state(NAME, "up")
        self.source.crash_silently()
        made.wait_state(NAME, "holding")
        return made

    def order(self) -> List[str]:
        """What was started and stopped so far; but what hangs on the target stops with it, and is not waited for."""
        lines = self.machine.try_run("cat", ORDER).stdout.splitlines()
        return [line for line in lines if not line.startswith("stop extra")]

    def wait_order(self, *lines: str) -> None:
        end = time.monotonic() + 30
        while len(self.order()) < len(lines) and time.monotonic() < end:
            time.sleep(0.05)
        self.assertEqual(self.order(), list(lines))

    def unit(self, name: str) -> Dict:
        """What status says of a unit."""
        return next(u for u in self.service.status()["sources"][0]["units"] if u["name"] == name)

    def wait_unit(self, name: str, state: str) -> Dict:
        self.wait_until(lambda: self.unit(name)["state"] == state, f"{name} is {state}, not {self.unit(name)}",
                        timeout_s=30)
        return self.unit(name)

    def active(self, name: str) -> str:
        return self.machine.property("ActiveState", name)

    def flag(self) -> bool:
        return os.path.exists(f"{self.machine.files}/run/standin/held/web1")

    def give_back(self) -> None:
        status, text = self.service.ctl("failback", "web1")
        self.assertEqual(status, 0, text)


class Order(UnitStory):
    """What is started, and when."""

    FILES = {UNITS + "srv-shop.mount": MOUNT, UNITS + "a.service": service("a"), UNITS + "b.service": service("b"),
             UNITS + "extra.service": service("extra", more="PartOf=standin-web1.target") +
             "[Install]\nWantedBy=standin-web1.target\n",
             UNITS + "asks.service": "[Unit]\nConditionPathExists=/run/standin/held/web1\n"
                                     "[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=/bin/true\n"}
    CONF = ("unit srv-shop.mount", "unit a.service", "unit b.service")

    def test_there_and_back(self) -> None:
        """In order once the addresses are here, in reverse while they still are; the flag as long as they are."""
        self.boot_with(self.conf(*self.CONF), self.FILES)
        self.wait_order("start a held", "start b held", "start extra held")
        self.wait_unit("standin-web1.target", "started")
        self.assertEqual(self.active("srv-shop.mount"), "active")
        self.assertTrue(os.path.ismount(f"{self.machine.files}/srv/shop"))
        self.assertTrue(self.flag())
        self.machine.run("systemctl", "start", "asks")
        self.assertEqual(self.active("asks"), "active")
        self.machine.run("systemctl", "stop", "asks")
        self.give_back()
        self.wait_gone()
        self.assertEqual(self.order()[3:], ["stop b held", "stop a held"])
        self.assertEqual(self.active("srv-shop.mount"), "inactive")
        self.assertEqual(self.active("standin-web1.target"), "inactive")
        self.wait_until(lambda: self.active("extra") == "inactive", "what hangs on the target is stopped with it")
        self.wait_until(lambda: not self.flag(), "the flag is gone")
        self.machine.run("systemctl", "start", "asks")
        self.assertEqual(self.active("asks"), "inactive")

    def test_a_restart(self) -> None:
        """Units run on through a restart of the agent, and are known to the next one."""
        self.boot_with(self.conf(*self.CONF), self.FILES)
        started = ["start a held", "start b held", "start extra held"]
        self.wait_order(*started)
        self.machine.run("systemctl", "restart", "standind")
        self.service.wait_state(NAME, "holding")
        self.wait_unit("standin-web1.target", "started")
        self.assertTrue(self.flag())
        self.assertEqual(self.order(), started)
        self.give_back()
        self.wait_order(*started, "stop b held", "stop a held")

    def test_a_stop(self) -> None:
        """The guard releases addresses alone; the next agent finds out, and stops what was started."""
        self.boot_with(self.conf(*self.CONF), self.FILES)
        started = ["start a held", "start b held", "start extra held"]
        self.wait_order(*started)
        self.service.stop()
        self.wait_gone()
        self.assertEqual(self.order(), started)
        self.assertTrue(self.flag())
        self.source.heal()
        self.service.start()
        self.wait_order(*started, "stop b free", "stop a free")
        self.assertFalse(self.flag())

    def test_targets(self) -> None:
        """Each source has one, however it is called; a new one after a daemon-reload."""
        def other(name: str, number: int) -> str:
            return f"source {name} {{\nnic eth0 {{ 192.0.2.{number}/24 dev eth0 }}\n}}\n"

        conf = self.conf()
        made = self.boot(conf=conf + other("shop@north", 11))
        for name in (r"standin-shop\x40north.target", "standin-web1.target"):
            self.assertEqual(self.machine.property("LoadState", name), "loaded")
        made.write(conf + other("other", 12))
        self.machine.run("systemctl", "daemon-reload")
        self.assertEqual(self.machine.property("LoadState", "standin-other.target"), "loaded")
        self.assertEqual(self.machine.property("LoadState", r"standin-shop\x40north.target"), "not-found")
        made.write("nonsense\n")
        self.machine.run("systemctl", "daemon-reload")
        self.assertEqual(self.machine.run("systemctl", "is-system-running").strip(), "running")


class Failures(UnitStory):
    """Units that do not start."""

    CONF = ("unit bad.service { timeout 2s }", "unit b.service")

    def files(self, bad: str) -> Dict[str, str]:
        return {UNITS + "bad.service": service("bad", start=bad), UNITS + "b.service": service("b")}

    def test_kept(self) -> None:
        """By default the addresses are kept, and the other units are started."""
        self.boot_with(self.conf(*self.CONF), self.files("/bin/false"))
        self.assertEqual(self.wait_unit("bad.service", "failed")["text"], "failed")
        self.wait_unit("b.service", "started")
        self.assert_held(V4, V6)
        self.assertIn("bad.service", self.service.status()["sources"][0]["trouble"])

    def test_released(self) -> None:
        """With `on-failure release` nothing is held without it."""
        self.boot_with(self.conf("unit a.service", "unit bad.service { timeout 2s; on-failure release }"),
                       {**self.files("/bin/false"), UNITS + "a.service": service("a")})
        self.wait_gone()
        self.service.wait_log("released, because the file says")
        self.wait_order("start a held", "stop a held")
        self.assertFalse(self.flag())

    def test_hangs(self) -> None:
        """Its time limit ends the wait; the others are started."""
        self.boot_with(self.conf(*self.CONF), self.files("/bin/sleep 1000"))
        self.wait_unit("bad.service", "failed")
        self.wait_unit("b.service", "started")
        self.assertIn("bad.service", self.service.status()["sources"][0]["trouble"])
        self.assert_held(V4, V6)
        self.give_back()
        self.wait_gone()

    def test_not_there(self) -> None:
        """That is said, and is a failure like others."""
        self.boot_with(self.conf(*self.CONF), {UNITS + "b.service": service("b")})
        self.assertIn("not found", self.wait_unit("bad.service", "failed")["text"])
        self.wait_unit("b.service", "started")
        self.assert_held(V4, V6)

    def test_does_not_stop(self) -> None:
        """What does not stop in time keeps the addresses here; a second failback by force gives them back."""
        files = {UNITS + "a.service": service("a").replace("ExecStop=", "ExecStop=/bin/sleep 1000\n#"),
                 UNITS + "b.service": service("b")}
        made = self.boot_with(self.conf("unit a.service { timeout 2s }", "unit b.service"), files)
        self.wait_order("start a held", "start b held")
        self.wait_unit("standin-web1.target", "started")
        status, text = made.ctl("failback", "web1")
        self.assertEqual(status, 1, text)
        self.assertIn("a.service", made.status()["sources"][0]["trouble"])
        self.assert_held(V4, V6)
        status, text = made.ctl("failback", "web1", "--force")
        self.assertEqual(status, 0, text)
        self.wait_gone()


HOOKS = "etc/standin/hooks/"


class Runner(UnitStory):
    """Hooks run in a unit of their own, outside the agent's sandbox."""

    # What the agent itself may not do, and where it runs.
    SCRIPT = ("#!/bin/sh\nexec >>/etc/hooks.log\n"
              "echo $STANDIN_POINT $(cat /proc/self/cgroup | sed s,.*/,,) $(ps -o cls= -p $$ || echo -) "
              "$(sed -n 's/NoNewPrivs:.//p' /proc/self/status)\n")

    def boot_hooks(self) -> Service:
        points = ("pre-takeover", "post-takeover", "pre-failback", "post-failback")
        made = self.boot(conf=self.conf(*(f'hook {point} "/{HOOKS}tell"' for point in points)),
                         files={HOOKS + "tell": self.SCRIPT})
        os.chmod(f"{self.machine.files}/{HOOKS}tell", 0o755)
        made.wait_state(NAME, "up")
        return made

    def points(self) -> List[List[str]]:
        return [line.split() for line in self.machine.try_run("cat", "/etc/hooks.log").stdout.splitlines()]

    def wait_points(self, *points: str) -> None:
        self.wait_until(lambda: len(self.points()) >= len(points), f"{points} have run, not {self.points()}")
        self.assertEqual([line[0] for line in self.points()], list(points))

    def test_outside(self) -> None:
        """Started by its socket when there is something to run; it may write where the agent may not."""
        made = self.boot_hooks()
        self.assertEqual(self.active("standin-runner.socket"), "active")
        self.source.crash_silently()
        made.wait_state(NAME, "holding")
        self.wait_points("pre-takeover", "post-takeover")
        self.assertEqual(self.active("standin-runner.service"), "active")
        for line in self.points():
            self.assertEqual(line[1], "standin-runner.service")
            self.assertEqual(line[-1], "0")
        self.assertIn("post-takeover", self.machine.run("cat", "/etc/hooks.log"))
        self.give_back()
        self.wait_points("pre-takeover", "post-takeover", "pre-failback", "post-failback")

    def test_an_upgrade_of_the_runner(self) -> None:
        """A new runner, or one that was killed: the next command finds it."""
        made = self.boot_hooks()
        self.source.crash_silently()
        made.wait_state(NAME, "holding")
        self.wait_points("pre-takeover", "post-takeover")
        self.machine.run("systemctl", "daemon-reload")
        self.machine.run("systemctl", "try-restart", "standin-runner.service")
        self.machine.run("systemctl", "try-restart", "standind")
        made.wait_state(NAME, "holding")
        time.sleep(0.5)
        for pid in self.machine.processes_of("standin-runner"):
            os.kill(pid, signal.SIGKILL)
        self.give_back()
        self.wait_points("pre-takeover", "post-takeover", "pre-failback", "post-failback")

    def test_no_runner(self) -> None:
        """Without its socket the agent says so; what decides nothing does not keep the takeover."""
        made = self.boot_hooks()
        self.machine.run("systemctl", "stop", "standin-runner.socket", "standin-runner.service")
        self.source.crash_silently()
        made.wait_state(NAME, "holding", timeout_s=60)
        self.assert_held(V4, V6)


if __name__ == "__main__":
    main()
