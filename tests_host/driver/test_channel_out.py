# SPDX-License-Identifier: MIT
"""The channel's way out: how a command is put together, written, traced."""

import pytest
from onemo.at_channel import SENT, WAIT
from onemo.errors import CommandError, ModemReset

from .scripted import Plain, Script, Talk

SECRET = b"0123456789abcdef"


@pytest.fixture
def talk(monkeypatch):
    return Talk(monkeypatch)


def ends(talk):
    """The command under way is answered."""
    assert talk.poll(b"\r\nOK\r\n")[-1] == "done"


def test_parameters_stand_between_commas(talk):
    talk.ch.command(b"+X=").quote("a b").number(5).verbatim("1-2").quote(b"c").send(1000)
    talk.poll()
    assert talk.sent() == b'AT+X="a b",5,1-2,"c"\r'
    ends(talk)
    talk.ch.command("+CSQ").send(1000)
    ends(talk)
    talk.ch.command("+Y=").number(0).send(1000)
    ends(talk)
    assert talk.sent() == b"AT+CSQ\rAT+Y=0\r"
    assert talk.ch.command_text() == "AT+Y=0"


def test_nothing_is_written_before_poll(talk):
    talk.ch.command(b"+X").send(1000)
    assert talk.sent() == b""


@pytest.mark.parametrize("takes", [None, 1, 2, 5, 100])
@pytest.mark.parametrize("kind", [Script, Plain])
def test_a_uart_may_take_less(monkeypatch, kind, takes):
    talk = Talk(monkeypatch, kind(takes=takes))
    talk.ch.command(b"+X=").quote("abc").number(7).send(1000, payload=10)
    for _ in range(30):
        assert talk.ch.poll() == WAIT
    assert talk.sent() == b'AT+X="abc",7\r'
    assert talk.poll(b"\r\n> ") == ["prompt"]
    talk.ch.push(b"abcdefghijklmnop", 3, 13)
    while talk.ch.poll() != SENT:
        assert talk.uart.written != b"defghijklm"
    assert talk.sent() == b"defghijklm"
    assert talk.ch.payload_remaining == 0
    ends(talk)
    assert talk.sent() == b""


@pytest.mark.parametrize("kind", [Script, Plain])
def test_a_uart_may_take_nothing(monkeypatch, kind):
    uart = kind()
    talk = Talk(monkeypatch, uart)
    write = uart.write
    uart.write = lambda *arguments: None
    talk.ch.command(b"+X").send(1000)
    assert talk.ch.poll() == WAIT
    assert talk.ch.max_sleep_ms() == 1
    uart.write = write
    ends(talk)
    assert talk.sent() == b"AT+X\r"


def test_what_was_promised_and_is_still_owed(monkeypatch):
    talk = Talk(monkeypatch, Script(takes=4))
    talk.ch.command(b"+X").send(1000, payload=10)
    assert talk.poll(b">") == ["prompt"]
    assert talk.ch.payload_remaining == 10
    talk.ch.push(b"0123456789", 0, 10)
    left = []
    while True:
        event = talk.ch.poll()
        left.append(talk.ch.payload_remaining)
        if event == SENT:
            break
    assert left == [6, 2, 0]
    assert talk.uart.written.endswith(b"AT+X\r0123456789")


def test_a_payload_in_parts(talk):
    talk.ch.command(b"+X").send(1000, payload=6)
    assert talk.poll(b">") == ["prompt"]
    for part in (b"ab", b"cd"):
        talk.ch.push(part, 0, 2)
        assert talk.poll() == ["sent"]
    assert talk.ch.payload_remaining == 2
    talk.ch.push(b"ef", 0, 2)
    assert talk.poll(b"\r\nOK\r\n") == ["sent", "done"]
    assert talk.sent() == b"AT+X\rabcdef"


def test_more_than_was_promised_owes_nothing(talk):
    talk.ch.command(b"+X").send(1000, payload=2)
    assert talk.poll(b">") == ["prompt"]
    talk.ch.push(b"abcdef", 0, 6)
    assert talk.poll(b"\r\nOK\r\n") == ["sent", "done"]
    assert talk.ch.payload_remaining == 0


@pytest.mark.parametrize("kind", [Script, Plain])
def test_of_a_source_what_was_said_and_no_more(monkeypatch, kind):
    talk = Talk(monkeypatch, kind())
    for start, stop in ((0, 3), (0, 6), (2, 6), (2, 4)):
        talk.ch.command(b"+X").send(1000, payload=stop - start)
        assert talk.poll(b">") == ["prompt"]
        talk.sent()
        talk.ch.push(b"abcdef", start, stop)
        assert talk.poll(b"\r\nOK\r\n") == ["sent", "done"]
        assert talk.sent() == b"abcdef"[start:stop]


def test_a_line_whose_rest_is_pushed(talk):
    talk.ch.command(b"+X=").number(1).verbatim(b'"').send(1000, line_open=True)
    assert talk.poll() == ["sent"]
    assert talk.sent() == b'AT+X=1,"'
    talk.ch.push(b'data"\r', 0, 6)
    assert talk.poll() == ["sent"]
    assert talk.sent() == b'data"\r'
    assert talk.poll() == []
    ends(talk)


def test_sent_is_said_once(talk):
    talk.ch.command(b"+X").send(1000, payload=3)
    assert talk.poll(b">") == ["prompt"]
    talk.ch.push(b"abc", 0, 3)
    assert talk.poll() == ["sent"]
    assert talk.poll() == []
    ends(talk)


def test_an_error_while_the_payload_goes_out_is_seen_in_its_stead(talk):
    talk.ch.command(b"+X").send(1000, payload=6)
    assert talk.poll(b">") == ["prompt"]
    talk.ch.push(b"abc", 0, 3)
    with pytest.raises(CommandError, match="763"):
        talk.poll(b"\r\n+CME ERROR: 763\r\n")
    assert talk.ch.payload_remaining == 0
    talk.ch.command(b"+Y").send(1000)
    ends(talk)


def test_a_handler_must_not_issue_commands(talk):
    def handler(buf, start, end):
        talk.ch.command(b"+Y")

    talk.ch.on_urc(b"+BAD", handler)
    talk.ch.command(b"+X").send(1000)
    said = "a URC handler must not issue commands; note the event and return"
    with pytest.raises(RuntimeError) as caught:
        talk.poll(b"\r\n+BAD: 1\r\n")
    assert str(caught.value) == said
    ends(talk)
    talk.ch.command(b"+Y").send(1000)  # and it may again
    ends(talk)


# What is secret


class Tape:
    """A trace."""

    def __init__(self):
        self.told = []

    def __call__(self, direction, data):
        self.told.append((direction, data))

    def text(self, direction):
        return b"|".join(data for way, data in self.told if way == direction)


@pytest.fixture
def tape():
    return Tape()


def test_a_trace_hears_both_ways(monkeypatch, tape):
    talk = Talk(monkeypatch, trace=tape)
    talk.ch.command(b"+X=").quote("a").send(1000, b"+X:", payload=4)
    talk.poll(b"\r\n", b"> ")
    talk.ch.push(b"--data--", 2, 6)
    assert talk.poll(b"\r\n+X: 1\r\n", b"\r\nOK\r\n") == ["sent", b"+X: 1", "done"]
    assert tape.told == [
        (">", b'AT+X="a"\r'),
        ("<", b"\r\n"),
        ("<", b"> "),
        (">", b"data"),
        ("<", b"\r\n+X: 1\r\n"),
        ("<", b"\r\nOK\r\n"),
    ]


@pytest.mark.parametrize("takes", [None, 1, 3, 7, 9, 12])
def test_what_is_hidden_is_counted_and_not_shown(monkeypatch, tape, takes):
    talk = Talk(monkeypatch, Script(takes=takes), trace=tape)
    talk.ch.command(b"+X=").quote("id").begin_secret().quote(SECRET).send(1000, payload=16)
    for _ in range(40):
        talk.ch.poll()
    assert talk.sent() == b'AT+X="id","%s"\r' % SECRET
    shown = tape.text(">").replace(b"|", b"")
    assert shown.startswith(b'AT+X="id"<')
    assert counted(shown) == len(b',"%s"\r' % SECRET)
    assert talk.poll(b">") == ["prompt"]
    tape.told.clear()
    talk.ch.push(SECRET, 0, 16)
    for _ in range(40):
        talk.ch.poll()
    assert talk.sent() == SECRET
    assert counted(tape.text(">")) == 16
    assert talk.ch.command_text() == 'AT+X="id"'


def counted(shown):
    """The bytes that a trace tells of without showing them; it shows nothing beside them."""
    told = shown[shown.index(b"<") :].replace(b"|", b"")
    assert told.replace(b" bytes>", b">").replace(b"<", b"").replace(b">", b"").isdigit()
    return sum(int(part.split()[0]) for part in told.replace(b">", b"").split(b"<") if part)


def test_its_echo_is_not_shown_until_its_own_result(monkeypatch, tape):
    talk = Talk(monkeypatch, trace=tape)
    talk.ch.command(b"+X=").begin_secret().quote(SECRET).send(1000)
    talk.poll(b'AT+X="%s"\r\r\n' % SECRET)
    assert tape.text("<") == b"<%d bytes>" % len(b'AT+X="%s"\r\r\n' % SECRET)
    tape.told.clear()
    talk.now += 2000
    with pytest.raises(OSError):
        talk.poll()
    talk.ch.command(b"+Y").send(1000)  # an echo of the one before may still come
    talk.poll(b"late\r\n")
    assert tape.told == [(">", b"AT+Y\r"), ("<", b"<6 bytes>")]
    ends(talk)
    talk.poll(b"later\r\n")  # nor is it known to be over when that has its result
    assert tape.told[-1] == ("<", b"<7 bytes>")
    tape.told.clear()
    talk.ch.reset()
    talk.ch.command(b"+Z=").begin_secret().quote(SECRET).send(1000)
    ends(talk)
    talk.ch.command(b"+Y").send(1000)
    tape.told.clear()
    assert talk.poll(b"\r\n+OTHER\r\n\r\nOK\r\n") == ["done"]
    assert tape.text("<") == b"\r\n+OTHER\r\n\r\nOK\r\n"
    assert tape.text(">") == b"AT+Y\r"


def test_an_error_does_not_show_it(talk):
    talk.ch.command(b"+X=").quote("id").begin_secret().quote(SECRET).send(1000)
    with pytest.raises(CommandError) as caught:
        talk.poll(b"\r\nERROR\r\n")
    assert caught.value.command == 'AT+X="id"'


# What came before a command


def test_what_came_in_between_is_no_answer(talk):
    talk.hear(b"\r\n+X: 1\r\n", b"\r\n+URC: 1\r\n", b"\r\nRING\r\n+UR")
    talk.ch.command(b"+X").send(1000, b"+X:")
    assert talk.urcs == [b"+URC: 1"]
    assert talk.poll() == []
    assert talk.poll(b"C: 2\r\n\r\n+X: 2\r\n\r\nOK\r\n") == [b"+X: 2", "done"]
    assert talk.urcs == [b"+URC: 1", b"+URC: 2"]


def test_a_reboot_in_between_is_told_before_anything_is_sent(talk):
    talk.hear(b"\r\n+MATREADY\r\n")
    with pytest.raises(ModemReset) as caught:
        talk.ch.command(b"+X=").quote("a").send(1000)
    assert str(caught.value) == 'the module rebooted before AT+X="a"'
    assert talk.ch.rebooted
    assert talk.sent() == b""
    assert not talk.ch.ready()
    talk.ch.command(b"+X").send(1000)  # whoever knows of it may send
    ends(talk)
    assert talk.sent() == b"AT+X\r"


def test_a_uart_that_never_falls_silent_delays_a_command_for_a_while_only(talk):
    class Endless(list):
        def __bool__(self):
            return True

        def __getitem__(self, at):
            return bytearray(b"\r\n" * 65)

    talk.uart.pieces = Endless()
    talk.ch.command(b"+X").send(1000)
    looked = len(talk.uart.asked)
    assert 128 <= looked <= 512
    assert talk.ch.poll() == WAIT  # the command goes out, and nobody looks for an answer yet
    assert len(talk.uart.asked) == looked
    assert talk.ch.poll() == WAIT
    assert 24 <= len(talk.uart.asked) - looked <= 48
    assert talk.sent() == b"AT+X\r"


class Buffered(Script):
    """A UART that says how much it keeps, as ports do."""

    def __str__(self):
        return "UART(1, baudrate=115200, bits=8, parity=None, stop=1, txbuf=512, rxbuf=256)"


@pytest.mark.parametrize("silent_ms", [0, 10000, (1 << 29) + 10000])  # then ticks have wrapped
def test_a_payload_fills_the_line_and_never_waits_for_room_in_the_uart(monkeypatch, silent_ms):
    size, room, per_ms = 8192, 512 + 32, 11.52  # with the chip's own FIFO; 115200 bit/s
    talk = Talk(monkeypatch, Buffered(), buffer=256)
    talk.now += silent_ms
    talk.ch.command(b"+X=").number(size).send(1000, payload=size)
    assert talk.poll(b"\r\n>") == ["prompt"]
    talk.uart.written.clear()
    talk.ch.set_deadline(1000, size)
    kept = most = pushed = ms = 0
    event = SENT
    while len(talk.uart.written) < size:
        if event == SENT and pushed < size:
            talk.ch.push(bytes(256), 0, 256)
            pushed += 256
        before = len(talk.uart.written)
        event = talk.ch.poll()
        kept += len(talk.uart.written) - before
        most = max(most, kept)
        if event == WAIT:
            talk.now += 1
            ms += 1
            kept = max(0, kept - per_ms)
    assert 256 < most <= room
    assert ms <= (size - 256) / per_ms + 2  # the UART was never without something to send


@pytest.mark.parametrize(("lines", "together_ms"), [(0, 1), (1, 1), (2, 5), (40, 5)])
def test_more_of_a_list_is_waited_for_together(monkeypatch, lines, together_ms):
    talk = Talk(monkeypatch, Buffered())
    talk.ask(b"+X:")
    talk.poll(b"\r\n+X: 1\r\n" * lines + b"\r\n+X")
    assert talk.ch.min_sleep_ms() == together_ms
    assert talk.poll(b": 2\r\n\r\nOK\r\n")[-1] == "done"
    talk.ask(b"+X:")
    assert talk.poll() == []
    assert talk.ch.min_sleep_ms() == 1
