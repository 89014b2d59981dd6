# SPDX-License-Identifier: MIT
"""A probe leaves a module as it was: whatever was in it, and however the probe ended."""

from __future__ import annotations

import random
import re

import pytest
from onemo_simulator import Module, VirtualClock
from onemo_tools.probe.probe import PREFIX, Plan, ProbeError
from onemo_tools.probe.talk import NoModule

from tests_host.probe.bench import (
    HOST,
    PORT,
    VirtualPort,
    make_module,
    network,
    probing,
    state,
    whole,
)

MODELS = ["ML307R", "MN316-S", "ML307X", "ML307H-GU", "ML307C"]
OTHERS = {
    (1, "ca.pem"): b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
    (2, "dev.key"): b"-----BEGIN PRIVATE KEY-----\nBBBB\n-----END PRIVATE KEY-----\n",
    (1, "onemo-pro"): b"-----BEGIN CERTIFICATE-----\nCCCC\n-----END CERTIFICATE-----\n",
}


def in_use(model, **quirks):
    """A module that others use: objects, contexts, options, a connection."""
    module = make_module(model, **quirks)
    host = VirtualPort(module)

    def ask(text):
        host.write(text.encode() + b"\r")
        host.sleep(0.5)
        host.read(0.0)

    if module.profile.tls:
        module.store.objects.update(OTHERS)
        if module.profile.psk:
            module.store.objects[3, "someone"] = b"of others"
        ask('AT+MSSLCFG="cert",0,"ca.pem","dev.key","dev.key"')
        ask('AT+MSSLCFG="auth",0,2')
        ask('AT+MSSLCFG="ignorestamp",0,0')
        ask(f'AT+MSSLCFG="negotime",{module.profile.ssl_ids - 1},44')
    ask('AT+MIPCFG="encoding",0,0,1')
    ask(f'AT+MIPCFG="autofree",{module.profile.conn_ids - 1},1')
    ask(f'AT+MIPOPEN=0,"TCP","{HOST}",{PORT + 2},30,2')
    ask("AT+CMEE=0")
    ask("ATE0")
    host.sleep(1.0)
    host.read(0.0)
    return module


def plain_state(module):
    found = state(module)
    found["sockets"] = sorted(found["sockets"])
    return found


@pytest.mark.parametrize("model", MODELS)
def test_what_others_have_stays(model):
    module = in_use(model)
    assert module.sockets.get(0) is not None
    before = plain_state(module)
    probing(module, whole(reboot=False)).run()
    assert plain_state(module) == before


@pytest.mark.parametrize("model", ["ML307R", "ML307X", "MN316-S"])
def test_a_reboot_ends_connections_and_no_more(model):
    module = in_use(model, keep_contexts=model == "ML307X")
    before = plain_state(module)
    result = probing(module).run()
    assert module.boots == 1
    after = plain_state(module)
    assert after.pop("sockets") == [] and before.pop("sockets") == [0]
    assert after == before
    assert result.get("quirks.keep_contexts") is (model == "ML307X")


@pytest.mark.parametrize("model", ["ML307H-DU", "ML307R"])
def test_objects_of_others_that_a_reboot_would_lose(model):
    """A store in RAM that is not empty, known or possible, is not put to the test."""
    module = in_use(model, store_memory="ram", revision_prefix="X" if model == "ML307R" else "")
    if model == "ML307R":
        module.submodel = "ML309Q-DX"  # a series that no table has
    before = plain_state(module)
    result = probing(module).run()
    after = plain_state(module)
    assert after.pop("sockets") == [] and before.pop("sockets") == [0]  # the context was ended
    assert module.boots == 0 and after == before
    assert "certificates and keys of others" in result.as_dict()["unknown"]["store_memory"]


@pytest.mark.parametrize("model", MODELS)
def test_read_only_changes_nothing_at_all(model):
    module = in_use(model)
    before = plain_state(module)
    first = len(module.commands)
    probing(module, Plan(write=False)).run()
    assert plain_state(module) == before
    writing = re.compile(
        rb"AT\+(MSSL(CERTWR|KEYWR|RM|PSK)|MIP(OPEN|CLOSE|SEND|CALL|RD)|MREBOOT|CGACT|MPOF|CFUN)(=[^?]|$)"
        rb'|AT\+(MSSLCFG|MIPCFG|MLPMCFG)="\w+",'
        rb"|AT&|ATZ|AT\+(CGSN|GSN|CIMI)(=1|$|\?)"
    )
    sent = [command for command in module.commands[first:] if writing.match(command)]
    assert sent == []
    assert {b"ATE0", b"AT+CMEE=1"} <= set(module.commands[first:])


def test_what_an_earlier_probe_left_is_removed_and_what_is_called_nearly_so_is_not():
    module = make_module("ML307R")
    module.store.objects[1, f"{PREFIX}dead-a"] = b"old"
    module.store.objects[2, f"{PREFIX}dead-k"] = b"old"
    module.store.objects[1, "onemo-probe"] = b"of others"
    told = []
    probing(module, Plan(reboot=False), say=told.append).run()
    assert set(module.store.objects) == {(1, "onemo-probe")}
    assert sum("an earlier probe left" in line for line in told) == 2


@pytest.mark.parametrize("group", ["write", "connect", "reboot"])
def test_what_is_not_allowed_is_not_done(group):
    module = make_module("ML307R")
    before = state(module)
    asked = []

    def allow(name):
        asked.append(name)
        return name != group

    result = probing(module, allow=allow).run()
    assert state(module) == before
    assert group in asked
    if group == "write":
        assert asked == ["write"] and module.store.writes == 0
    if group == "connect":
        assert network().connections == [] and module.network.connections == []
    assert module.boots == (group == "connect")
    assert result.get("series") == "ML307R"


def test_a_psk_that_cannot_be_removed_is_told():
    module = make_module("MN316-S", rm_psk=False)
    told = []
    result = probing(module, say=told.append).run()
    assert list(module.store.objects) == [(3, f"{PREFIX}test-p")]
    assert any("left behind: PSK id" in line for line in told)
    assert result.get("quirks.rm_psk") is False
    module = make_module("MN316-S", rm_psk=False)
    probing(module, whole(psk=False)).run()
    assert module.store.objects == {}


def test_every_id_and_every_context_in_use():
    module = in_use("ML307R")
    for number in range(6):
        module.contexts.set(number, "cert", ("ca.pem", "", ""))
        if module.sockets.get(number) is None:
            module.sockets.open(number, HOST, PORT + 2, 30.0, 2)
    module.clock.advance(3)
    module.take()
    before = plain_state(module)
    result = probing(module, whole(reboot=False)).run()
    assert plain_state(module) == before
    data = result.as_dict()
    assert data["quirks"]["ignored_options"] is None and data["quirks"]["open_urc"] is None
    assert "in use" in data["unknown"]["quirks.ignored_mipcfg"]


# --- ended in the middle ----------------------------------------------------------------------


def lengths(model):
    """How often a whole probing writes."""
    module = make_module(model)
    port = VirtualPort(module)
    probing(module, port=port).run()
    return port.writes


WRITES = {model: lengths(model) for model in ("ML307R", "MN316-S", "ML307X")}
# Of each kind of trouble that was found: nothing is known yet, and a suite that needs 0x.
TOLD = [("ML307R", 3), ("MN316-S", 3), ("ML307X", 291)]
POINTS = random.Random(20).sample(
    [(model, at / 1000) for model in WRITES for at in range(1000)], 40
)


def broken_at(model, share, happens, **quirks):
    """A probing at one point of which something happens; the module, the error, what was told."""
    module = in_use(model, **quirks)
    before = plain_state(module)
    port = VirtualPort(module)
    port.hooks.append((max(1, int(WRITES[model] * share)), lambda: happens(module)))
    told = []
    error = None
    try:
        probing(module, port=port, say=told.append).run()
    except (ProbeError, KeyboardInterrupt) as caught:
        error = caught
    return module, before, error, told


def settled(module, seconds=100.0):
    port = VirtualPort(module, limit=1e9)
    port.sleep(seconds)
    port.read(0.0)


def interrupt(module):
    raise KeyboardInterrupt


@pytest.mark.parametrize(
    ("model", "share"), POINTS + [(model, (at + 0.5) / WRITES[model]) for model, at in TOLD]
)
def test_interrupted_anywhere(model, share):
    module, before, error, told = broken_at(model, share, interrupt)
    assert isinstance(error, KeyboardInterrupt)
    assert told[-1] == "Cleaned up: nothing of the probe is left in the module"
    settled(module)
    after = plain_state(module)
    after.pop("sockets"), before.pop("sockets")  # others' end where it had rebooted
    assert after == before


@pytest.mark.parametrize(("model", "share"), POINTS[::2])
@pytest.mark.parametrize("silent", [False, True])
def test_a_module_that_restarts_anywhere(model, share, silent):
    """Told in a sentence, unless it was told to restart anyhow; nothing of the probe is left."""
    module, before, error, _ = broken_at(model, share, lambda m: m.reboot(silent=silent))
    settled(module)
    assert {name for _, name in module.store.objects} == {name for _, name in before["objects"]}
    after = plain_state(module)
    for name in ("objects", "series", "contexts up"):
        assert after[name] == before[name], name
    if error is not None:
        assert re.match(r"the module .*, at: .+\. \w", str(error))
        assert "Cleaned up: nothing of the probe is left" in str(error)
    else:
        assert module.boots >= 1


@pytest.mark.parametrize(("model", "share"), POINTS[:12])
def test_a_module_that_loses_its_power_anywhere(model, share):
    module, _, error, _ = broken_at(model, share, lambda m: m.power_off())
    assert isinstance(error, ProbeError)
    assert "the module answers no more: has it lost its power" in str(error)
    left = [name for _, name in module.store.objects if name.startswith(PREFIX)]
    if left:
        assert f"{PREFIX}test-… may still be in the module" in str(error)
    else:
        assert "could not be cleaned up" in str(error) or "Nothing had been written" in str(error)


def test_power_that_comes_back_in_time():
    def off_and_on(module):
        module.power_off()
        module._schedule(20.0, module.power_cycle)

    module, before, error, _ = broken_at("ML307R", 0.4, off_and_on)
    assert isinstance(error, ProbeError) and "Cleaned up" in str(error)
    settled(module)
    assert plain_state(module)["objects"] == before["objects"]


def test_interrupted_twice():
    module = make_module("ML307R")
    port = VirtualPort(module)
    told = []
    port.hooks += [(WRITES["ML307R"] // 3, lambda: interrupt(module))]
    probe = probing(module, port=port, say=told.append)
    cleaning = probe.clean_up

    def again():
        interrupt(module)

    probe.clean_up = again
    with pytest.raises(KeyboardInterrupt):
        probe.run()
    assert "It could not be cleaned up" in told[-1]
    cleaning()


@pytest.mark.parametrize("command", [b"AT+MSSLCERTWR", b"AT+MSSLCFG", b"AT+CLAC", b"AT+MIPOPEN"])
def test_a_command_that_is_never_answered_costs_no_more_than_its_fields(command):
    module = make_module("ML307R")
    module.reply(command, None, 1)
    before = state(module)
    result = probing(module).run()
    assert state(module) == before
    assert any(command.decode() in text for text in result.observed["not answered"])
    assert result.get("series") == "ML307R"


@pytest.mark.parametrize(
    ("command", "line", "field"),
    [
        (b"AT+MIPRD=?", b"+MIPRD: (0-5),(0-999)", "read_max"),
        (b"AT+MIPCALL=?", b"+MIPCALL: (0-1),(1-7)", "call_cids"),
        (b'AT+MIPCFG="rcvbuf"', b'+MIPCFG: "rcvbuf",0,8192', "window"),
        (b"AT+CMEE=?", b"+CMEE: (0-1)", "cmee_levels"),
        (b"AT+CGMR", b"ML307R-DX-MBRH0S01", "submodels"),
    ],
)
def test_what_is_answered_differently_the_second_time_is_not_known(command, line, field):
    module = make_module("ML307R")
    module.reply(command, b"OK", 1, lines=[line])
    data = probing(module).run().as_dict()
    assert data[field] in (None, ["unknown"])
    assert data["unknown"][field] == "answered differently when asked again"


@pytest.mark.parametrize("full", [{"store_capacity": 10}, {"store_objects": 0}])
def test_a_store_that_is_full(full):
    module = make_module("ML307R", **full)
    data = probing(module, whole(reboot=False)).run().as_dict()
    assert data["quirks"]["prompt"] == "\r\n>"
    assert "writing is refused: 764" in data["unknown"]["quirks.list_quotes"]
    assert module.store.objects == {}


# --- nobody, or somebody else -----------------------------------------------------------------


class Line:
    """A port behind which a function answers; 115200 and a clock of its own."""

    baud = 115200

    def __init__(self, answer):
        self.answer = answer
        self.clock = VirtualClock()
        self.waiting = b""

    def write(self, data):
        self.waiting += self.answer(data)

    def read(self, seconds):
        data, self.waiting = self.waiting, b""
        self.clock.advance(0.01 if data else seconds)
        return data

    def now(self):
        return self.clock.now()

    def sleep(self, seconds):
        self.clock.advance(seconds)


def modem(**answers):
    def answer(data):
        return b"".join(
            answers.get(line.decode("latin-1"), b"\r\nERROR\r\n")
            for line in data.split(b"\r")[:-1]
        )

    return answer


OTHER_MODEM = {
    "AT": b"\r\nOK\r\n",
    "ATE0": b"\r\nOK\r\n",
    "AT+CMEE=1": b"\r\nOK\r\n",
    "ATI": b"\r\nManufacturer: SIMCOM\r\nIMEI: 861234050012345\r\n\r\nOK\r\n",
    "AT+CGMM": b"\r\nSIM7600CE\r\n\r\nOK\r\n",
}


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (lambda data: b"", "nothing answers: is the module powered"),
        (lambda data: data, "only what is sent comes back"),
        (lambda data: b">>> " + data + b"\r\n>>> ", "a MicroPython board answers there"),
        (lambda data: bytes(random.Random(5).randbytes(30)), "no text: --baud is not"),
        (lambda data: b"login: ", "something else answers there"),
        (modem(**OTHER_MODEM), "calls itself 'SIM7600CE' and has no AT+MIPCFG"),
        (
            modem(**OTHER_MODEM | {"AT+CGMM": b"\r\nML302\r\n\r\nOK\r\n"}),
            "not those of the old dialect",
        ),
        (modem(AT=b"\r\nOK\r\n", ATE0=b"\r\nOK\r\n"), "does not say what it is"),
    ],
)
def test_who_is_there_is_told_within_ten_seconds(answer, said):
    port = Line(answer)
    with pytest.raises(NoModule, match=re.escape(said)) as error:
        probing(make_module(), port=port).run()
    assert port.now() <= 10.0
    assert "861234050012345" not in str(error.value)


def test_a_module_without_power():
    module = Module("ML307R", clock=VirtualClock(), off=True)
    with pytest.raises(NoModule, match="nothing answers"):
        probing(module).run()
    assert module.clock.now() <= 10.0
