# SPDX-License-Identifier: Apache-2.0
"""The journal: what an agent knows that was started after another, and what becomes of it where the disk is bad."""

import os
import re
import signal
import time

from lan import run
from story import GATEWAY, Story, V4, V6, ipmap, main
from wire import Pinger

BODY = f"{V4}/24 dev eth0\n{V6}/64 dev eth0"
# A guard that is patient with a busy machine, and a lease that is, too.
PATIENT = ipmap(BODY, top=f"witness {GATEWAY}\nguard 20s", source="lease 60s")
MANUAL = PATIENT.replace("misses 3", "misses 3; takeover manual")


class Restart(Story):
    """kill -9, SIGTERM, reload: the agent that follows goes on as the one before."""

    def journal(self, agent) -> str:
        with open(os.path.join(agent.state, "journal"), encoding="utf-8") as file:
            return file.read()

    def wait_journal(self, agent, *texts: str) -> None:
        """Until it holds all of these."""
        path = os.path.join(agent.state, "journal")
        self.wait_until(lambda: os.path.exists(path) and all(t in self.journal(agent) for t in texts),
                        f"the journal tells {texts}")

    def again(self, agent, how: str = "kill") -> None:
        if how == "kill":
            agent.kill()
        else:
            self.assertEqual(agent.stop(), 0)
        agent.start()

    def test_what_it_holds(self) -> None:
        """Once a source was seen and taken over, MAC and address stand in it, for root alone to read."""
        agent = self.holding(PATIENT)
        self.wait_journal(agent, 'nic "web1" "eth0" armed\n',
                          f'address {V4} mac {self.source_mac()} held 32 dev "eth0"')
        self.assertEqual(os.stat(os.path.join(agent.state, "journal")).st_mode & 0o777, 0o600)
        self.assertEqual(agent.status()["agent"]["journal"], f"kept in {agent.state}")
        with open("/proc/sys/kernel/random/boot_id", encoding="ascii") as file:
            self.assertIn(file.read().strip(), self.journal(agent))

    def test_the_return_is_recognised(self) -> None:
        """After kill -9 and after SIGTERM the source's MAC is known: its return is one, and no conflict."""
        for how in "kill", "stop":
            with self.subTest(how):
                agent = self.holding(PATIENT)
                self.wait_journal(agent, "held 32", "held 128")
                self.again(agent, how)
                self.assertIn("held already", agent.wait_state("web1/eth0", "holding")["reason"])
                self.assertEqual(agent.address(V4)["mac"], self.source_mac())
                self.source.heal()
                agent.wait_log("the source is back", self.source_mac())
                self.assertNotIn("conflict", agent.log())
                agent.ctl("failback", "web1")
                agent.wait_state("web1/eth0", "up")
                self.assertEqual(agent.stop(), 0)

    def test_no_ping_is_lost(self) -> None:
        """At a ping each millisecond, through kill -9 and a restart; and what is held is announced anew."""
        agent = self.holding(PATIENT)
        self.wait_journal(agent, "held 32")
        with Pinger(self.client, V4, interval_s=0.001) as pings:
            self.assertTrue(pings.wait_for(self.target_mac(), count=100))
            steady = time.monotonic()
            for how in "kill", "stop", "kill":
                self.again(agent, how)
                agent.wait_state("web1/eth0", "holding")
                self.wait_until(lambda: agent.address(V4)["announced"] >= 2, "it is announced anew")
                self.assertTrue(pings.wait_for(self.target_mac(), count=100))
        self.assertEqual(pings.lost(since=steady), [])

    def test_a_source_that_dies_meanwhile(self) -> None:
        """Nobody watched when it died; the one before saw it alive, and so it is taken over."""
        agent = self.watching(PATIENT)
        self.wait_journal(agent, "armed")
        agent.kill()
        self.source.crash_silently()
        agent.start()
        agent.wait_state("web1/eth0", "holding")
        self.assert_held(V4, V6)

    def test_a_question_stands(self) -> None:
        """What awaits approval does so after any restart, and can be approved then."""
        agent = self.watching(MANUAL)
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "awaiting")
        for how in "kill", "stop":
            self.wait_journal(agent, " awaiting")
            self.again(agent, how)
            agent.wait_state("web1/eth0", "awaiting")
            time.sleep(0.5)
            agent.wait_state("web1/eth0", "awaiting")
        self.assertEqual(agent.ctl("approve", "web1")[0], 0)
        self.assert_held(V4, V6)

    def test_what_an_operator_said_stands(self) -> None:
        """Denied stays denied, and paused stays paused."""
        agent = self.watching(MANUAL)
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "awaiting")
        self.assertEqual(agent.ctl("deny", "web1")[0], 0)
        self.assertEqual(agent.ctl("pause", "web1")[0], 0)
        self.wait_journal(agent, "paused denied")
        self.again(agent)
        self.assertIn("denied", agent.wait_state("web1/eth0", "lost")["reason"])
        self.assertTrue(agent.status()["sources"][0]["paused"])

    def test_given_back_it_stays_disarmed(self) -> None:
        """It was given back, and is not taken over by the agent that follows."""
        agent = self.holding(PATIENT)
        self.assertEqual(agent.ctl("failback", "web1")[0], 0)
        self.wait_journal(agent, " disarmed")
        self.again(agent)
        agent.wait_state("web1/eth0", "disarmed")
        self.assert_never_held(V4)

    def test_another_boot(self) -> None:
        """A reboot while holding: nothing held is believed, and nothing is claimed before the source was seen alive."""
        agent = self.holding(PATIENT)
        self.wait_journal(agent, "held 32", "held 128")
        agent.kill()
        self.end_guard(agent)
        self.target.nic("eth0").remove_address(f"{V4}/32")
        self.target.nic("eth0").remove_address(f"{V6}/128")
        self.rewrite(agent, lambda text: re.sub(r'boot "[^"]*"', 'boot "00000000-0000-0000-0000-000000000000"', text))
        agent.start()
        agent.wait_log("2 addresses that were held before this host was started are not")
        agent.wait_state("web1/eth0", "unseen")
        self.assert_never_held(V4, V6)
        self.assertEqual(agent.address(V4)["mac"], self.source_mac())
        self.source.heal()
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")

    def test_gone_in_between(self) -> None:
        """The journal says held, the kernel does not: it is verified first, and a live source keeps it."""
        agent = self.holding(PATIENT)
        self.wait_journal(agent, "held 32", "held 128")
        agent.kill()
        self.end_guard(agent)
        self.target.nic("eth0").remove_address(f"{V4}/32")
        self.target.nic("eth0").remove_address(f"{V6}/128")
        self.source.heal()
        agent.start()
        agent.wait_log("2 addresses that were held by the agent before are not")
        agent.wait_state("web1/eth0", "up")
        self.assert_never_held(V4)

    def test_killed_before_it_was_written(self) -> None:
        """No journal, and half of what was held, then nothing, is still there: what is there is held on to."""
        agent = self.holding(PATIENT)
        for left in (V4,), ():
            with self.subTest(left):
                self.wait_journal(agent, "held 32", "held 128")
                agent.kill()
                self.end_guard(agent)
                os.unlink(os.path.join(agent.state, "journal"))
                self.target.nic("eth0").remove_address(f"{V6}/128")
                if not left:
                    self.target.nic("eth0").remove_address(f"{V4}/32")
                agent.start()
                if left:
                    self.assertIn("held already", agent.wait_state("web1/eth0", "holding")["reason"])
                    self.wait_until(lambda: agent.address(V6).get("held_on"), "the other is held again")
                    self.assert_held(V4, V6)
        # Nobody knows that its source was ever alive.
        agent.wait_state("web1/eth0", "unseen")
        self.assert_never_held(V4, V6)

    def test_orphans_and_foreign_addresses(self) -> None:
        """In the file no more: taken off. Without our mark: left alone, though the journal calls it held."""
        agent = self.holding(PATIENT)
        self.wait_journal(agent, "held 32", "held 128")
        agent.kill()
        self.end_guard(agent)
        self.target.nic("eth0").remove_address(f"{V4}/32")
        self.target.ip("addr", "add", f"{V4}/32", "dev", "eth0")  # somebody else's now
        self.target.ip("addr", "add", "192.0.2.77/32", "dev", "eth0")
        agent.write(f"witness {GATEWAY}\nguard 20s\nsource web2 {{ nic eth0 {{ 192.0.2.12/24 dev eth0 }} }}\n")
        agent.start()
        self.wait_until(lambda: f"{V6}/128" not in self.target.nic("eth0").addresses(), "the orphan is taken off")
        time.sleep(0.5)
        self.assert_held(V4, "192.0.2.77", "192.0.2.20")

    def test_damping(self) -> None:
        """The third takeover within the hour is a question, also when the agent was started anew in between."""
        agent = self.watching(PATIENT.replace("misses 3", "misses 3; max-takeovers 2 per 1h"))
        for _ in range(2):
            self.source.crash_silently()
            agent.wait_state("web1/eth0", "holding")
            self.source.heal()
            self.assertEqual(agent.ctl("failback", "web1")[0], 0)
            agent.wait_state("web1/eth0", "up")
        self.wait_until(lambda: self.journal(agent).count("takeover ") == 2, "both are known")
        self.again(agent)
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        nic = agent.wait_state("web1/eth0", "awaiting")
        self.assertIn("2 takeovers within 1h: somebody must look", nic["reason"])
        self.assert_never_held(V4)

    def end_guard(self, agent) -> None:
        """Of an agent that was killed: its guard would only wait for a successor."""
        with open(agent.control + ".guard", encoding="ascii") as file:
            os.kill(int(file.read()), signal.SIGKILL)

    def rewrite(self, agent, change) -> None:
        """Changes the journal, and gives it a checksum that fits (FNV-1a)."""
        body = change(self.journal(agent)).rsplit("checksum ", 1)[0].encode()
        checksum = 0xcbf29ce484222325
        for byte in body:
            checksum = (checksum ^ byte) * 0x100000001b3 % 2 ** 64
        with open(os.path.join(agent.state, "journal"), "wb") as file:
            file.write(body + f"checksum {checksum:016x}\n".encode())


class Damage(Story):
    """Whatever is wrong with the journal or its folder: it is said, status shows it, and the agent works."""

    def stands_in(self, agent) -> None:
        agent.wait_state("web1/eth0", "up")
        self.source.crash_silently()
        agent.wait_state("web1/eth0", "holding")
        self.assert_held(V4)

    def put(self, agent, text: bytes) -> None:
        with open(os.path.join(agent.state, "journal"), "wb") as file:
            file.write(text)

    def shown(self, agent) -> str:
        return agent.status()["agent"]["journal"]

    def test_torn_foreign_or_of_another_version(self) -> None:
        """Each is named, kept for a look, and replaced; what is held is adopted by its mark all the same."""
        agent = self.holding(PATIENT)
        self.wait_until(lambda: os.path.exists(os.path.join(agent.state, "journal")), "it is written")
        for text, words in ((b"standin journal 1\n# torn", "torn, or changed"), (b"something else\n", "no journal of"),
                            (b"standin journal 99\n", "another version")):
            with self.subTest(words):
                agent.kill()
                self.put(agent, text)
                agent.start()
                agent.wait_state("web1/eth0", "holding")
                agent.wait_log("is not used", words, "journal.refused")
                self.assertIn(words, self.shown(agent))
                self.assertIn("warning: the journal", agent.ctl("status")[1])
                with open(os.path.join(agent.state, "journal.refused"), "rb") as file:
                    self.assertEqual(file.read(), text)
                self.wait_until(lambda: os.path.exists(os.path.join(agent.state, "journal")), "a new one is kept")

    def test_others_may_write_it(self) -> None:
        """What stands in it becomes addresses of this host, so it is not believed."""
        agent = self.watching(PATIENT)
        self.wait_until(lambda: os.path.exists(os.path.join(agent.state, "journal")), "it is written")
        agent.kill()
        os.chmod(os.path.join(agent.state, "journal"), 0o666)
        agent.start()
        agent.wait_log("is not used", "others may write it")
        self.stands_in(agent)

    def started(self, state: str):
        """An agent with that state folder."""
        agent = self.agent(PATIENT, wait=False)
        agent.kill()
        agent.argv[agent.argv.index(agent.state)] = state
        agent.state = state
        agent.start()
        return agent

    def test_a_full_disk(self) -> None:
        """Said once and not again and again; once there is room, it is kept, and that is said."""
        folder = self.lan.disk("16k")
        with open(os.path.join(folder, "fill"), "wb") as file:
            file.write(b"x" * 16384)
        agent = self.started(folder)
        agent.wait_log("no journal is kept in", "No space left")
        self.stands_in(agent)
        agent.wait_for(lambda r: "No space left" in r["agent"]["journal"], what="status shows it")
        self.assertEqual(agent.log().count("No space left"), 1)
        os.unlink(os.path.join(folder, "fill"))
        agent.wait_log("is kept in", "again", timeout_s=40)
        self.assertEqual(self.shown(agent), f"kept in {folder}")
        self.assertTrue(os.path.exists(os.path.join(folder, "journal")))

    def test_a_read_only_folder(self) -> None:
        """The journal there is read, and no new one written."""
        folder = self.lan.disk("64k")
        agent = self.started(folder)
        agent.wait_state("web1/eth0", "up")
        self.wait_until(lambda: os.path.exists(os.path.join(folder, "journal")), "it is written")
        run("mount", "-o", "remount,ro", folder)
        agent.kill()
        agent.start()
        agent.wait_log("no journal is kept in", "Read-only")
        agent.wait_for(lambda r: agent.address(V4, r)["mac"] == self.source_mac(), what="it was read")
        self.stands_in(agent)
        run("mount", "-o", "remount,rw", folder)

    def test_the_folder_is_made(self) -> None:
        """One that is missing is made; one whose parent is missing too is named."""
        folder = os.path.join(self.lan.directory, "made")
        agent = self.started(folder)
        agent.wait_for(lambda r: os.path.exists(os.path.join(folder, "journal")), what="a journal is kept")
        self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
        agent.kill()
        other = self.started(os.path.join(self.lan.directory, "not", "there"))
        other.wait_log("no journal is kept in", "No such file")
        self.stands_in(other)

    def test_a_folder_in_its_place(self) -> None:
        """It is no journal, and set aside."""
        agent = self.watching(PATIENT)
        self.wait_until(lambda: os.path.exists(os.path.join(agent.state, "journal")), "it is written")
        agent.kill()
        os.unlink(os.path.join(agent.state, "journal"))
        os.mkdir(os.path.join(agent.state, "journal"))
        agent.start()
        agent.wait_log("is not used", "no journal of standin")
        self.stands_in(agent)
        self.wait_until(lambda: os.path.isfile(os.path.join(agent.state, "journal")), "a journal is kept")

    def test_two_agents_with_one_folder(self) -> None:
        """The first one has it; the second works without, says so, and gets it when the first is gone."""
        first = self.watching(PATIENT)
        second = self.started(first.state)
        second.wait_log("no journal is kept in", "another agent")
        second.wait_state("web1/eth0", "up")
        self.assertIn("another agent", self.shown(second))
        self.assertEqual(self.shown(first), f"kept in {first.state}")
        first.stop()
        second.wait_log("is kept in", "again", timeout_s=40)


if __name__ == "__main__":
    main()
