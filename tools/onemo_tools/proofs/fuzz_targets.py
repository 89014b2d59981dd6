# SPDX-License-Identifier: MIT
"""What `make fuzz` feeds, and to what."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from onemo import (
    _port,
    at_syntax,
    cert_list,
    cert_pem,
    models,
    profile,
    profile_check,
    schema,
    suites,
    suites_listed,
)
from onemo import trace as trace_module
from onemo.at_channel import DATA, DONE, LINE, PROMPT, SENT, Channel
from onemo.certs import CERT, KEY
from onemo.errors import CommandError, ModemError

_POLLS = 100_000  # more than any input can take

# What modules say, and what looks like it.
_WORDS = (
    b"\r\n",
    b"\r",
    b"\n",
    b"OK\r\n",
    b"\r\nOK\r\n",
    b"ERROR\r\n",
    b"\r\n+CME ERROR: 752\r\n",
    b"+CME ERROR: operation not allowed\r\n",
    b"+ CME ERROR: 3\r\n",
    b"+CMS ERROR: ",
    b"+CIS ERROR:",
    b'+MSSLLIST: "ca.pem",1261\r\n',
    b'+MSSLCFG: "cert",1,"a","b","NULL"\r\n',
    b"+MSSLCERTRD: 12,",
    b"+MSSLCERTRD: 99999999999,",
    b"+MSSLCIPHER: (0x01,0x3D,0xC0,0xFFFFF)\r\n",
    b"+MSSLCHECK: 9e5e120bc7827646a0c4b007ec3e1453\r\n",
    b"+MIPRD: 0,5,4,",
    b'+MIPURC: "rtcp",0,0,120\r\n',
    b'+MIPURC: "disconn",1,1\r\n',
    b"+MIPOPEN: 0,0\r\n",
    b"+MATREADY\r\n",
    b"> ",
    b"\r\n>",
    b"AT+X=1\r",
    b'"',
    b",",
    b",,",
    b":",
    b": ",
    b"-",
    b"(0,1,4-6)",
    b"1-99999999999",
    b"0x",
    b"\x00",
    b"\xff",
    b"-----BEGIN CERTIFICATE-----\n",
    b"-----END CERTIFICATE-----\n",
    b"-----BEGIN RSA PRIVATE KEY-----\r\n",
    b"-----END RSA PRIVATE KEY-----",
    b"-----BEGIN EC PARAMETERS-----\n",
    b"-----BEGIN PRIVATE KEY-----\n",
    b"-----END PRIVATE KEY-----\n",
    b"Proc-Type: 4,ENCRYPTED\n",
    b"MIIB" * 16 + b"\n",
    b"AA==\n",
    b"ML307R-DC",
    b"MN316-S",
    b"Revision: ml302s-dnlm-v1",
    b"TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256",
    b"C02F",
    b'{"objects": [], "contexts": []}',
)


class Hang(Exception):
    """A target does not end."""


def generate(rng: random.Random) -> bytes:
    """One input."""
    parts = [rng.choice(_WORDS) for _ in range(rng.randrange(12))]
    if rng.random() < 0.3:
        parts.insert(rng.randrange(len(parts) + 1), rng.randbytes(rng.randrange(40)))
    if rng.random() < 0.05:
        parts.append(rng.choice((b"A", b'"', b",", b"\xff", b"\r\n")) * rng.randrange(5000))
    data = bytearray(b"".join(parts))
    for _ in range(rng.randrange(4)):
        if not data:
            break
        at = rng.randrange(len(data))
        act = rng.randrange(4)
        if act == 0:
            data[at] ^= 1 << rng.randrange(8)
        elif act == 1:
            del data[at : at + rng.randrange(1, 9)]
        elif act == 2:
            data[at:at] = data[at : at + rng.randrange(1, 9)]
        else:
            data[at] = rng.randrange(256)
    return bytes(data)


# Targets


def on_syntax(data: bytes, rng: random.Random) -> None:
    """Every pure function on any part of it. Raises nothing."""
    buf = bytearray(data)
    start = rng.randrange(len(buf) + 1)
    end = rng.randrange(start, len(buf) + 1)
    verdict = at_syntax.final(buf, start, end)
    assert (verdict == at_syntax.OK) == (data[start:end] == b"OK")
    assert (verdict == at_syntax.ERROR) == (data[start:end] == b"ERROR")
    assert not verdict or b"OK" in data[start:end] or b"ERROR" in data[start:end]
    at = at_syntax.after_colon(buf, start, end)
    assert start <= at <= end
    for index in range(4):
        found = at_syntax.field(buf, at, end, index)
        if found < 0:
            break
        assert at <= found <= end
        assert found <= at_syntax.field_end(buf, found, end) <= end
        number = at_syntax.number(buf, found, end)
        assert number is None or abs(number) < 10**10
        text = at_syntax.text(buf, found, end)
        assert all(" " <= character <= "~" for character in text)
        if at_syntax.same(buf, found, end, text.encode()):
            assert found + len(text) <= end
    assert all(0 <= number < 100 for number in cert_list.parse_numbers(data[start:end]))
    assert bytes(buf) == data


class _Uart:
    """Gives the input away in pieces; takes what is written, not all of it at once."""

    def __init__(self, data: bytes, rng: random.Random) -> None:
        self.data = bytearray(data)
        self.rng = rng

    def any(self) -> int:
        return len(self.data)

    def readinto(self, buf: bytearray, n: int) -> int | None:
        count = self.rng.randrange(min(n, len(self.data)) + 1)
        if not count:
            return None
        buf[:count] = self.data[:count]
        del self.data[:count]
        return count

    def write(self, buf: Any, *window: int) -> int | None:
        size = window[-1] if window else len(buf)
        return self.rng.randrange(size + 1) or None


@contextlib.contextmanager
def _clock() -> Iterator[list[int]]:
    """The driver's clock is the number in this list, ms."""
    now = [0]
    real = _port.ticks_ms
    _port.ticks_ms = lambda: now[0] % (1 << 30)
    try:
        yield now
    finally:
        _port.ticks_ms = real


def _handler(buf: bytearray, start: int, end: int) -> None:
    assert 0 <= start < end <= len(buf)


def on_channel(data: bytes, rng: random.Random) -> None:
    """A command whose answer it is, with every form of expectation. Raises ModemError only."""
    with _clock() as now:
        uart = _Uart(data, rng)
        channel = Channel(uart, 115200, rng.choice((32, 64, 256)), None)
        channel.on_urc(b"+MIPURC:", _handler)
        channel.on_urc(b"+M", _handler)
        channel.reset()
        expect, data_after = rng.choice(
            (
                (None, None),
                (b"", None),
                (b"+MSSLLIST:", None),
                (b"+MSSLCFG:", None),
                (b"+MSSLCERTRD:", 1),
                (b"+MIPRD:", 3),
            )
        )
        payload = rng.choice((0, 0, 5, 300))
        kept = bytearray(data)
        uart.data[:] = b""
        with contextlib.suppress(ModemError):
            channel.command(b"+X=").quote("name")
            channel.send(1000, expect, data_after, payload, require_info=rng.random() < 0.2)
            uart.data[:] = kept
            _converse(channel, now, payload)


def _converse(channel: Channel, now: list[int], payload: int) -> None:
    source = bytearray(payload)
    for _ in range(_POLLS):
        event = channel.poll()
        if event == DONE:
            return
        if event == PROMPT:
            channel.push(source, 0, payload)
        elif event == LINE:
            channel.line()
            for index in range(4):
                channel.value(index)
                channel.text(index)
                channel.field_equals(index, b"ca.pem")
        elif event == DATA:
            _consume(channel, now)
        elif event != SENT:
            now[0] += 50
    raise Hang("poll does not end")


def _consume(channel: Channel, now: list[int]) -> None:
    for _ in range(_POLLS):
        if not channel.data_remaining:
            return
        if not channel.read_chunk():
            now[0] += 50
    raise Hang("data does not end")


def on_ciphers(data: bytes, rng: random.Random) -> None:
    """MSSLCIPHER's one long line (manual 3.9), taken token by token. Raises ModemError only."""
    with _clock() as now:
        uart = _Uart(b"", rng)
        channel = Channel(uart, 115200, 64, None)
        channel.reset()
        found = suites_listed._iterate_supported(channel)
        with contextlib.suppress(ModemError):
            next(found)  # the command is out
            uart.data[:] = b"\r\n+MSSLCIPHER: (" + data
            for polls, number in enumerate(found):
                assert number is None or number >= 0
                now[0] += 50
                if polls > _POLLS:
                    raise Hang("the list does not end")


def on_pem(data: bytes, rng: random.Random) -> None:
    """Judged whole and in pieces: the same verdict. Raises ValueError only."""
    kind = rng.choice((CERT, KEY))
    whole, pieces = cert_pem.PemScanner(kind), cert_pem.PemScanner(kind)
    whole.feed(bytearray(data))
    at = 0
    while at < len(data):
        size = rng.randrange(1, 80)
        pieces.feed(bytearray(data[at : at + size]))
        at += size
    verdicts = []
    for judge in (whole, pieces):
        try:
            judge.finish()
            verdicts.append("")
        except ValueError as error:
            verdicts.append(str(error))
    assert verdicts[0] == verdicts[1]
    if not verdicts[0]:
        assert b"-----BEGIN " in data
        assert whole.blocks >= 1


def on_models(data: bytes, rng: random.Random) -> None:
    """Any answer to AT+CGMM is a model, known or not. Raises nothing."""
    series, model = models.identify(data)
    assert model.known == (series is not None)
    assert 1 <= len(str(model)) < 80
    assert all(" " <= character <= "~" for character in str(model))


def on_suites(data: bytes, rng: random.Random) -> None:
    """Names and ids, known or not. Raises ValueError, KeyError or TypeError, as documented."""
    number = int.from_bytes(data[:2], "big")
    with contextlib.suppress(ValueError, KeyError):
        assert suites.strength(number) in ("broken", "legacy", "sound")
        assert suites.id(suites.name(number)) == number
    with contextlib.suppress(ValueError, KeyError):
        suites.id(data.decode("latin-1"))


def on_profile(data: bytes, rng: random.Random) -> None:
    """JSON of any shape. Raises ValueError only, and tells the same faults one by one."""
    values: tuple[Any, ...] = (None, True, 7, "", "ca.pem", "cert", "mutual", [], {}, 1.5, [[]])

    def anything(names: Sequence[str], depth: int) -> Any:
        if depth and rng.random() < 0.6:
            keys = rng.sample(names, min(len(names), 4))
            if rng.random() < 0.5:
                return {key: anything(keys, depth - 1) for key in keys}
            return [anything(names, depth - 1) for _ in range(rng.randrange(3))]
        return rng.choice(values)

    given = {}
    for name, _, _ in schema.children("", ""):
        inside = schema.ROWS.get(name) or schema.ROWS.get(f"{name}[]") or name
        names = [row.split(" ")[0] for row in inside.split("\n")]
        given[name] = anything(names, 2)
    faults = list(profile_check.faults(given))
    assert all(fault.strip() for fault in faults)
    of_profile = list(profile_check.faults(given, profile.PARTS))
    try:
        found = profile.checked(given)
    except ValueError as error:
        assert str(error) == of_profile[0]
    else:
        assert not of_profile and profile.checked(found) == found


class _Sink:
    def write(self, text: str) -> None:
        assert text.endswith("\n")
        assert text.isascii()


def on_trace(data: bytes, rng: random.Random) -> None:
    """A recorder that is told anything in any direction. Raises nothing."""
    recorder = trace_module.Trace(_Sink())
    at = 0
    while at < len(data):
        size = rng.randrange(1, 70)
        recorder(rng.choice("<>"), data[at : at + size])
        at += size
    recorder.flush()


def on_errors(data: bytes, rng: random.Random) -> None:
    """What a module says, in an error's words. Raises nothing."""
    code = rng.choice((None, rng.randrange(-5, 2000)))
    text = at_syntax.ascii_str(data[:60])
    assert str(CommandError(code, "AT+X", text))


TARGETS: dict[str, tuple[Callable[[bytes, random.Random], None], float]] = {
    "channel": (on_channel, 0.30),
    "ciphers": (on_ciphers, 0.05),
    "syntax": (on_syntax, 0.25),
    "pem": (on_pem, 0.15),
    "models": (on_models, 0.07),
    "suites": (on_suites, 0.03),
    "profile": (on_profile, 0.05),
    "trace": (on_trace, 0.05),
    "errors": (on_errors, 0.05),
}
