# SPDX-License-Identifier: Apache-2.0
"""Programs that manage addresses beside the agent: on the target NIC, and on a source that boots while it is held."""

import os
import time

from agent import ROOT
from machine import Machine, Service
from story import GATEWAY, Story, V4, V6, ipmap, main
from wire import Capture

NAME = "web1/eth0"
# A restart must not be what brings an address back.
CONF = ipmap(f"{V4}/24 dev eth0\n{V6}/64 dev eth0", top=f"witness {GATEWAY}\nguard 10s", source="lease 60s")
HELD = f"{V4}/32", f"{V6}/128"
NETWORK = ("[Match]\nName=eth0\n[Network]\nAddress=192.0.2.20/24\nAddress=2001:db8::20/64\n"
           "IPv6AcceptRA=no\nIPv6DuplicateAddressDetection=0\n")
NETWORK_FILE = "etc/systemd/network/50-eth0.network"
CONNECTION = ("[connection]\nid=eth0\ntype=ethernet\ninterface-name=eth0\n[ipv4]\nmethod=manual\n"
              "address1=192.0.2.20/24\n[ipv6]\nmethod=manual\naddress1=2001:db8::20/64\n")
CONNECTION_FILE = "etc/NetworkManager/system-connections/eth0.nmconnection"


def shipped(name: str) -> str:
    with open(os.path.join(ROOT, "systemd", name), encoding="utf-8") as file:
        return file.read()


class Managed(Story):
    """A target whose NIC somebody else manages."""

    def setUp(self) -> None:
        super().setUp()
        # The manager puts them on.
        self.target.nic("eth0").remove_address("192.0.2.20/24", "2001:db8::20/64")

    def boot_holding(self, files, manager: str) -> Service:
        self.machine = Machine(self.target, {"etc/standin/ipmap.conf": CONF, **files}, [manager])
        self.service = Service(self.machine)
        self.agents.append(self.service)
        self.wait_until(lambda: {"192.0.2.20/24", "2001:db8::20/64"} <= set(self.target.nic("eth0").addresses()),
                        "the NIC has its own addresses", timeout_s=30)
        self.service.start()
        self.service.wait_state(NAME, "up")
        self.source.crash_silently()
        self.service.wait_state(NAME, "holding")
        return self.service

    def removed_by(self, *command: str, what=HELD):
        """Runs it; which of the held addresses the kernel says were taken off meanwhile."""
        with self.target.start(["ip", "-o", "monitor", "address"], stdout=-1, text=True) as monitor:
            time.sleep(0.3)
            self.machine.run(*command)
            time.sleep(1.5)
            monitor.terminate()
            seen = monitor.stdout.read()
        return [a for a in what if any(line.startswith("Deleted") and a in line for line in seen.splitlines())]

    def assert_put_back(self, *command: str) -> None:
        """It takes the addresses off; they are put back and announced."""
        capture = Capture(self.client.nic("eth0"), lambda frame: frame.src in (V4, V6))
        self.assertEqual(self.removed_by(*command), list(HELD))
        self.wait_until(lambda: set(HELD) <= set(self.target.nic("eth0").addresses()), "they are put back")
        # Not as the first of the subnet, though for a moment the host had no address of its own there.
        self.wait_until(lambda: {"192.0.2.20/24", "2001:db8::20/64"} <= set(self.target.nic("eth0").addresses()),
                        "the host has its own addresses")
        self.assertNotIn("secondary", self.target.ip("-4", "addr", "show", "to", "192.0.2.20"))
        self.wait_until(lambda: capture.of("arp-announcement") and capture.of("na-unsolicited"), "they are announced")
        capture.stop()
        self.wait_until(lambda: self.client.ping(V4) and self.client.ping(V6), "a client is served")
        self.assertEqual(self.service.nic(NAME)["state"], "holding")

    def insist(self, *command: str) -> str:
        """It takes them off again and again; what the agent says of it in the end."""
        for _ in range(12):
            self.machine.run(*command)
            time.sleep(0.2)
        state = self.service.wait_for(lambda r: "keeps taking" in (self.service.nic(NAME, r)["reason"] or ""),
                                      what="the agent gives up for a while")
        return self.service.nic(NAME, state)["reason"]


class Networkd(Managed):
    """systemd-networkd."""

    def test_reconfigure(self) -> None:
        """It takes off what it does not know: the agent says who it was and what to do, and puts it back."""
        service = self.boot_holding({NETWORK_FILE: NETWORK}, "systemd-networkd.service")
        service.wait_log("may be taken off again", "systemd-networkd manages eth0", "KeepConfiguration=yes",
                         f"(/{NETWORK_FILE})")
        self.assert_put_back("networkctl", "reconfigure", "eth0")
        service.wait_log(f"another program took {V4} off eth0; systemd-networkd manages eth0", "KeepConfiguration=yes")
        self.assertIn("systemd-networkd manages", self.insist("networkctl", "reconfigure", "eth0"))

    def test_reload(self) -> None:
        """So does a reload, where the file of that NIC changed."""
        self.boot_holding({NETWORK_FILE: NETWORK}, "systemd-networkd.service")
        self.machine.write(NETWORK_FILE, NETWORK + "Description=changed\n")
        self.assert_put_back("networkctl", "reload")

    def test_with_the_drop_in(self) -> None:
        """With what is shipped for it, networkd leaves them alone: reload, reconfigure, restart, a lost carrier."""
        service = self.boot_holding({NETWORK_FILE: NETWORK,
                                     f"{NETWORK_FILE}.d/50-standin.conf": shipped("standin.networkd")},
                                    "systemd-networkd.service")
        for number, command in enumerate((("networkctl", "reconfigure", "eth0"), ("networkctl", "reload"),
                                          ("systemctl", "restart", "systemd-networkd"))):
            self.machine.write(NETWORK_FILE, NETWORK + f"Description={number}\n")
            self.assertEqual(self.removed_by(*command), [], command)
        self.target.nic("eth0").unplug()
        time.sleep(5)
        self.target.nic("eth0").plug()
        self.assert_held(V4, V6)
        self.assertNotIn("took", service.log())
        self.assertNotIn("may be taken off", service.log())


class NetworkManager(Managed):
    """NetworkManager."""

    def boot_managed(self, conf: str = "[main]\nno-auto-default=*\n") -> Service:
        return self.boot_holding({"etc/NetworkManager/conf.d/50-test.conf": conf, CONNECTION_FILE: CONNECTION,
                                  "etc/tmpfiles.d/test.conf": f"z /{CONNECTION_FILE} 0600 root root\n"},
                                 "NetworkManager.service")

    def test_reapply(self) -> None:
        """It takes off what it does not know: the agent says who it was and what to do, and puts it back."""
        service = self.boot_managed()
        service.wait_log("may be taken off again", "NetworkManager manages eth0")
        self.assert_put_back("nmcli", "device", "reapply", "eth0")
        service.wait_log(f"another program took {V4} off eth0; NetworkManager manages eth0", "unmanaged")
        self.assertIn("NetworkManager manages", self.insist("nmcli", "device", "reapply", "eth0"))

    def test_restart(self) -> None:
        """A restart of it spares them."""
        service = self.boot_managed()
        self.assertEqual(self.removed_by("systemctl", "restart", "NetworkManager"), [])
        self.assertNotIn("took", service.log())

    def test_with_the_drop_in(self) -> None:
        """With what is shipped for it, it keeps away from the NIC, and nothing is warned of."""
        self.target.nic("eth0").address("192.0.2.20/24", "2001:db8::20/64")
        service = self.boot_managed(shipped("standin.networkmanager"))
        self.assertIn("eth0:unmanaged", self.machine.run("nmcli", "-t", "-f", "DEVICE,STATE", "device"))
        self.assertEqual(self.removed_by("systemctl", "reload", "NetworkManager"), [])
        self.assertEqual(self.removed_by("systemctl", "restart", "NetworkManager"), [])
        self.assertNotIn("took", service.log())
        self.assertNotIn("may be taken off", service.log())


class SourceBoots(Story):
    """A source whose networkd asks whether its IPv4 address is free (RFC 5227) before it takes it."""

    ASKING = (f"[Match]\nName=eth0\n[Network]\nIPv6AcceptRA=no\n[Address]\nAddress={V4}/24\n"
              "DuplicateAddressDetection=both\n")

    def boot_while_held(self, failback: str):
        """The source crashed, is stood in for, and boots; the agent, and the machine of the source."""
        agent = self.holding(ipmap(f"{V4}/24 dev eth0", source=f"failback {failback}"))
        self.source.nic("eth0").remove_address(f"{V4}/24", f"{V6}/64")
        time.sleep(3)  # the plan of announcements is over: each would tell it that its address is in use
        self.source.heal()
        return agent, Machine(self.source, {NETWORK_FILE: self.ASKING}, ["systemd-networkd.service"])

    def has_its_address(self) -> bool:
        return f"{V4}/24" in self.source.nic("eth0").addresses()

    def test_automatic(self) -> None:
        """Under `failback automatic` it finds its address free, and keeps it."""
        agent, machine = self.boot_while_held("automatic")
        self.wait_until(self.has_its_address, "its detection passed", timeout_s=40)
        self.assert_not_held(V4)
        agent.wait_state(NAME, "up")
        time.sleep(3)
        self.assertTrue(self.has_its_address())
        self.assertNotIn("onflict", machine.run("journalctl", "-u", "systemd-networkd", "-q", "-o", "cat"))
        self.assertTrue(self.client.ping(V4, count=20))

    def test_manual(self) -> None:
        """Under `failback manual` it is told that its address is in use; after a failback it is configured anew."""
        agent, machine = self.boot_while_held("manual")
        self.wait_until(lambda: "onflict" in machine.run("journalctl", "-u", "systemd-networkd", "-q", "-o", "cat"),
                        "it is told", timeout_s=40)
        self.assertFalse(self.has_its_address())
        self.assert_held(V4)
        self.assertEqual(agent.ctl("failback", "web1")[0], 0)
        machine.run("networkctl", "reconfigure", "eth0")
        self.wait_until(self.has_its_address, "its detection passed", timeout_s=40)
        agent.wait_state(NAME, "up")


if __name__ == "__main__":
    main()
