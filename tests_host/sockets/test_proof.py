# SPDX-License-Identifier: MIT
"""No connection without proof, seconds old, that it is the one asked for."""

import pytest
from onemo import AUTH_SERVER
from onemo.errors import ModemError, ProtocolError, VerifyError

from .conftest import HOST, network


def provisioned(rigs, manual_ca, **settings):
    import io

    rig = rigs(network=network(), **settings)
    rig.modem.attach()
    rig.modem.certs.write("ca.pem", io.BytesIO(manual_ca))
    rig.modem.tls(1).configure(AUTH_SERVER, ca="ca.pem", ignorestamp=True)
    return rig


@pytest.fixture
def rig(rigs, manual_ca):
    return provisioned(rigs, manual_ca)


@pytest.mark.parametrize(
    ("option", "values"),
    [
        ("auth", (0,)),
        ("ignoreverify", (1,)),
        ("version", (255,)),
        ("ciphersuite", (5,)),
        ("cert", ("other.pem", "", "")),
    ],
)
def test_a_context_that_changed_is_set_again_before_it_is_used(rig, option, values):
    # An unheard reboot, or a command to another context that was damaged into one to this.
    rig.module.contexts.set(1, option, values)
    try:
        rig.modem.connect(HOST, 8883, rig.modem.tls(1)).close()
    except ModemError:
        pass  # what the simulated server makes of it does not matter here
    wanted = {"auth": 1, "ignoreverify": 0, "version": 3, "ciphersuite": 0}
    if option == "cert":
        assert rig.module.contexts.names(1)[0] == "ca.pem"
    else:
        assert rig.module.contexts.value(1, option) == wanted[option]


def test_a_context_that_stays_different_opens_nothing(rigs, manual_ca):
    rig = provisioned(rigs, manual_ca)
    rig.module.quirks.ignored_options = frozenset({"auth"})
    rig.module.contexts.set(1, "auth", (0,))
    with pytest.raises(VerifyError, match="auth"):
        rig.modem.connect(HOST, 8883, rig.modem.tls(1))
    assert not any(b"MIPOPEN" in bytes(line) for line in rig.module.commands)


@pytest.mark.parametrize(
    "state",
    [
        b'+MIPSTATE: 0,"TCP","evil.example",7,"CONNECTED"',
        b'+MIPSTATE: 0,"TCP","%s",8,"CONNECTED"' % HOST.encode(),
        b'+MIPSTATE: 0,"UDP","%s",7,"CONNECTED"' % HOST.encode(),
        b'+MIPSTATE: 1,"TCP","%s",7,"CONNECTED"' % HOST.encode(),
        b'+MIPSTATE: 0,,,,"INITIAL"',
    ],
)
def test_a_connection_to_something_else_is_refused(rig, state):
    rig.module.reply(b"AT+MIPSTATE=0", state + b"\r\n\r\nOK")
    with pytest.raises(VerifyError, match="as connected"):
        rig.modem.connect(HOST, 7)


@pytest.mark.parametrize("command", [b"AT+MIPRD", b"AT+MIPSEND"])
def test_an_answer_for_another_connection_breaks_this_one(rig, command):
    stream = rig.modem.connect(HOST, 7)
    answer = b"+MIPRD: 1,0,3,abc" if command == b"AT+MIPRD" else b"+MIPSEND: 1,3"
    if command == b"AT+MIPRD":
        rig.module.urc(b'+MIPURC: "rtcp",0,3,3')
        rig.module.reply(command, answer + b"\r\n\r\nOK")
        with pytest.raises(ProtocolError, match="for connection 1"):
            stream.read(3)
        assert not rig.modem.channel.ready()
    with pytest.raises(ModemError):
        if command == b"AT+MIPSEND":
            rig.module.reply(command, answer + b"\r\n\r\nOK")
        stream.write(b"abc")


@pytest.mark.parametrize("weeks", [0.9, 1.8, 5])
def test_weeks_may_pass(rigs, weeks):
    rig = rigs("MN316", network=network(), mipcfg_ssl=True)
    rig.modem.attach()
    rig.modem.connect(HOST, 7).close()
    rig.clock.advance(weeks * 7 * 86400)
    began = rig.clock.now()
    stream = rig.modem.connect(HOST, 7)
    assert rig.clock.now() - began < 60
    rig.clock.advance(weeks * 7 * 86400)
    began = rig.clock.now()
    stream.settimeout(30)
    with pytest.raises(ModemError):
        stream.read(1)
    assert rig.clock.now() - began < 60
