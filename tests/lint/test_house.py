#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The checks and the runner must be able to fail: each is shown what it has to refuse, and what it has to let pass."""

import pathlib
import sys
import unittest

HERE = pathlib.Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent), str(HERE.parent / "bench")]

import counts
import includes
import purity
import run
import style
import tap

FOLDERS = [includes.Folder(row) for row in (
    "shell:agent/shell:shell core arp probes base", "core:agent/core:core base", "base:agent/base:base",
    "arp:arp:arp base", "probes:probes:probes arp base")]


class Includes(unittest.TestCase):
    """Arrows between folders, and who may use which library."""

    def judge(self, path, include):
        return [wrong for _line, wrong in includes.judge_file(FOLDERS, path, f"#include {include}\n")]

    def test_arrows(self):
        self.assertTrue(self.judge("agent/core/watch.c", '"probes/tracker.h"'))
        self.assertTrue(self.judge("agent/base/time.c", '"agent/core/core.h"'))
        self.assertTrue(self.judge("arp/port.c", '"probes/tracker.h"'))
        self.assertFalse(self.judge("agent/shell/turn.c", '"probes/tracker.h"'))
        self.assertFalse(self.judge("agent/core/watch.c", '"agent/base/time.h"'))

    def test_probes_know_frames_alone(self):
        self.assertFalse(self.judge("probes/arp.c", '"arp/frame.h"'))
        self.assertTrue(self.judge("probes/arp.c", '"arp/port.h"'))
        self.assertFalse(self.judge("agent/shell/turn.c", '"arp/port.h"'))

    def test_main_knows_the_shell_alone(self):
        self.assertFalse(self.judge("agent/main.c", '"agent/shell/shell.h"'))
        self.assertTrue(self.judge("agent/main.c", '"agent/core/core.h"'))

    def test_unit_tests_are_bound_by_their_folder(self):
        self.assertTrue(self.judge("tests/unit/core_watch.c", '"arp/frame.h"'))
        self.assertFalse(self.judge("tests/unit/core_watch.c", '"agent/core/core.h"'))

    def test_names_from_the_root(self):
        self.assertTrue(self.judge("agent/core/watch.c", '"core.h"'))
        self.assertTrue(self.judge("agent/core/watch.c", '"../base/time.h"'))

    def test_libraries(self):
        self.assertTrue(self.judge("agent/core/watch.c", "<stdio.h>"))
        self.assertTrue(self.judge("arp/port.c", "<systemd/sd-event.h>"))
        self.assertTrue(self.judge("agent/shell/turn.c", "<pcap/pcap.h>"))
        self.assertFalse(self.judge("arp/port.c", "<pcap/pcap.h>"))
        self.assertTrue(self.judge("arp/port.c", "<pthread.h>"))


class Counts(unittest.TestCase):
    """Workloads that cost more instructions than is expected."""

    EXPECTED = {"ipmap_10000": 100, "ipmap_100000": 1000, "core_claim_1000": 100, "core_claim_10000": 1000}

    def refused(self, **changed):
        return [text for good, text in counts.judge({**self.EXPECTED, **changed}, self.EXPECTED) if not good]

    def test_a_tenth(self):
        self.assertFalse(self.refused())
        self.assertFalse(self.refused(ipmap_10000=109))
        self.assertTrue(self.refused(ipmap_10000=112))
        self.assertTrue(self.refused(ipmap_10000=89))

    def test_more_than_linear(self):
        self.assertEqual(len(self.refused(core_claim_10000=1300)), 2)

    def test_unknown_and_missing(self):
        self.assertTrue(self.refused(another=1))
        self.assertTrue([text for good, text in counts.judge(self.EXPECTED, {**self.EXPECTED, "gone": 1}) if not good])


class Purity(unittest.TestCase):
    """What pure objects may ask for."""

    def test_refuses_input_and_output(self):
        self.assertEqual(purity.impure({"memcpy", "printf", "malloc"}, purity.PURE), ["malloc", "printf"])

    def test_knows_what_compilers_add(self):
        self.assertEqual(purity.impure({"__memcpy_chk", "__stack_chk_fail", "__asan_init"}, purity.PURE), [])
        self.assertEqual(purity.impure({"__printf_chk"}, purity.PURE), ["__printf_chk"])


class Style(unittest.TestCase):
    """Lines and words."""

    def judge(self, name, text):
        licence = f"/* {style.LICENCE} */\n"
        return [wrong for _line, wrong in style.judge(pathlib.Path(name), licence + text)]

    def test_lines(self):
        self.assertFalse(self.judge("a.c", "int a;\n"))
        for text in ("\tint a;\n", "int a; \n", "int a;", "/* " + 120 * "x" + " */\n"):
            self.assertTrue(self.judge("a.c", text), text)

    def test_licence(self):
        self.assertTrue(list(style.judge(pathlib.Path("a.c"), "int a;\n")))

    def test_words(self):
        self.assertTrue(self.judge("a.md", "TO" + "DO: more\n"))
        self.assertTrue(self.judge("a.md", "see issue " + "12\n"))
        self.assertTrue(self.judge("a.md", "copy it to /nowhere" + "/here\n"))
        self.assertFalse(self.judge("a.md", "arp/nd, /etc/standin/ipmap.conf, https://example.org/a/b\n"))


class Runner(unittest.TestCase):
    """Whatever a test program does, it must not count as passed when it did not pass."""

    def outcome(self, script, limit_s=20, speaks_tap=True):
        return run.run(run.Job("self/test", ["sh", "-c", script], limit_s, speaks_tap)).tally

    def test_counts(self):
        tally = self.outcome("echo 1..3; echo ok 1 - a; echo 'not ok 2 - b'; echo 'not ok 3 # SKIP c'; exit 1")
        self.assertEqual((tally.passed, tally.failed, tally.skipped), (1, ["b"], ["c"]))

    def test_nothing_ran(self):
        self.assertTrue(self.outcome("true").failed)

    def test_crash(self):
        self.assertTrue(self.outcome("echo 1..1; echo ok 1 - a; kill -SEGV $$").failed)

    def test_ends_early(self):
        self.assertTrue(self.outcome("echo 1..2; echo ok 1 - a").failed)

    def test_exit_status_alone(self):
        self.assertTrue(self.outcome("echo 1..1; echo ok 1 - a; exit 3").failed)

    def test_failed_group_setup(self):
        self.assertTrue(self.outcome("echo 1..4; echo 'not ok 0 - all [ FAILED ] GROUP SETUP'").failed)

    def test_time_limit(self):
        self.assertTrue(self.outcome("echo 1..1; echo ok 1 - a; sleep 60", limit_s=0.2).failed)

    def test_not_built(self):
        self.assertTrue(run.run(run.Job("self/test", ["./no/such/program"], 1)).tally.failed)

    def test_plain_check(self):
        self.assertTrue(self.outcome("exit 1", speaks_tap=False).failed)
        self.assertEqual(self.outcome("true", speaks_tap=False).passed, 1)

    def test_unittest_file(self):
        failing = "import unittest\nclass A(unittest.TestCase):\n  def test_a(self): self.fail()\n" \
                  "  def test_b(self): print('ok 7 - no')\n"
        command = f"printf '%s' \"$0\" > \"$1\"; exec '{sys.executable}' '{tap.__file__}' \"$1\""
        with run.tempfile.NamedTemporaryFile(suffix=".py") as file:
            tally = run.run(run.Job("self/test", ["sh", "-c", command, failing, file.name], 20)).tally
        self.assertEqual((tally.passed, len(tally.failed)), (1, 1))


if __name__ == "__main__":
    unittest.main()
