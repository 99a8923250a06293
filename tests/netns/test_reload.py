# SPDX-License-Identifier: Apache-2.0
"""The file takes effect while things are under way: what it does not change goes on as if nothing had happened."""

import os
import signal
import threading
import time

from story import GATEWAY, Story, V4, V6, ipmap, main
from wire import Capture, Pinger

PLAIN = ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0", top=f"witness {GATEWAY}\nguard 10s", interval_ms=50, misses=4)
OTHER = "source web0 {\nnic eth0 {\n192.0.2.13/24 dev eth0\n}\n}\n"
# A source before it gives its addresses other numbers.
SHIFTED = PLAIN.replace("source web1", OTHER + "source web1")
ANNOUNCING = ("arp-announcement", "arp-gratuitous")


class Storm:
    """Reloads each 4 ms, of one file and the other in turn, from `with` to the end of it."""

    def __init__(self, agent, *files: str):
        self.agent, self.files, self.over, self.n = agent, files, False, 0
        self.thread = threading.Thread(target=self.work, daemon=True)

    def work(self) -> None:
        while not self.over:
            fresh = f"{self.agent.conf}.fresh"
            with open(fresh, "w", encoding="ascii") as file:
                file.write(self.files[self.n % len(self.files)])
            os.chmod(fresh, 0o600)
            os.rename(fresh, self.agent.conf)
            self.agent.signal(signal.SIGHUP)
            self.n += 1
            time.sleep(0.004)

    def __enter__(self) -> "Storm":
        self.thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over = True
        self.thread.join()


class Storms(Story):
    """Reloads in quick succession."""

    def test_a_crash_in_the_middle(self) -> None:
        """It is found and served as if there were no storm; nothing is announced, renewed or missed for it."""
        agent = self.watching(PLAIN)
        rounds = agent.address(V4)["missed"]
        with Pinger(self.client, V4) as pings, Capture(self.client.nic("eth0")) as seen:
            with Storm(agent, PLAIN, SHIFTED, PLAIN) as storm:
                time.sleep(2)
                self.assertEqual(agent.address(V4)["missed"], rounds, "a living source was never missed")
                self.assertNotIn("late", agent.log())
                crashed = time.monotonic()
                self.source.crash_silently()
                agent.wait_state("web1/eth0", "holding")
                agent.wait_for(lambda r: agent.address(V4, r)["proof"] == "confirmed", what="it is proved")
                self.assertTrue(pings.wait_for(self.target_mac(), count=100))
                time.sleep(4)
                self.assert_held(V4, V6)
            self.assertGreater(storm.n, 300)
            generation = agent.status()["agent"]["file_generation"]
        self.assertGreater(generation, 50, "files took effect in the storm, not after it")
        self.assertEqual(agent.log().count("holding: "), 1)
        self.assertNotIn("releasing", agent.log())
        first = next(p.answered_at for p in pings.answers(self.target_mac()))
        self.assertEqual(pings.lost(since=first), [])
        told = seen.of(*ANNOUNCING, src=V4, mac=self.target_mac())
        # Four copies in two forms; those of the falling rate were spared by the proof.
        self.assertLessEqual(len(told), 8, told)
        print(f"{storm.n} signals, {generation} files took effect; served after {(first - crashed) * 1000:.0f} ms; "
              f"{len(told)} announcements")

    def test_while_holding(self) -> None:
        """Not a ping is lost, and nothing is announced."""
        agent = self.holding(PLAIN)
        agent.wait_for(lambda r: agent.address(V4, r)["proof"] == "confirmed", what="it is proved")
        time.sleep(3)  # the plan of announcements is over
        with Pinger(self.client, V4) as pings, Capture(self.client.nic("eth0")) as seen:
            self.assertTrue(pings.wait_for(self.target_mac(), count=10))
            with Storm(agent, PLAIN, SHIFTED):
                time.sleep(2)
        self.assertEqual(pings.lost(), [])
        self.assertEqual(seen.of(*ANNOUNCING, src=V4), [])


class Removals(Story):
    """What a new file has no place for."""

    def test_a_held_source_leaves_the_file(self) -> None:
        """It is released, the guard forgets it, and where the source is there again the LAN is told so."""
        agent = self.holding(PLAIN)
        self.source.heal()
        agent.wait_for(lambda r: agent.address(V4, r)["source_answers"], what="the source is seen beside us")
        with Capture(self.client.nic("eth0")) as seen:
            agent.write(f"witness {GATEWAY}\n{OTHER}")
            self.assertEqual(agent.ctl("reload")[0], 0)
            self.wait_until(lambda: not {f"{V4}/32", f"{V6}/128"} & set(self.target.nic("eth0").addresses()), "gone")
            agent.wait_log(f"releasing {V4} from eth0: it is no longer in the file")
            self.wait_until(lambda: seen.of("arp-announcement", src=V4, mac=self.source_mac()),
                            "the source is announced")
        agent.stop()
        self.assert_held("192.0.2.20")
        self.assertNotIn("released by the guard", agent.log())

    def test_another_target_nic(self) -> None:
        """It moves there at once, and takes up what it served."""
        second = self.target.nic("eth1", "192.0.2.21/24")
        self.target.sysctl("net.ipv4.conf.all.arp_ignore", 1)
        agent = self.holding(ipmap(misses=50))
        agent.write(ipmap(f"{V4}/24 dev eth1", misses=50))
        moved = time.monotonic()
        self.assertEqual(agent.ctl("reload")[0], 0)
        self.wait_until(lambda: f"{V4}/32" in second.addresses(), "it is on the other NIC")
        self.assertLess(time.monotonic() - moved, 50 * 0.02 + 2)
        self.assertNotIn(f"{V4}/32", self.target.nic("eth0").addresses())
        self.wait_until(lambda: self.client.ping(V4) and self.client.neighbour(V4) == second.mac, "it is served there")
        agent.wait_log(f"releasing {V4} from eth0: the file has another target NIC for it")


if __name__ == "__main__":
    main()
