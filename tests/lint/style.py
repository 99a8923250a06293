#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""The rules of the house that no other tool knows: licence lines, line and file lengths, blanks, words, READMEs.

    style.py FOLDER...      (each of which must have a README.md)
"""

import pathlib
import re
import sys

SKIPPED = re.compile(r"^(\.git|build.*|__pycache__|seeds|examples)$")
LICENCE = "SPDX-License-Identifier: Apache-2.0"
CODE = {".c", ".h", ".y", ".l", ".py", ".sh"}
MAKEFILES = {"Makefile"}
LICENSED = CODE | {".service", ".socket", ".sysusers", ".tmpfiles", ".5", ".7", ".8"}
C_LIKE = {".c", ".h", ".y", ".l"}
LINE_MAX = 120
FILE_MAX = 500

# Written with brackets, so that this list does not find itself.
WORDS = [
    (re.compile(r"\b(TO[D]O|FI[X]ME|HA[C]K)\b"), "what is unfinished goes to the tracker"),
    (re.compile(r"\b[Ii]ssue\s+#?\d|(?<![\w&])#\d+\b(?!\s*[{;])"), "a reader has no tracker: say the reason itself"),
]
# An absolute path in a text of ours is one of a Linux system, never of somebody's workplace.
PATH = re.compile(r"""(?<![\w.:/*<>$)}\]"'-])/([a-z][\w.-]*)/[\w.-]""")
ROOTS = {"bin", "dev", "etc", "lib", "path", "proc", "run", "sbin", "srv", "sys", "tmp", "usr", "var"}


def files():
    """Every text file of the project that people wrote."""
    pending = [pathlib.Path(".")]
    while pending:
        for path in sorted(pending.pop().iterdir()):
            if SKIPPED.match(path.name):
                continue
            if path.is_dir():
                pending.append(path)
            else:
                yield path


def judge_lines(path, lines):
    """Yields (line, complaint) for what is wrong within lines."""
    for number, line in enumerate(lines, 1):
        if line != line.rstrip():
            yield number, "blanks at the end of the line"
        if (path.suffix in CODE or path.name in MAKEFILES) and len(line) > LINE_MAX:
            yield number, f"{len(line)} columns; at most {LINE_MAX}"
        if path.suffix in C_LIKE and "\t" in line:
            yield number, "a tab"
        for word, reason in WORDS:
            if word.search(line):
                yield number, f"'{word.search(line).group()}': {reason}"
        for root in PATH.findall(line):
            if root not in ROOTS:
                yield number, f"'/{root}/': a path that only one machine has"


def judge(path, text):
    """Yields (line, complaint) for one file."""
    lines = text.split("\n")
    if text and lines[-1] != "":
        yield len(lines), "no newline at the end of the file"
    if (path.suffix in LICENSED or path.name in MAKEFILES) and not any(LICENCE in line for line in lines[:3]):
        yield 1, f"no '{LICENCE}' in the first lines"
    yield from judge_lines(path, lines)


def main():
    failed = False
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            print(f"{path}:1: not UTF-8")
            failed = True
            continue
        for number, wrong in judge(path, text):
            print(f"{path}:{number}: {wrong}")
            failed = True
        if path.suffix in CODE and text.count("\n") > FILE_MAX:
            print(f"{path}: note: {text.count(chr(10))} lines; which two jobs does it do?")
    for folder in sys.argv[1:]:
        if not pathlib.Path(folder, "README.md").is_file():
            print(f"{folder}: no README.md that says what it is and who may call it")
            failed = True
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
