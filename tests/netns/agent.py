# SPDX-License-Identifier: Apache-2.0
"""The agent on a host of the LAN: started, asked, waited for, stopped and killed."""

import itertools
import json
import os
import signal
import socket
import subprocess
import time
from typing import Any, Callable, Dict, List, Optional, Tuple

from lan import Host

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.path.join(ROOT, os.environ.get("BUILD", "build"))
STANDIND = os.environ.get("STANDIND", os.path.join(BUILD, "standind"))
STANDINCTL = os.environ.get("STANDINCTL", os.path.join(BUILD, "standinctl"))

Report = Dict[str, Any]


class AgentError(Exception):
    """The agent did not start, did not answer, or did not come to a state."""


class Agent:
    """One `standind` on one host, with its own file, control socket, state folder and log."""

    serials = itertools.count(1)
    patience_s: float = 20  # for an answer

    def __init__(self, host: Host, conf: str, *, prefix: Tuple[str, ...] = (), control: str = "", mode: int = 0o600,
                 wait: bool = True):
        """
        prefix: what the agent is run by (such as `setpriv ...`); control: the socket, one of its own where unset; mode:
        of the file; wait: until it answers.
        """
        self.host = host
        self.directory = os.path.join(host.lan.directory, f"{host.name}-{next(Agent.serials)}")
        self.state = os.path.join(self.directory, "state")
        self.mode = mode
        os.makedirs(self.state)
        self.conf = os.path.join(self.directory, "ipmap.conf")
        self.control = control or os.path.join(self.directory, "control.sock")
        self.log_path = os.path.join(self.directory, "log")
        self.write(conf)
        self.argv = [*prefix, STANDIND, "-f", self.conf, "--control", self.control, "--state", self.state]
        self.start(wait)

    def start(self, wait: bool = True) -> None:
        with open(self.log_path, "ab") as log:
            self.process = self.host.start(self.argv, stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        if wait:
            self.wait_for(lambda report: True, what="the agent answers")

    def write(self, conf: str) -> None:
        """Writes the ipmap file; takes effect at the next reload."""
        with open(self.conf, "w", encoding="utf-8") as file:
            file.write(conf)
        os.chmod(self.conf, self.mode)

    def exit_status(self) -> Optional[int]:
        """None while it runs."""
        return self.process.poll()

    def log(self) -> str:
        with open(self.log_path, encoding="utf-8", errors="replace") as log:
            return log.read()

    def story(self) -> str:
        """All there is to know when something went wrong."""
        try:
            report = json.dumps(self.status(), indent=1)
        except (AgentError, OSError, ValueError) as error:
            report = f"(no status: {error})"
        return f"--- agent on {self.host.name}: exit {self.exit_status()}\n--- status\n{report}\n--- log\n{self.log()}"

    def ask(self, command: str, **arguments: Any) -> Dict[str, Any]:
        """One request on the control socket."""
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as sock:
            sock.settimeout(self.patience_s)
            sock.connect(self.control)
            sock.sendall(json.dumps({"command": command, **arguments}).encode() + b"\n")
            with sock.makefile("rb") as file:
                line = file.readline()
        if not line:
            raise AgentError(f"no answer to {command}")
        return json.loads(line)

    def status(self) -> Report:
        return self.ask("status")["report"]

    def ctl(self, *argv: str) -> Tuple[int, str]:
        """Runs `standinctl`; its exit status, and all that it printed."""
        done = subprocess.run([STANDINCTL, "--control", self.control, *argv], capture_output=True, text=True,
                              timeout=90, check=False)
        return done.returncode, done.stdout + done.stderr

    def wait_for(self, predicate: Callable[[Report], Any], *, what: str = "", timeout_s: float = 20) -> Report:
        """Asks for the status until it is as wanted."""
        end = time.monotonic() + timeout_s
        while True:
            try:
                report = self.status()
                if predicate(report):
                    return report
            except (OSError, AgentError, ValueError):
                if self.exit_status() is not None:
                    tail = "\n".join(self.log().splitlines()[-10:])
                    raise AgentError(f"the agent exited with {self.exit_status()}:\n{tail}") from None
            if time.monotonic() > end:
                raise AgentError(f"waited {timeout_s} s in vain: {what}")
            time.sleep(0.01)

    def nic(self, name: str, report: Optional[Report] = None) -> Dict[str, Any]:
        """What status says of "source/nic"."""
        source, nic = name.split("/")
        for candidate in (report or self.status())["sources"]:
            if candidate["name"] == source:
                return next(n for n in candidate["nics"] if n["name"] == nic)
        raise AgentError(f"no {name} in status")

    def address(self, ip: str, report: Optional[Report] = None) -> Dict[str, Any]:
        """What status says of an address of any source."""
        for source in (report or self.status())["sources"]:
            for nic in source["nics"]:
                for address in nic["addresses"]:
                    if address["ip"].split("/")[0] == ip:
                        return address
        raise AgentError(f"no {ip} in status")

    def wait_state(self, name: str, *states: str, timeout_s: float = 20) -> Dict[str, Any]:
        """Waits until "source/nic" is in one of these states."""
        report = self.wait_for(lambda r: self.nic(name, r)["state"] in states, timeout_s=timeout_s,
                               what=f"{name} is {' or '.join(states)}")
        return self.nic(name, report)

    def wait_log(self, *texts: str, timeout_s: float = 20) -> str:
        """Waits for a log line with all of these texts, and returns it."""
        end = time.monotonic() + timeout_s
        while time.monotonic() < end:
            for line in self.log().splitlines():
                if all(text in line for text in texts):
                    return line
            time.sleep(0.01)
        raise AgentError(f"not in the log: {texts}")

    def signal(self, number: int) -> None:
        self.process.send_signal(number)

    def freeze(self) -> None:
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()

    def stop(self) -> int:
        """SIGTERM; the exit status."""
        self.signal(signal.SIGTERM)
        return self.process.wait(timeout=20)

    def wait_exit(self) -> int:
        return self.process.wait(timeout=20)


def held_on(host: Host) -> List[str]:
    """Every address on the host's NICs, also those that an agent made, as address/prefix."""
    lines = (line.split() for line in host.ip("-o", "addr", "show").splitlines())
    return [words[3] for words in lines if words[1] != "lo"]
