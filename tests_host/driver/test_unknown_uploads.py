# SPDX-License-Identifier: MIT
"""Uploads to a model that nobody knows: behind the prompt first, inside commands from the first
refusal on; and what is said inside them."""

import io

import pytest
from onemo import ASCII, CERT, ESCAPED, HEX, KEY
from onemo.errors import CommandError, Unsupported
from rigs import unknown

from tests_host.sockets.conftest import HOST, network

from .conftest import Tape, pem

CA = pem(300, end=b"\r\n")
WRITES = (b"AT+MSSLCERTWR", b"AT+MSSLKEYWR")


@pytest.fixture
def told(rigs):
    """Makes such a rig; `rig.told` has its events, and `rig.progress` what progress was told."""

    def make(**settings):
        rig = rigs(profile=unknown("ML307R"), **settings)
        rig.told = []
        rig.modem.on_event(lambda kind, text: rig.told.append((kind, text)))
        rig.module.commands.clear()
        rig.progress = []
        return rig

    return make


def writes(rig):
    found = [command for command in rig.module.commands if command.startswith(WRITES)]
    rig.module.commands.clear()
    return found


def write(rig, name="ca.pem", source=CA, kind=CERT, **settings):
    return rig.modem.certs.write(
        name, io.BytesIO(source), kind, progress=lambda *n: rig.progress.append(n), **settings
    )


def test_one_that_takes_the_prompt_gets_it(told):
    rig = told()
    assert write(rig) is True
    assert writes(rig) == [b'AT+MSSLCERTWR="ca.pem",0,300']
    assert rig.told == []
    assert rig.modem.require_model().prompt


@pytest.mark.parametrize("refusal", ["50", "4", "error"])
@pytest.mark.parametrize(("kind", "name"), [(CERT, "ca.pem"), (KEY, "a.key")])
def test_one_that_refuses_it_is_written_to_inside_commands(told, refusal, kind, name):
    rig = told(data_mode=False)
    answer = b"ERROR" if refusal == "error" else b"+CME ERROR: %s" % refusal.encode()
    rig.module.reply(b"AT+MSSL%bWR" % (b"CERT" if kind == CERT else b"KEY"), answer)
    source = CA if kind == CERT else pem(300, "PRIVATE KEY", end=b"\r\n")
    assert write(rig, name, source, kind) is True
    first, second = writes(rig)
    assert first.endswith(b'"%s",0,300' % name.encode())
    assert second.startswith(first.split(b",")[0] + b',0,0,"-----BEGIN')
    assert rig.progress[-1] == (300, 300)
    assert rig.module.store.objects[kind, name] == source
    code = {"50": "50, ", "4": "4, ", "error": ""}[refusal]
    [(what, text)] = rig.told
    command = first.decode()
    assert what == "model"
    assert text.startswith(f"ML309Z (a model unknown here) refuses data behind > ({command}: ")
    assert code in text and text.endswith("): it goes inside commands from now on")
    assert not rig.modem.require_model().prompt
    # From now on.
    assert write(rig, name, source, kind) is False
    assert write(rig, name, source, kind, force=True) is True
    assert len(writes(rig)) == 1 and len(rig.told) == 1


def test_the_size_and_in_use_ok_are_passed_on(told):
    rig = told(data_mode=False)
    with pytest.raises(ValueError, match=r"ca\.pem"):
        write(rig, size=299)
    assert write(rig, size=300, in_use_ok=True) is True


def test_a_source_that_cannot_be_rewound_is_written_all_the_same(told):
    rig = told(data_mode=False)
    assert rig.modem.certs.write("ca.pem", Tape(CA), size=len(CA)) is True
    assert rig.module.store.certs == {"ca.pem": CA}


def test_what_a_connection_uses_is_written_only_when_that_is_said_to_be_right(told):
    rig = told(data_mode=False, network=network())
    rig.module.store.objects[CERT, "ca.pem"] = pem(400)
    rig.modem.attach()
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem")
    rig.modem.connect(HOST, 7, tls)
    with pytest.raises(ValueError, match=r"ca\.pem is in use by connection 0"):
        write(rig)
    assert write(rig, in_use_ok=True) is True
    assert rig.module.store.certs == {"ca.pem": CA}


@pytest.mark.parametrize("code", [3, 764, 769])
def test_another_refusal_is_one(told, code):
    rig = told()
    rig.module.reply(b"AT+MSSLCERTWR", b"+CME ERROR: %d" % code)
    with pytest.raises(CommandError) as caught:
        write(rig)
    assert caught.value.code == code
    assert len(writes(rig)) == 1
    assert rig.modem.require_model().prompt and rig.told == []


@pytest.mark.parametrize("code", [50, 4])
def test_a_refusal_of_another_command_is_one(told, code):
    rig = told()
    write(rig)
    rig.module.commands.clear()
    rig.module.reply(b"AT+MSSLRM", b"+CME ERROR: %d" % code, times=9)
    with pytest.raises(CommandError) as caught:
        write(rig, source=pem(400))
    assert caught.value.code == code
    assert rig.modem.require_model().prompt and rig.told == []
    assert writes(rig) == []


# Encodings


@pytest.mark.parametrize(
    ("series", "encoding", "end"), [("MN316-S", HEX, b"\n"), ("MN316", ESCAPED, b"\\r\\n")]
)
def test_the_line_of_each_encoding(rigs, series, encoding, end):
    rig = rigs(series, driver={"packet": 8192, "line": 4096})
    rig.modem.certs.encoding = encoding
    content = pem(200)
    rig.module.commands.clear()
    assert rig.modem.certs.write("ca.pem", io.BytesIO(content)) is True
    [line] = writes(rig)
    data = content.hex().encode().upper() if encoding == HEX else content.replace(b"\n", end)
    head, body = line[: line.index(b'"', 20)], line[line.rindex(b',"') + 2 : -1]
    assert head.startswith(b'AT+MSSLCERTWR="ca.pem'[: len(head)])
    assert body.upper() == data.upper()


@pytest.mark.parametrize(("series", "encoding"), [("MN316-S", HEX), ("MN316", ESCAPED)])
@pytest.mark.parametrize("name", ["a", "n" * 60])
def test_lines_are_full_and_no_longer_than_the_module_takes(rigs, series, encoding, name):
    rig = rigs(series, driver={"line": 200})
    rig.modem.certs.encoding = encoding
    rig.module.commands.clear()
    assert rig.modem.certs.write(name, io.BytesIO(pem(900))) is True
    longest = max(len(command) + 1 for command in writes(rig))
    assert 150 <= longest <= 200


@pytest.mark.parametrize("series", ["MN316", "MN316-S", "MN326"])
def test_the_encoding_is_said_to_each_context_where_there_is_more_than_one(rigs, series):
    rig = rigs(series)
    model = rig.modem.require_model()
    for encoding in model.encodings:
        rig.modem.certs.encoding = encoding
        rig.module.commands.clear()
        rig.modem.certs.write("ca.pem", io.BytesIO(pem(200)), force=True)
        said = [c for c in rig.module.commands if c.startswith(b'AT+MSSLCFG="encoding"')]
        many = len(model.encodings) > 1
        assert said == many * [
            b'AT+MSSLCFG="encoding",%d,%d' % (number, encoding) for number in range(model.ssl_ids)
        ]


def test_an_encoding_that_the_model_lacks(rigs):
    rig = rigs("MN316-S")
    lacks = [e for e in (ASCII, HEX, ESCAPED) if e not in rig.modem.require_model().encodings]
    for encoding in lacks:
        rig.modem.certs.encoding = encoding
        with pytest.raises(Unsupported) as caught:
            rig.modem.certs.write("ca.pem", io.BytesIO(pem(200)))
        assert str(caught.value) == (
            f"{rig.modem.require_model()} takes no encoding {encoding} (manual 3.1, note 4)"
        )


def test_what_would_pass_8192_says_how_much_it_would_be(rigs):
    rig = rigs("MN316")
    content = pem(8192)
    lines = content.count(b"\n")
    with pytest.raises(ValueError) as caught:
        rig.modem.certs.write("ca.pem", io.BytesIO(content))
    assert str(caught.value) == (
        f"ca.pem would be {8192 + lines} bytes if the module stores its line ends as CR LF; "
        "it takes 8192"
    )
    assert rig.module.store.certs == {}
