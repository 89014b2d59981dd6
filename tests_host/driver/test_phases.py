# SPDX-License-Identifier: MIT
"""The channel's phases change as its head comment says, and in no other way."""

import contextlib
import inspect
import io
import re

import pytest
from onemo import KEY, at_channel
from onemo.errors import ModemError, Timeout
from onemo_simulator import Fault

from .conftest import Tape, pem
from .scripted import Script, Talk

PHASES = ("IDLE", "LISTENING", "COMMAND", "PROMPT_WAIT", "PAYLOAD", "ANSWER")
NAMES = {getattr(at_channel, "_" + phase): phase for phase in PHASES}


def legal():
    """{(phase, next phase)} of the table in the channel's head comment."""
    found = set()
    phase = None
    for line in inspect.getsource(at_channel).splitlines():
        row = re.match(r"#     ([A-Z_]+|all of them|) {2,}.*?([A-Z_]{4,}) {2,}\S", line)
        if not row:
            continue
        phase = row.group(1) or phase
        begins = PHASES if phase == "all of them" else (phase,)
        found |= {(begin, row.group(2)) for begin in begins if begin != row.group(2)}
    return found


@pytest.fixture
def seen(monkeypatch):
    """What happens to the phases of all channels: {(phase, next phase)}."""
    changes = set()

    def get(channel):
        return channel.__dict__["phase"]

    def put(channel, value):
        old = channel.__dict__.get("phase", value)
        if old != value:
            changes.add((NAMES[old], NAMES[value]))
        channel.__dict__["phase"] = value

    monkeypatch.setattr(at_channel.Channel, "phase", property(get, put), raising=False)
    return changes


def test_the_table_is_read():
    assert len(legal()) == 13
    assert ("COMMAND", "PROMPT_WAIT") in legal()
    assert ("ANSWER", "IDLE") in legal() and ("IDLE", "ANSWER") not in legal()


def converse(rigs, model, **settings):
    """A conversation with everything in it; what fails, fails."""
    rig = rigs(model, strict=False, started=False, **settings)
    modem = rig.modem
    for step in (
        modem.start,
        lambda: modem.command("+CSQ"),
        lambda: modem.command("+NOSUCH"),
        modem.attach,
        lambda: modem.certs.write("ca.pem", io.BytesIO(pem(3000))),
        lambda: modem.certs.write("k.pem", io.BytesIO(pem(900, "PRIVATE KEY")), KEY),
        lambda: modem.certs.write("tape.pem", Tape(pem(700)), size=800),
        lambda: modem.certs.read("ca.pem", io.BytesIO()),
        lambda: list(modem.ciphers()),
        lambda: modem.tls(1).configure(ca="ca.pem"),
        modem.reboot,
        modem.certs.list,
    ):
        with contextlib.suppress(ModemError, ValueError):
            step()


@pytest.mark.parametrize("model", ["ML307R", "MN316", "MN316-S"])
def test_conversations_keep_to_the_table(rigs, seen, model):
    converse(rigs, model)
    assert seen <= legal()


def test_faults_keep_to_the_table_and_everything_in_it_happens(rigs, seen, monkeypatch):
    for kind in ("drop", "corrupt", "sever", "reboot"):
        for at in range(3, 5000, 511):
            for direction in "<>":
                fault = Fault(kind, direction, at, seconds=40.0)
                converse(rigs, "ML307R", faults=[fault])
    for at in range(5, 4000, 501):
        converse(rigs, "MN316", faults=[Fault("reboot", ">", at)])
    for payload, takes in ((0, 0), (9, None)):  # a UART that takes nothing; no prompt
        talk = Talk(monkeypatch, Script(takes=takes))
        talk.ask(payload=payload)
        talk.ch.poll()
        talk.now += 20000
        with pytest.raises(Timeout):
            talk.ch.poll()
    assert seen <= legal()
    assert legal() - seen == set()
