# SPDX-License-Identifier: Apache-2.0
"""The helper as a unit of a real systemd: its socket starts one for each agent that connects."""

import os
import socket
import time
import unittest

from helper import Helper
from lan import Lan
from machine import Machine
from servers import Peer

HERE = "192.0.2.1"
PATIENCE_S = 20


def answer(connection: socket.socket) -> None:
    connection.recv(4096)
    connection.sendall(b"HTTP/1.0 200 OK\r\n\r\nhello")
    connection.close()


class Unit(unittest.TestCase):
    def setUp(self) -> None:
        lan = Lan()
        self.addCleanup(lan.close)
        host = lan.host("target")
        host.nic("eth0", f"{HERE}/24")
        self.machine = Machine(host, {}, enable=["standin-helper.socket"])
        self.machine.run("systemd-sysusers")
        peer = Peer(host, HERE, answer)
        self.addCleanup(peer.close)
        self.url = f"http://{HERE}:{peer.port}/"

    def connect(self) -> Helper:
        helper = Helper(path=f"{self.machine.files}/run/standin/helper.sock")
        self.addCleanup(helper.close)
        return helper

    def processes(self) -> list:
        """Their numbers, as this host has them."""
        leader = os.stat(f"/proc/{self.machine.leader}/ns/pid").st_ino
        return [pid for pid in map(int, filter(str.isdigit, os.listdir("/proc"))) if self.is_helper(pid, leader)]

    @staticmethod
    def is_helper(pid: int, namespace: int) -> bool:
        try:
            with open(f"/proc/{pid}/comm", encoding="ascii") as file:
                return file.read() == "standin-helper\n" and os.stat(f"/proc/{pid}/ns/pid").st_ino == namespace
        except OSError:
            return False

    def test_it_serves_without_rights_and_ends_with_its_agent(self) -> None:
        helper = self.connect()
        self.assertIs(helper.url(self.url, body="hello").get("pass"), True)
        moved = helper.dns(direction="look", server=HERE, port=53, zone="example.net", key_name="key", ttl_s=60,
                           key_algorithm="hmac-sha256", key_secret="MDEyMw==", timeout_ms=100, retries=0,
                           records=[{"name": "www.example.net", "address": HERE}])
        self.assertIn("Connection refused", moved["text"])
        pids = self.processes()
        self.assertEqual(len(pids), 1)
        with open(f"/proc/{pids[0]}/status", encoding="ascii") as file:
            status = {name: value.strip() for name, _, value in (line.partition(":") for line in file)}
        self.assertEqual(int(status["CapBnd"], 16), 0)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"], status["Gid"].split()[0]), ("1", "2", "65534"))
        self.assertNotIn(status["Uid"].split()[0], ("0", "65534"))
        helper.close()
        self.await_processes(0)

    def await_processes(self, number: int) -> None:
        end = time.monotonic() + PATIENCE_S
        while len(self.processes()) != number:
            self.assertLess(time.monotonic(), end, f"{number} helpers were expected")
            time.sleep(0.05)

    def test_one_that_was_killed_is_followed_by_another(self) -> None:
        helper = self.connect()
        self.assertIs(helper.url(self.url).get("pass"), True)
        os.kill(self.processes()[0], 9)
        with self.assertRaises((EOFError, ConnectionError)):
            helper.url(self.url)
        self.assertIs(self.connect().url(self.url).get("pass"), True)


if __name__ == "__main__":
    unittest.main()
