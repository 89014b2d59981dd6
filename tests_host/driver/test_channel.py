# SPDX-License-Identifier: MIT
"""Framing: however the bytes are cut, the channel says the same."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo.at_channel import ALL, DATA, DONE, LINE, PROMPT, WAIT, Channel
from onemo.errors import CommandError, ModemReset, ProtocolError

from .scripted import Script


def events(pieces, expect=ALL, counted=None, payload=0):
    """What the channel makes of an answer that comes in these pieces."""
    uart = Script()
    ch = Channel(uart, 115200, 64, None)
    urcs = []
    ch.on_urc(b"+URC:", lambda buf, start, end: urcs.append(bytes(buf[start:end])))
    ch.command(b"+X").send(1000, expect, data_after=counted, payload=payload)
    uart.pieces = [bytearray(part) for part in pieces if part]
    said = []
    try:
        while True:
            event = ch.poll()
            if event == WAIT:
                if not uart.pieces:
                    said.append("waits")
                    break
            elif event == LINE:
                said.append(("line", ch.line()))
            elif event == PROMPT:
                said.append("prompt")
                ch.push(b"p" * payload, 0, payload)
            elif event == DATA:
                data = bytearray()
                while ch.data_remaining:
                    got = ch.read_chunk()
                    data += got
                    if not got and not uart.pieces:
                        said.append("data waits")
                        break
                said.append(("data", bytes(data)))
            elif event == DONE:
                said.append("done")
                break
    except CommandError as error:
        said.append(("error", error.code, error.args[1]))
    except (ModemReset, ProtocolError) as error:
        said.append(type(error).__name__)
    return said, urcs


TEXT = st.binary(max_size=40).map(
    lambda raw: bytes(byte for byte in raw if 0x20 < byte < 0x7F) or b"text"
)
LINES = st.one_of(
    TEXT,
    TEXT.map(lambda text: b"+X: " + text),
    TEXT.map(lambda text: b"+URC: " + text),
    st.sampled_from([b"OK then", b"ERRORS", b"+X: OK", b">", b"> x", b"AT+X", b"+X:"]),
    st.integers(100, 400).map(lambda n: b"+X: " + b"y" * n),
)
FINALS = st.sampled_from(
    [b"OK", b"ERROR", b"+CME ERROR: 752", b"+CMS ERROR: 1", b"+CIS ERROR: x", b"+MATREADY"]
)


def framed(lines, final):
    return b"".join(b"\r\n" + line + b"\r\n" for line in [*lines, final])


def cut(data, places):
    """`data` in pieces, cut at these places."""
    places = sorted({place % (len(data) + 1) for place in places})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


@settings(max_examples=300, deadline=None)
@given(st.lists(LINES, max_size=6), FINALS, st.lists(st.integers(0, 5000), max_size=12))
def test_any_cut_says_the_same(lines, final, places):
    data = framed(lines, final)
    whole = events([data])
    assert events([data[i : i + 1] for i in range(len(data))]) == whole
    assert events(cut(data, places)) == whole
    assert whole[0][-1] in ("done", "ModemReset") or whole[0][-1][0] == "error"


@settings(max_examples=200, deadline=None)
@given(st.binary(min_size=1, max_size=300), st.lists(st.integers(0, 5000), max_size=12))
def test_counted_data_may_hold_anything(data, places):
    answer = b"\r\n+X: 7,%d," % len(data) + data + b"\r\n\r\nOK\r\n"
    whole = events([answer], b"+X:", counted=2)
    assert whole[0] == [("data", data), "done"]
    assert events([answer[i : i + 1] for i in range(len(answer))], b"+X:", counted=2) == whole
    assert events(cut(answer, places), b"+X:", counted=2) == whole


@pytest.mark.parametrize(
    "inner", [b"\r\nOK\r\n", b"+MATREADY\r\n", b"\r\nERROR\r\n", b">", b"\x1a\x00"]
)
def test_what_is_inside_data_ends_nothing(inner):
    data = b"head" + inner + b"tail"
    answer = b"\r\n+X: %d," % len(data) + data + b"\r\n\r\nOK\r\n"
    assert events([answer], b"+X:", counted=1) == ([("data", data), "done"], [])


@pytest.mark.parametrize("extra", [1, 5, 100])
def test_more_data_than_announced_is_noticed(extra):
    answer = b"\r\n+X: 10," + b"d" * (10 + extra) + b"\r\n\r\nOK\r\n"
    assert events([answer], b"+X:", counted=1)[0] == [("data", b"d" * 10), "ProtocolError"]


@pytest.mark.parametrize(
    "answer", [b"\r\n>", b"\r\n> ", b"\r\n>\r\n", b">", b"\r\n+URC: 1\r\n\r\n>"]
)
def test_prompts(answer):
    for pieces in ([answer], [answer[i : i + 1] for i in range(len(answer))]):
        said, _ = events([*pieces, b"\r\nOK\r\n"], None, payload=10)
        assert said[0] == "prompt"


def test_a_prompt_is_none_unless_expected():
    assert events([b"\r\n> text\r\n\r\nOK\r\n"])[0] == [("line", b"> text"), "done"]


def test_ok_before_the_payload_is_out_of_step():
    assert events([b"\r\nOK\r\n"], None, payload=10)[0] == ["ProtocolError"]


def test_urcs_anywhere_in_an_answer():
    data = framed([b"+URC: 1", b"+X: 1", b"+URC: 2", b"+X: 2", b"+URC: 3"], b"OK")
    said, urcs = events([data], b"+X:")
    assert said == [("line", b"+X: 1"), ("line", b"+X: 2"), "done"]
    assert urcs == [b"+URC: 1", b"+URC: 2", b"+URC: 3"]


@pytest.mark.parametrize("count", [b"-20", b"-1", b"abc", b"", b"99999999999999"])
def test_a_count_that_is_none_is_an_error_in_step(count):
    said = events([b"\r\n+X: " + count + b",data\r\n\r\nOK\r\n"], b"+X:", counted=1)[0]
    assert said == [("data", b""), "ProtocolError"]


def test_a_reboot_before_a_command_names_the_command():
    uart = Script()
    ch = Channel(uart, 115200, 64, None)
    uart.pieces = [bytearray(b"+MATREADY\r\n")]
    with pytest.raises(ModemReset, match=r"before AT\+X=1$"):
        ch.command(b"+X=").number(1).send(1000)
    uart.pieces = [bytearray(b"+MATREADY\r\n")]
    ch.reset()
    with pytest.raises(ModemReset, match=r'before AT\+X="a"$'):
        ch.command(b"+X=").quote("a").begin_secret().quote("hidden").send(1000)
