# SPDX-License-Identifier: Apache-2.0
"""What fails while a program starts: it goes on, or says why not and leaves nothing behind."""

import json
import os
import subprocess
import time

from faults import Faults, Trial, trials
from story import AgentError, Story, held_on, ipmap, main
import agent as programs

SAMPLE = 40
# How long an agent that cannot answer because of the fault is asked.
TRY_S = 1
CONF = ipmap(top="witness 192.0.2.1\nguard 1s", source="lease 60s")


class Start(Story):
    """standind and standinctl, when a call fails at their start."""

    def setUp(self) -> None:
        super().setUp()
        self.faults = Faults(self.lan.directory)
        self.wrong = []

    def command(self, *argv: str) -> list:
        return ["ip", "netns", "exec", self.target.namespace, *self.faults.prefix, *argv]

    def left_behind(self, directory: str) -> list:
        """Files other than what was there at first, and processes that know of the folder."""
        at_first = ("ipmap.conf", "state", "log", "control.sock.lock")
        files = [name for name in os.listdir(directory) if name not in at_first]
        return files + [pid for pid in os.listdir("/proc") if pid.isdigit() and knows(pid, directory)]

    def start(self, agent, trial: Trial = None) -> str:
        """One start under a fault. Returns what is wrong, or ""."""
        before = len(agent.log())
        self.faults.arm(-1, trial)
        agent.start(wait=False)
        self.answers(agent, TRY_S)
        self.faults.disarm()
        started = self.answers(agent, 20)
        if started:
            agent.stop()
        elif agent.process.poll() is None:
            agent.kill()
            return f"neither answers nor ends; {agent.log()[before:]}"
        said, status = agent.log()[before:], agent.process.returncode
        if "Sanitizer" in said:
            return said
        if status < 0 or (started and status != 0):
            return f"ended with status {status}: {said}"
        if not started and (status == 0 or not said):
            return f"does not start, with status {status}, and says '{said}'"
        if trial and trial.function == "file" and trial.lasting:
            return ""  # what cannot be removed stays
        end = time.monotonic() + 15
        while self.left_behind(agent.directory):
            if time.monotonic() > end:
                return f"leaves {self.left_behind(agent.directory)}; {said}"
            time.sleep(0.01)
        return ""

    @staticmethod
    def answers(agent, timeout_s: float) -> bool:
        """Whether it answers before it ends and time is over."""
        agent.patience_s = timeout_s
        try:
            agent.wait_for(lambda report: True, timeout_s=timeout_s)
            return True
        except (AgentError, KeyError):  # KeyError: it answers that it has no memory to answer
            return False

    def test_standind(self) -> None:
        """Whatever fails: it runs, or it ends with a message and leaves no process, no socket and no address."""
        agent = self.agent(CONF, prefix=self.faults.prefix, wait=False)
        agent.kill()
        before = held_on(self.target)
        self.assertEqual(self.start(agent), "")
        for trial in trials(self.faults, SAMPLE):
            wrong = self.start(agent, trial)
            if wrong:
                self.wrong.append(f"{trial}: {wrong}")
        self.assertEqual(held_on(self.target), before)
        self.assertEqual(self.wrong, [])

    def test_standinctl(self) -> None:
        """It prints the whole status, or fails with a message and a status of its own."""
        agent = self.watching(CONF)
        argv = self.command(programs.STANDINCTL, "--control", agent.control, "--json", "status")
        self.faults.arm(-1)
        subprocess.run(argv, capture_output=True, check=True)
        self.faults.disarm()
        for trial in trials(self.faults, SAMPLE):
            self.faults.arm(-1, trial)
            done = subprocess.run(argv, capture_output=True, text=True, timeout=60, check=False)
            self.faults.disarm()
            if done.returncode == 0 and not is_json(done.stdout):
                self.wrong.append(f"{trial}: exit 0, and prints {done.stdout!r}")
            elif done.returncode == 0:
                continue
            elif done.returncode not in (1, 3, 4) or not done.stderr or "Sanitizer" in done.stderr:
                self.wrong.append(f"{trial}: exit {done.returncode}, says {done.stderr!r}")
        self.assertEqual(self.wrong, [])


def is_json(text: str) -> bool:
    try:
        return bool(json.loads(text))
    except ValueError:
        return False


def knows(pid: str, directory: str) -> bool:
    """Whether a living process has the folder on its command line, or open."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            line = file.read()
        return b"standin" in line and directory.encode() in line and b"python" not in line
    except OSError:
        return False


if __name__ == "__main__":
    main()
