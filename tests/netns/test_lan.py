# SPDX-License-Identifier: Apache-2.0
"""The LAN itself: its faults are what they say, and nothing of it stays. No agent runs here."""

import os
import subprocess
import sys
import time
import unittest

import frames
from lan import Lan, LanError, inside
from wire import Capture, Pinger, Responder, answering

A4, B4, A6 = "192.0.2.10", "192.0.2.20", "2001:db8::10"


def namespaces_of(pid: int) -> list:
    return [name for name in os.listdir("/run/netns") if name.startswith(f"standin-{pid}-")]


class LanTest(unittest.TestCase):
    """Two hosts on a switch."""

    def setUp(self) -> None:
        try:
            self.lan = Lan()
        except LanError as error:
            self.skipTest(str(error))
        self.addCleanup(self.lan.close)
        self.a, self.b = self.lan.host("a"), self.lan.host("b")
        self.a.nic("eth0", f"{A4}/24", f"{A6}/64")
        self.b.nic("eth0", f"{B4}/24", "2001:db8::20/64")

    def reaches(self) -> bool:
        return self.b.ping(A4, 3, 0.3)

    def recovers(self) -> bool:
        """Neighbour discovery that failed is tried again a second later."""
        end = time.monotonic() + 10
        while time.monotonic() < end:
            if self.reaches():
                return True
        return False


class Faults(LanTest):
    """What is broken is broken in just that way, and heals."""

    def test_hosts_reach_each_other_by_both_families(self) -> None:
        self.assertTrue(self.b.ping(A4))
        self.assertTrue(self.b.ping(A6))
        self.assertEqual(self.b.neighbour(A4), self.a.nic("eth0").mac)

    def test_a_silent_crash_kills_arp_nd_and_icmp_but_no_carrier(self) -> None:
        self.a.crash_silently()
        self.assertFalse(self.reaches())
        self.assertFalse(self.b.ping(A6, 3, 0.3))
        self.assertIsNone(self.b.neighbour(A4))
        self.assertTrue(self.a.nic("eth0").carrier())
        self.assertTrue(self.b.nic("eth0").carrier())
        self.a.heal()
        self.assertTrue(self.recovers())

    def test_a_silent_crash_is_deaf_too(self) -> None:
        self.a.crash_silently()
        with Capture(self.a.nic("eth0")) as heard:
            self.b.ping(A4, 3, 0.3)
        self.assertEqual([s for s in heard.seen if not s.outgoing], [])

    def test_a_crash_takes_the_carrier_of_the_crashed_only(self) -> None:
        self.a.crash()
        self.assertFalse(self.a.nic("eth0").carrier())
        self.assertTrue(self.b.nic("eth0").carrier())
        self.assertFalse(self.reaches())
        self.a.heal()
        self.assertTrue(self.recovers())

    def test_one_of_two_nics(self) -> None:
        self.a.nic("eth1", "198.51.100.10/24", segment="back")
        self.b.nic("eth1", "198.51.100.20/24", segment="back")
        self.assertTrue(self.b.ping("198.51.100.10"))
        self.a.nic("eth1").silence()
        self.assertFalse(self.b.ping("198.51.100.10", 3, 0.3))
        self.assertTrue(self.reaches())

    def test_one_way(self) -> None:
        self.a.nic("eth0").drop_outgoing()
        with Capture(self.a.nic("eth0")) as heard:
            self.assertFalse(self.reaches())
        self.assertTrue([s for s in heard.seen if not s.outgoing], "it still hears")
        self.a.heal()
        self.a.nic("eth0").drop_incoming()
        self.assertFalse(self.reaches())
        self.a.heal()
        self.assertTrue(self.recovers())

    def test_loss_loses_some(self) -> None:
        self.assertTrue(self.reaches())
        self.a.nic("eth0").drop_outgoing(50, "ether type ip")
        with Pinger(self.b, A4, 0.002) as pings:
            pings.wait_for(self.a.nic("eth0").mac, count=100)
        share = len(pings.lost()) / len(pings.pings())
        self.assertTrue(0.25 < share < 0.75, share)

    def test_a_lagging_cable_ends_in_the_same_state(self) -> None:
        nic = self.a.nic("eth1", "198.51.100.10/24", lagging=True)
        nic.unplug()
        time.sleep(1.5)
        self.assertFalse(nic.carrier())
        nic.plug()
        time.sleep(1.5)
        self.assertTrue(nic.carrier())


class Wire(LanTest):
    """Captures, responders and clients see and do what happens."""

    def test_the_client_knows_who_answers_and_what_was_lost(self) -> None:
        macs = [self.a.nic("eth0").mac, self.b.nic("eth0").mac]
        client = self.lan.host("client")
        client.nic("eth0", "192.0.2.50/24")
        with Pinger(client, A4) as pings:
            self.assertTrue(pings.wait_for(macs[0], count=10))
            self.a.crash_silently()
            time.sleep(0.2)
            self.b.nic("eth0").address(f"{A4}/32")
            client.ip("neigh", "flush", "dev", "eth0")
            self.assertTrue(pings.wait_for(macs[1], count=10))
        self.assertEqual(pings.order(), macs)
        self.assertTrue(pings.lost())
        last, first = pings.answers(macs[0])[-1], pings.answers(macs[1])[0]
        self.assertLess(last.answered_at, first.answered_at)
        self.assertTrue(all(ping.sent_at <= ping.answered_at for ping in pings.answers()))

    def test_a_responder_stands_for_a_host_that_is_not_there(self) -> None:
        self.a.crash_silently()
        with Responder(self.b.nic("eth0"), answering(A4, "02:00:00:00:99:01")), Capture(self.b.nic("eth0")) as seen:
            self.assertTrue(self.b.ping(A4))
        self.assertEqual(self.b.neighbour(A4), "02:00:00:00:99:01")
        self.assertTrue(seen.of("arp-reply", src=A4, mac="02:00:00:00:99:01"))

    def test_a_responder_speaks_ipv6(self) -> None:
        self.a.crash_silently()
        with Responder(self.b.nic("eth0"), answering(A6, "02:00:00:00:99:02")):
            self.assertTrue(self.b.ping(A6))
        self.assertEqual(self.b.neighbour(A6), "02:00:00:00:99:02")

    def test_a_spoilt_reply_is_none(self) -> None:
        self.a.crash_silently()
        with Responder(self.b.nic("eth0"), answering(A4, "02:00:00:00:99:03", spoil=True)), \
                Capture(self.b.nic("eth0")) as seen:
            self.b.ping(A4, 3, 0.3)
        requests, replies = seen.of("echo-request"), seen.of("echo-reply")
        self.assertTrue(replies)
        self.assertEqual(replies[0].frame.body[:4], requests[0].frame.body[:4])
        self.assertNotEqual(replies[0].frame.body, requests[0].frame.body)

    def test_late_and_repeated_replies(self) -> None:
        self.a.crash_silently()
        late = answering(A4, "02:00:00:00:99:04", delay=0.2, copies=3)
        with Responder(self.b.nic("eth0"), late), Capture(self.b.nic("eth0")) as seen:
            self.assertTrue(self.b.ping(A4, 1, 2))
        self.assertGreater(seen.of("arp-reply")[0].at - seen.of("arp-request")[0].at, 0.19)
        self.assertEqual(len(seen.of("arp-reply")) % 3, 0)

    def test_frames_read_as_they_were_built(self) -> None:
        request = frames.parse(frames.arp_request("02:00:00:00:00:01", "192.0.2.1", A4))
        self.assertEqual((request.kind, request.src, request.dst), ("arp-request", "192.0.2.1", A4))
        probe = frames.parse(frames.arp_request("02:00:00:00:00:01", "0.0.0.0", A4))
        self.assertEqual(probe.kind, "arp-probe")
        announcement = frames.parse(frames.arp_request("02:00:00:00:00:01", A4, A4))
        self.assertEqual(announcement.kind, "arp-announcement")
        for short in range(42):
            frames.parse(frames.arp_request("02:00:00:00:00:01", A4, A4)[:short])


class Leavings(LanTest):
    """Nothing of a LAN outlives its run, and two runs never meet."""

    # A shell's background job ignores SIGINT; a person's does not.
    CHILD = ("import os, signal, sys, time; from lan import Lan;"
             "signal.signal(signal.SIGINT, signal.default_int_handler); lan = Lan();"
             "host = lan.host('h'); host.nic('eth0');"
             "sleep = host.start(['sleep', '60']); print(sleep.pid, flush=True); {end}")

    def child(self, end: str) -> subprocess.Popen:
        child = subprocess.Popen([sys.executable, "-c", self.CHILD.format(end=end)], stdout=subprocess.PIPE, text=True,
                                 stderr=subprocess.DEVNULL, cwd=os.path.dirname(os.path.abspath(__file__)))
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child

    def assert_gone(self, pid: int) -> None:
        end = time.monotonic() + 10
        while os.path.exists(f"/proc/{pid}") and time.monotonic() < end:
            time.sleep(0.02)
        self.assertFalse(os.path.exists(f"/proc/{pid}"))

    def test_an_exception_or_a_signal_leaves_nothing(self) -> None:
        for end in ("sys.exit('failed')", "1 / 0", "os.kill(os.getpid(), signal.SIGTERM); time.sleep(60)",
                    "os.kill(os.getpid(), signal.SIGINT); time.sleep(60)"):
            child = self.child(end)
            sleeper = int(child.stdout.readline())
            child.wait(timeout=20)
            self.assertEqual(namespaces_of(child.pid), [], end)
            self.assert_gone(sleeper)

    def test_what_a_killed_run_left_is_swept_by_the_next(self) -> None:
        child = self.child("time.sleep(60)")
        sleeper = int(child.stdout.readline())
        self.assertEqual(len(namespaces_of(child.pid)), 2)
        Lan().close()
        self.assertEqual(len(namespaces_of(child.pid)), 2, "a living run is left alone")
        child.kill()
        child.wait()
        self.assert_gone(sleeper)
        Lan().close()
        self.assertEqual(namespaces_of(child.pid), [])

    def test_two_lans_have_the_same_addresses_and_never_meet(self) -> None:
        with Lan() as other:
            twin = other.host("a")
            twin.nic("eth0", f"{A4}/24")
            self.a.crash_silently()
            self.assertFalse(self.reaches())
            self.assertTrue(twin.nic("eth0").carrier())

    def test_a_namespace_is_entered_by_one_thread_only(self) -> None:
        own = os.stat("/proc/self/ns/net").st_ino
        there = inside(self.a.namespace, lambda: os.stat("/proc/thread-self/ns/net").st_ino)
        self.assertNotEqual(own, there)
        self.assertEqual(own, os.stat("/proc/thread-self/ns/net").st_ino)


if __name__ == "__main__":
    unittest.main(verbosity=2)
