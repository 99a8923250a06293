# SPDX-License-Identifier: Apache-2.0
"""The helper asks URLs: real servers that are well, wrong, or gone, and peers that no real server is like."""

import os
import signal
import socket
import struct
import subprocess
import sys
import time
import unittest

from helper import PROGRAM, Helper
from lan import Lan
from servers import Peer, Servers

HERE, SERVER, OTHER = "192.0.2.1", "192.0.2.80", "192.0.2.2"
# Sanitizers need what the filter of system calls and the limit of memory would keep from them.
SANITIZED = "SANITIZE" in os.environ
HTTP, HTTPS = f"http://{SERVER}", f"https://{SERVER}"
SHOP = "shop.example.net"
# With the authority of the test among those that this host trusts, and a name server that says nothing.
PLACES = ("mount --bind {ca} /etc/ssl/certs/ca-certificates.crt; mount --bind {resolv} /etc/resolv.conf; exec \"$@\"")


class Story(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        cls.lan = Lan()
        cls.addClassCleanup(cls.lan.close)
        cls.source = cls.lan.host("source")
        cls.source.nic("eth0", f"{SERVER}/24")
        cls.host = cls.lan.host("target")
        cls.host.nic("eth0", f"{HERE}/24", f"{OTHER}/24")
        cls.servers = Servers(cls.source, SERVER)
        resolv = os.path.join(cls.servers.folder, "resolv.conf")
        with open(resolv, "w", encoding="ascii") as file:
            file.write(f"nameserver {SERVER}\n")
        cls.silent = cls.source.socket(socket.AF_INET, socket.SOCK_DGRAM)
        cls.silent.bind((SERVER, 53))
        cls.addClassCleanup(cls.silent.close)
        places = PLACES.format(ca=cls.servers.authority.path("ca.pem"), resolv=resolv)
        cls.helper = Helper(cls.host, ["unshare", "--mount", "sh", "-c", places, "sh"])
        cls.addClassCleanup(cls.helper.close)

    def passes(self, text: str, url: str, **what: object) -> dict:
        answer = self.helper.url(url, **what)
        self.assertIs(answer.get("pass"), True, answer)
        self.assertRegex(answer["text"], rf"^{text} in \d+\.\d ms$")
        return answer

    def misses(self, text: str, url: str, **what: object) -> None:
        answer = self.helper.url(url, **what)
        self.assertIs(answer.get("pass"), False, answer)
        self.assertRegex(answer["text"], text)

    def is_unable(self, text: str, url: str, **what: object) -> None:
        answer = self.helper.url(url, **what)
        self.assertNotIn("pass", answer)
        self.assertRegex(answer["unable"], text)

    def peer(self, manners=None) -> str:
        peer = Peer(self.source, SERVER, manners)
        self.addCleanup(peer.close)
        return f"http://{SERVER}:{peer.port}/"


class Http(Story):
    def test_status(self) -> None:
        self.passes("200", f"{HTTP}/")
        self.misses(r"^404, where 200\.\.399 was expected$", f"{HTTP}/nothing")
        self.misses(r"^503, where 200\.\.299, 418 was expected$", f"{HTTP}/broken",
                    expect=[{"from": 200, "to": 299}, {"from": 418, "to": 418}])
        self.passes("418", f"{HTTP}/teapot", expect=[{"from": 200, "to": 299}, {"from": 418, "to": 418}])

    def test_body(self) -> None:
        self.passes("200", f"{HTTP}/", body=f"welcome to {SERVER}, standin/")
        self.misses("^200, but without the text that was expected$", f"{HTTP}/", body="closed")
        self.passes("200", f"{HTTP}/big", body="xearlyx")
        self.misses("in the first 64 KiB$", f"{HTTP}/big", body="late")

    def test_a_text_that_comes_in_pieces(self) -> None:
        def dribble(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            for letter in b"..hel-hello, world..":
                time.sleep(0.005)
                connection.sendall(bytes([letter]))
            connection.close()

        url = self.peer(dribble)
        self.passes("200", url, body="hello, world")
        self.misses("without the text", url, body="hello, word")

    def test_host(self) -> None:
        self.passes("200", f"{HTTP}/", host=SHOP, body=f"welcome to {SHOP},")

    def test_redirects(self) -> None:
        self.passes("302", f"{HTTP}/moved")
        self.misses("^302, where 200 was", f"{HTTP}/moved", expect=[{"from": 200, "to": 200}])
        self.passes("200", f"{HTTP}/moved", redirects=True, expect=[{"from": 200, "to": 200}])
        self.misses("ftp", f"{HTTP}/away", redirects=True)

    def test_where_from(self) -> None:
        for address in (HERE, OTHER):
            self.passes("200", f"{HTTP}/from", body=f"from {address}.", **{"from": address})
        self.passes("200", f"{HTTP}/from", from_dev="eth0")
        self.is_unable("Cannot assign", f"{HTTP}/from", **{"from": "192.0.2.9"})
        self.is_unable("nosuch0", f"{HTTP}/from", from_dev="nosuch0")

    def test_nothing_is_taken_from_the_environment(self) -> None:
        command = ["env", "http_proxy=http://192.0.2.9:3128", "all_proxy=http://192.0.2.9:3128", "HOME=/root"]
        helper = Helper(self.host, command)
        self.addCleanup(helper.close)
        self.assertIs(helper.url(f"{HTTP}/").get("pass"), True)


class Tls(Story):
    def test_a_right_certificate(self) -> None:
        self.passes("200", f"{HTTPS}/", host=SHOP, verify=True, body=f"secret of {SHOP}, asked for {SHOP}")

    def test_wrong_certificates(self) -> None:
        for url, host, reason in ((f"{HTTPS}/", "www.example.net", "no alternative certificate subject name matches"),
                                  (f"{HTTPS}/", None, "no alternative certificate subject name matches"),
                                  (f"{HTTPS}:444/", SHOP, "certificate has expired"),
                                  (f"{HTTPS}:445/", SHOP, "self.signed certificate")):
            what = {"host": host} if host else {}
            with self.subTest(url=url, host=host):
                self.misses(reason, url, verify=True, **what)
                self.assertIn(self.helper.url(url, verify=False, **what)["text"][:3], ("200", "403"))

    def test_no_tls_at_all(self) -> None:
        self.misses("SSL", f"https://{SERVER}:80/", verify=False)

    def test_silence_in_the_handshake(self) -> None:
        url = self.peer().replace("http", "https")
        self.misses("^connected, but no answer in 300 ms$", url, timeout_ms=300)


class Others(Story):
    def test_ftp(self) -> None:
        self.passes("226", f"ftp://{SERVER}/", body="hello.txt")
        self.passes("226", f"ftp://{SERVER}/hello.txt", body="hello from ftp", expect=[{"from": 226, "to": 226}])
        self.misses("^550: The file does not exist$", f"ftp://{SERVER}/nothing")
        self.passes("550", f"ftp://{SERVER}/nothing", expect=[{"from": 550, "to": 550}])
        self.passes("226", f"ftps://{SERVER}/", body="hello.txt")

    def test_smtp(self) -> None:
        for url in (f"smtp://{SERVER}/", f"smtps://{SERVER}/"):
            self.passes("250", url)
            self.misses("^250, where 220 was expected$", url, expect=[{"from": 220, "to": 220}])
        self.misses("certificate", f"smtps://{SERVER}/", verify=True)
        self.passes("250", f"smtps://{SERVER}/", verify=True, host=SHOP)

    def test_imap_and_pop3(self) -> None:
        for scheme, text in (("imap", "IMAP4rev1"), ("imaps", "IMAP4rev1"), ("pop3", "UIDL"), ("pop3s", "UIDL")):
            with self.subTest(scheme=scheme):
                self.passes("answered", f"{scheme}://{SERVER}/", body=text)
                self.misses("without the text", f"{scheme}://{SERVER}/", body="nowhere")
                self.passes("answered", f"{scheme}://someone:secret@{SERVER}/", body=text)
                self.misses("denied|Access|Login", f"{scheme}://someone:wrong@{SERVER}/")

    def test_schemes_that_are_not_asked(self) -> None:
        for url in ("file:///etc/passwd", f"gopher://{SERVER}/", f"dict://{SERVER}/", f"ldap://{SERVER}/",
                    f"telnet://{SERVER}/", f"tftp://{SERVER}/", f"scp://{SERVER}/",
                    f"smb://{SERVER}/", f"{SERVER}/", "://"):
            with self.subTest(url=url):
                self.is_unable(".", url, timeout_ms=500)


class Gone(Story):
    def test_nobody_listens(self) -> None:
        self.misses("^no connection: Connection refused$", f"http://{SERVER}:1/")

    def test_no_host(self) -> None:
        self.misses("^no connection in 300 ms$", "http://192.0.2.99/", timeout_ms=300)

    def test_no_way(self) -> None:
        self.is_unable("Network is unreachable", "http://203.0.113.1/")

    def test_a_hang_after_accept(self) -> None:
        self.misses("^connected, but no answer in 300 ms$", self.peer(), timeout_ms=300)

    def test_a_slow_answer(self) -> None:
        def crawl(connection: socket.socket) -> None:
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n")
            for _ in range(100):
                time.sleep(0.02)
                connection.sendall(b"x")

        self.misses("^connected, but no answer in 300 ms$", self.peer(crawl), timeout_ms=300)

    def test_half_closed(self) -> None:
        def close_half(answer: bytes):
            def manners(connection: socket.socket) -> None:
                connection.recv(4096)
                connection.sendall(answer)
                connection.shutdown(socket.SHUT_WR)
            return manners

        self.misses("Empty reply", self.peer(close_half(b"")))
        self.misses("with 95 bytes remaining|outstanding",
                    self.peer(close_half(b"HTTP/1.0 200 OK\r\nContent-Length: 100\r\n\r\nhello")))

    def test_a_reset(self) -> None:
        def reset(connection: socket.socket) -> None:
            connection.recv(4096)
            connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            connection.close()

        self.misses("reset", self.peer(reset))

    def test_junk(self) -> None:
        def talk(connection: socket.socket) -> None:
            connection.sendall(b"\xff\x00\x1b[31m" * 1000)
            connection.close()

        self.misses("^[ -~]+$", self.peer(talk))

    def test_names(self) -> None:
        self.is_unable("^no address for its name in 300 ms$", f"http://{SHOP}/", timeout_ms=300)
        self.misses("refused", "http://localhost:1/")


class Process(Story):
    def test_what_it_is(self) -> None:
        status = self.status()
        self.assertNotEqual(status["Uid"].split()[0], "0")
        self.assertEqual((status["Groups"], status["Gid"].split()[0]), ("", "65534"))
        for name in ("CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb"):
            self.assertEqual(int(status[name], 16), 0, name)
        self.assertEqual((status["NoNewPrivs"], status["Seccomp"]), ("1", "0" if SANITIZED else "2"))
        # Not dumpable: what it is belongs to root.
        self.assertEqual(os.stat(f"/proc/{self.helper.process.pid}/environ").st_uid == 0, not SANITIZED)

    def status(self) -> dict:
        with open(f"/proc/{self.helper.process.pid}/status", encoding="ascii") as file:
            return {name: value.strip() for name, _, value in (line.partition(":") for line in file)}

    def test_it_ends_with_the_agent(self) -> None:
        helper = Helper(self.host)
        helper.send(url={"url": self.peer(), "timeout_ms": 60000})
        self.assertEqual(helper.close(), 0)

    def test_requests_that_are_wrong(self) -> None:
        helper = Helper(self.host)
        self.addCleanup(helper.close)
        for packet in (b"", b"{", b"{}", b"\xff" * 1000, b"x" * 70000, b'{"id":0,"url":{}}'):
            if packet:
                helper.socket.send(packet)
        self.assertIn("unable", helper.await_answer(helper.send(url={"nothing": 1})))
        self.assertIn("unable", helper.await_answer(helper.send(run=["/bin/true"], timeout_ms=1000)))
        self.assertIs(helper.url(f"{HTTP}/").get("pass"), True)

    def test_words_on_the_command_line(self) -> None:
        for words in ([], ["--fd"], ["--fd", "0"], ["--fd", "99"], ["--fd", "x"], ["--what"]):
            done = subprocess.run([PROGRAM, *words], stdin=subprocess.DEVNULL, capture_output=True, check=False)
            self.assertEqual(done.returncode, 2, words)
        done = subprocess.run([PROGRAM, "--version"], capture_output=True, text=True, check=True)
        self.assertRegex(done.stdout, r"^standin-helper \d")

    def test_a_thousand_that_hang(self) -> None:
        """None delays another, all end in time, and memory is bounded."""
        for scheme in ("http", "https", "ftp"):
            with self.subTest(scheme=scheme):
                self.let_a_thousand_hang(self.peer().replace("http", scheme))

    def let_a_thousand_hang(self, url: str) -> None:
        began = time.monotonic()
        numbers = [self.helper.send(url={"url": url, "timeout_ms": 2000, "body": "x"}) for _ in range(1000)]
        quick = []
        for _ in range(10):
            quick.append(self.passes("200", f"{HTTP}/")["ms"])
        memory_kb = int(self.status()["VmRSS"].split()[0])
        took = [self.helper.await_answer(number) for number in numbers]
        seconds = time.monotonic() - began
        print(f"1000 like {url} that hang: {seconds:.1f} s in all, a good one beside them {sorted(quick)[5]} ms, "
              f"{memory_kb} KiB resident", file=sys.stderr)
        self.assertTrue(all("no answer in" in a.get("text", "") or "unable" in a for a in took), took[0])
        missed = sum(a.get("pass") is False for a in took)
        self.assertGreater(missed, 500)
        self.assertLess(memory_kb, (1000 if SANITIZED else 200) * 1024)
        self.assertLess(seconds, 20)
        self.assertLess(sorted(quick)[5], 1500)

    def test_a_goodbye_that_hangs(self) -> None:
        """A server of mail that answers, and then not when we leave: nobody waits for that."""
        def greet(connection: socket.socket) -> None:
            for reply in (b"220 here", b"250 hello", b"250 yes"):
                connection.sendall(reply + b"\r\n")
                connection.recv(4096)

        url = self.peer(greet).replace("http", "smtp")
        began = time.monotonic()
        for _ in range(5):
            self.passes("250", url, timeout_ms=20000)
        self.assertLess(time.monotonic() - began, 15)

    def test_a_look_up_that_hangs(self) -> None:
        """It is given up at its time limit, and keeps nobody waiting until the resolver gives up, too."""
        number = self.helper.send(url={"url": f"http://{SHOP}/", "timeout_ms": 300})
        self.passes("200", f"{HTTP}/", timeout_ms=4000)
        self.assertIn("no address", self.helper.await_answer(number, 4)["unable"])
        self.passes("200", f"{HTTP}/", timeout_ms=1000)

    def test_more_than_it_takes(self) -> None:
        """What comes beyond the limit is answered at once, and the rest goes on."""
        helper = Helper(self.host)
        self.addCleanup(helper.close)
        url = self.peer()
        numbers = [helper.send(url={"url": url, "timeout_ms": 3000}) for _ in range(8500)]
        answers = [helper.await_answer(number, 60) for number in numbers]
        self.assertGreater(sum("which is the most" in a.get("unable", "") for a in answers), 200)
        self.assertIs(helper.url(f"{HTTP}/").get("pass"), True)

    def test_it_was_frozen(self) -> None:
        """A time limit that passed while nobody looked tells nothing of the server."""
        helper = Helper(self.host)
        self.addCleanup(helper.close)
        number = helper.send(url={"url": self.peer(), "timeout_ms": 300})
        time.sleep(0.1)
        os.kill(helper.process.pid, signal.SIGSTOP)
        time.sleep(1)
        os.kill(helper.process.pid, signal.SIGCONT)
        self.assertIn("too busy", helper.await_answer(number)["unable"])


if __name__ == "__main__":
    unittest.main()
