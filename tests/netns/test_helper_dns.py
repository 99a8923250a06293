# SPDX-License-Identifier: Apache-2.0
"""The helper moves names: a real BIND with real keys, right and wrong, and what happens on the way to it."""

import glob
import os
import socket
import time
import unittest

from bind import Bind, Middle, OTHER_SECRET, SECRET, is_update
from helper import Helper
from lan import Lan

SERVER = "192.0.2.53"
OURS, SOURCE = "198.51.100.20", "192.0.2.20"
OURS6, SOURCE6 = "2001:db8:1::20", "2001:db8::20"
FAKETIME = ["env", "LD_PRELOAD=" + glob.glob("/usr/lib/*/faketime/libfaketime.so.1")[0],
            "FAKETIME_DONT_FAKE_MONOTONIC=1",
            # Where it is a build with sanitizers, these would want to be the first.
            "ASAN_OPTIONS=verify_asan_link_order=0"]


class Story(unittest.TestCase):
    """One LAN with a server for all; each story begins with the zone as it was."""

    @classmethod
    def setUpClass(cls) -> None:
        cls.lan = Lan()
        cls.addClassCleanup(cls.lan.close)
        cls.host = cls.lan.host("target")
        cls.host.nic("eth0", f"{SERVER}/24", "2001:db8::53/64")
        cls.bind = Bind(cls.host, SERVER)
        cls.helper = Helper(cls.host)
        cls.addClassCleanup(cls.helper.close)

    def setUp(self) -> None:
        self.bind.update(f"update delete www.example.net A\nupdate add www.example.net 1800 A {SOURCE}",
                         f"update delete www.example.net AAAA\nupdate add www.example.net 1800 AAAA {SOURCE6}",
                         "update delete old.example.net", "update delete shop.example.net.old.example.net",
                         "update delete shop.example.net",
                         "update add shop.example.net 300 A 192.0.2.21\nupdate add shop.example.net 300 A 192.0.2.22")

    def job(self, direction: str, **what: object) -> dict:
        return {"direction": direction, "server": SERVER, "port": 53, "zone": "example.net", "key_name": "standin",
                "key_algorithm": "hmac-sha256", "key_secret": SECRET, "ttl_s": 60, "keep_old": "old.example.net",
                "records": [{"name": "www.example.net", "address": OURS}], "timeout_ms": 3000, "retries": 1, **what}

    def do(self, direction: str, **what: object) -> dict:
        answer = self.helper.dns(**self.job(direction, **what))
        return {word: answer.get(word) for word in ("pass", "unable", "text")}

    def passes(self, text: str, direction: str, **what: object) -> None:
        self.assertEqual(self.do(direction, **what), {"pass": True, "unable": None, "text": text})

    def misses(self, text: str, direction: str, **what: object) -> None:
        answer = self.do(direction, **what)
        self.assertIs(answer["pass"], False, answer)
        self.assertIn(text, answer["text"])

    def www(self, kind: str = "A", name: str = "www.example.net") -> list:
        return self.bind.read(name, kind)


class Moves(Story):
    def test_a_name_is_moved_and_moved_back(self) -> None:
        self.misses(f"www.example.net. has A {SOURCE}", "look")
        self.passes("written", "claim")
        self.assertEqual((self.www(), self.bind.ttl("www.example.net")), ([OURS], 60))
        self.assertEqual(self.www(name="old.example.net"), [SOURCE])
        self.assertEqual(self.www("AAAA"), [SOURCE6], "the other type is nobody's business")
        self.passes("as written", "look")
        self.passes("restored", "restore")
        self.assertEqual((self.www(), self.bind.ttl("www.example.net")), ([SOURCE], 1800))
        self.assertEqual(self.www(name="old.example.net"), [])

    def test_a_claim_that_is_made_again_keeps_what_is_kept(self) -> None:
        self.passes("written", "claim")
        self.passes("was written already", "claim")
        self.assertEqual(self.www(name="old.example.net"), [SOURCE])

    def test_several_names_and_both_types_are_one_change(self) -> None:
        records = [{"name": "www.example.net", "address": OURS}, {"name": "www.example.net", "address": OURS6},
                   {"name": "shop.example.net", "address": OURS},
                   {"name": "shop.example.net", "address": "198.51.100.21"},
                   {"name": "new.example.net", "address": OURS}]
        serial = self.bind.lines("example.net", "SOA")[0].split()[6]
        self.passes("written", "claim", records=records)
        self.assertEqual(int(self.bind.lines("example.net", "SOA")[0].split()[6]), int(serial) + 1)
        self.assertEqual((self.www(), self.www("AAAA")), ([OURS], [OURS6]))
        self.assertEqual(self.www(name="shop.example.net"), [OURS, "198.51.100.21"])
        self.assertEqual(self.www(name="new.example.net"), [OURS])
        self.assertEqual(self.www("AAAA", "old.example.net"), [SOURCE6])
        self.assertEqual(self.www(name="shop.example.net.old.example.net"), ["192.0.2.21", "192.0.2.22"])
        self.passes("restored", "restore", records=records)
        self.assertEqual((self.www(), self.www("AAAA")), ([SOURCE], [SOURCE6]))
        self.assertEqual(self.www(name="shop.example.net"), ["192.0.2.21", "192.0.2.22"])
        self.assertEqual(self.www(name="new.example.net"), [], "there was none before")
        self.assertEqual(self.www(name="shop.example.net.old.example.net"), [])

    def test_without_a_place_to_keep_it_the_name_is_taken_out(self) -> None:
        job = {key: value for key, value in self.job("claim").items() if key != "keep_old"}
        self.assertIs(self.helper.dns(**job)["pass"], True)
        self.assertEqual(self.helper.dns(**{**job, "direction": "restore"})["text"], "taken out")
        self.assertEqual(self.www(), [])

    def test_a_source_that_registered_itself_again_is_left_alone(self) -> None:
        self.passes("written", "claim")
        self.bind.update("update delete www.example.net A", "update add www.example.net 120 A 192.0.2.77")
        self.misses("www.example.net. has A 192.0.2.77", "look")
        self.passes("the source has registered itself again: www.example.net. has A 192.0.2.77", "restore")
        self.assertEqual((self.www(), self.bind.ttl("www.example.net")), (["192.0.2.77"], 120))
        self.assertEqual(self.www(name="old.example.net"), [])

    def test_pointers_come_and_go(self) -> None:
        records = [{"name": "www.example.net", "address": OURS, "ptr": True}]
        reverse = "20.100.51.198.in-addr.arpa"
        self.passes("written", "claim", records=records)
        self.assertEqual(self.bind.read(reverse, "PTR"), ["spare.example.net.", "www.example.net."])
        self.passes("as written", "look", records=records)
        self.passes("restored", "restore", records=records)
        self.assertEqual(self.bind.read(reverse, "PTR"), ["spare.example.net."])

    def test_a_pointer_in_a_zone_that_is_not_ours_is_told(self) -> None:
        for address, reason in ((SERVER, "REFUSED"), ("203.0.113.1", "REFUSED")):
            with self.subTest(address=address):
                self.misses(reason, "claim", records=[{"name": "www.example.net", "address": address, "ptr": True}])
                self.assertEqual(self.www(), [address], "the name is moved nevertheless")

    def test_an_answer_that_is_too_long_for_udp(self) -> None:
        records = [{"name": "many.example.net", "address": OURS}]
        self.passes("written", "claim", records=records)
        self.assertEqual(len(self.www(name="old.example.net")), 60)
        self.passes("restored", "restore", records=records)
        self.assertEqual(len(self.www(name="many.example.net")), 60)

    def test_over_ipv6_and_with_the_strongest_algorithm(self) -> None:
        self.passes("written", "claim", server="2001:db8::53", key_name="strong", key_algorithm="hmac-sha512")
        self.passes("restored", "restore", server="2001:db8::53", key_name="strong", key_algorithm="hmac-sha512")

    def test_an_algorithm_that_the_library_has_wrong(self) -> None:
        """libldns 1.8.3 misspells hmac-sha384. Once this fails, the manual may promise it."""
        answer = self.do("claim", key_name="middle", key_algorithm="hmac-sha384")
        self.assertIn("cannot sign with key 'middle' (hmac-sha384)", answer["unable"])

    def test_a_hundred_at_once(self) -> None:
        numbers = [self.helper.send(dns=self.job("claim", records=[{"name": f"n{i}.example.net", "address": OURS}],
                                                 keep_old=f"n{i}.old.example.net")) for i in range(100)]
        for number in numbers:
            self.assertIs(self.helper.await_answer(number)["pass"], True)


class Refused(Story):
    def test_wrong_keys(self) -> None:
        self.misses("another secret for key 'standin' (BADSIG)", "claim", key_secret=OTHER_SECRET)
        self.misses("knows no key 'nobody' of hmac-sha256 (BADKEY)", "claim", key_name="nobody")
        self.misses("(BADKEY)", "claim", key_algorithm="hmac-sha512")
        self.assertIn("cannot sign", self.do("claim", key_secret="???")["unable"])
        self.assertEqual(self.www(), [SOURCE])

    def test_a_zone_that_takes_no_updates(self) -> None:
        self.misses("refuses to change the zone for key 'standin' (REFUSED)", "claim", zone="frozen.example",
                    keep_old="old.frozen.example", records=[{"name": "www.frozen.example", "address": OURS}])

    def test_a_zone_that_is_not_there(self) -> None:
        self.misses("REFUSED", "claim", zone="other.example", keep_old="old.other.example",
                    records=[{"name": "www.other.example", "address": OURS}])

    def test_names_that_cannot_be_moved(self) -> None:
        self.misses("alias.example.net. is an alias (CNAME)", "claim",
                    records=[{"name": "alias.example.net", "address": OURS}])
        self.misses("a wildcard may stand for them", "claim", records=[{"name": "a.wild.example.net", "address": OURS}])
        self.assertEqual(self.www(name="alias.example.net", kind="CNAME"), ["www.example.net."])

    def test_clocks_that_differ(self) -> None:
        for shift, word in (("+1h", "behind"), ("-1h", "ahead")):
            with self.subTest(shift=shift):
                helper = Helper(self.host, [*FAKETIME, f"FAKETIME={shift}"])
                try:
                    answer = helper.dns(**self.job("claim"))
                    self.assertRegex(answer["text"],
                                     rf"^the server's clock is 3(599|60\d) s {word} of ours \(BADTIME\)$")
                    self.assertIs(answer["pass"], False)
                finally:
                    helper.close()


class OnTheWay(Story):
    def setUp(self) -> None:
        super().setUp()
        self.middle = Middle(self.host, SERVER, SERVER)
        self.addCleanup(self.middle.close)

    def do(self, direction: str, **what: object) -> dict:
        return super().do(direction, port=self.middle.port, **what)

    def test_somebody_else_changes_the_name_between_reading_and_writing(self) -> None:
        changes = []

        def change(packet: bytes) -> bytes:
            if is_update(packet) and len(changes) < 3:
                changes.append(f"192.0.2.{100 + len(changes)}")
                self.bind.update("update delete www.example.net A",
                                 f"update add www.example.net 120 A {changes[-1]}")
            return packet

        self.middle.on_question = change
        self.passes("written", "claim")
        self.assertEqual(len(changes), 3)
        self.assertEqual((self.www(), self.www(name="old.example.net")), ([OURS], [changes[-1]]))

    def test_the_answer_to_the_update_is_lost(self) -> None:
        lost = []

        def lose(packet: bytes):
            if is_update(packet) and not lost:
                lost.append(packet)
                return None
            return packet

        self.middle.on_answer = lose
        self.passes("written", "claim", timeout_ms=500)
        self.assertEqual((self.www(), self.www(name="old.example.net")), ([OURS], [SOURCE]))
        lost.clear()
        self.passes("restored", "restore", timeout_ms=500)
        self.assertEqual((len(lost), self.www()), (1, [SOURCE]))

    def test_questions_that_are_lost_are_asked_again_under_new_ids(self) -> None:
        self.middle.on_question = lambda packet: packet if len(self.middle.ids) > 3 else None
        self.passes("written", "claim", timeout_ms=300, retries=5)
        self.assertEqual(len(set(self.middle.ids)), len(self.middle.ids))

    def test_answers_that_somebody_changed_are_not_believed(self) -> None:
        def forge(packet: bytes) -> bytes:
            return packet.replace(socket.inet_aton(SOURCE), socket.inet_aton("192.0.2.66"))

        self.middle.on_answer = forge
        self.misses("the signature of the server's answer is wrong", "claim", timeout_ms=300)
        self.assertEqual(self.www(), [SOURCE])
        self.middle.on_answer = lambda packet: packet[:10] + b"\0\0" + packet[12:] if len(packet) > 12 else packet
        self.misses("the server's answers are not signed", "claim", timeout_ms=300)

    def test_junk_is_no_answer(self) -> None:
        self.middle.on_answer = lambda _: os.urandom(200)
        answer = self.do("claim", timeout_ms=300)
        self.assertIs(answer["pass"], False)
        self.assertEqual(self.www(), [SOURCE])


class Down(Story):
    def test_a_server_that_is_down_and_comes_back(self) -> None:
        self.bind.stop()
        try:
            began = time.monotonic()
            self.misses("no answer from 192.0.2.53 port 53: Connection refused", "claim", timeout_ms=300, retries=2)
            self.assertGreater(time.monotonic() - began, 0.5, "each attempt has its time")
            number = self.helper.send(dns=self.job("claim", timeout_ms=500, retries=20))
        finally:
            self.bind.start()
        self.assertIs(self.helper.await_answer(number)["pass"], True)
        self.assertEqual(self.www(), [OURS])

    def test_a_server_that_is_silent(self) -> None:
        silent = self.host.socket(socket.AF_INET, socket.SOCK_DGRAM)
        silent.bind((SERVER, 0))
        self.misses("asked 3 times", "claim", port=silent.getsockname()[1], timeout_ms=100, retries=2)
        silent.close()

    def test_there_is_no_way_to_the_server(self) -> None:
        answer = self.do("claim", server="10.99.99.99", timeout_ms=100, retries=0)
        self.assertIn("Network is unreachable", answer["unable"])


if __name__ == "__main__":
    unittest.main()
