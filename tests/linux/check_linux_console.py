#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Types at the shells of stock Linux kernels under hvsim:

    check_linux_console.py HVSIM GUESTS

By scripts, pipes and a terminal; what was typed makes the same run again.
"""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

from linux_cases import NOTHING, RELEASES, SKIPPED

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))
from console_case import ConsoleCase, DEADLINE_S, run_tests  # noqa: E402

HVSIM = GUESTS = None  # set by main()

HEAD = """\
hvsim: 1
name: typed
duration: {duration}
host: {{nodes: [{{lps: 2, memory: 8GiB}}]}}
root: {{vps: 1, memory: 512MiB}}
vms:
"""
VM = """\
  - name: {name}
    vps: {vps}
    memory: 512MiB
    enlightenments: {enlightenments}
    guest:
      linux: {files}/vmlinuz
      initrd: {files}/initrd
      cmdline: 'console=ttyS0 quiet {cmdline} hvsim.run="{run}"'
"""
PROMPT = " # "
CTRL_C, CTRL_D, CTRL_RIGHT_BRACKET = "\x03", "\x04", b"\x1d"


def vm(name="web", release="bookworm", vps=1, cmdline="", run="sh",
       enlightenments=None):
    return VM.format(name=name, vps=vps, cmdline=cmdline, run=run,
                     files=Path(GUESTS).resolve() / release,
                     enlightenments=json.dumps(enlightenments or {}))


def steps(*talk):
    """A console block of pairs: what to expect, or "", and what to send."""
    block = "    console:\n"
    for expect, send in talk:
        step = {"expect": expect, "timeout": "30s"} if expect else {}
        block += "      - " + json.dumps({**step, "send": send}) + "\n"
    return block


class LinuxConsole(ConsoleCase):
    def write(self, *vms, name="typed", duration="1min"):
        (self.path / f"{name}.yaml").write_text(
            HEAD.format(duration=duration) + "".join(vms))

    def hvsim(self, *args, **more):
        return subprocess.run([HVSIM, *args], cwd=self.path,
                              capture_output=True, text=True,
                              timeout=DEADLINE_S, check=False, **more)

    def run_it(self, name="typed", code=0):
        done = self.hvsim("run", f"{name}.yaml", "--quiet", "--force", "-o",
                          f"{name}.db", stdin=subprocess.DEVNULL)
        self.assertEqual(done.returncode, code, done.stderr)
        return done.stderr

    def text(self, name="typed"):
        return "\n".join(line for line, in self.rows(
            "SELECT line FROM console WHERE vm = 'web'", name))

    def assert_repeats(self, web, *others, duration="1min"):
        """What was typed, with its times, makes the same run."""
        script = self.hvsim("console", "typed.db", "web", "--script").stdout
        self.write(web + script, *others, name="again", duration=duration)
        self.run_it("again")
        self.assertEqual(self.what_counts("again"), self.what_counts())

    def test_a_script_talks_to_a_shell_in_the_same_way_each_time(self):
        for release in RELEASES:
            with self.subTest(release):
                web = vm(release=release)
                self.write(web + steps(
                    (PROMPT, "echo $((6*7))\n"), ("\r\n42\r\n", ""),
                    (PROMPT, "echo up; sleep 1000\n"), ("\nup\r\n", CTRL_C),
                    ("^C", ""), (PROMPT, "exit 0\n")))
                self.run_it()
                first = self.what_counts()
                self.run_it()
                self.assertEqual(self.what_counts(), first)
                self.assert_repeats(web)

    def paste(self, **more):
        """Pastes a file into a shell, and lets it say what it has got."""
        text = "".join(f"line {i} {'x' * (i % 70)}\n" for i in range(120))
        parts = [text[i:i + 4096] for i in range(0, len(text), 4096)]
        web = vm(**more)
        self.write(web + steps(
            (PROMPT, "stty -echo; cat > /tmp/text\n"), ("/tmp/text\r\n", ""),
            *(("", part) for part in parts),
            ("", CTRL_D + "stty echo; md5sum /tmp/text\n"),
            ("/tmp/text\r\n", ""), (PROMPT, "exit 0\n")))
        return web, text

    def test_what_is_pasted_arrives_whole(self):
        for more in ({"vps": 2}, {"enlightenments": NOTHING},
                     {"cmdline": "noapic"}):
            with self.subTest(more):
                web, text = self.paste(**more)
                self.run_it()
                self.assertIn(hashlib.md5(text.encode()).hexdigest(),
                              self.text())
                self.assert_repeats(web)

    def test_it_repeats_beside_vms_that_work(self):
        web = vm(vps=2)
        busy = vm("busy", vps=2, run="hvsim-job 2 400")
        self.write(web + steps((PROMPT, "hvsim-job 2 100\n"),
                               ("elapsed", ""), (PROMPT, "exit 0\n")), busy)
        self.run_it()
        self.assert_repeats(web, busy)

    def test_a_text_that_never_comes_fails_the_run(self):
        self.write(vm() + steps((PROMPT, "ls /\n"), ("password: ", "x\n")),
                   duration="2s")
        err = self.run_it(code=1)
        self.assertIn('VM "web": console[1]', err)
        self.assertIn("'password: '", err)
        self.assertIn("the last line is ", err)

    def test_a_pipe_is_typed_when_the_shell_listens(self):
        self.write(vm())
        done = self.hvsim("run", "typed.yaml", "--quiet", "--console", "web",
                          input="echo $((6*7))\nexit\n")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("\n42\n", done.stdout)
        self.assert_repeats(vm())

    def test_a_person_talks_to_a_shell_and_leaves(self):
        self.write(vm(), duration="1h")
        with self.terminal_pair() as (ours, theirs):
            process = subprocess.Popen(
                [HVSIM, "run", "typed.yaml", "--quiet", "--console", "web"],
                cwd=self.path, stdin=theirs, stdout=theirs,
                start_new_session=True)
            try:
                self.talk_to_a_shell(ours)
                os.write(ours, CTRL_RIGHT_BRACKET)
                self.assertEqual(process.wait(DEADLINE_S), 130)
            finally:
                process.kill()
                process.wait()
        ended, = self.rows("SELECT sim_ns FROM run")[0]
        self.assert_repeats(vm(), duration=f"{ended}ns")

    def talk_to_a_shell(self, terminal):
        self.read_until(terminal, PROMPT.encode())
        for key in b"echo $((6*7))\r":
            os.write(terminal, bytes([key]))
        self.read_until(terminal, b"\r\n42\r\n")
        self.read_until(terminal, PROMPT.encode())
        os.write(terminal, b"echo up; sleep 1000\r")
        self.read_until(terminal, b"\nup\r\n")
        os.write(terminal, CTRL_C.encode())
        self.read_until(terminal, PROMPT.encode())


def main(hvsim, guests):
    global HVSIM, GUESTS
    HVSIM, GUESTS = Path(hvsim).resolve(), guests
    for release in RELEASES:
        if not (Path(guests) / release / "initrd").exists():
            print(f"SKIPPED: there is no kernel of {release} in {guests}; it "
                  "is NOT tested that its console can be typed at.")
            return SKIPPED
    return run_tests()


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit("usage: check_linux_console.py HVSIM GUESTS")
    sys.exit(main(*sys.argv[1:]))
