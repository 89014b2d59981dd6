# SPDX-License-Identifier: MIT
"""The probe as a whole: in which order it asks, what it may do, and how it cleans up."""

from __future__ import annotations

import re
import secrets
from collections.abc import Callable
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from onemo_simulator.profiles import find

from onemo_tools.deploy.ports import unnumbered
from onemo_tools.probe import connecting, reading, restarting, writing
from onemo_tools.probe.findings import Findings
from onemo_tools.probe.talk import Gone, NoAnswer, NoModule, ProbeError, Restarted, Talk
from onemo_tools.servers import pki

if TYPE_CHECKING:
    from collections.abc import Iterator

    from onemo_tools.probe.port import Port
    from onemo_tools.probe.talk import Answer

PREFIX = "onemo-probe-"
CERT, KEY, PSK = 1, 2, 3
_COMMAND = {CERT: "CERT", KEY: "KEY"}
_STORE_S = 30.0
_LONGEST = 16384  # bytes of a line that is tried

Step = tuple[str, Callable[["Probe"], None]]

READ: tuple[Step, ...] = (
    ("what it calls itself", reading.names),
    ("its clock", reading.clock),
    ("TLS: options, ranges, cipher suites", reading.tls),
    ("connections: options, ranges", reading.sockets),
    ("which commands there are", reading.commands),
    ("how a line is framed", reading.line),
    ("the SIM's commands", reading.sim),
    ("the longest command line", reading.long_lines),
    ("the same once more", reading.again),
)
WRITE: tuple[Step, ...] = (
    ("writing certificates and keys", writing.store),
    ("data inside the command", writing.inline),
    ("TLS options: which are kept", writing.contexts),
    ("connection options: which are kept", writing.links),
    ("a packet that is broken off", writing.packets),
    ("power saving", writing.power),
)
WRITE_PSK: tuple[Step, ...] = (("pre-shared keys", writing.psk),)
CONNECT: tuple[Step, ...] = (
    ("network time", connecting.network_time),
    ("connections: the order of answers", connecting.plain),
    ("transparent mode", connecting.transparent),
    ("TLS: host names, missing and bad certificates", connecting.tls),
    ("TLS: how many links at once", connecting.links),
    ("TLS: a server that is silent", connecting.silent),
)
RESTART: tuple[Step, ...] = (
    ("contexts that are ended", restarting.contexts),
    ("what a reboot leaves", restarting.reboot),
)
GROUPS = {"read": READ, "write": WRITE, "psk": WRITE_PSK, "connect": CONNECT, "reboot": RESTART}


@dataclass
class Server:
    """The probe's server as the module reaches it: `port` has the right name, the next one a
    wrong one, the third is plain TCP, the fourth never answers a handshake."""

    host: str
    port: int
    ca: bytes


@dataclass
class Plan:
    """What the probe may do."""

    write: bool = True
    reboot: bool = True
    psk: bool = False
    server: Server | None = None

    def groups(self) -> list[str]:
        """Names of the groups of steps, in order."""
        return [
            "read",
            *(["write"] if self.write else []),
            *(["psk"] if self.write and self.psk else []),
            *(["connect"] if self.write and self.server else []),
            *(["reboot"] if self.write and self.reboot else []),
        ]


@dataclass
class Pems:
    """Objects that the probe writes."""

    ca: bytes
    cert: bytes
    key: bytes
    psk: str  # hexadecimal

    @classmethod
    def make(cls) -> Pems:
        """A CA of its own, and a leaf: small ones, EC."""
        authority = pki.Authority("onemo probe", algorithm="ec")
        leaf = authority.issue("onemo probe device", algorithm="ec")
        return cls(authority.pem, leaf.certificate, leaf.key, secrets.token_hex(16))


@dataclass
class Touched:
    """What the probe has changed and will put back."""

    names: set[str] = field(default_factory=set)  # of objects
    psks: set[str] = field(default_factory=set)
    contexts: dict[tuple[int, str], bytes] = field(default_factory=dict)  # values as they were
    links: dict[tuple[int, str], bytes] = field(default_factory=dict)
    open_links: set[int] = field(default_factory=set)
    pdp: set[int] = field(default_factory=set)  # contexts that were up
    owed: int = 0  # bytes that a prompt still waits for
    transparent: bool = False  # the line is a connection


def _utc() -> datetime:
    return datetime.now(UTC)


class Probe:
    """One probing of one module. `say(text)`: progress; `utc()`: the time, for its clock."""

    def __init__(
        self,
        port: Port,
        plan: Plan | None = None,
        *,
        say: Callable[[str], None] = lambda text: None,
        utc: Callable[[], datetime] = _utc,
        hear: Callable[[str, bytes], None] | None = None,
        allow: Callable[[str], bool] = lambda group: True,
        tag: str | None = None,
    ) -> None:
        self.talk = Talk(port, hear)
        self.plan = plan or Plan()
        self.found = Findings()
        self.pems = Pems.make()
        self.utc = utc
        self.touched = Touched()
        self.options: list[str] = []  # MSSLCFG's that are there
        self.mipcfg: list[str] = []
        self.suites: list[int] = []
        self.free_contexts: list[int] = []
        self.free_links: list[int] = []
        self.network_zone: int | None = None
        self._say = say
        self._allow = allow
        self._tag = tag or secrets.token_hex(2)
        self._step = ""
        self._cmee: bytes | None = None
        self._echo = False
        self._verbose = True
        self._greeted = False

    # --- the course of things -------------------------------------------------------------------

    def run(self) -> Findings:
        """Asks everything that the plan allows; what was found. ProbeError tells what went wrong
        and what became of what was written. On KeyboardInterrupt it cleans up as well."""
        try:
            self._begin()
            self._steps()
            left = self._clean_at_last()
        except (Restarted, Gone) as error:
            raise ProbeError(f"{error}, at: {self._step}. {self._after(error)}") from None
        except NoModule:
            if self._greeted:
                with suppress(ProbeError, NoAnswer, OSError):
                    self.clean_up()
            raise
        except OSError as error:
            raise ProbeError(f"{unnumbered(error)}. {self._left_behind()}") from None
        except KeyboardInterrupt:
            self._say("interrupted, cleaning up; again Ctrl-C leaves it undone")
            try:
                self._say(self._clean_sentence())
            except KeyboardInterrupt:
                self._say(self._left_behind())
            raise
        if left:
            self.found.note("left behind", left)
            self._say("left behind: " + "; ".join(left))
        return self.found

    def _clean_at_last(self) -> list[str]:
        """The clean-up when all has been asked; once more if a command is not answered."""
        self._step = "cleaning up"
        try:
            return self.clean_up()
        except NoAnswer:
            try:
                return self.clean_up()
            except NoAnswer as error:
                raise Gone(str(error)) from None

    def _steps(self) -> None:
        groups = self.plan.groups()
        total = sum(len(GROUPS[group]) for group in groups)
        at = 0
        for group in groups:
            allowed = group == "read" or self._allow(group)
            if group != "read":
                self.talk.sync()  # the answer may have taken long
            if group == "write" and allowed:
                self._remove_old()
            for text, step in GROUPS[group]:
                at += 1
                if not allowed:
                    continue
                self._step = text
                self._say(f"[{at}/{total}] {text}")
                try:
                    step(self)
                except NoAnswer as error:
                    self._say(f"    {error}")
                    self.found.observed.setdefault("not answered", []).append(str(error))
            if group == "write" and not allowed:
                break

    def _begin(self) -> None:
        self._step = "the first AT"
        talk = self.talk
        first = talk.greet()
        self._greeted = True
        self._verbose = b"OK" in first
        self.found.set("quirks.verbose", self._verbose)
        self._echo = first.startswith(b"AT\r")
        self.found.note("echo at first", self._echo)
        if not self._verbose:
            talk.ask("ATV1")
        talk.echo_off()
        level = talk.ask("AT+CMEE?")
        if level.ok and level.lines:
            self._cmee = level.values()[0].strip()
            self.found.note("CMEE at first", int(self._cmee) if self._cmee.isdigit() else None)
        talk.ask("AT+CMEE=1")

    # --- cleaning up ----------------------------------------------------------------------------

    def _after(self, error: Exception) -> str:
        """What became of what was written, when the module went away and may be back."""
        if not self._has_touched() and isinstance(error, Gone):
            return "Nothing had been written"
        if isinstance(error, Restarted) or self.talk.wait_for_restart():
            self.talk.wait_for_restart()
            return self._clean_sentence()
        return self._left_behind()

    def _has_touched(self) -> bool:
        touched = self.touched
        return any((touched.names, touched.psks, touched.contexts, touched.links, touched.pdp))

    def _clean_sentence(self) -> str:
        try:
            left = self.clean_up()
        except (ProbeError, NoAnswer, OSError):
            return self._left_behind()
        if left:
            return "Cleaned up, but: " + "; ".join(left)
        return "Cleaned up: nothing of the probe is left in the module"

    def _left_behind(self) -> str:
        if not self._has_touched():
            return "Nothing had been written"
        return (
            f"It could not be cleaned up: what is called {PREFIX}{self._tag}-… may still be in "
            "the module (`onemo certs ls`, `onemo certs rm`; the next probe removes it as well), "
            "and options of one ssl_id may be changed until the module restarts"
        )

    def clean_up(self) -> list[str]:
        """Removes and restores all that this probe has changed; what could not be, in words."""
        talk = self.talk
        talk.expect_restart = True  # another one would be no news
        talk.echo_may_come()
        if self.touched.transparent:
            connecting.leave_transparent(self)
        if self.touched.owed:
            talk.send(b"\r" * self.touched.owed)
            talk.drain(0.5, 5.0)
            self.touched.owed = 0
        talk.sync()
        talk.ask("ATE0")
        if self._cmee is not None:
            talk.ask("AT+CMEE=1")
        left: list[str] = []
        for link in sorted(self.touched.open_links):
            self.close(link)
        left += self._remove_all()
        left += self.put_back()
        for cid in sorted(self.touched.pdp):
            if not restarting.bring_up(self, cid):
                left.append(f"PDP context {cid} is down")
        self.touched.pdp.clear()
        if self._cmee is not None:
            talk.ask(b"AT+CMEE=" + self._cmee)
        if self._echo:
            talk.ask("ATE1")
        if not self._verbose:
            talk.send(b"ATV0\r")
            talk.drain(0.2, 1.0)
        return left

    def put_back(self) -> list[str]:
        """Every option that was changed as it was; what could not be, as sentences."""
        left = []
        for what, kept in (("MSSLCFG", self.touched.contexts), ("MIPCFG", self.touched.links)):
            for (number, option), values in list(kept.items()):
                if self._restore(what, option, number, values):
                    del kept[number, option]
                else:
                    left.append(f'{what} "{option}" of {number} is no longer {_text(values)}')
        return left

    def _remove_all(self) -> list[str]:
        left = []
        for name in sorted(self.touched.names | self.touched.psks):
            self.remove(name)
        for kind in (CERT, KEY) if self.touched.names else ():
            for name in self.listed(kind) & self.touched.names:
                self.remove(name)
                if name in self.listed(kind):
                    left.append(f"{name} cannot be removed")
        if self.touched.psks:
            for name in self.listed(PSK) & self.touched.psks:
                left.append(f"PSK id {name}: this module's AT+MSSLRM takes none")
        self.touched.names.clear()
        self.touched.psks.clear()
        return left

    def others(self) -> list[str]:
        """Names of objects that are not the probe's."""
        kinds = (CERT, KEY, PSK) if self.found.get("tls") else ()
        return [n for kind in kinds for n in self.listed(kind) if not n.startswith(PREFIX)]

    def _remove_old(self) -> None:
        """Objects of a probe that was killed."""
        if not self.found.get("tls"):
            return
        for kind in (CERT, KEY):
            for name in self.listed(kind):
                if name.startswith(PREFIX):
                    self._say(f"    removing {name}, which an earlier probe left")
                    self.remove(name)

    # --- what steps use -------------------------------------------------------------------------

    def name(self, what: str) -> str:
        """A name that nobody else uses."""
        return f"{PREFIX}{self._tag}-{what}"

    def listed(self, kind: int) -> set[str]:
        """Names of the objects of a kind, of this probe and of others."""
        answer = self.talk.ask(f"AT+MSSLLIST={kind}", _STORE_S)
        values = (value.decode("latin-1") for value in answer.values(b"+MSSLLIST:"))
        return {value.rpartition(",")[0].strip('"') for value in values}

    def put(self, kind: int, what: str, data: bytes, remain: int = 0) -> Answer:
        """Writes an object of the probe's own, as the module takes it."""
        name = self.name(what)
        self.touched.names.add(name)
        if self.found.get("data_mode") is False:
            return self.put_inline(kind, what, _escaped(data), 0, remain)
        head = f'AT+MSSL{_COMMAND[kind]}WR="{name}",{remain},{len(data)}'
        prompt, answer = self.talk.prompt(head)
        if prompt is None:
            return answer
        self.touched.owed = len(data)
        answer = self.talk.finish(data, _STORE_S, head)
        self.touched.owed = 0
        return answer

    def put_inline(
        self, kind: int, what: str, typed: bytes, length: int, remain: int = 0
    ) -> Answer:
        """The same with the data in the command."""
        name = self.name(what)
        self.touched.names.add(name)
        head = f'AT+MSSL{_COMMAND[kind]}WR="{name}",{remain},{length},"'.encode()
        return self.talk.ask(head + typed + b'"', _STORE_S)

    def remove(self, name: str) -> Answer:
        """Removes an object."""
        return self.talk.ask(f'AT+MSSLRM="{name}"', _STORE_S)

    def clear(self, *objects: str) -> None:
        """Removes objects of the probe's own, of whatever kind."""
        for what in objects:
            while self.remove(self.name(what)).ok:
                pass

    def set_option(self, number: int, option: str, values: bytes) -> Answer:
        """MSSLCFG of a context that is put back in the end."""
        kept = self.touched.contexts
        if (number, option) not in kept:
            kept[number, option] = self.values("MSSLCFG", option, number)
        return self.talk.ask(b'AT+MSSLCFG="%s",%d,%s' % (option.encode(), number, values))

    def set_link(self, number: int, option: str, values: bytes) -> Answer:
        """MIPCFG of a connection id that is put back in the end."""
        kept = self.touched.links
        if (number, option) not in kept:
            kept[number, option] = self.values("MIPCFG", option, number)
        return self.talk.ask(b'AT+MIPCFG="%s",%d,%s' % (option.encode(), number, values))

    def values(self, what: str, option: str, number: int) -> bytes:
        """An option's values as the module has them; b"" where it says none."""
        answer = self.talk.ask(f'AT+{what}="{option}",{number}')
        for value in answer.values(f"+{what}:".encode()):
            parts = value.split(b",", 2)
            if len(parts) == 3 and parts[1].strip() == b"%d" % number:
                return parts[2].strip()
        return b""

    def all_values(self, what: str, option: str) -> dict[int, bytes]:
        """The same of every id."""
        found = {}
        for value in self.talk.ask(f'AT+{what}="{option}"').values(f"+{what}:".encode()):
            parts = value.split(b",", 2)
            if len(parts) == 3 and parts[1].strip().isdigit():
                found[int(parts[1])] = parts[2].strip()
        return found

    def _restore(self, what: str, option: str, number: int, values: bytes) -> bool:
        def same() -> bool:
            now = self.values(what, option, number)
            return now.replace(b'"NULL"', b'""') == values.replace(b'"NULL"', b'""')

        if not values or same():
            return True
        for form in self._as_set(option, values):
            self.talk.ask(f'AT+{what}="{option}",{number},'.encode() + form)
            if same():
                return True
        return False

    def _as_set(self, option: str, values: bytes) -> tuple[bytes, ...]:
        """Values that were read, in the forms that may set them."""
        if option in ("cert", "psk"):
            return (values.replace(b'"NULL"', b'""'),)
        if option == "ciphersuite":  # read with 0x, written without it by most
            return re.sub(rb"\A0[xX]", b"", values), values
        return (values,)

    def close(self, link: int) -> None:
        """Closes a connection of the probe's own."""
        self.talk.ask(f"AT+MIPCLOSE={link}")
        self.talk.wait_urc(b"+MIPCLOSE: %d" % link, 3.0)
        self.touched.open_links.discard(link)

    def found_line(self, make: Callable[[int], bytes], most: int = _LONGEST) -> None:
        """Finds the longest line, by lines of any length that are answered alike."""
        usual = self.talk.ask(make(200), 15.0).code
        if usual == "error":  # as a line is answered that is too long
            return

        def fits(size: int) -> bool:
            try:
                same = self.talk.ask(make(size), 15.0).code == usual
                self.talk.notice(self.talk.drain(0.1))  # what else a cut line may have said
                return same
            except NoAnswer:
                return False

        low, high = 200, 512
        while fits(high):
            low, high = high, high * 2
            if high > most:
                self.found.missing("line", f"longer than {low} bytes, and no more was tried")
                return
        while high - low > 1:
            middle = (low + high) // 2
            if fits(middle):
                low = middle
            else:
                high = middle
        self.found.set("line", low)

    @contextmanager
    def restart_expected(self) -> Iterator[None]:
        """While the module restarts because it was asked to."""
        self.talk.expect_restart = True
        self.talk.echo_may_come()
        try:
            yield
        finally:
            self.talk.expect_restart = False


def profile_of(found: Findings) -> dict[str, Any]:
    """The JSON of what was found; over a series that is known, whose facts stand in for null."""
    data = found.as_dict()
    for name in (*data["submodels"], data["series"]):
        try:
            find(name)
        except ValueError:
            continue
        return {"base": name, **data}
    return data


def _text(values: bytes) -> str:
    """Values of an option for people; names of others are not shown."""
    return re.sub(r'"[^"]+"', '"…"', values.decode("latin-1"))


def _escaped(data: bytes) -> bytes:
    """PEM as the escaped encoding has it (manual 3.2): line ends as \\r\\n, four characters."""
    return data.replace(b"\r\n", b"\n").replace(b"\n", b"\\r\\n")
