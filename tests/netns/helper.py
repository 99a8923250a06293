# SPDX-License-Identifier: Apache-2.0
"""One `standin-helper`, as the agent has it: jobs in, answers out."""

import json
import os
import select
import socket
import subprocess
import time
from typing import Dict, List, Optional

from lan import Host

PROGRAM = os.path.join(os.environ.get("BUILD", "build"), "standin-helper")
# A limit of patience, never of what is measured.
PATIENCE_S = 30


class Helper:
    """The program and our end of its socket."""

    def __init__(self, host: Optional[Host] = None, command: Optional[List[str]] = None, path: Optional[str] = None):
        """command: what stands before the program's own words; path: of the socket of one that a unit starts."""
        self.id = 0
        self.early: Dict[int, dict] = {}
        self.process: Optional[subprocess.Popen] = None
        if path:
            self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
            self.socket.connect(path)
            return
        self.socket, its = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        argv = [*(command or []), os.path.abspath(PROGRAM), "--fd", str(its.fileno())]
        start = host.start if host else subprocess.Popen
        self.process = start(argv, pass_fds=[its.fileno()])
        its.close()

    def close(self) -> int:
        """Closes our end; returns the exit status."""
        self.socket.close()
        if not self.process:
            return 0
        try:
            return self.process.wait(PATIENCE_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise

    def send(self, **what: object) -> int:
        self.id += 1
        self.socket.send(json.dumps({"id": self.id, **what}).encode())
        return self.id

    def await_answer(self, number: int, patience_s: float = PATIENCE_S) -> dict:
        end = time.monotonic() + patience_s
        while number not in self.early:
            if not select.select([self.socket], [], [], max(0, end - time.monotonic()))[0]:
                raise TimeoutError(f"no answer to job {number}")
            packet = self.socket.recv(65536)
            if not packet:
                raise EOFError("the helper ended")
            answer = json.loads(packet)
            self.early[answer["id"]] = answer
        return self.early.pop(number)

    def url(self, url: str, timeout_ms: int = 5000, **what: object) -> dict:
        """Asks a URL and returns the answer."""
        return self.await_answer(self.send(url={"url": url, "timeout_ms": timeout_ms, **what}))

    def dns(self, **what: object) -> dict:
        return self.await_answer(self.send(dns=what))
