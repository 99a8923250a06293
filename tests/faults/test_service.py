# SPDX-License-Identifier: Apache-2.0
"""What fails while an agent serves: it does not end, it knows what it holds, and it serves again when that is over."""

import os
import re
import socket
import time

from faults import Faults, Trial, trials
from story import AgentError, Story, V4, V6, held_on, ipmap, main

SAMPLE = 12
GUARD_SAMPLE = 5
BODY = f"{V4}/24 dev eth0\n{V6}/64 dev eth0"
TOP = "witness 192.0.2.1\n"
# Without a lease, what was forgotten stays and shows.
UNLEASED = ipmap(BODY, top=f"{TOP}guard 3s", source="lease off")
LEASED = ipmap(BODY, top=f"{TOP}guard 1s", source="lease 2s")
# How long a step, and an answer, are waited for that a fault may prevent.
TRY_S = 0.5
ANSWER_S = 2


class Service(Story):
    """A takeover, a reload and a failback, while a call fails."""

    def setUp(self) -> None:
        super().setUp()
        self.faults = Faults(self.lan.directory)

    def ours(self) -> list:
        """What the kernel has, and the target did not have at first."""
        return sorted(a.split("/")[0] for a in held_on(self.target) if a.split("/")[0] in (V4, V6))

    def said(self, agent) -> list:
        """What the agent says that it holds."""
        return sorted(a["ip"].split("/")[0] for s in agent.status()["sources"] for n in s["nics"]
                      for a in n["addresses"] if a.get("held_on"))

    def try_to(self, action) -> None:
        try:
            action()
        except (AgentError, KeyError, OSError, ValueError, socket.timeout):
            pass

    def wait_a_little(self, condition) -> None:
        end = time.monotonic() + TRY_S
        while time.monotonic() < end and not condition():
            time.sleep(0.01)

    def give_back(self, agent) -> None:
        """Waits for the source to be watched, and nothing held."""
        self.source.heal()
        agent.wait_for(lambda r: agent.nic("web1/eth0", r)["state"] not in ("verifying", "claiming", "releasing"))
        if self.said(agent):
            self.assertTrue(agent.ask("failback", source="web1")["ok"])
        agent.wait_state("web1/eth0", "up")
        self.wait_until(lambda: self.ours() == [], "nothing is held")

    def story_with(self, agent, trial: Trial = None) -> None:
        """The faulty part."""
        patience_s, agent.patience_s = agent.patience_s, ANSWER_S
        self.faults.arm(agent.process.pid, trial)
        self.source.crash_silently()
        self.wait_a_little(lambda: len(self.ours()) == 2)
        self.try_to(agent.status)
        self.try_to(lambda: agent.ask("reload"))
        self.source.heal()
        self.try_to(lambda: agent.ask("failback", source="web1"))
        self.wait_a_little(lambda: self.ours() == [])
        self.faults.disarm()
        agent.patience_s = patience_s

    def check(self, agent, trial: Trial) -> None:
        self.story_with(agent, trial)
        agent.wait_for(lambda report: self.ours() == self.said(agent), what=f"{trial}: what is held is known")
        self.give_back(agent)
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        self.assertEqual(self.ours(), sorted((V4, V6)))
        self.give_back(agent)

    def test_agent(self) -> None:
        """Whatever fails in the agent, it lives, knows what it holds, and does its work afterwards."""
        agent = self.agent(UNLEASED, prefix=self.faults.prefix)
        agent.wait_state("web1/eth0", "up")
        self.story_with(agent)
        chosen = trials(self.faults, SAMPLE)
        self.give_back(agent)
        wrong = []
        for trial in chosen:
            try:
                self.check(agent, trial)
                self.assertNotIn("Sanitizer", agent.log())
            except (AgentError, AssertionError, OSError) as error:
                wrong.append(f"{trial}: {error}\n" + "\n".join(agent.log().splitlines()[-12:]))
                agent = self.anew(agent)
        self.assertEqual(wrong, [], "\n".join(wrong))

    def anew(self, agent):
        """After a failure: another agent, so that the next fault is judged by itself."""
        self.faults.disarm()
        if agent.process.poll() is None:
            agent.kill()
        self.wait_until(lambda: self.ours() == [] or self.clean(), "nothing is held")
        self.source.heal()
        other = self.agent(UNLEASED, prefix=self.faults.prefix)
        other.wait_state("web1/eth0", "up")
        return other

    def clean(self) -> bool:
        time.sleep(5)  # the guard's time
        for address in self.ours():
            bits = 32 if address == V4 else 128
            self.target.batch(f"addr del {address}/{bits} dev eth0")
        return self.ours() == []

    def test_guard(self) -> None:
        """Whatever fails in the guard, what a killed agent held goes: by the guard, or by the kernel's lease."""
        self.assertEqual(self.orphan(), "")
        wrong = [self.orphan(trial) for trial in trials(self.faults, GUARD_SAMPLE)]
        self.assertEqual([one for one in wrong if one], [])

    def orphan(self, trial: Trial = None) -> str:
        """One agent that is killed, and a fault in its guard. Returns what is wrong, or ""."""
        agent = self.agent(LEASED, prefix=self.faults.prefix)
        agent.wait_state("web1/eth0", "up")
        guard = int(re.match(r"pid (\d+)", agent.status()["agent"]["guard"]).group(1))
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        self.faults.arm(guard, trial)
        agent.kill()
        try:
            self.wait_until(lambda: self.ours() == [], f"{trial}: all is gone")
            self.wait_until(lambda: not os.path.exists(f"/proc/{guard}"), f"{trial}: the guard has ended")
        except AgentError as error:
            return str(error)
        finally:
            self.faults.disarm()
            self.source.heal()
        return ""


if __name__ == "__main__":
    main()
