# SPDX-License-Identifier: MIT
"""A conversation as readable lines, without a key or a PSK in it, and as a table."""

import io

import pytest
from on_micropython import run as run_script
from onemo import CERT, KEY
from onemo.trace import Trace
from onemo_simulator import Module
from onemo_tools.cli import trace as tool
from onemo_tools.proofs.rig import Rig
from sockets.device import run as run_with_module
from typer.testing import CliRunner

from tests_host.pure.der import base64_of

KEY_PEM = b"-----BEGIN PRIVATE KEY-----\n" + base64_of(640, "PRIVATE KEY")[:16]
KEY_PEM = (KEY_PEM + b"S3cr3tKeyBytes/" * 40).ljust(28 + 640, b"A")[: 28 + 640]
KEY_PEM += b"\n-----END PRIVATE KEY-----\n"
CA_PEM = b"-----BEGIN CERTIFICATE-----\n" + base64_of(64, letter="Q")
CA_PEM += b"\n-----END CERTIFICATE-----\n"
PSK = b"pre-shared-s3cret"


def lines(text):
    return [line.split(None, 1)[1] for line in text.splitlines()]


def feed(*told):
    sink = io.StringIO()
    trace = Trace(sink)
    for direction, data in told:
        trace(direction, data)
    trace.flush()
    return lines(sink.getvalue())


def test_commands_and_answers_however_they_are_cut():
    whole = [(">", b"AT+CSQ\r"), ("<", b"\r\n+CSQ: 24,99\r\n\r\nOK\r\n")]
    single = [(way, bytes((byte,))) for way, data in whole for byte in data]
    wanted = ["> AT+CSQ", "< +CSQ: 24,99", "< OK"]
    assert feed(*whole) == wanted
    assert feed(*single) == wanted


def test_payload_behind_a_prompt_is_counted():
    told = [
        (">", b'AT+MSSLCERTWR="c",0,1300\r'),
        ("<", b"\r\n> "),
        *[(">", b"AT+X\r" * 26)] * 10,
        ("<", b"\r\nOK\r\n"),
        (">", b"AT\r"),
    ]
    assert feed(*told) == ['> AT+MSSLCERTWR="c",0,1300', "< >", "> <1300 bytes>", "< OK", "> AT"]


@pytest.mark.parametrize("cut", [1, 3, 1000])
def test_counted_data_is_counted(cut):
    said = b"\r\n+MSSLCERTRD: 12,ab\r\nOK\r\n<>,:\r\nOK\r\n\r\n+MIPRD: 0,5,3,\r\nX\r\nOK\r\n"
    told = [("<", said[at : at + cut]) for at in range(0, len(said), cut)]
    assert feed(*told) == [
        "< +MSSLCERTRD: 12,",
        "< <12 bytes>",
        "< OK",
        "< +MIPRD: 0,5,3,",
        "< <3 bytes>",
        "< OK",
    ]


def test_what_the_driver_masked_is_counted():
    told = [
        (">", b'AT+MSSLPSK="id",<19 bytes>'),
        ("<", b"<6 bytes>"),
        (">", b'AT+MSSLKEYWR="k",0,500\r'),
        ("<", b"<4 bytes>"),
        (">", b"<256 bytes>"),
        (">", b"<244 bytes>"),
        ("<", b"<6 bytes>"),
        (">", b"AT\r"),
        ("<", b"\r\nOK\r\n"),
    ]
    assert feed(*told) == [
        '> AT+MSSLPSK="id",<19 bytes>',
        "< <6 bytes>",
        '> AT+MSSLKEYWR="k",0,500',
        "< <4 bytes>",
        "> <500 bytes>",
        "< <6 bytes>",
        "> AT",
        "< OK",
    ]


@pytest.mark.parametrize("way", ["<", ">"])
def test_a_secret_that_nobody_masked_is_not_let_through(way):
    assert feed((way, b'AT+MSSLPSK="id","s3cret"\r')) == [way + ' AT+MSSLPSK="id",<8 bytes>']
    data = b'at+msslkeywr="k",0,0,"-----BEGIN s3cret'
    assert feed((way, data + b'"\r')) == [way + ' at+msslkeywr="k",0,0,<19 bytes>']


def test_a_long_line_is_cut_short_and_the_rest_counted():
    [line] = feed((">", b'AT+MSSLCERTWR="c",0,0,"' + b"Q" * 500 + b'"\r'))
    assert line.startswith('> AT+MSSLCERTWR="c",0,0,"QQQ')
    assert line.endswith(f"Q<{500 + 24 - 160} bytes>")


def test_binary_is_no_harm():
    assert feed(("<", b"\xff\x00\x1b[31m\r\nOK\r\n")) == ["< ???[31m", "< OK"]


def conversation(modem):
    """Everything that has a secret in it, and some that has none."""
    modem.start()
    modem.certs.write("ca.pem", io.BytesIO(CA_PEM), CERT)
    modem.certs.write("client.key", io.BytesIO(KEY_PEM), KEY)
    modem.certs.read("ca.pem", io.BytesIO())
    if modem.require_model().psk:
        modem.certs.write_psk("device", PSK)


@pytest.mark.parametrize("model", ["ML307R", "MN316-S", "MN316"])
@pytest.mark.parametrize("echo", [False, True])
def test_a_whole_conversation(model, echo):
    sink = io.StringIO()
    recorder = Trace(sink)
    with Rig(model, driver={"trace": recorder, "buffer": 64}, echo=echo) as rig:
        conversation(rig.modem)
        if echo:
            rig.module.echo = True  # it comes back after a reboot, say
            conversation(rig.modem)
    recorder.flush()
    text = sink.getvalue()
    assert "S3cr3t" not in text
    assert "s3cret" not in text
    assert 'MSSLKEYWR="client.key"' in text
    rows = list(tool.parse(text.splitlines()))
    assert sum(row.size for row in rows) > len(KEY_PEM)
    assert [row.seconds for row in rows] == sorted(row.seconds for row in rows)
    assert {row.text for row in rows if row.direction == "<"} >= {"OK"}


def test_the_table(tmp_path):
    sink = io.StringIO()
    recorder = Trace(sink)
    with Rig(driver={"trace": recorder}) as rig:
        conversation(rig.modem)
        with pytest.raises(OSError):
            rig.modem.command("+NOSUCH")
    recorder.flush()
    (tmp_path / "trace.txt").write_text(sink.getvalue())
    done = CliRunner().invoke(app(), [str(tmp_path / "trace.txt")], env={"COLUMNS": "120"})
    assert done.exit_code == 0, done.output
    shown = [line.split() for line in done.output.splitlines()]
    assert ["0.000", ">", "AT+CMEE?"] in shown
    assert [row[-2:] for row in shown if row[-1] == str(len(KEY_PEM))] == [
        [">", str(len(KEY_PEM))]
    ]
    assert any(row[-1] == "ERROR" for row in shown)


def app():
    import typer

    made = typer.Typer()
    made.command()(tool.main)
    return made


@pytest.mark.parametrize("text", ["no trace", "1.0 > AT", None])
def test_what_is_no_trace(tmp_path, text):
    path = tmp_path / "trace.txt"
    if text:
        path.write_text("    0.000 > AT\n" + text)
    done = CliRunner().invoke(app(), [str(path)])
    assert done.exit_code == 1
    assert done.stderr.startswith("trace: ") and "trace.txt" in done.stderr
    assert len(done.stderr.splitlines()) == 1 and "Errno" not in done.stderr


def test_rich_markup_in_a_trace_is_text():
    row = next(iter(tool.parse(["    0.000 < [red]x[/nonsense]"])))
    from rich.console import Console

    console = Console(file=io.StringIO(), width=100)
    console.print(tool.table([row]))
    assert "[red]x[/nonsense]" in console.file.getvalue()


def test_on_micropython(tmp_path):
    path = tmp_path / "trace.txt"
    (tmp_path / "key").write_bytes(KEY_PEM)
    out = run_with_module(
        Module("ML307R"),
        """
from onemo import Modem, KEY
from onemo.trace import Trace
with open(PATH, "w") as file:
    trace = Trace(file)
    modem = Modem(uart, trace=trace)
    modem.start()
    modem.certs.write("client.key", FOLDER + "/key", KEY)
    trace.flush()
""",
        PATH=str(path),
        FOLDER=str(tmp_path),
    )
    assert out == ""
    rows = list(tool.parse(path.read_text().splitlines()))
    assert any(row.text == f'AT+MSSLKEYWR="client.key",0,{len(KEY_PEM)}' for row in rows)
    assert any(row.size == len(KEY_PEM) for row in rows)
    assert "S3cr3t" not in path.read_text()


def test_a_long_trace_keeps_no_memory():
    found = run_script("""
import gc, json
from onemo.trace import Trace
class Sink:
    def write(self, text):
        pass
trace = Trace(Sink())
def go(n):
    for i in range(n):
        trace(">", b"AT+CSQ\\r")
        trace("<", b"\\r\\n+CSQ: 24,99\\r\\n\\r\\nOK\\r\\n")
go(5)
gc.collect()
before = gc.mem_alloc()
go(500)
gc.collect()
print(json.dumps(gc.mem_alloc() - before))
""")
    assert found < 256
