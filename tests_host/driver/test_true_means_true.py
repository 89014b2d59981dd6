# SPDX-License-Identifier: MIT
"""What is told is true when it is told: at the line's faults, and at its callers'."""

import io

import pytest
from onemo import KEY
from onemo.errors import CommandError, ModemError, ModemReset, ProtocolError

from tests_host.pure.der import base64_of

from .conftest import pem

SECRET = "Zx9vQ2mK7tLp4RsW"


KEY_START = base64_of(64, "PRIVATE KEY")[:16].decode()
KEY_TEXT = (
    "-----BEGIN PRIVATE KEY-----\n" + KEY_START + SECRET * 3 + "\n-----END PRIVATE KEY-----\n"
)


# Lines of others in a result


@pytest.mark.parametrize(
    ("command", "lines", "own"),
    [
        ("+CSQ", [b"+CTZV: 26/11/26,03:14:22,+32", b"+CSQ: 24,99"], [b"+CSQ: 24,99"]),
        ("+CEREG?", [b"+CSQ: 1,1", b"+CEREG: 1,1"], [b"+CEREG: 1,1"]),
        ("+CGMR", [b"+CEREG: 1", b"ML307R-DL-MBRH0S01"], [b"ML307R-DL-MBRH0S01"]),
        ("+CSQ", [b"+CSQX: 1", b"+CSQ: 2"], [b"+CSQ: 2"]),
        ("+CIMI", [b"460040123456789", b"^MODE: 5"], [b"460040123456789"]),
        ("+CGSN", [b'*PSUTTZ: "26/11/26"', b"ML0123456789ABCD"], [b"ML0123456789ABCD"]),
        ("I", [b"+GCAP: x", b"ML307R"], [b"+GCAP: x", b"ML307R"]),
        ("+CSQ;+CEREG?", [b"+CSQ: 2", b"+CEREG: 1"], [b"+CSQ: 2", b"+CEREG: 1"]),
    ],
)
def test_a_result_has_its_own_lines_only(rig, command, lines, own):
    rig.module.reply(b"AT" + command.encode(), b"\r\n\r\n".join([*lines, b"OK"]))
    assert rig.modem.command(command) == own


def test_another_beginning_can_be_expected(rig):
    rig.module.reply(b"AT+X", b"+Y: 1\r\n\r\n+X: 2\r\n\r\nOK")
    assert rig.modem.command("+X", expect="+Y:") == [b"+Y: 1"]


@pytest.mark.parametrize("timeout_ms", [300, 1500, 20000])
def test_the_query_that_confirms_an_empty_answer_keeps_to_the_callers_time(rig, timeout_ms):
    rig.module.reply(b"AT+X?", b"OK")
    rig.module.reply(b"AT+CMEE?", b"")  # the module has gone to sleep over it
    start = rig.clock.now()
    with pytest.raises(ProtocolError, match=r"AT\+X\?: nothing confirms its answer"):
        rig.modem.command("+X?", timeout_ms=timeout_ms)
    assert rig.clock.now() - start <= min(timeout_ms, 5000) / 1000 + 0.1


ASKS = [
    ("+CEREG?", {}),
    ("+MIPOPEN=?", {}),
    ("+CSQ", {}),
    ("+csq", {}),
    ("+MREBOOT=?", {}),
    ("+MSSLLIST=1", {"expect": "+MSSLLIST:"}),
]


@pytest.mark.parametrize(("text", "options"), ASKS)
def test_an_empty_answer_that_nothing_confirms_is_none(rigs, text, options):
    rig = rigs(strict=False)
    command = b"AT" + text.encode()
    rig.module.reply(command, b"OK")
    rig.module.reply(b"AT+CMEE?", None)
    with pytest.raises(ProtocolError, match="nothing confirms"):
        rig.modem.command(text, **options)
    rig.module.reply(command, b"OK")
    assert rig.modem.command(text, **options) == []  # what is confirmed may be empty
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize(("text", "options"), ASKS)
def test_an_empty_answer_before_a_reboot_is_none(rigs, text, options):
    rig = rigs(strict=False)
    rig.module.reply(b"AT" + text.encode(), b"OK")
    rig.module.reply(b"AT+CMEE?", b"+MATREADY")
    with pytest.raises(ModemReset):
        rig.modem.command(text, **options)


@pytest.mark.parametrize("matready", [True, False])
@pytest.mark.parametrize("text", ["+MREBOOT", "AT+mreboot", "+CFUN=1,1", "+MPOF"])
def test_what_restarts_the_module_needs_no_confirmation(rigs, text, matready):
    rig = rigs(matready=matready, strict=text.isupper())
    assert rig.modem.command(text) == []


# Re-entry


def test_a_command_in_progress_is_refused_and_the_upload_goes_on(rig):
    caught = []

    def progress(done, total):
        with pytest.raises(RuntimeError, match="under way"):
            rig.modem.command("+CSQ")
        caught.append(done)

    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(900)), progress=progress) is True
    assert caught


def test_a_command_in_a_loop_over_ciphers_is_refused_and_the_loop_goes_on(rig):
    found = []
    for suite in rig.modem.ciphers():
        if not found:
            with pytest.raises(RuntimeError, match="under way"):
                rig.modem.command("+CSQ")
        found.append(suite)
    assert found == list(rig.modem.ciphers())
    for _ in rig.modem.ciphers():
        break
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


def test_a_source_that_reads_from_the_modem_is_refused(rig):
    class Source(io.BytesIO):
        def readinto(self, buf):
            rig.modem.command("+CSQ")

    with pytest.raises(RuntimeError, match="under way"):
        rig.modem.certs.write("ca.pem", Source(pem(500)))
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


# Secrets


def test_text_in_place_of_a_path_is_refused_without_showing_it(rig):
    with pytest.raises(ValueError, match="not the path") as caught:
        rig.modem.certs.write("client.key", KEY_TEXT, KEY)
    assert SECRET not in str(caught.value) + repr(caught.value)
    assert not any(b"KEYWR" in bytes(line) for line in rig.module.commands)


@pytest.mark.parametrize(
    "text",
    [
        f'+MSSLPSK="id","{SECRET}"',
        f'+msslpsk="id","{SECRET}"',
        f'+MSSLKEYWR="k",0,0,"{SECRET}"',
        f'+MSSLCERTWR="k",0,0,"-----BEGIN PRIVATE KEY-----\\r\\n{SECRET}"',
        f'+CSQ;+MSSLPSK="id","{SECRET}"',
        f'+CSQ;+CGAUTH=1,2,"user","{SECRET}"',
        f'+CLCK="SC",1,"{SECRET}"',
        f'+CPWD="SC","{SECRET}","5678"',
    ],
)
@pytest.mark.parametrize("kind", [str, str.encode])
def test_a_raw_command_shows_no_secret(rigs, text, kind):
    told = bytearray()
    rig = rigs(strict=False, driver={"trace": lambda way, data: told.extend(data)})
    rig.module.reply(b"AT", b"+CME ERROR: 50")
    with pytest.raises(CommandError) as caught:
        rig.modem.command(kind(text))
    assert SECRET.encode() not in told
    assert SECRET not in str(caught.value) + repr(caught.value) + caught.value.command
    assert any(SECRET.encode() in bytes(line) for line in rig.module.commands)


def test_the_shortest_command_with_a_secret_shows_none(rigs):
    told = bytearray()
    rig = rigs(driver={"trace": lambda way, data: told.extend(data)})
    rig.module.reply(b"AT+CPIN", b"+CME ERROR: 16")
    with pytest.raises(CommandError) as caught:
        rig.modem.command("+CPIN=1234")
    assert b"AT+CPIN=1234" in [bytes(line) for line in rig.module.commands]
    assert b"1234" not in told.partition(b"+CPIN=")[2]
    assert "1234" not in str(caught.value) + repr(caught.value)


def test_a_key_without_its_begin_in_place_of_a_path_is_not_shown(rig):
    bare = "MHcCAQEEIA" + SECRET * 4
    with pytest.raises(OSError, match="cannot be opened") as caught:
        rig.modem.certs.write("client.key", bare, KEY)
    assert SECRET not in str(caught.value)


def test_no_key_stays_in_the_buffers(rig):
    rig.modem.certs.write("client.key", io.BytesIO(KEY_TEXT.encode()), KEY)
    rig.modem.command("+CSQ")
    channel = rig.modem.channel
    scanner = rig.modem.certs.uploader()._scanner
    for place in (channel.buffer, channel.out, channel._rx, scanner.line, scanner.head):
        assert SECRET[:8].encode() not in bytes(place)
    for place in (channel.buffer, scanner.line, scanner.head):
        assert not any(place)


# Values of the wrong kind


@pytest.mark.parametrize(
    "settings",
    [
        {"ignoreverify": "false"},
        {"ignorestamp": "no"},
        {"session": 2},
        {"version": True},
        {"negotime_s": True},
        {"negotime_s": "45"},
    ],
)
def test_a_setting_of_the_wrong_kind_is_refused(rig, settings):
    before = len(rig.module.commands)
    with pytest.raises((TypeError, ValueError)):
        rig.modem.tls(1).configure(ca="ca.pem", **settings)
    assert len(rig.module.commands) == before


def test_a_broken_suite_needs_true_itself(rig):
    with pytest.raises(ValueError, match="broken"):
        rig.modem.tls(1).configure(ca="ca.pem", ciphersuite=0x0005, allow_broken="no")


# A final result too many, as in the text of an SMS, with the answer 200 ms behind it


def list_certs(modem):
    return modem.certs.list()


def read_cert(modem):
    sink = io.BytesIO()
    return modem.certs.read("ca.pem", sink), sink.getvalue()


def list_suites(modem):
    return len(list(modem.ciphers()))


def ask_signal(modem):
    return modem.command("+CSQ")


def ask_imsi(modem):
    return modem.command("+CIMI")


@pytest.mark.parametrize("said", [b"OK", b"ERROR", b"+CME ERROR: 762"])
@pytest.mark.parametrize(
    ("command", "ask"),
    [
        (b"AT+MSSLLIST", list_certs),
        (b"AT+MSSLCERTRD", read_cert),
        (b"AT+MSSLCIPHER", list_suites),
        (b"AT+CIMI", ask_imsi),
    ],
)
def test_no_answer_is_taken_for_that_to_the_next_command(rigs, command, ask, said):
    rig = rigs(strict=False)  # who is told too early speaks too early
    content = pem(900)
    rig.module.store.objects.update({(1, "ca.pem"): content, (1, "cb.pem"): content})
    right = ask(rig.modem)
    rig.module.chatter(command, b'+CMT: "+861064899",,"26/11/30"\r\n' + said, 1)
    rig.module.delay(command, 0.2, 1)
    with pytest.raises(ModemError):
        ask(rig.modem)
    errors = 0
    for call, expected in ((ask, right), (ask_signal, [b"+CSQ: 24,99"]), (ask, right)) * 2:
        try:
            assert call(rig.modem) == expected
        except ModemError:  # what came too late is told by the one that meets it
            errors += 1
    assert errors <= 1


def test_a_list_that_is_cut_short_by_an_ok_is_no_list(rig):
    rig.module.store.objects[1, "ca.pem"] = pem(900)
    lines = [b'+MSSLLIST: "ca.pem",900', b"OK", b'+MSSLLIST: "cb.pem",900']
    rig.module.reply(b"AT+MSSLLIST=1", b"OK", lines=lines)
    with pytest.raises(ModemError):
        rig.modem.certs.list()
    assert rig.modem.certs.list() == [("ca.pem", 900)]
