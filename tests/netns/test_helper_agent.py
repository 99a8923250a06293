# SPDX-License-Identifier: Apache-2.0
"""The agent and its helper: a page that is checked, a name that is moved, and a helper that is killed in between."""

import os
import signal
import socket
import time
import unittest
from typing import List

from agent import Agent
from bind import SECRET, Bind
from lan import Lan
from servers import Peer

TARGET, SOURCE, SERVER, OURS = "192.0.2.1", "192.0.2.20", "192.0.2.53", "198.51.100.20"
PATIENCE_S = 20
CONF = """source www {{
    probe arp
    interval 50ms
    witness none
    on service automatic
    force yes
    probe url "http://{source}:{port}/" {{ interval 100ms; timeout 100ms; misses 20 }}
    dns {{
        server {server}
        zone example.net
        key-file {key}
        record www.example.net A {ours}
        keep-old old.example.net
    }}
    nic eth0 {{ {source}/24 dev eth0 }}
}}
"""


def answer(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
    connection.close()


class HelperOfAgent(unittest.TestCase):
    def setUp(self) -> None:
        self.lan = Lan()
        self.addCleanup(self.lan.close)
        self.target, source, server = (self.lan.host(name) for name in ("target", "source", "server"))
        for host, address in ((self.target, TARGET), (source, SOURCE), (server, SERVER)):
            host.nic("eth0", f"{address}/24")
        self.bind = Bind(server, SERVER)
        self.page = Peer(source, SOURCE, answer)
        key = os.path.join(self.lan.directory, "key")
        with open(key, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)
            file.write(f'key "standin" {{ algorithm hmac-sha256; secret "{SECRET}"; }};\n')
        self.agent = Agent(self.target, CONF.format(source=SOURCE, port=self.page.port, server=SERVER, key=key,
                                                    ours=OURS))

    def helpers(self) -> List[int]:
        namespace = os.stat(f"/run/netns/{self.target.namespace}").st_ino
        found = []
        for pid in filter(str.isdigit, os.listdir("/proc")):
            try:
                with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                    if file.read() == "standin-helper\n" and os.stat(f"/proc/{pid}/ns/net").st_ino == namespace:
                        found.append(int(pid))
            except OSError:
                pass  # it ended meanwhile
        return found

    def check(self) -> dict:
        return self.agent.status()["sources"][0]["checks"][0]

    def wait_until(self, condition, what: str) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            self.assertLess(time.monotonic(), end, f"{what}\n{self.agent.log()}")
            time.sleep(0.05)

    def test_a_helper_that_is_killed_is_no_miss_and_the_next_moves_the_name(self) -> None:
        self.wait_until(lambda: self.check()["passes"] > 2, "the page passes")
        for _ in range(2):
            before = self.helpers()
            passes = self.check()["passes"]
            os.kill(before[0], signal.SIGKILL)
            self.wait_until(lambda: self.helpers() and self.helpers() != before, "another helper")
            self.wait_until(lambda: self.check()["passes"] > passes + 2, "the page passes again")
        self.assertEqual(self.check()["failures"], 0)
        with open(f"/proc/{self.helpers()[0]}/status", encoding="ascii") as file:
            self.assertNotIn("Uid:\t0\t", file.read())
        self.page.close()
        self.wait_until(lambda: self.bind.read("www.example.net") == [OURS], "the name is moved")
        self.assertEqual(self.bind.read("old.example.net"), [SOURCE])


if __name__ == "__main__":
    unittest.main()
