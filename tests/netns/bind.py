# SPDX-License-Identifier: Apache-2.0
"""A real BIND on a host of the LAN, with a zone, a reverse zone and keys; and a man in the middle between it and us."""

import base64
import os
import select
import socket
import subprocess
import threading
import time
from typing import Callable, List, Optional

from lan import Host, run

SECRET = base64.b64encode(b"0123456789abcdef0123456789abcdef").decode()
OTHER_SECRET = base64.b64encode(b"fedcba9876543210fedcba9876543210").decode()
OPCODE_UPDATE = 5
PATIENCE_S = 20

CONFIG = """
options {{
    directory "{folder}"; pid-file "{folder}/named.pid"; session-keyfile "{folder}/session.key";
    lock-file none; listen-on {{ any; }}; listen-on-v6 {{ any; }}; recursion no; dnssec-validation no; notify no;
    max-udp-size 512; managed-keys-directory "{folder}"; geoip-directory "{folder}";
}};
controls {{ }};
key standin {{ algorithm hmac-sha256; secret "{secret}"; }};
key strong {{ algorithm hmac-sha512; secret "{secret}"; }};
key middle {{ algorithm hmac-sha384; secret "{secret}"; }};
zone "example.net" {{ type primary; file "{folder}/example.net";
    allow-update {{ key standin; key strong; key middle; }}; }};
zone "frozen.example" {{ type primary; file "{folder}/frozen.example"; }};
zone "100.51.198.in-addr.arpa" {{ type primary; file "{folder}/reverse"; allow-update {{ key standin; }}; }};
zone "2.0.192.in-addr.arpa" {{ type primary; file "{folder}/reverse2"; }};
"""
ZONE = """$TTL 300
@ SOA ns hostmaster 1 3600 600 86400 60
@ NS ns
ns A 192.0.2.53
"""
EXAMPLE = ZONE + """www 1800 A 192.0.2.20
www 1800 AAAA 2001:db8::20
shop A 192.0.2.21
shop A 192.0.2.22
alias CNAME www
*.wild A 192.0.2.99
""" + "".join(f"many A 203.0.113.{i}\n" for i in range(1, 61))


class Bind:
    """`named` on a host; it ends with the host's LAN."""

    def __init__(self, host: Host, address: str):
        self.host, self.address = host, address
        self.folder = os.path.join(host.lan.directory, f"bind-{host.name}")
        os.makedirs(self.folder)
        self.write("example.net", EXAMPLE)
        self.write("frozen.example", ZONE + "www A 192.0.2.20\n")
        self.write("reverse", ZONE.replace("ns A 192.0.2.53\n", "").replace(" ns", " ns.example.net.") +
                   "20 PTR spare.example.net.\n")
        self.write("reverse2", ZONE.replace("ns A 192.0.2.53\n", "").replace(" ns", " ns.example.net."))
        self.write("named.conf", CONFIG.format(folder=self.folder, secret=SECRET))
        self.process: Optional[subprocess.Popen] = None
        self.start()

    def write(self, name: str, text: str) -> None:
        with open(os.path.join(self.folder, name), "w", encoding="ascii") as file:
            file.write(text)

    def start(self) -> None:
        with open(os.path.join(self.folder, "log"), "ab") as log:
            self.process = self.host.start(["named", "-g", "-n", "1", "-c", os.path.join(self.folder, "named.conf")],
                                           stdout=log, stderr=log)
        end = time.monotonic() + PATIENCE_S
        while not self.read("ns.example.net"):
            if time.monotonic() > end or self.process.poll() is not None:
                with open(os.path.join(self.folder, "log"), encoding="utf-8") as file:
                    raise RuntimeError(f"named does not answer:\n{file.read()}")
            time.sleep(0.05)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def read(self, name: str, kind: str = "A") -> List[str]:
        """The values of a name, in order; [] where there are none."""
        return [line.split()[4] for line in self.lines(name, kind)]

    def ttl(self, name: str, kind: str = "A") -> int:
        return int(self.lines(name, kind)[0].split()[1])

    def lines(self, name: str, kind: str) -> List[str]:
        argv = ["ip", "netns", "exec", self.host.namespace, "dig", "+noall", "+answer", "+norecurse", "+time=1",
                "+tries=1", f"@{self.address}", name, kind]
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        return sorted(line for line in done.stdout.splitlines() if line and not line.startswith(";"))

    def update(self, *lines: str) -> None:
        text = "\n".join([f"server {self.address}", f"key hmac-sha256:standin {SECRET}", *lines, "send", ""])
        run("ip", "netns", "exec", self.host.namespace, "nsupdate", text=text)


class Middle:
    """Passes messages between whoever asks it and a server, over UDP; `on_question` and `on_answer` may change them,
    or drop them by returning None."""

    def __init__(self, host: Host, address: str, server: str):
        self.front = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.front.bind((address, 0))
        self.back = host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.back.connect((server, 53))
        self.port = self.front.getsockname()[1]
        self.on_question: Callable[[bytes], Optional[bytes]] = lambda packet: packet
        self.on_answer: Callable[[bytes], Optional[bytes]] = lambda packet: packet
        self.ids: List[int] = []
        self.ended = False
        self.thread = threading.Thread(target=self.pass_on, daemon=True)
        self.thread.start()

    def pass_on(self) -> None:
        client = None
        while not self.ended:
            for ready in select.select([self.front, self.back], [], [], 0.05)[0]:
                if ready is self.front:
                    packet, client = ready.recvfrom(65536)
                    self.ids.append(packet[0] << 8 | packet[1])
                    changed = self.on_question(packet)
                    if changed:
                        self.back.send(changed)
                else:
                    changed = self.on_answer(ready.recv(65536))
                    if changed and client:
                        self.front.sendto(changed, client)

    def close(self) -> None:
        self.ended = True
        self.thread.join()
        self.front.close()
        self.back.close()


def is_update(packet: bytes) -> bool:
    return packet[2] >> 3 & 15 == OPCODE_UPDATE
