# SPDX-License-Identifier: MIT
"""The module is found in whatever state it is."""

import io

import pytest
from onemo import AUTH_NONE
from onemo.errors import CommandError, ModemError, ModemReset, ProtocolError, Timeout

from .conftest import pem


def works(rig):
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize("echo", [True, False])
def test_start_identifies(rigs, echo):
    rig = rigs(echo=echo, started=False)
    rig.modem.start()
    assert rig.modem.model == "ML307R"
    works(rig)


@pytest.mark.parametrize(
    "left",
    [
        b'AT+MSSLRM="ca.pem"',  # whole but for its CR: it must not be carried out
        b'AT+MSSLRM="ca',
        b"AT+MSSLCF",
        b"A",
        b"\xe0",
        b"AT+CSQ\r",
        b'AT+MSSLCERTWR="x.pem",0,8192\r',
        b'AT+MSSLCERTWR="x.pem",0,8192\r' + b"-----BEGIN CERTIFICATE-----\n" * 9,
        b'AT+MSSLCERTWR="x.pem",4096,100\r' + pem(100),
        b'AT+MSSLKEYWR="x.key",0,1\r',
    ],
)
@pytest.mark.parametrize("echo", [True, False])
@pytest.mark.parametrize("pause", [0, 0.001, 1])
def test_a_host_reset_in_mid_command(rigs, left, echo, pause):
    rig = rigs(echo=echo, started=False, strict=False)
    rig.module.store.objects[1, "ca.pem"] = pem(100)
    rig.module.feed(left)
    rig.clock.advance(pause)
    rig.modem.start()
    works(rig)
    assert rig.module.store.objects[1, "ca.pem"] == pem(100)
    assert rig.modem.certs.write("x.pem", io.BytesIO(pem(8192))) is True


def test_junk_before_the_first_answer(rigs):
    rig = rigs(started=False)
    rig.module.put_raw(b"\xe0\x00\xff") if hasattr(rig.module, "put_raw") else rig.module.urc(
        b"\xe0"
    )
    rig.modem.start()
    works(rig)


def test_a_module_that_still_boots(rigs):
    rig = rigs(started=False, strict=False, boot_delay=5.0)
    rig.module.reboot()
    rig.modem.start()
    works(rig)


def test_a_silent_module_is_a_timeout_that_says_what_to_look_at(rigs):
    rig = rigs(started=False, off=True)
    began = rig.clock.now()
    with pytest.raises(Timeout, match=r"power.*TX.*115200") as caught:
        rig.modem.start(timeout_ms=10000)
    assert caught.value.errno == 110
    assert 10 <= rig.clock.now() - began < 20
    rig.module.power_cycle()
    rig.modem.start()
    works(rig)


def test_another_device_that_answers_is_no_silence(rigs):
    rig = rigs(started=False, strict=False)
    rig.module.reply(b"AT+CMEE?", b"ERROR", times=100)
    with pytest.raises(Timeout, match=r"in what came.*115200.*OneMO"):
        rig.modem.start(timeout_ms=3000)


def test_parts_before_start_say_so(rigs):
    rig = rigs(started=False)
    for use in (
        lambda: rig.modem.certs.write("ca.pem", io.BytesIO(pem(100))),
        lambda: rig.modem.tls(0),
        rig.modem.ciphers,
        lambda: rig.modem.connect("h", 1),
    ):
        with pytest.raises(ModemError, match=r"start\(\)"):
            use()
    assert rig.uart.bytes_written == 0


def test_a_known_model_needs_no_start(rigs):
    rig = rigs(started=False, driver={"model": "ML307R-DC"})
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(100))) is True
    assert not any("CGMM" in str(command) for command in rig.module.commands)


@pytest.mark.parametrize(
    ("settings", "says"),
    [
        ({"baud": 0}, "baud"),
        ({"buffer": 8}, "buffer"),
        ({"packet": 0}, "packet"),
        ({"packet": 8193}, "packet"),
        ({"line": 10}, "line"),
        ({"packet": "x"}, "packet"),
    ],
)
def test_settings_are_checked(rigs, settings, says):
    rig = rigs(started=False)
    with pytest.raises((ValueError, TypeError), match=says):
        rig.new_driver(**settings)


def test_reboot_sets_up_again(rig):
    boots = rig.module.boots
    rig.modem.reboot()
    assert rig.module.boots == boots + 1
    works(rig)


def test_a_reboot_without_a_word_sets_up_again(rigs, monkeypatch):
    # Nor does the first query tell: it is answered as if nothing had been.
    rig = rigs(matready=False, strict=False)
    reboot = rig.module.reboot

    def unnoticed(*args, **settings):
        reboot(*args, **settings)
        rig.module.reply(b"AT+CMEE?", b"+CMEE: 1\r\n\r\nOK")

    monkeypatch.setattr(rig.module, "reboot", unnoticed)
    boots = rig.modem.boot_count
    rig.modem.reboot(timeout_ms=10000)
    assert rig.modem.boot_count == boots + 1
    with pytest.raises(CommandError, match="762"):
        rig.modem.certs.remove("ca.pem")


def test_a_reboot_between_commands_is_noticed(rigs):
    rig = rigs(strict=False, echo=True)
    rig.module.reboot()
    rig.clock.advance(5)
    works(rig)
    assert rig.modem.boot_count == 2


def test_a_reboot_in_a_command(rigs):
    rig = rigs(strict=False)
    rig.module.reply(b"AT+CSQ", None)
    rig.clock.advance(1)
    rig.module.reboot(delay=1.0)
    with pytest.raises(ModemReset):
        rig.modem.command("+CSQ", timeout_ms=20000)
    works(rig)


def test_a_late_answer_is_not_taken_for_the_next(rigs):
    rig = rigs(strict=False, answer_delay=1.5)
    with pytest.raises(Timeout):
        rig.modem.command("+CGMR", timeout_ms=1000)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize(
    ("final", "code"),
    [
        (b"ERROR", None),
        (b"+CME ERROR: 50", 50),
        (b"+CME ERROR:50", 50),
        (b"+ CME ERROR: 50", 50),
        (b"+CMS ERROR: 500", None),
        (b"+CIS ERROR: 3", None),
        (b"+CME ERROR: SIM not inserted", None),
    ],
)
def test_final_results(rig, final, code):
    rig.module.reply(b"AT+CSQ", final)
    with pytest.raises(CommandError) as caught:
        rig.modem.command("+CSQ")
    assert caught.value.code == code
    assert caught.value.command == "AT+CSQ"
    if b"SIM" in final:
        assert "SIM not inserted" in str(caught.value)
    if b"CMS" in final:
        assert str(caught.value) == "AT+CSQ: +CMS ERROR: 500"
    works(rig)


def test_what_looks_like_a_final_result_is_none(rig):
    answers(rig, b"+X: OK", b"OK then", b"XOK", b"ERRORS", b"+X: +CME ERROR: 1")
    assert rig.modem.command("+X") == [
        b"+X: OK",
        b"OK then",
        b"XOK",
        b"ERRORS",
        b"+X: +CME ERROR: 1",
    ]


def answers(rig, *lines):
    """Makes the module answer AT+X with these lines."""
    text = b"".join(b"\r\n" + line + b"\r\n" for line in lines)
    rig.module.reply(b"AT+X", text[2:] + b"\r\nOK")


@pytest.mark.parametrize("size", [200, 255, 256, 257, 300, 1000, 2040, 2048])
def test_long_lines_are_joined(rig, size):
    line = b"+X: " + b"y" * (size - 4)
    answers(rig, b"+X: 1", line, b"+X: 2")
    assert rig.modem.command("+X") == [b"+X: 1", line, b"+X: 2"]
    works(rig)


@pytest.mark.parametrize("size", [2200, 5000])
def test_lines_too_long_are_an_error_in_step(rig, size):
    answers(rig, b"+X: 1", b"+X: " + b"y" * size, b"+X: 2")
    with pytest.raises(ProtocolError, match="2048"):
        rig.modem.command("+X")
    works(rig)


def test_urcs_go_to_their_handlers(rig):
    seen = []
    rig.modem.on_urc(b"+MYURC:", seen.append)
    rig.module.urc(b"+MYURC: 1")
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    rig.module.urc(b"+MYURC: 2")
    works(rig)
    assert seen == [b"+MYURC: 1", b"+MYURC: 2"]
    assert all(type(line) is bytes for line in seen)


def test_a_handler_must_not_issue_commands(rig):
    def handler(line):
        rig.modem.command("+CSQ")

    rig.modem.on_urc(b"+MYURC:", handler)
    rig.module.urc(b"+MYURC: 1")
    with pytest.raises(RuntimeError, match="must not issue commands"):
        rig.modem.command("+CSQ")
    works(rig)


def test_a_query_of_a_urcs_name_is_answered(rig):
    seen = []
    rig.modem.on_urc(b"+CEREG:", seen.append)
    assert rig.modem.command("+CEREG?") == [b"+CEREG: 0,1"]
    assert seen == []


@pytest.mark.parametrize("text", ["", "x" * 2000, "+CSQ\rAT+CFUN=0", "\n+CSQ", b"+CSQ\r\n+A"])
def test_bad_commands_are_refused(rig, text):
    sent = rig.uart.bytes_written
    with pytest.raises(ValueError, match="command"):
        rig.modem.command(text)
    assert rig.uart.bytes_written == sent


def test_commands_may_be_bytes(rig):
    assert rig.modem.command(b"+CSQ") == [b"+CSQ: 24,99"]


def test_attach_reports_addresses(rig):
    assert rig.modem.attach() == ["10.11.12.13"]


def test_attach_dials(rigs):
    rig = rigs(auto_dial=False, register_delay=5.0)
    assert rig.modem.attach(apn="cmiot") == ["10.11.12.13"]


def test_attach_without_a_sim(rigs):
    rig = rigs(sim=False)
    with pytest.raises(CommandError) as caught:
        rig.modem.attach()
    assert caught.value.code == 10


def test_attach_without_registration_ends(rigs):
    rig = rigs(registration=3)
    with pytest.raises(Timeout, match="registration"):
        rig.modem.attach(timeout_ms=5000)


def test_ciphers_left_half_way(rig):
    for number in rig.modem.ciphers():
        if number == 0x16:
            break
    works(rig)
    assert len(list(rig.modem.ciphers())) == 207


def test_trace_tells_both_directions(rigs):
    seen = []
    rig = rigs(driver={"trace": lambda direction, data: seen.append((direction, data))})
    seen.clear()
    works(rig)
    assert seen[0] == (">", b"AT+CSQ\r")
    assert b"".join(data for way, data in seen if way == "<") == b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n"


def test_keys_never_reach_the_trace(rigs, manual_key):
    seen = []
    rig = rigs(driver={"trace": lambda direction, data: seen.append(data)})
    rig.modem.certs.write("a.key", io.BytesIO(manual_key), 2)
    everything = b"".join(seen)
    for line in manual_key.split(b"\n"):
        assert line not in everything
    assert b"<256 bytes>" in everything


def test_a_module_in_data_mode_is_out_of_it_soon(rigs):
    rig = rigs(started=False, strict=False, data_timeout=0, uart={"baud": 115200})
    rig.module.feed(b'AT+MSSLCERTWR="x.pem",0,100\r')
    rig.clock.advance(1)
    began = rig.clock.now()
    rig.modem.start()
    works(rig)
    assert rig.clock.now() - began < 7


def test_a_module_that_says_it_is_ready_while_it_is_set_up(rigs):
    rig = rigs(started=False, strict=False)
    rig.module.urc(b"+MATREADY", where="answer")
    rig.modem.start()
    works(rig)


def test_a_uart_that_never_falls_silent_ends_in_time(rigs):
    rig = rigs()
    real = rig.uart.any
    rig.uart.any = lambda: real() or 64
    rig.uart.readinto = babble(rig)
    with pytest.raises((Timeout, ProtocolError)):
        rig.modem.command("+CSQ", timeout_ms=500)


def babble(rig):
    """A readinto that always has junk lines; each takes its time on the line."""

    def readinto(buf, nbytes=None):
        rig.clock.advance(0.005)
        buf[:nbytes] = (b"junk\r\n" * 20)[:nbytes]
        return nbytes

    return readinto


@pytest.mark.parametrize("delay", [0.3, 0.55, 0.7, 0.9, 1.1, 1.3])
def test_a_slow_module_that_queues_its_input(rigs, delay):
    # It answers each of the probes, the later ones while the next commands are on their way.
    rig = rigs(answer_delay=delay, strict=False, started=False)
    rig.modem.start()
    assert rig.modem.model == "ML307R"
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert rig.modem.command("+CGMM") == [b"ML307R-DC"]


@pytest.mark.parametrize("rebooted", [False, True])
def test_a_recovery_that_is_left_at_any_step_is_begun_again(rigs, rebooted):
    # A task may be cancelled in it: what it was about must not be forgotten with it.
    for steps in range(1, 400):
        rig = rigs(strict=False)
        channel = rig.modem.channel
        boots = rig.modem.boot_count
        channel.lose_sync()
        channel.set_rebooted(rebooted)
        operation = rig.modem.resync_op()
        for _ in range(steps):
            try:
                next(operation)
            except StopIteration:
                assert channel.ready()
                assert rig.modem.boot_count == boots + rebooted
                return
            rig.modem.wait()
        channel.cancel()
        assert not channel.ready(), steps
        assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
        assert rig.modem.boot_count == boots + rebooted, steps
    raise AssertionError("the recovery does not end")


def told_by(modem):
    told = []
    modem.on_event(lambda kind, text: told.append(kind))
    return told


def test_a_second_start_after_a_reboot_that_nothing_tells_of_sends_all_settings_again(rigs):
    rig = rigs(matready=False, cmee=1, strict=False, driver={"rts": True})
    tls = rig.modem.tls(1)
    tls.configure(AUTH_NONE, negotime_s=99)
    rig.module.reboot(delay=0)
    told = told_by(rig.modem)
    rig.modem.start()
    settings = [str(command) for command in rig.module.commands]
    assert sum("IFC" in command for command in settings) == 2
    rig.modem.run_operation(tls.apply_op())
    assert tls.read()["negotime_s"] == 99
    assert told == []  # what nobody can know is not told


@pytest.mark.parametrize("heard", [True, False])
def test_a_second_start_after_a_reboot_tells_it_once(rigs, heard):
    rig = rigs(strict=False, matready=heard)
    told = told_by(rig.modem)
    rig.module.reboot()
    rig.clock.advance(20)
    rig.modem.start()
    rig.modem.start()
    assert (told, rig.modem.boot_count) == (["reboot"], 2)


def test_a_recovery_that_is_left_after_its_settings_still_tells_of_the_reboot(rigs):
    for steps in range(1, 400):
        rig = rigs(strict=False, matready=False)
        told = told_by(rig.modem)
        rig.module.reboot(delay=0)
        channel = rig.modem.channel
        channel.lose_sync()
        operation = rig.modem.resync_op()
        try:
            for _ in range(steps):
                next(operation)
                rig.modem.wait()
        except StopIteration:
            assert told == ["reboot"]
            return
        channel.cancel()
        works(rig)
        assert (told, rig.modem.boot_count) == (["reboot"], 2), steps
    raise AssertionError("the recovery does not end")
