# SPDX-License-Identifier: MIT
"""What is a violation of the protocol, and what only the way back into step."""

from __future__ import annotations

import pytest


def kinds(found):
    return [item.kind for item in found]


def test_a_command_before_the_final_result_is_early(host):
    host.module.feed(b"AT+CSQ\r\nAT+CGMR\r\n")
    out = host.wait(1)
    assert kinds(host.module.violations) == ["early"]
    assert host.module.violations[0].data == b"AT+CGMR\r\n"
    assert out.count(b"OK") == 2  # it is still answered


def test_dropped_instead_of_queued(make_host):
    host = make_host(busy_input="drop")
    host.module.feed(b"AT+CSQ\r\nAT+CGMR\r\n")
    assert host.wait(1).count(b"OK") == 1
    assert kinds(host.module.violations) == ["early"]


@pytest.mark.parametrize("probe", [b"AT\r", b"AT\r\n", b"at\rAT\r", b"\r", b"\r\n\r\n", b"\0 \r"])
def test_probes_and_filler_while_busy_are_recovery(host, probe):
    host.module.feed(b"AT+CSQ\r\n")
    for byte in probe:
        host.module.feed(bytes([byte]))
    host.wait(1)
    assert host.module.violations == []
    assert kinds(host.module.recoveries)[0] == ("probe" if b"A" in probe.upper() else "filler")


def test_unasked_bytes_are_a_violation_however_cut(host):
    host.module.feed(b"AT+CSQ\r")
    for byte in b"hello":
        host.module.feed(bytes([byte]))
    host.wait(1)
    assert [(b.kind, b.data) for b in host.module.violations] == [("unasked", b"hello")]


def test_overlong_data_is_a_violation_but_a_line_end_is_not(host):
    host.command('AT+MSSLCERTWR="a",0,3', 0.1)
    host.module.feed(b"abcdef")
    host.wait(1)
    assert [(b.kind, b.data) for b in host.module.violations] == [("overlong", b"def")]
    host.module.feed(b"\r")  # ends what the rest has begun
    host.wait(1)
    host.module.violations.clear()
    host.command('AT+MSSLCERTWR="a",0,3', 0.1)
    host.module.feed(b"abc\r\n")
    host.wait(1)
    assert host.module.violations == []
    assert host.module.store.certs["a"] == b"abc"


def test_wrong_remain_arithmetic_is_refused_and_recorded(host):
    host.command('AT+MSSLCERTWR="a",10,5', 0.1)
    host.module.feed(b"12345")
    host.wait(1)
    assert host.code('AT+MSSLCERTWR="a",4,5') == 50
    assert kinds(host.module.violations) == ["arithmetic"]


def test_beginning_again_after_something_else_is_recovery(host):
    host.command('AT+MSSLCERTWR="a",10,5', 0.1)
    host.module.feed(b"12345")
    host.wait(1)
    host.command("AT")
    assert host.write("a", b"x" * 40, 20) == [b"OK", b"OK"]
    assert host.module.violations == []
    assert kinds(host.module.recoveries) == ["restart"]
    assert host.module.store.certs["a"] == b"x" * 40


def test_beginning_again_after_a_timed_out_packet_is_no_violation(make_host):
    host = make_host(data_timeout=1.0)
    host.write("a", b"x" * 10, 5)
    host.command('AT+MSSLCERTWR="b",10,5', 0.1)
    host.module.feed(b"12345")
    host.wait(0.5)
    host.command('AT+MSSLCERTWR="b",5,5', 2)  # never sent
    assert host.write("b", b"y" * 15, 5) == [b"OK"] * 3
    assert host.module.violations == []
    assert host.module.store.certs["b"] == b"y" * 15


@pytest.mark.parametrize("filler", [b"\0" * 20, b"\r" * 20, b" " * 20, b"AT\r" * 7, b"\r\n" * 10])
def test_filler_for_an_announced_packet_is_recovery(host, filler):
    host.command(f'AT+MSSLCERTWR="a",0,{10 + len(filler)}', 0.1)
    host.module.feed(b"-----BEGIN" + filler)
    host.wait(1)
    assert host.module.violations == []
    assert kinds(host.module.recoveries) == ["filler"]


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\n\n"])
def test_an_ordinary_pem_is_no_filler(host, manual_ca, end):
    for packet in (8192, 64, 1):
        host.write("a", manual_ca.rstrip() + end, packet)
    assert host.module.recoveries == []
    assert host.module.violations == []


def test_filler_in_front_of_a_command_and_empty_lines(host):
    assert host.command(b"\0\0 AT") == b"\r\nOK\r\n"
    assert host.command(b"") == b""
    assert kinds(host.module.recoveries) == ["filler", "lone-cr"]
    assert host.module.violations == []


@pytest.mark.parametrize(
    "line",
    [
        'AT+MSSLCERTRD="ca',
        'AT+MSSLCERTRD=ca"',
        'AT+MSSLCERTRD="c"a',
        "AT+MSSLCERTRD=ca",
        "AT+MSSLCERTRD=\u201dca\u201d",
    ],
)
def test_quotes_that_do_not_add_up(host, line):
    assert host.code(line) == 50
    assert "quotes" in kinds(host.module.violations)


def test_strings_without_quotes_can_be_allowed(make_host):
    host = make_host(need_quotes=False)
    assert host.code("AT+MSSLCERTRD=ca") == 762
    assert host.module.violations == []


def test_a_violation_tells_when(host):
    host.wait(5)
    host.module.feed(b"AT+CSQ\rjunk")
    host.wait(1)
    assert host.module.violations[0].time == pytest.approx(5.5, abs=0.01)
