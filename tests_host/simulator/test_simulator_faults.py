# SPDX-License-Identifier: MIT
"""Faults at exact bytes, replayable; and the UART that stands in for machine.UART."""

from __future__ import annotations

import random

import pytest
from onemo_simulator import (
    Fault,
    FaultyLine,
    LoopNetwork,
    Module,
    SimulatedUart,
    VirtualClock,
    damage_store,
    random_cuts,
    random_fault,
)
from onemo_simulator.faults import KINDS
from onemo_simulator.suites import SUITE_IDS

CSQ = b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n"


def faulty(*faults, **quirks):
    quirks.setdefault("echo", False)
    return FaultyLine(Module(clock=VirtualClock(), **quirks), faults)


def say(line, data, seconds=0.1):
    """Feed, then let time pass in steps; everything that came."""
    line.feed(data)
    got = line.take()
    end = line.clock.now() + seconds
    while (event := line.next_event()) is not None and event <= end:
        line.clock.advance_to(event)
        got += line.take()
    line.clock.advance_to(end)
    return got + line.take()


def test_no_faults_change_nothing_and_count(host):
    line = faulty()
    assert say(line, b"AT+CSQ\r") == CSQ
    assert line.counts == {">": 7, "<": len(CSQ)}


@pytest.mark.parametrize(
    "fault, answer",
    [
        (Fault("drop", ">", 3), b"\r\nERROR\r\n"),
        (Fault("drop", ">", 6), b""),
        (Fault("drop", ">", 5, count=2), b""),
        (Fault("corrupt", ">", 4, mask=0x20), CSQ),  # lower case is as good
        (Fault("corrupt", ">", 4), b"\r\nERROR\r\n"),
        (Fault("duplicate", ">", 6), CSQ),
        (Fault("duplicate", ">", 0), b"\r\nERROR\r\n"),
        (Fault("insert", ">", 6, data=b"\r\n"), CSQ),
        (Fault("insert", ">", 0, data=b"\0"), CSQ),
        (Fault("stall", ">", 6, seconds=0.05), CSQ),
        (Fault("stall", ">", 6, seconds=50), b""),
        (Fault("cut", ">", 3), CSQ),
        (Fault("sever", ">", 3, seconds=5), b""),
        (Fault("reboot", ">", 6), b""),
        (Fault("drop", "<", 2), CSQ[:2] + CSQ[3:]),
        (Fault("drop", "<", 0, count=99), b""),
        (Fault("corrupt", "<", 3, mask=0x80), CSQ[:3] + bytes([CSQ[3] ^ 0x80]) + CSQ[4:]),
        (Fault("duplicate", "<", 3, count=2), CSQ[:3] + b"CCC" + CSQ[4:]),
        (Fault("insert", "<", 5, data=b"xyz"), CSQ[:5] + b"xyz" + CSQ[5:]),
        (Fault("stall", "<", 5, seconds=50), CSQ[:5]),
        (Fault("cut", "<", 5), CSQ),
        (Fault("sever", "<", 5, seconds=5), CSQ[:5]),
        (Fault("reboot", "<", 5), CSQ[:5]),
    ],
    ids=str,
)
def test_each_kind(fault, answer):
    line = faulty(fault)
    assert say(line, b"AT+CSQ\r") == answer
    assert line.struck == [fault]


def test_a_stall_delays_and_loses_nothing():
    line = faulty(Fault("stall", "<", 5, seconds=3.0))
    assert say(line, b"AT+CSQ\r", 2.9) == CSQ[:5]
    assert say(line, b"", 0.2) == CSQ[5:]
    assert say(line, b"AT+CSQ\r") == CSQ


def test_after_a_severed_line_it_goes_on():
    line = faulty(Fault("sever", "<", 5, seconds=3.0))
    assert say(line, b"AT+CSQ\r", 3.1) == CSQ[:5]
    assert say(line, b"AT+CSQ\r") == CSQ


def test_a_reboot_says_matready():
    line = faulty(Fault("reboot", ">", 3))
    assert say(line, b"AT+CSQ\r", 5) == b"\r\n+MATREADY\r\n"
    assert say(line, b"AT+CSQ\r") == CSQ
    assert line.module.boots == 1


def test_a_cut_ends_a_read():
    line = faulty(Fault("cut", "<", 5))
    line.feed(b"AT+CSQ\r")
    line.clock.advance(0.005)
    assert line.take() == CSQ[:5]
    line.clock.advance(0.02)
    assert line.take() == CSQ[5:]


def test_damage_and_a_full_store(manual_ca):
    pem = manual_ca
    line = faulty(Fault("damage", ">", 40, name="ca", mask=0x04), Fault("full", ">", 60))
    line.module.store.put(1, "ca", pem)
    say(line, b"AT\r" * 20, 1)
    stored = line.module.store.certs["ca"]
    assert sum(a != b for a, b in zip(stored, pem, strict=True)) == 1
    say(line, b"AT+CMEE=1\r")
    say(line, b'AT+MSSLCERTWR="b",0,3\r')
    assert say(line, b"abc") == b"\r\n+CME ERROR: 764\r\n"
    assert damage_store(line.module, "none") == ""


@pytest.mark.parametrize("kind", KINDS)
def test_faults_are_written_and_read_back(kind):
    for text in (f"{kind} > 5", f"{kind} < 0 count=3 mask=128 data=00ff seconds=0.5 name=ca.pem"):
        fault = Fault.parse(text)
        assert str(fault) == text
        assert Fault.parse(str(fault)) == fault


@pytest.mark.parametrize(
    "text", ["", "drop", "drop > x", "melt > 5", "drop ? 5", "drop > 5 what=1"]
)
def test_what_is_no_fault(text):
    with pytest.raises(ValueError):
        Fault.parse(text)


def _conversation(line):
    out = b""
    for part in (b"AT+CMEE=1\r", b'AT+MSSLCERTWR="a",0,40\r', b"x" * 40, b'AT+MSSLCHECK="a"\r'):
        out += say(line, part, 0.3)
    return out


def test_the_same_seed_gives_the_same_run():
    plain = faulty()
    _conversation(plain)
    counts = plain.counts
    seen = set()
    for seed in range(60):
        fault = random_fault(random.Random(seed), counts)
        assert fault == random_fault(random.Random(seed), counts)
        assert fault.position < counts[fault.direction]
        seen.add((fault.kind, fault.direction))
        first, second = faulty(fault), faulty(Fault.parse(str(fault)))
        assert _conversation(first) == _conversation(second)
        assert first.struck == second.struck
    assert len(seen) == 16


def test_cuts_lose_nothing():
    whole = _conversation(faulty())
    counts = {">": 80, "<": 60}
    for seed in range(20):
        line = faulty(*random_cuts(random.Random(seed), counts, 6))
        assert _conversation(line) == whole
        assert len(line.struck) == 10
        assert line.module.violations == []


# --- SimulatedUart ----------------------------------------------------------------------------


def drive(uart, data, until, seconds=60):
    """Write all of `data`, read up to `until`; what was read."""
    clock = uart.clock
    end = clock.now() + seconds
    view, got, buf = memoryview(data), bytearray(), bytearray(64)
    while not got.endswith(until) or view:
        assert clock.now() < end, (bytes(got), bytes(view))
        wrote = uart.write(view) if view else 0
        if wrote:
            view = view[wrote:]
        count = uart.readinto(buf)
        if count:
            got += buf[:count]
        elif not wrote:
            event = None if view else uart.next_event()
            clock.advance_to(max(event or 0, clock.now() + 1e-4))
    return bytes(got)


def test_uart_manners():
    uart = SimulatedUart(Module(clock=VirtualClock(), echo=False))
    assert uart.any() == 0
    assert uart.readinto(bytearray(5)) is None
    assert uart.read() is None
    assert uart.write(b"") == 0
    assert uart.write(b"xxAT+CSQ\ryy", 2, 7) == 7
    uart.clock.advance(0.1)
    assert uart.any() == len(CSQ)
    buf = bytearray(8)
    assert uart.readinto(buf, 3) == 3
    assert bytes(buf) == CSQ[:3] + bytes(5)
    assert uart.readinto(buf) == 8
    assert uart.read() == CSQ[11:]
    assert uart.write(b"AT\rzz", 3) == 3
    assert (uart.bytes_written, uart.bytes_read) == (10, len(CSQ))
    assert not hasattr(uart, "fileno")
    with pytest.raises(ValueError, match="baud"):
        SimulatedUart(uart.module, rxbuf=5)


@pytest.mark.parametrize("seed", range(5))
def test_fragments_and_nothing_now_and_then(seed, manual_key):
    module = Module(clock=VirtualClock(), echo=False)
    uart = SimulatedUart(module, seed=seed, short_reads=0.7, short_writes=0.7, nothing=0.3)
    drive(uart, b'AT+MSSLKEYWR="k",0,1674\r', b">")
    drive(uart, manual_key, b"OK\r\n")
    assert drive(uart, b"AT+CSQ\r\n", b"OK\r\n") == CSQ
    assert module.store.keys["k"] == manual_key
    assert module.violations == []


@pytest.mark.parametrize("baud", [9600, 115200, 921600])
def test_paced_by_the_line(baud):
    module = Module(clock=VirtualClock(), echo=False, baud=baud)
    uart = SimulatedUart(module, baud=baud)
    start = uart.clock.now()
    answer = drive(uart, b"AT+MSSLCIPHER=?\r", b"OK\r\n")
    ideal = (16 + len(answer)) * 10 / baud + 0.001
    assert uart.clock.now() - start == pytest.approx(ideal, rel=0.02, abs=0.003)
    assert uart.overruns == 0


def test_overrun_of_a_small_receive_buffer():
    module = Module(clock=VirtualClock(), echo=False)
    uart = SimulatedUart(module, baud=115200, rxbuf=256)
    uart.write(b"AT+MSSLCIPHER=?\r")
    uart.clock.advance(0.01)
    uart.any()
    uart.clock.advance(10)
    suites = ",".join(f"0x{suite:02X}" for suite in SUITE_IDS)
    whole = len(f"\r\n+MSSLCIPHER: ({suites})\r\n\r\nOK\r\n")
    assert uart.any() == 256
    assert uart.overruns == whole - 256
    uart.read(256)
    assert drive(uart, b"AT+CSQ\r", b"OK\r\n") == CSQ


def test_the_transmit_buffer_fills():
    uart = SimulatedUart(Module(clock=VirtualClock(), echo=False), baud=9600, txbuf=16)
    assert uart.write(b'AT+MSSLCERTRD="some name"\r') == 16
    assert uart.write(b"x") is None
    assert not uart.txdone()
    uart.clock.advance(4.5 * 10 / 9600)
    assert uart.write(b'name"\r12') == 4
    uart.clock.advance(1)
    assert uart.txdone()


def test_a_wrong_speed_is_junk_until_both_agree():
    module = Module(clock=VirtualClock(), echo=False, baud=921600)
    uart = SimulatedUart(module, baud=115200)
    uart.write(b"AT\r")
    uart.clock.advance(1)
    assert b"OK" not in (uart.read() or b"")
    uart.init(baudrate=921600)
    drive(uart, b"\r", b"", 5)
    drive(uart, b"\rAT\r", b"\r\nOK\r\n", 5)
    drive(uart, b"AT+IPR=115200\r", b"\r\nOK\r\n")
    uart.init(baudrate=115200)
    assert drive(uart, b"AT+IPR?\r", b"OK\r\n") == b"\r\n+IPR: 115200\r\n\r\nOK\r\n"
    assert module.baud == 115200


def test_uart_over_a_faulty_line():
    line = faulty(Fault("corrupt", "<", 3, mask=0x01))
    uart = SimulatedUart(line, baud=115200, rxbuf=64)
    got = drive(uart, b"AT+CSQ\r", b"OK\r\n")
    assert got == CSQ[:3] + bytes([CSQ[3] ^ 1]) + CSQ[4:]


def test_a_whole_conversation_is_quick(manual_key):
    """Tens of thousands of these are run: a second for 20 leaves room for a busy machine."""
    import time

    start = time.process_time()
    for _ in range(20):
        module = Module(clock=VirtualClock(), network=LoopNetwork(), echo=False)
        uart = SimulatedUart(FaultyLine(module, [Fault("cut", ">", 100)]))
        for _ in range(60):
            drive(uart, b"AT+CSQ\r", b"OK\r\n")
        drive(uart, b'AT+MSSLKEYWR="k",0,1674\r', b">")
        drive(uart, manual_key, b"OK\r\n")
    assert time.process_time() - start < 1.0
