# SPDX-License-Identifier: MIT
"""connect(…, id=): the connection id that the caller chose; and a handshake that has no time."""

import pytest
from onemo import AUTH_NONE
from onemo.errors import ModemError

from .conftest import HOST, commands, network


@pytest.mark.parametrize("number", range(6))
def test_the_id_is_the_one_asked_for(rig, number):
    with rig.modem.connect(HOST, 7, id=number) as stream:
        assert stream.write(b"x") == 1
        assert commands(rig, b"AT+MIPOPEN=")[-1].startswith(b'AT+MIPOPEN=%d,"TCP"' % number)
        assert commands(rig, b'AT+MIPCFG="ssl",%d,0' % number)


@pytest.mark.parametrize(("series", "most"), [("ML307R", 5), ("MN316", 4)])
@pytest.mark.parametrize(
    ("number", "error"), [(-1, ValueError), (9, ValueError), ("1", TypeError)]
)
def test_an_id_that_the_model_lacks(rigs, series, most, number, error):
    rig = rigs(series)
    sent = rig.uart.bytes_written
    with pytest.raises(error, match=f"id (is|must).*{most if error is ValueError else ''}"):
        rig.modem.connect(HOST, 7, id=number)
    with pytest.raises(ValueError, match=f"0 to {most}"):
        rig.modem.connect(HOST, 7, id=most + 1)
    assert rig.uart.bytes_written == sent


def test_a_busy_id_is_an_error_that_says_so_before_anything_is_sent(rig):
    first = rig.modem.connect(HOST, 7, id=2)
    sent = rig.uart.bytes_written
    with pytest.raises(ModemError, match=rf"connection 2 is in use \({HOST}:7\): close it first"):
        rig.modem.connect(HOST, 9, id=2)
    assert rig.uart.bytes_written == sent
    assert first.write(b"still") == 5
    assert first.read(5) == b"still"
    first.close()
    assert rig.modem.connect(HOST, 9, id=2).write(b"x") == 1


def test_the_others_leave_it_alone(rig):
    chosen = rig.modem.connect(HOST, 7, id=0)
    others = [rig.modem.connect(HOST, 7) for _ in range(5)]
    ids = [command.split(b"=")[1][:1] for command in commands(rig, b"AT+MIPOPEN=")]
    assert len(set(ids)) == 6
    assert ids[0] == b"0"
    for stream in [chosen, *others]:
        assert stream.write(b"abc") == 3
        assert stream.read(3) == b"abc"


def test_what_has_failed_is_no_hindrance(rig):
    broken = rig.modem.connect(HOST, 19, id=3)  # ends by itself
    assert broken.read()
    again = rig.modem.connect(HOST, 7, id=3)
    assert again.write(b"x") == 1
    rig.modem.reboot()
    rig.modem.attach()
    assert rig.modem.connect(HOST, 7, id=3).write(b"x") == 1


def test_an_id_that_the_module_still_holds_is_closed_first(rigs):
    rig = rigs()
    rig.modem.connect(HOST, 7, id=1)
    rig.modem = rig.new_driver()  # the host's reset
    rig.modem.start()
    assert rig.modem.connect(HOST, 7, id=1).write(b"x") == 1


def test_after_a_close_that_was_not_confirmed_it_waits(rigs):
    rig = rigs(close_delay=5.0)
    rig.modem.connect(HOST, 7, id=1).close()
    before = rig.clock.now()
    assert rig.modem.connect(HOST, 7, id=1).write(b"x") == 1
    assert rig.clock.now() - before < 12


def test_with_asyncio(aios):
    rig = aios()

    async def job():
        first = await rig.aio.connect(HOST, 7, id=4)
        with pytest.raises(ModemError, match="connection 4 is in use"):
            await rig.aio.connect(HOST, 7, id=4)
        first.write(b"abc")
        await first.drain()
        assert await first.read(3) == b"abc"
        first.close()
        await first.wait_closed()

    rig.run(job())
    assert commands(rig, b"AT+MIPOPEN=4")


# The time for a handshake


def events(rig):
    told = []
    rig.modem.on_event(lambda kind, text: told.append((kind, text)))
    return told


@pytest.mark.parametrize(
    ("negotime_s", "timeout_ms", "tells"),
    [(45, 60000, False), (45, 45000, False), (45, 44999, True), (300, 60000, True)],
)
def test_a_handshake_with_less_time_than_asked_for_is_told_once(
    rigs, negotime_s, timeout_ms, tells
):
    rig = rigs(network=network())
    told = events(rig)
    tls = rig.modem.tls(0)
    tls.configure(AUTH_NONE, negotime_s=negotime_s)
    for _ in range(3):
        rig.modem.connect(HOST, 7, tls, timeout_ms).close()
    assert [kind for kind, _ in told] == ["negotime"] * tells
    if tells:
        assert f"negotime_s of TLS context 0 is {negotime_s}" in told[0][1]
        assert f"{timeout_ms} ms" in told[0][1]
    tls.set("negotime_s", 10)
    rig.modem.connect(HOST, 7, tls, timeout_ms).close()
    assert len(told) == tells
    tls.set("negotime_s", 299)
    rig.modem.connect(HOST, 7, tls, timeout_ms).close()
    assert len(told) == tells + 1


def test_without_tls_nothing_is_told(rig):
    told = events(rig)
    rig.modem.tls(0).configure(AUTH_NONE, negotime_s=300)
    rig.modem.connect(HOST, 7, None, 6000).close()
    assert told == []
