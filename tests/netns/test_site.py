# SPDX-License-Identifier: Apache-2.0
"""docs/protect-a-web-site.md, done as it stands there: two Debians, nginx, rsync over ssh, and a client."""

import os
import re
import subprocess

from agent import ROOT
from machine import Machine, Service
from story import V4, Story, main

SITE = "web1/eth0"


def written_in(text: str, after: str) -> str:
    """The next block of the document behind a sentence."""
    block = re.search(r"\n\n((?:    .*\n|\n)+)", text[text.index(after):])
    assert block
    return re.sub("^    ", "", block.group(1), flags=re.MULTILINE)


class Site(Story):
    """From the document alone."""

    def setUp(self) -> None:
        super().setUp()
        with open(os.path.join(ROOT, "docs/protect-a-web-site.md"), encoding="utf-8") as file:
            document = file.read()
        sync = written_in(document, "Say what to copy")
        self.spare = Machine(self.target, {"etc/standin/ipmap.conf": written_in(document, "`/etc/standin/ipmap.conf`:"),
                                           "etc/standin/sync/web1.conf": sync})
        self.web1 = Machine(self.source, {"var/www/html/index.html": "the shop\n"},
                            enable=["nginx.service", "ssh.service"])
        self.service = Service(self.spare)
        self.agents.append(self.service)
        self.introduce()

    def introduce(self) -> None:
        """What ssh-keygen and ssh-copy-id do, where nobody types a password."""
        self.spare.run("sh", "-ec", "cd; mkdir -p -m 700 .ssh; ssh-keygen -q -t ed25519 -N '' -f .ssh/id_ed25519; "
                       f"ssh-keyscan -t ed25519 {V4} 2>/dev/null >.ssh/known_hosts")
        key = self.spare.run("sh", "-c", "cat ~/.ssh/id_ed25519.pub").strip()
        self.web1.run("sh", "-ec", f"umask 077; mkdir -p ~/.ssh; echo '{key}' >~/.ssh/authorized_keys")

    def sync(self) -> None:
        self.spare.run("systemctl", "start", "standin-sync@web1.service")

    def wait_service(self, state: str) -> None:
        self.service.wait_for(lambda r: r["sources"][0]["service"] == state, what=f"the URL is {state}", timeout_s=60)

    def served(self) -> str:
        """What a client gets from the site; "" where nobody answers."""
        code = f"import urllib.request as r; print(r.urlopen('http://{V4}/', timeout=2).read().decode(), end='')"
        done = subprocess.run(["ip", "netns", "exec", self.client.namespace, "python3", "-c", code], text=True,
                              capture_output=True, check=False)
        return done.stdout

    def content(self) -> str:
        return self.spare.run("cat", "/var/www/html/index.html")

    def test_protect_a_web_site(self) -> None:
        """Copied, watched, taken over, frozen, given back, and copied again."""
        self.sync()
        self.assertEqual(self.content(), "the shop\n")
        self.spare.run("systemctl", "enable", "--now", "standin-sync@web1.timer")
        self.spare.run("standind", "--check")
        self.spare.run("systemctl", "enable", "--now", "standind")
        self.service.wait_state(SITE, "up")
        self.wait_service("passing")
        self.assertEqual(self.served(), "the shop\n")

        # nginx fails, the host lives.
        self.web1.run("systemctl", "stop", "nginx")
        self.wait_service("failed")
        self.assert_never_held(V4)
        self.web1.run("systemctl", "start", "nginx")
        self.wait_service("passing")

        # The host is lost.
        self.web1.write("var/www/html/index.html", "half of a new shop\n")
        self.source.crash_silently()
        self.service.wait_state(SITE, "holding")
        self.wait_until(lambda: self.served() == "the shop\n", "spare serves the site", timeout_s=60)
        self.spare.write("var/www/html/index.html", "an order\n")
        self.sync()
        self.assertEqual(self.spare.property("ConditionResult", "standin-sync@web1.service"), "no")
        self.assertEqual(self.content(), "an order\n")

        # And comes back.
        status, text = self.service.ctl("failback", "web1")
        self.assertEqual(status, 0, text)
        self.assert_not_held(V4)
        self.assertEqual(self.spare.property("ActiveState", "nginx"), "inactive")
        self.source.heal()
        self.wait_until(lambda: self.served() == "half of a new shop\n", "web1 serves the site", timeout_s=60)
        self.sync()
        self.assertEqual(self.content(), "half of a new shop\n")
        self.service.wait_state(SITE, "up")


if __name__ == "__main__":
    main()
