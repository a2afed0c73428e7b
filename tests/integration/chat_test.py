#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""`glint chat` with the embedded model, through a pipe and on a pseudo-terminal: messages, commands, thinking, editing,
Ctrl-C that stops the answer and not the program.

usage: chat_test.py GLINT"""
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import tempfile
import time
import unittest
from pathlib import Path

GLINT = ""
FLAGS = ["--temp", "0", "-t", "1"]


def piped(text, *flags):
    return subprocess.run([GLINT, "chat", *FLAGS, *flags], input=text, capture_output=True, text=True, timeout=120)


class Terminal:
    """glint chat on a pseudo-terminal."""

    def __init__(self, *flags):
        self.process, self.master = pty.fork()
        if self.process == 0:
            os.environ["TERM"] = "xterm"
            os.execv(GLINT, [GLINT, "chat", *FLAGS, *flags])
        self.seen = ""

    def wait_for(self, pattern, seconds=60):
        """Reads until the pattern appears after what was matched before; returns the text up to its end."""
        end = time.monotonic() + seconds
        while True:
            match = re.search(pattern, self.seen, re.S)
            if match:
                text, self.seen = self.seen[:match.end()], self.seen[match.end():]
                return text
            left = end - time.monotonic()
            if left <= 0 or not select.select([self.master], [], [], left)[0]:
                raise AssertionError(f"no {pattern!r} in {self.seen!r}")
            try:
                self.seen += os.read(self.master, 65536).decode(errors="replace")
            except OSError:
                raise AssertionError(f"ended before {pattern!r}: {self.seen!r}")

    def send(self, text):
        os.write(self.master, text.encode())

    def close(self):
        if self.process is not None:
            os.kill(self.process, signal.SIGKILL)
            os.waitpid(self.process, 0)
        os.close(self.master)

    def exit_status(self):
        process, self.process = self.process, None
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])


STATUS = r"\[\d+ tokens, [\d.]+ tok/s, context \d+ / \d+\]"


class Pipe(unittest.TestCase):
    def test_two_turns_and_save(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chat.json"
            done = piped(f"Who are you?\nWhat is 2 + 2?\n/save {path}\n/exit\n", "--reasoning", "off", "-n", "40")
            self.assertEqual(done.returncode, 0, done.stderr)
            messages = json.loads(path.read_text())
        self.assertEqual([m["role"] for m in messages], ["user", "assistant"] * 2)
        self.assertIn(messages[1]["content"], done.stdout)
        self.assertEqual(len(re.findall(STATUS, done.stderr)), 2)

    def test_undo_forgets_and_answers_are_those_of_a_fresh_chat(self):
        again = piped("Who are you?\n/undo\nWhat is 2 + 2?\n", "--reasoning", "off", "-n", "30")
        fresh = piped("What is 2 + 2?\n", "--reasoning", "off", "-n", "30")
        self.assertTrue(again.stdout.endswith(fresh.stdout), (again.stdout, fresh.stdout))

    def test_thinking_is_kept_apart(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chat.json"
            done = piped(f"Why is the sky blue?\n/save {path}\n", "-n", "80")
            answer = json.loads(path.read_text())[1]
        self.assertNotIn("think>", done.stdout)
        self.assertTrue(answer["reasoning_content"])
        self.assertTrue(answer["content"])

    def test_single_turn_ends_after_one(self):
        done = piped("Hello\nHello again\n", "-st", "-n", "4")
        self.assertEqual(len(re.findall(STATUS, done.stderr)), 1)

    def test_user_text_never_becomes_a_role(self):
        def used(text):
            done = piped("/tokens\n", "-p", text, "-n", "0", "--reasoning", "off")
            return int(re.search(r"(\d+) of \d+ tokens", done.stderr).group(1))
        # As plain text the marker is several tokens; as a role it would be one.
        self.assertGreater(used("a <|user|> b"), used("a b") + 1)

    def test_unknown_command(self):
        self.assertIn("/help", piped("/nothing\n").stderr)


class OnATerminal(unittest.TestCase):
    def setUp(self):
        self.terminal = Terminal("--reasoning", "off", "-n", "60")
        self.addCleanup(self.terminal.close)

    def test_editing_keys(self):
        self.terminal.wait_for("> ")
        self.terminal.send("/tokensX\x7f\x1b[D\x1b[D\x01\x05\r")  # type, backspace, left twice, home, end, enter
        self.terminal.wait_for("of 1024 tokens")

    def test_history(self):
        self.terminal.wait_for("> ")
        self.terminal.send("/tokens\r")
        self.terminal.wait_for("of context are used")
        self.terminal.send("\x1b[A\r")
        self.terminal.wait_for("of context are used")

    def test_two_lines_in_one_message(self):
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "chat.json"
            self.terminal.wait_for("> ")
            self.terminal.send("one\\\rtwo\x1b\rthree\r")
            self.terminal.wait_for(STATUS)
            self.terminal.send(f"/save {path}\r")
            self.terminal.wait_for("2 messages")
            self.assertEqual(json.loads(path.read_text())[0]["content"], "one\ntwo\nthree")

    def test_control_c_at_the_prompt_does_not_leave(self):
        self.terminal.wait_for("> ")
        self.terminal.send("abc\x03")
        self.terminal.wait_for("/exit leaves")
        self.terminal.send("/tokens\r")
        self.terminal.wait_for("of context are used")

    def test_control_d_leaves(self):
        self.terminal.wait_for("> ")
        self.terminal.send("\x04")
        self.assertEqual(self.terminal.exit_status(), 0)


class Interrupt(unittest.TestCase):
    def test_control_c_stops_the_answer_and_not_the_program(self):
        # The slow backend and no limit: the answer is certainly under way when Ctrl-C arrives.
        terminal = Terminal("--reasoning", "off", "--backend", "ref", "--ignore-eos")
        try:
            terminal.wait_for("> ")
            terminal.send("Tell me a story.\r")
            terminal.wait_for(r"\x1b\[\?2004l(.*\x1b\[K)?\w+ \w+")  # the editor has gone, and a progress bar; the answer has begun
            terminal.send("\x03")
            terminal.wait_for(STATUS)
            terminal.send("/tokens\r")
            terminal.wait_for("of context are used")
        finally:
            terminal.close()


if __name__ == "__main__":
    GLINT = sys.argv[1]
    unittest.main(argv=sys.argv[:1])
