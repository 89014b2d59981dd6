# SPDX-License-Identifier: MIT
"""The main job of a product, on a module of any kind, delivered in any state."""

import io

import pytest
from onemo import CERT, KEY, MD5
from onemo.errors import Unsupported
from onemo_simulator import EchoPeer, LoopNetwork
from rigs import making

from tests_host.driver.conftest import md5, pem

HOST, PORT = "peer.example", 8883
LARGE = pem(8192)  # with LF only
INLINE = pem(8192, end=b"\r\n")  # an LF may be stored as CR LF, and that would be too much


@pytest.fixture
def rigs():
    """Makes rigs that are not started, whose network has a peer that echoes."""

    def network():
        found = LoopNetwork()
        found.listen(HOST, PORT, EchoPeer())
        return found

    with making(network=network) as make:

        def unstarted(model="ML307R", *, host_baud=None, **settings):
            if host_baud:
                settings["uart"] = {"baud": host_baud}
                settings["driver"] = {"baud": host_baud, **settings.get("driver", {})}
            rig = make(model, started=False, **settings)
            rig.events = []
            rig.modem.on_event(lambda kind, text: rig.events.append((kind, text)))
            rig.reopened = []

            def reopen(baud):
                rig.reopened.append(baud)
                rig.uart.init(baudrate=baud)
                return rig.uart

            if host_baud:
                rig.modem.reopen = reopen
            return rig

        yield unstarted


def exchange(rig, tls=None):
    """Connects, sends, gets it back, closes."""
    with rig.modem.connect(HOST, PORT, tls) as stream:
        sent = bytes(range(256)) * 12
        stream.write(sent)
        got = b""
        while len(got) < len(sent):
            got += stream.read(len(sent) - len(got))
    assert got == sent


def work(rig):
    """All that a product does with a module that start() has found."""
    modem, module = rig.modem, rig.module
    assert modem.attach(timeout_ms=60000)
    profile = module.profile
    if not profile.tls:
        sent = rig.uart.bytes_written
        with pytest.raises(Unsupported, match=r"no TLS"):
            modem.tls(0)
        with pytest.raises(Unsupported, match=r"no TLS"):
            modem.certs.list()
        assert rig.uart.bytes_written == sent
        exchange(rig)
        return
    prompt = module.data_mode
    tried = modem.require_model().prompt and not prompt  # nobody knew that it is refused
    content = LARGE if prompt else INLINE
    before = len(module.commands)
    assert modem.certs.write("ca.pem", io.BytesIO(content)) is True
    writes = [c for c in module.commands[before:] if c.startswith(b"AT+MSSLCERTWR")]
    assert writes[tried:] and all((b',0,"' in command) != prompt for command in writes[tried:])
    assert modem.certs.write("ca.pem", io.BytesIO(content)) is False
    assert module.store.objects[CERT, "ca.pem"] == content
    assert modem.certs.digest("ca.pem", MD5) == md5(content)
    assert modem.certs.write("a.key", io.BytesIO(pem(1600, "PRIVATE KEY")), KEY) is True
    assert modem.certs.list() == [("ca.pem", 8192)]
    last = profile.ssl_ids - 1
    tls = modem.tls(last)
    tls.configure(ca="ca.pem", negotime_s=60)
    assert module.contexts.value(last, "auth") == 1
    assert tls.read()["ca"] == "ca.pem"
    modem.clock()
    if not profile.mipcfg_ssl:  # the manuals disagree on it, so the module is asked
        with pytest.raises(Unsupported, match="refuses TLS"):
            exchange(rig, tls)
        exchange(rig)
        return
    exchange(rig, tls)
    info = module.network.connections[-1].tls
    assert info.ca == content
    assert info.auth == 1
