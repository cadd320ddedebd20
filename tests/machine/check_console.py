#!/usr/bin/env python3
# SPDX-License-Identifier: GPL-2.0-or-later
"""Types at consoles of the real hvsim: by scenarios, pipes and terminals.

usage: check_console.py HVSIM

The guest is the workload "echo". Each test works in a folder of its own.
"""
import contextlib
import os
import pathlib
import re
import select
import signal
import subprocess
import sys
import termios
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
from console_case import ConsoleCase, DEADLINE_S, run_tests  # noqa: E402

HVSIM = pathlib.Path(sys.argv[1]).resolve()
CTRL_RIGHT_BRACKET = b"\x1d"
BAUD = 115200

HEAD = """\
hvsim: 1
name: typed
duration: {duration}
host: {{nodes: [{{lps: {lps}, memory: 1GiB}}]}}
root: {{vps: 2, memory: 256MiB}}
counters: {{interval: 10ms}}
vms:
"""
VM = """\
  - name: {name}
    memory: 16MiB
    guest: {{workload: {workload}}}
"""


class Console(ConsoleCase):
    def write(self, *vms, duration="2s", lps=2, name="typed"):
        """A scenario of VMs, each (name, workload, steps or a script)."""
        text = HEAD.format(duration=duration, lps=lps)
        for vm, workload, steps in vms:
            text += VM.format(name=vm, workload=workload)
            if "console:" in steps or not steps:
                text += steps
                continue
            text += "    console:\n" + "".join(
                f"      - {{{step}}}\n" for step in steps.split("; "))
        (self.path / f"{name}.yaml").write_text(text)

    def write_echo(self, steps="", mode="echo", **more):
        self.write(("web", f"echo, args: {{mode: {mode}}}", steps), **more)

    def hvsim(self, *args, stdin=b"", **more):
        """(exit code, standard output, standard error) of a run."""
        done = subprocess.run([HVSIM, *args], cwd=self.path, input=stdin,
                              capture_output=True, timeout=DEADLINE_S,
                              check=False, **more)
        return (done.returncode, done.stdout.decode(errors="replace"),
                done.stderr.decode(errors="replace"))

    def run_it(self, *args, name="typed", **more):
        return self.hvsim("run", f"{name}.yaml", "--force", "-o", f"{name}.db",
                          *args, **more)

    def lines(self, vm="web", name="typed"):
        return [line for line, in self.rows(
            f"SELECT line FROM console WHERE vm = '{vm}'", name)]

    def script(self, vm="web", name="typed"):
        code, out, err = self.hvsim("console", f"{name}.db", vm, "--script")
        self.assertEqual((code, err), (0, ""))
        return out

    def assert_repeats(self, *vms, **more):
        """The run of typed.db, with what was typed as a script, is the same
        run. Each VM is (name, workload)."""
        typed = {vm for vm, in self.rows("SELECT DISTINCT vm FROM input")}
        self.write(*((vm, workload, self.script(vm) if vm in typed else "")
                     for vm, workload in vms),
                   name="again", **more)
        code, _, err = self.run_it("--quiet", name="again")
        self.assertEqual((code, err), (0, ""))
        self.assertEqual(self.what_counts("again"), self.what_counts())

    # By scenarios.

    def test_a_script_talks_to_a_guest_in_the_same_way_each_time(self):
        self.write_echo(r'expect: "ready\n", send: "hello\n"; '
                        r'expect: "echo: hello\n", send: "bye\r", timeout: 1s')
        for name in ("typed", "second"):
            code, _, err = self.hvsim("run", "typed.yaml", "--quiet", "-o",
                                      f"{name}.db")
            self.assertEqual((code, err), (0, ""))
        self.assertEqual(self.lines()[:3],
                         ["ready", "echo: hello", "echo: bye"])
        self.assertEqual([bytes(b) for b, in
                          self.rows("SELECT bytes FROM input")],
                         [b"hello\n", b"bye\r"])
        self.assertEqual(self.what_counts("second"), self.what_counts())

    def test_what_scripts_led_to_is_repeated_by_its_times(self):
        echo = "echo, args: {poll: 100us}"
        hello = (r'expect: "ready\n", after: 3ms, send: "hello\n"; '
                 r'expect: "hello\n"; send: "more\n"')
        bye = r'expect: "ready\n", send: "a\nb\n"; after: 7ms, send: "bye\n"'
        # Whose traces would show it if time were cut elsewhere.
        ticks = "tick-idle, args: {hz: 50000}"
        self.write(("web", echo, hello), ("clock", echo, bye),
                   ("ticks", ticks, ""), ("busy", "threads", ""),
                   lps=4, duration="50ms")
        self.assertEqual(self.run_it("--quiet")[0], 0)
        self.assert_repeats(("web", echo), ("clock", echo), ("ticks", ticks),
                            ("busy", "threads"), lps=4, duration="50ms")

    def assert_fails(self, *words):
        code, _, err = self.run_it("--quiet")
        self.assertEqual(code, 1)
        for word in words:
            self.assertIn(word, err)
        self.assertEqual(self.rows("SELECT vm FROM failure"), [("web",)])

    def test_a_text_that_never_comes_fails_the_run_and_is_named(self):
        self.write_echo(r'expect: "ready\n", send: "x\n"; expect: "lo\tgin:"',
                        duration="100ms")
        self.assert_fails('VM "web"', "console[1]", "'lo", "gin:'",
                          "the last line is 'echo: x'")
        self.assertEqual(self.rows("SELECT sim_ns FROM run"), [(100000000,)])

    def test_a_text_that_is_late_ends_the_run(self):
        self.write_echo('expect: "login:", timeout: 20ms', duration="100s")
        self.assert_fails('VM "web"', "console[0]", "'login:'", "within 20ms",
                          "the last line is 'ready'")
        ended, = self.rows("SELECT sim_ns FROM run")[0]
        self.assertLess(abs(ended - 20000000), 100000)

    def test_a_step_that_the_run_does_not_come_to_fails_it(self):
        self.write_echo('at: 200ms, send: "x"', duration="100ms")
        self.assert_fails('VM "web"', "console[0]", "before it was time")

    def test_a_guest_that_does_not_read_holds_up_nobody(self):
        self.write_echo(f'expect: "ready", send: "{"x" * 4096}"; send: "more"',
                        mode="deaf", duration="1s")
        code, _, err = self.run_it()
        self.assertEqual(code, 0)
        # All but what its UART has taken.
        self.assertIn('VM "web": its guest has not read the last 4084 bytes',
                      err)

    def test_a_guest_that_floods_is_matched_and_typed_at(self):
        self.write_echo(r'expect: "flood 12\n", send: "stop!"; '
                        r'expect: "flood 40\n", send: "please!"',
                        mode="flood", duration="50ms")
        self.assertEqual(self.run_it("--quiet")[0], 0)
        self.assertIn("flood 41", self.lines())

    def test_much_is_typed_no_faster_than_the_line_and_none_is_lost(self):
        text = "".join(chr(ord("a") + i % 26) for i in range(4095))
        steps = f'expect: "ready", send: "{text}\\n"; send: "{text}\\n"; ' \
                r'send: "bye\n"'
        self.write_echo(steps, duration="10s")
        self.assertEqual(self.run_it("--quiet")[0], 0)
        said = "".join(line[len("echo: "):] for line in self.lines()
                       if line.startswith("echo: "))
        self.assertEqual(said, text + text + "bye")
        self.assertEqual(dict(self.rows("SELECT name, value FROM result")),
                         {"lines": 3, "bytes": 8196})
        began, = self.rows("SELECT min(time_ns) FROM input")[0]
        ended, = self.rows("SELECT sim_ns FROM run")[0]
        self.assertGreater(ended - began, 8196 * 10 * 10**9 // BAUD)

    def test_a_slow_line_is_slow(self):
        self.write_echo(r'expect: "ready", send: "bye\n"', duration="10s")
        text = (self.path / "typed.yaml").read_text()
        (self.path / "typed.yaml").write_text(text + "    console_baud: 100\n")
        self.assertEqual(self.run_it("--quiet")[0], 0)
        self.assertGreater(self.rows("SELECT sim_ns FROM run")[0][0], 300000000)

    # By pipes and files.

    def test_a_pipe_is_typed_and_standard_output_is_the_console(self):
        self.write_echo()
        code, out, err = self.run_it("--console", "web", stdin=b"hello\nbye\n")
        self.assertEqual(code, 0)
        self.assertEqual(out, "ready\necho: hello\necho: bye\n"
                         "hvsim: result lines 2 count\n"
                         "hvsim: result bytes 10 count\nhvsim: done\n")
        self.assertIn("Logical processors", err)
        self.assert_repeats(("web", "echo, args: {mode: echo}"))

    def test_any_byte_can_be_typed_and_repeated(self):
        self.write_echo()
        self.run_it("--console", "web", "--quiet",
                    stdin=bytes(range(1, 256)) + b"\0\n")
        self.assertIn('hex: "', self.script())
        digits = bytes(range(1, 256)).hex() + "000a"
        for form in ("csv", "json"):
            self.assertIn(digits, self.hvsim("export", "typed.db", "--view",
                                             "input", "--format", form)[1])
        self.assert_repeats(("web", "echo, args: {mode: echo}"))
        self.run_it("--console", "web", "--quiet",
                    stdin="\u00e9\u2028\U0001f600\"\\\t\x1b[A\n".encode())
        self.assertIn(r'send: "\xe9\u2028\U0001f600\"\\\t\e[A\n"',
                      self.script())
        self.assert_repeats(("web", "echo, args: {mode: echo}"))

    def test_a_file_is_typed_at_the_same_times_in_every_run(self):
        self.write_echo(duration="10s")
        (self.path / "input").write_bytes(b"many words\n" * 1000 + b"bye\n")
        counts = []
        for _ in range(2):
            with open(self.path / "input", "rb") as stdin:
                subprocess.run(
                    [HVSIM, "run", "typed.yaml", "--force", "--quiet",
                     "--console", "web"], cwd=self.path, stdin=stdin,
                    stdout=subprocess.DEVNULL, timeout=DEADLINE_S, check=True)
            counts.append(self.what_counts())
        self.assertEqual(counts[0], counts[1])
        self.assertIn(("lines", 1001),
                      self.rows("SELECT name, value FROM result"))

    def test_to_listen_alone_changes_nothing(self):
        vms = [(f"v{i}", "threads", "") for i in range(3)]
        self.write(*vms, duration="30ms")
        self.run_it("--quiet")
        alone = self.what_counts()
        code, out, _ = self.run_it("--quiet", "--console", "v1")
        self.assertEqual(code, 0)
        self.assertEqual(out.splitlines(), self.lines("v1"))
        self.assertEqual(self.what_counts(), alone)

    def test_more_than_a_run_keeps_is_not_typed(self):
        self.write_echo(duration="60s")
        text = (self.path / "typed.yaml").read_text()
        (self.path / "typed.yaml").write_text(
            text + "    console_baud: 4000000\n")
        code, _, err = self.run_it("--console", "web",
                                   stdin=(b"x" * 63 + b"\n") * 4097)
        self.assertEqual(code, 0)
        self.assertIn("no more is typed", err)
        self.assertEqual(self.rows("SELECT sum(length(bytes)) FROM input"),
                         [(256 << 10,)])

    def test_a_conversation_goes_over_pipes(self):
        self.write_echo(duration="1000s")
        with subprocess.Popen(
                [HVSIM, "run", "typed.yaml", "--quiet", "--console", "web"],
                cwd=self.path, stdin=subprocess.PIPE,
                stdout=subprocess.PIPE) as process:
            self.assertEqual(process.stdout.readline(), b"ready\n")
            for word in (b"one\n", b"two\n", b"bye\n"):
                process.stdin.write(word)
                process.stdin.flush()
                self.assertEqual(process.stdout.readline(), b"echo: " + word)
            self.assertEqual(process.wait(DEADLINE_S), 0)
        self.assert_repeats(("web", "echo, args: {mode: echo}"),
                            duration="1000s")

    def test_wrong_uses_are_refused_before_anything_is_run(self):
        self.write(("web", "echo", ""), ("many", "echo", ""))
        text = (self.path / "typed.yaml").read_text()
        (self.path / "typed.yaml").write_text(text + "    count: 2\n")
        code, _, err = self.run_it("--console", "wbe")
        self.assertEqual(code, 2)
        self.assertIn("there is no VM 'wbe'; did you mean 'web'?", err)
        code, _, err = self.run_it("--console", "many")
        self.assertEqual(code, 2)
        code, _, err = self.hvsim("run", "-", "--console", "web",
                                  stdin=(self.path / "typed.yaml").read_bytes())
        self.assertEqual(code, 2)
        self.assertIn("standard input is the scenario", err)
        self.assertEqual([p.name for p in self.path.iterdir()], ["typed.yaml"])

    def test_typing_is_work_of_the_root(self):
        self.write_echo(duration="100ms")
        busy = []
        for text in (b"", b"a" * 400 + b"\n"):
            self.run_it("--quiet", "--console", "web", stdin=text)
            busy += self.rows(
                "SELECT value FROM perf_total WHERE instance LIKE 'Root%' AND"
                " counter = '% Guest Run Time' ORDER BY value DESC LIMIT 1")
        # At least two microseconds for each byte.
        self.assertGreater(busy[1][0] - busy[0][0], 100 * 401 * 2e-6 / 0.1)

    def test_one_of_many_vms_alike_is_typed_at(self):
        self.write_echo(r'expect: "ready\n", send: "all\n"', duration="100ms")
        text = (self.path / "typed.yaml").read_text()
        (self.path / "typed.yaml").write_text(text + "    count: 3\n")
        code, out, _ = self.run_it("--quiet", "--console", "web-2",
                                   stdin=b"one\n")
        self.assertEqual((code, out), (0, "ready\necho: one\necho: all\n"))
        self.assertEqual(self.lines("web-3"), ["ready", "echo: all"])
        self.assertEqual(self.script("web-2").count("at:"), 2)
        self.assertEqual(
            self.rows("SELECT vm, count(*) FROM input GROUP BY vm"),
            [("web-1", 1), ("web-2", 2), ("web-3", 1)])

    def test_a_script_of_nothing_is_refused(self):
        self.write_echo(duration="5ms")
        self.run_it("--quiet")
        self.assertEqual(self.lines(), ["ready"])
        for vm in ([], ["web"]):
            code, out, err = self.hvsim("console", "typed.db", *vm, "--script")
            self.assertEqual((code, out), (66, ""))
            self.assertIn("nothing was typed", err)

    # By terminals.

    @contextlib.contextmanager
    def terminal(self, *args, **more):
        """A run whose console is at a terminal: (process, terminal)."""
        with self.terminal_pair() as (ours, theirs):
            process = subprocess.Popen(
                [HVSIM, "run", "typed.yaml", "--force", "--console", "web",
                 *args], cwd=self.path, stdin=theirs, stdout=theirs,
                stderr=subprocess.PIPE, start_new_session=True, **more)
            with process:
                try:
                    yield process, ours, theirs
                finally:
                    process.kill()

    def leave(self, process, terminal):
        os.write(terminal, CTRL_RIGHT_BRACKET)
        _, err = process.communicate(timeout=DEADLINE_S)
        self.assertEqual(process.returncode, 130)
        self.assertIn(b"interrupted", err)
        return err

    def test_a_person_talks_to_a_guest_and_leaves(self):
        self.write_echo(duration="1000s")
        began = time.monotonic()
        with self.terminal() as (process, ours, theirs):
            before = termios.tcgetattr(theirs)
            self.read_until(ours, b"ready\r\n")
            raw = termios.tcgetattr(theirs)
            self.assertFalse(raw[3] & (termios.ECHO | termios.ISIG |
                                       termios.ICANON))
            os.write(ours, b"h\x03i\r")
            self.read_until(ours, b"echo: h\x03i\r\n")
            err = self.leave(process, ours)
            self.assertEqual(termios.tcgetattr(theirs), before)
        self.assertIn(b"the console of web; Ctrl-] ends the run", err)
        # It did not run away while nobody typed.
        took_ns = (time.monotonic() - began) * 10**9
        sim_ns, = self.rows("SELECT sim_ns FROM run")[0]
        self.assertLess(sim_ns, took_ns + 200000000)

    def test_a_person_can_leave_whatever_the_guest_does(self):
        for mode in ("deaf", "flood"):
            self.write_echo(mode=mode, duration="1000s")
            with self.subTest(mode), self.terminal("--quiet") as (
                    process, ours, theirs):
                before = termios.tcgetattr(theirs)
                self.read_until(ours, b"ready\r\n")
                os.write(ours, b"x" * 3000)
                os.write(ours, b"y" * 3000)
                os.write(ours, CTRL_RIGHT_BRACKET)
                while process.poll() is None:
                    if select.select([ours], [], [], 0.1)[0]:
                        os.read(ours, 65536)
                self.assertEqual(process.returncode, 130)
                self.assertEqual(termios.tcgetattr(theirs), before)

    def test_a_person_can_leave_in_the_middle_of_a_step(self):
        self.write(("web", "heavy-load, args: {busy: 9999s}", ""),
                   duration="10000s")
        with self.terminal("--set", "counters.interval=10000s") as (
                process, ours, _):
            stat = pathlib.Path(f"/proc/{process.pid}/stat")
            used = 0
            while used < 50:  # half a second of the processor
                used = int(stat.read_text().rsplit(")", 1)[1].split()[11])
            self.leave(process, ours)

    def test_what_a_person_typed_is_repeated_exactly(self):
        self.write(("web", "echo", ""), ("busy", "threads", ""),
                   ("clock", "tick-idle", ""), duration="1000s")
        with self.terminal("--quiet") as (process, ours, _):
            self.read_until(ours, b"ready\r\n")
            for letter in b"some words, letter by letter":
                os.write(ours, bytes([letter]))
            os.write(ours, b"\r")
            self.read_until(ours, b"echo: some words, letter by letter\r\n")
            os.write(ours, b"more\r")
            self.read_until(ours, b"echo: more\r\n")
            self.leave(process, ours)
        script = self.script()
        duration = re.search(r"duration: (\w+)\n", script)[1]
        self.write(("web", "echo", script), ("busy", "threads", ""),
                   ("clock", "tick-idle", ""), duration=duration,
                   name="again")
        self.assertEqual(self.run_it("--quiet", name="again")[0], 0)
        self.assertEqual(self.what_counts("again"), self.what_counts())

    def test_whatever_ends_a_run_gives_the_terminal_back(self):
        ends = {
            signal.SIGTERM: 130, signal.SIGINT: 130,
            signal.SIGHUP: -signal.SIGHUP, signal.SIGQUIT: -signal.SIGQUIT,
            signal.SIGSEGV: -signal.SIGSEGV, signal.SIGABRT: -signal.SIGABRT,
        }
        self.write_echo(duration="1000s")
        for number, code in ends.items():
            with self.subTest(number), self.terminal() as (process, ours,
                                                           theirs):
                before = termios.tcgetattr(theirs)
                self.read_until(ours, b"ready\r\n")
                self.assertNotEqual(termios.tcgetattr(theirs), before)
                process.send_signal(number)
                process.communicate(timeout=DEADLINE_S)
                self.assertEqual(process.returncode, code)
                self.assertEqual(termios.tcgetattr(theirs), before)

    def test_a_reader_that_goes_away_gives_the_terminal_back(self):
        self.write_echo(mode="flood", duration="1000s")
        with self.terminal_pair() as (_, theirs):
            before = termios.tcgetattr(theirs)
            process = subprocess.Popen(
                [HVSIM, "run", "typed.yaml", "--quiet", "--console", "web"],
                cwd=self.path, stdin=theirs, stdout=subprocess.PIPE,
                start_new_session=True, restore_signals=True)
            self.assertEqual(process.stdout.readline(), b"ready\n")
            self.assertNotEqual(termios.tcgetattr(theirs), before)
            process.stdout.close()
            self.assertEqual(process.wait(DEADLINE_S), -signal.SIGPIPE)
            self.assertEqual(termios.tcgetattr(theirs), before)

    def test_the_end_of_a_run_gives_the_terminal_back(self):
        self.write_echo(duration="1000s")
        with self.terminal() as (process, ours, theirs):
            before = termios.tcgetattr(theirs)
            self.read_until(ours, b"ready\r\n")
            os.write(ours, b"bye\r")
            _, err = process.communicate(timeout=DEADLINE_S)
            self.assertEqual(process.returncode, 0)
            self.assertEqual(termios.tcgetattr(theirs), before)
        self.assertIn(b"Logical processors", err)

    def test_a_terminal_that_goes_away_ends_its_input(self):
        self.write_echo(duration="30ms")
        with self.terminal_pair() as (_, theirs):
            process = subprocess.Popen(
                [HVSIM, "run", "typed.yaml", "--quiet", "--console", "web"],
                cwd=self.path, stdin=theirs, stdout=subprocess.DEVNULL,
                start_new_session=True)
        self.assertEqual(process.wait(DEADLINE_S), 0)


if __name__ == "__main__":
    sys.exit(run_tests())
