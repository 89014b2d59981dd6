# SPDX-License-Identifier: MIT
"""Questions that write: objects with names of the probe's own, one ssl_id, one connect_id."""

from __future__ import annotations

import hashlib
import re
import zlib
from typing import TYPE_CHECKING

from onemo_tools.probe.talk import NoAnswer

if TYPE_CHECKING:
    from onemo_tools.probe.probe import Probe
    from onemo_tools.probe.talk import Answer

CERT, KEY, PSK = 1, 2, 3
_JUNK = b"no PEM: what the onemo probe writes to see when it is noticed\r\n"
_DIGESTS = ("md5", "sha1", "sha256")
_BROKEN_S = 75.0  # until a packet that does not come counts as waited for without end
_SERIES_S = 45.0  # that an open series is watched
_SERIES_STEP_S = 0.5
_SUITE = 0xC02F  # ECDHE-RSA-AES128-GCM-SHA256
_VERSIONS = (0, 1, 2, 3, 255)
_TOGGLED = ("auth", "session", "ignorestamp", "ignoreverify", "sni")


def _no_tls(probe: Probe) -> bool:
    return not probe.found.get("tls")


def _refused(probe: Probe, answer: Answer, *names: str) -> None:
    for name in names:
        probe.found.missing(name, f"writing is refused: {answer.code}")


# --- the store --------------------------------------------------------------------------------


def store(probe: Probe) -> None:
    """Prompt, list, digests, reading back, names that are taken, PEM that is none."""
    if _no_tls(probe):
        return
    talk, found = probe.talk, probe.found
    pem, key = probe.pems.ca, probe.pems.key
    name = probe.name("a")
    first = _first_write(probe, name, pem)
    if not first.ok:
        _refused(probe, first, "quirks.prompt", "quirks.list_quotes", "quirks.same_name")
        return
    listed = talk.ask("AT+MSSLLIST=1", 30.0)
    own = [line for line in listed.lines if name.encode() in line]
    if own:
        found.set("quirks.list_quotes", b'"' + name.encode() + b'"' in own[0])
        found.note("size in MSSLLIST", int(own[0].rpartition(b",")[2]))
    found.note("bytes sent", len(pem))
    _read_back(probe, name, pem)
    _digests(probe, name, pem)
    answer = probe.put(CERT, "a", pem)
    found.set("quirks.same_name", "replace" if answer.ok else _taken(probe, answer))
    answer = probe.put(KEY, "a", key)
    found.set("quirks.cross_type", "separate" if answer.ok else _taken(probe, answer))
    probe.clear("a")
    if probe.put(KEY, "k", key).ok:
        answer = talk.ask(f'AT+MSSLCERTRD="{probe.name("k")}"')
        if answer.code.isdigit():
            found.set("quirks.key_read_code", int(answer.code))
        found.note("MSSLCERTRD of a key", answer.code)
    probe.clear("k")
    answer = probe.put(CERT, "j", _JUNK)
    found.set("quirks.pem_check", {"ok": "load", "761": "write"}.get(answer.code))
    found.note("writing what is no PEM", answer.code)
    probe.clear("j")
    answer = probe.remove(probe.name("nobody"))
    found.observed["codes of a name that is not there"]["MSSLRM"] = answer.code


def _taken(probe: Probe, answer: Answer) -> str | None:
    return "763" if answer.code == "763" else None


def _first_write(probe: Probe, name: str, pem: bytes) -> Answer:
    """By prompt where there is one, which is looked at; else in the command."""
    talk, found = probe.talk, probe.found
    command = f'AT+MSSLCERTWR="{name}",0,{len(pem)}'
    probe.touched.names.add(name)
    prompt, answer = talk.prompt(command)
    if prompt is not None:
        probe.touched.owed = len(pem)
        found.set("data_mode", True)
        found.set("quirks.prompt", prompt)
        answer = talk.finish(pem, 30.0, command)
        probe.touched.owed = 0
        return answer
    found.note("MSSLCERTWR without data", answer.code)
    found.set("data_mode", False)
    inside = probe.put(CERT, "a", pem)
    if not inside.ok:
        found.forget("data_mode", f"writing is refused: {answer.code}, and {inside.code}")
        return inside
    for field in ("prompt", "data_timeout", "data_timeout_answer", "abort_leaves_series"):
        found.missing(f"quirks.{field}", "the module has no `>`")
    return inside


def _read_back(probe: Probe, name: str, pem: bytes) -> None:
    answer = probe.talk.ask(f'AT+MSSLCERTRD="{name}"', 30.0)
    head = re.search(rb"\+MSSLCERTRD: ?(\d+),", answer.raw)
    if not answer.ok or head is None:
        return
    size = int(head.group(1))
    data = answer.raw[head.end() : head.end() + size]
    rest = answer.raw[head.end() + size :]
    pairs = rest[: rest.find(b"OK")].count(b"\r\n")
    probe.found.set("quirks.certrd_blank", max(0, pairs - 2))
    same = data == pem or data.replace(b"\r\n", b"\n") == pem
    probe.found.note("MSSLCERTRD gives what was written", same)


def _digests(probe: Probe, name: str, pem: bytes) -> None:
    """The algorithms that MSSLCHECK has, and whether each is what it is called."""
    there, wrong = [], []
    contents = (pem, pem.replace(b"\n", b"\r\n"))
    for number in range(4):
        answer = probe.talk.ask(f'AT+MSSLCHECK="{name}",{number}')
        if not answer.ok:
            continue
        there.append(number)
        shown = answer.text.partition(":")[2].strip().lower()
        if shown not in [_code(data, number) for data in contents]:
            wrong.append(number)
    if there:
        probe.found.set("digests", tuple(there))
    probe.found.note("MSSLCHECK algorithms that give another digest", wrong)


def _code(data: bytes, algorithm: int) -> str:
    if algorithm == 3:
        return f"{zlib.crc32(data):08x}"
    return hashlib.new(_DIGESTS[algorithm], data, usedforsecurity=False).hexdigest()


# --- data in the command ----------------------------------------------------------------------


def inline(probe: Probe) -> None:
    """Data in the command, escaped: what is stored, what <length> counts, a bare LF; and whether
    the longest line holds for it, too."""
    fields = ("newline_storage", "inline_length", "quoted_lf")
    if _no_tls(probe):
        return
    talk, found = probe.talk, probe.found
    if "encoding" in probe.options and probe.values("MSSLCFG", "encoding", 0) not in (b"2", b""):
        for field in fields:
            found.missing(f"quirks.{field}", "ssl_id 0 has another encoding than 2")
        return
    pem = probe.pems.ca
    typed = pem.replace(b"\n", b"\\r\\n")
    answer = probe.put_inline(CERT, "i", typed, 0)
    if not answer.ok:
        _refused(probe, answer, *(f"quirks.{field}" for field in fields))
        return
    digest = _md5(probe, "i")
    for kind, data in (("crlf", pem.replace(b"\n", b"\r\n")), ("lf", pem)):
        if digest == _code(data, 0):
            found.set("quirks.newline_storage", kind)
    decoded = len(pem) + pem.count(b"\n") * (found.get("quirks.newline_storage") != "lf")
    probe.clear("i")
    for kind, length in (("typed", len(typed)), ("decoded", len(pem) + pem.count(b"\n"))):
        if probe.put_inline(CERT, "i", typed, length).ok:
            found.set("quirks.inline_length", kind)
            break
    found.note("bytes stored of data in the command", decoded)
    probe.clear("i")
    answer = probe.put_inline(CERT, "i", pem, 0)
    if not answer.ok:
        found.set("quirks.quoted_lf", "drop" if answer.code == "761" else None)
    elif _md5(probe, "i") == _code(pem, 0):
        found.set("quirks.quoted_lf", "keep")
    elif _md5(probe, "i") == _code(pem.replace(b"\n", b""), 0):
        found.set("quirks.quoted_lf", "drop")
    probe.clear("i")
    _long_data(probe)
    talk.sync()


def _md5(probe: Probe, what: str) -> str:
    answer = probe.talk.ask(f'AT+MSSLCHECK="{probe.name(what)}"')
    return answer.text.partition(":")[2].strip().lower()


def _long_data(probe: Probe) -> None:
    """A certificate in a line as long as the longest: where that fails, it is what counts."""
    longest = probe.found.get("line")
    if longest is None:
        return
    head = len(f'AT+MSSLCERTWR="{probe.name("i")}",0,0,""')

    def line(size: int) -> bytes:
        probe.clear("i")
        return f'AT+MSSLCERTWR="{probe.name("i")}",0,0,"'.encode() + b"A" * (size - head) + b'"'

    most = min(longest, 8192)
    try:
        fits = probe.talk.ask(line(most), 30.0).code
        usual = probe.talk.ask(line(200), 30.0).code
    except NoAnswer:
        fits, usual = "", "ok"
    if fits != usual:
        probe.found_line(line, most)
    probe.clear("i")


# --- options ----------------------------------------------------------------------------------


def contexts(probe: Probe) -> None:
    """Each option of one ssl_id that binds nothing: set to another value, read back, put back."""
    if _no_tls(probe):
        return
    found = probe.found
    if "cert" in probe.options and not probe.free_contexts:
        for name in ("quirks.ignored_options", "quirks.cert_omitted", "suite_prefix"):
            found.missing(name, "every ssl_id has certificates bound")
        return
    number = probe.free_contexts[-1] if probe.free_contexts else found.get("ssl_ids", 5) - 1
    ignored: set[str] = set()
    outcomes: dict[str, str] = {}
    for option in probe.options:
        if option in ("cert", "psk", "version", "encoding", "ciphersuite"):
            continue
        now = probe.values("MSSLCFG", option, number)
        value = b"77" if option == "negotime" else b"0" if now == b"1" else b"1"
        _try(probe, number, option, value, outcomes, ignored)
    for option, fact, values in (
        ("version", "versions", _VERSIONS),
        ("encoding", "encodings", (0, 1, 2)),
    ):
        if option in probe.options:
            _values(probe, number, option, fact, values, outcomes, ignored)
    if "ciphersuite" in probe.options:
        _suites(probe, number, outcomes, ignored)
    if "cert" in probe.options:
        _names(probe, number, outcomes, ignored)
    if "psk" in probe.options:
        value = f'"{probe.name("p")}"'.encode()
        _try(probe, number, "psk", value, outcomes, ignored)
    found.set("quirks.ignored_options", frozenset(ignored))
    found.note("MSSLCFG options", outcomes)
    probe.put_back()


def _try(
    probe: Probe,
    number: int,
    option: str,
    value: bytes,
    outcomes: dict[str, str],
    ignored: set[str],
) -> bool:
    """Sets and reads back; whether it was kept."""
    answer = probe.set_option(number, option, value)
    if not answer.ok:
        outcomes[option] = f"refused: {answer.code}"
        return False
    if probe.values("MSSLCFG", option, number) == value:
        outcomes[option] = "kept"
        return True
    outcomes[option] = "ignored"
    ignored.add(option)
    return False


def _values(
    probe: Probe,
    number: int,
    option: str,
    fact: str,
    values: tuple[int, ...],
    outcomes: dict[str, str],
    ignored: set[str],
) -> None:
    """Which values an option takes. One that ignores them all is not asked for them."""
    accepted = []
    changed = False
    for value in values:
        before = probe.values("MSSLCFG", option, number)
        if not probe.set_option(number, option, b"%d" % value).ok:
            continue
        accepted.append(value)
        after = probe.values("MSSLCFG", option, number)
        if after == b"%d" % value:
            changed = changed or before != after
        else:
            ignored.add(option)
    outcomes[option] = "ignored" if option in ignored else "kept" if accepted else "refused"
    if accepted and option not in ignored and (changed or len(accepted) == 1):
        probe.found.set(fact, tuple(accepted))


def _suites(probe: Probe, number: int, outcomes: dict[str, str], ignored: set[str]) -> None:
    """Hexadecimal with 0x and without it, and 0 without."""
    found = probe.found
    suite = _SUITE if not probe.suites or _SUITE in probe.suites else probe.suites[-1]
    prefixed = probe.set_option(number, "ciphersuite", b"0x%02X" % suite).ok
    kept = _same_suite(probe, number, suite)
    zero = probe.set_option(number, "ciphersuite", b"0").ok
    plain = probe.set_option(number, "ciphersuite", b"%02X" % suite).ok
    kept_plain = _same_suite(probe, number, suite)
    if plain or prefixed:
        found.set("suite_prefix", not plain)
        outcomes["ciphersuite"] = "kept" if kept or kept_plain else "ignored"
        if not (kept or kept_plain):
            ignored.add("ciphersuite")
    else:
        outcomes["ciphersuite"] = "refused"
    if not plain and prefixed:
        found.set("quirks.plain_suite_zero", zero)
    else:
        found.missing("quirks.plain_suite_zero", "suites are written without 0x")
    found.note("ciphersuite with 0x", "ok" if prefixed else "refused")


def _same_suite(probe: Probe, number: int, suite: int) -> bool:
    value = probe.values("MSSLCFG", "ciphersuite", number).decode("latin-1")
    try:
        return int(value, 16) == suite
    except ValueError:
        return False


def _names(probe: Probe, number: int, outcomes: dict[str, str], ignored: set[str]) -> None:
    """Three names, then the first alone."""
    three = [f'"{probe.name(what)}"'.encode() for what in ("x", "y", "z")]
    kept = _try(probe, number, "cert", b",".join(three), outcomes, ignored)
    if not kept:
        probe.found.missing("quirks.cert_omitted", f"cert is {outcomes['cert']}")
        return
    if probe.set_option(number, "cert", three[0]).ok:
        values = probe.values("MSSLCFG", "cert", number).split(b",")
        probe.found.set("quirks.cert_omitted", "keep" if values[1:] == three[1:] else "clear")


def links(probe: Probe) -> None:
    """The same of MIPCFG, for one connect_id that is not in use; and MIPCLOSE of it."""
    talk, found = probe.talk, probe.found
    if not probe.free_links:
        for name in ("quirks.ignored_mipcfg", "mipcfg_settable", "close_modes"):
            found.missing(name, "every connect_id is in use")
        return
    number = probe.free_links[-1]
    ignored, settable = set(), []
    outcomes = {}
    for option in probe.mipcfg:
        now = probe.values("MIPCFG", option, number)
        value = _other(option, now)
        if value is None:
            continue
        answer = probe.set_link(number, option, value)
        if not answer.ok:
            outcomes[option] = f"refused: {answer.code}"
            continue
        if option in ("sndbuf", "rcvbuf"):
            settable.append(option)
        kept = probe.values("MIPCFG", option, number) == value
        outcomes[option] = "kept" if kept else "ignored"
        if not kept:
            ignored.add(option)
    found.set("mipcfg_settable", tuple(sorted(settable, key=("sndbuf", "rcvbuf").index)))
    found.set("quirks.ignored_mipcfg", frozenset(ignored))
    if "encoding" in probe.mipcfg:
        found.set("escaped_send", probe.set_link(number, "encoding", b"2,0").ok)
    found.note("MIPCFG options", outcomes)
    probe.put_back()
    free = talk.ask(f"AT+MIPCLOSE={number}")
    kinds = {"551": "551", "error": "error", "ok": "ok"}
    if free.code in kinds:
        found.set("quirks.close_free", kinds[free.code])
    highest = 0
    for mode in range(10):
        if talk.ask(f"AT+MIPCLOSE={number},{mode}").code == free.code:
            highest = mode
    found.set("close_modes", highest)


def _other(option: str, now: bytes) -> bytes | None:
    """Another value for an option of MIPCFG; None where there is none to try."""
    numbers = [int(n) for n in re.findall(rb"\d+", now)]
    if option == "ssl":
        return b"1,0" if numbers[:1] != [1] else b"0"
    if option == "encoding":
        return b"0,1" if numbers != [0, 1] else b"0,0"
    if not numbers:
        return None
    if option in ("autofree", "ackmode"):
        return b"%d" % (1 - min(1, numbers[0]))
    if option == "cid":
        return b"2" if numbers[0] != 2 else b"1"
    if option in ("timeout", "sndbuf", "rcvbuf"):
        return b"%d" % (numbers[0] - 1 if numbers[0] > 2000 else numbers[0] + 1)
    return None


# --- packets that are broken off --------------------------------------------------------------


def packets(probe: Probe) -> None:
    """How long a packet is waited for, what is said then, and what becomes of its object."""
    if _no_tls(probe):
        return
    found = probe.found
    if found.get("data_mode"):
        silent = _broken_packet(probe)
        if silent is not None:
            _after_broken(probe)
    probe.clear("b", "c")
    _broken_series(probe)
    probe.clear("b", "c")


def _broken_packet(probe: Probe) -> bool | None:
    """Announces a packet and sends a part of it. None if the module waits without end."""
    talk, found = probe.talk, probe.found
    pem = probe.pems.ca
    command = f'AT+MSSLCERTWR="{probe.name("b")}",0,{len(pem)}'
    probe.touched.names.add(probe.name("b"))
    prompt, answer = talk.prompt(command)
    if prompt is None:
        _refused(probe, answer, "quirks.data_timeout")
        return None
    part = pem[:100]
    probe.touched.owed = len(pem) - len(part)
    talk.send(part)
    final = _wait_final(probe, _BROKEN_S)
    if final:
        probe.touched.owed = 0
        found.set("quirks.data_timeout", round(talk.port.now() - talk.prompt_at, 1))
        code = re.search(rb"\+CME ERROR: ?(\d+)", final)
        found.set("quirks.data_timeout_answer", int(code.group(1)) if code else None)
        talk.sync()
        return False
    # Either it waits still, and then these are data, or they are empty lines.
    talk.send(b"\r" * probe.touched.owed)
    final = _wait_final(probe, 10.0)
    probe.touched.owed = 0
    talk.sync()
    if final:
        found.set("quirks.data_timeout", 0.0)
        found.missing(
            "quirks.data_timeout_answer", f"a packet is still waited for after {_BROKEN_S:.0f} s"
        )
        found.missing("quirks.abort_leaves_series", "a packet never times out")
        found.missing("quirks.series_timeout", "a packet never times out")
        return None
    found.set("quirks.data_timeout_answer", "silent")
    found.missing(
        "quirks.data_timeout", f"the module says nothing when it ends; less than {_BROKEN_S:.0f} s"
    )
    return True


def _wait_final(probe: Probe, seconds: float) -> bytes:
    """What comes until a final result is in it; b"" if none is in time."""
    talk = probe.talk
    got = b""
    end = talk.port.now() + seconds
    while (left := end - talk.port.now()) > 0:
        got += talk.receive(min(left, 1.0))
        if re.search(rb"\n(?:OK|ERROR|\+CME ERROR: ?[^\r\n]*)\r\n", got):
            return got
    return b""


def _after_broken(probe: Probe) -> None:
    """Whether others can be written after a packet that timed out, and when."""
    talk, found = probe.talk, probe.found
    start = talk.port.now()
    answer = probe.put(CERT, "c", probe.pems.ca)
    found.note("another name after a broken packet", answer.code)
    found.set("quirks.abort_leaves_series", {"ok": False, "765": True}.get(answer.code))
    if answer.code != "765":
        return
    while talk.port.now() - start < _SERIES_S:
        talk.port.sleep(_SERIES_STEP_S)
        if probe.put(CERT, "c", probe.pems.ca).ok:
            # the series began when the packet was announced
            waited = talk.port.now() - start + (found.get("quirks.data_timeout") or 0.0)
            found.set("quirks.series_timeout", float(round(waited)))
            return
    found.missing("quirks.series_timeout", f"an open series does not end within {_SERIES_S:.0f} s")
    probe.clear("b")
    answer = probe.put(CERT, "c", probe.pems.ca)
    found.note("another name once MSSLRM has removed the broken one", answer.code)


def _broken_series(probe: Probe) -> None:
    """The first packet of two, then another object; and the same name again."""
    found = probe.found
    pem = probe.pems.ca
    cut = pem.index(b"\n", 200) + 1
    first = probe.put(CERT, "b", pem[:cut], len(pem) - cut)
    story = {"first packet": first.code}
    if first.ok:
        story["another name"] = probe.put(CERT, "c", pem).code
        story["the second packet, late"] = probe.put(CERT, "b", pem[cut:]).code
        probe.clear("b", "c")
        probe.put(CERT, "b", pem[:cut], len(pem) - cut)
        story["the same name from its beginning"] = probe.put(CERT, "b", pem).code
    found.note("a series of packets that is broken off", story)


# --- the rest ---------------------------------------------------------------------------------


def power(probe: Probe) -> None:
    """MLPMCFG's kind where the test form leaves it open: the value that there is, once more."""
    talk, found = probe.talk, probe.found
    now = found.get("quirks.sleepmode")
    if found.get("power_saving") is not None or now is None:
        return
    without = talk.ask(f'AT+MLPMCFG="sleepmode",{now}')
    found.set("power_saving", "mode" if without.ok else "permanent")


def psk(probe: Probe) -> None:
    """MSSLPSK, and what MSSLCHECK and MSSLRM make of a PSK id."""
    talk, found = probe.talk, probe.found
    if _no_tls(probe):
        return
    name = probe.name("p")
    secret = probe.pems.psk
    probe.touched.psks.add(name)
    command = f'AT+MSSLPSK="{name}","{secret}"'
    answer = talk.ask(command, 30.0)
    if not answer.ok:
        probe.touched.psks.discard(name)
        for field in ("check_psk", "rm_psk", "psk_repeat"):
            found.missing(f"quirks.{field}", f"AT+MSSLPSK is refused: {answer.code}")
        return
    found.set("psk", True)
    again = talk.ask(command, 30.0)
    found.set("quirks.psk_repeat", "replace" if again.ok else _taken(probe, again))
    found.set("quirks.check_psk", talk.ask(f'AT+MSSLCHECK="{name}"').ok)
    found.set("quirks.rm_psk", probe.remove(name).ok)
