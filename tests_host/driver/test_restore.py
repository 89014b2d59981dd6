# SPDX-License-Identifier: MIT
"""Deep sleep of MN316 and MN326 takes certificates and settings; `restore` brings them back."""

import io

import pytest
from onemo import AUTH_MUTUAL, CERT, HEX, KEY
from onemo.errors import ModemReset
from onemo_simulator import EchoPeer, LoopNetwork

from .conftest import Tape, pem

VOLATILE = ["MN316", "MN326"]
HOST, PORT = "peer.example", 8883


@pytest.fixture
def provisioned(rigs, tmp_path, manual_key):
    """Makes a rig with a CA from a path, the rest from streams, a PSK and two contexts."""

    def make(series, **settings):
        network = LoopNetwork()
        network.listen(HOST, PORT, EchoPeer())
        rig = rigs(series, network=network, mipcfg_ssl=True, **settings)
        path = tmp_path / "ca.pem"
        path.write_bytes(pem(1261))
        certs = rig.modem.certs
        certs.write("ca.pem", str(path))
        stream = io.BytesIO(b"header" + pem(700))
        stream.seek(6)
        certs.write("client.pem", stream, size=700)
        certs.write("client.key", io.BytesIO(manual_key), KEY)
        certs.write_psk("device", "0123456789")
        tls = rig.modem.tls(1)
        tls.configure(
            AUTH_MUTUAL, ca="ca.pem", cert="client.pem", key="client.key", pskid="device"
        )
        rig.modem.tls(4).configure(ca="ca.pem", negotime_s=60)
        return rig

    return make


def state(rig):
    return dict(rig.module.store.objects), [rig.modem.tls(i).read() for i in range(5)]


@pytest.mark.parametrize("series", VOLATILE)
@pytest.mark.parametrize("silent", [False, True])
@pytest.mark.parametrize("lost", [0, 1])
def test_everything_is_back_after_deep_sleep(provisioned, series, silent, lost):
    rig = provisioned(series, wake_lost=lost, strict=not lost)  # "T+CMEE?" is heard then
    before = state(rig)
    for _ in range(2):
        rig.module.deep_sleep(silent)
        assert rig.module.store.objects == {}
        rig.modem.restore()
        assert state(rig) == before
        assert not rig.module.echo


@pytest.mark.parametrize("series", VOLATILE)
def test_restore_writes_only_what_is_missing(provisioned, series):
    rig = provisioned(series)
    before = state(rig)
    writes = rig.module.store.writes
    rig.modem.restore()
    assert rig.module.store.writes == writes + 1  # the PSK
    del rig.module.store.objects[CERT, "client.pem"]
    rig.modem.restore()
    assert rig.module.store.writes == writes + 3
    assert state(rig) == before


@pytest.mark.parametrize("series", VOLATILE)
def test_connect_notices_what_is_lost(provisioned, series):
    rig = provisioned(series)
    tls = rig.modem.tls(1)
    old = rig.modem.connect(HOST, PORT, tls)
    boots = rig.modem.boot_count
    rig.module.deep_sleep()
    with pytest.raises(ModemReset, match=r"lost ca\.pem: call modem\.restore"):
        rig.modem.connect(HOST, PORT, tls)
    assert rig.modem.boot_count == boots + 1
    with pytest.raises(ModemReset):
        old.read(1)
    rig.modem.restore()
    with rig.modem.connect(HOST, PORT, tls) as stream:
        stream.write(b"hello")
        assert stream.read(5) == b"hello"


@pytest.mark.parametrize("series", VOLATILE)
def test_a_reboot_that_loses_no_certificates_needs_no_restore(provisioned, series):
    rig = provisioned(series)
    tls = rig.modem.tls(1)
    rig.module.reboot()
    rig.clock.advance(5)
    with rig.modem.connect(HOST, PORT, tls) as stream:
        stream.write(b"hello")
        assert stream.read(5) == b"hello"
    found = tls.read()
    assert (found["cert"], found["negotime_s"]) == ("client.pem", 45)  # all that was asked for


def test_what_was_removed_stays_removed(provisioned):
    rig = provisioned("MN316")
    rig.modem.certs.remove("device")
    rig.modem.certs.remove("client.pem")
    rig.module.deep_sleep()
    rig.modem.restore()
    assert set(rig.module.store.certs) == {"ca.pem"}
    assert rig.module.store.psks == {}


def test_what_was_removed_while_it_was_lost_stays_away(provisioned):
    rig = provisioned("MN316")
    rig.module.deep_sleep()
    assert rig.modem.certs.remove("client.pem", missing_ok=True) is False
    rig.modem.restore()
    assert set(rig.module.store.certs) == {"ca.pem"}


def test_the_last_content_is_what_comes_back(provisioned):
    rig = provisioned("MN316")
    rig.modem.certs.write("client.pem", io.BytesIO(pem(900)))
    rig.modem.certs.write_psk("device", "another")
    before = state(rig)
    rig.module.deep_sleep()
    rig.modem.restore()
    assert state(rig) == before


def test_a_failed_restore_can_be_repeated(provisioned):
    rig = provisioned("MN316")
    before = state(rig)
    rig.module.deep_sleep()
    rig.module.reply(b"AT+MSSLKEYWR", b"+CME ERROR: 764")
    with pytest.raises(OSError, match="764"):
        rig.modem.restore()
    rig.modem.restore()
    assert state(rig) == before


def test_a_tape_is_named_once_all_else_is_back(provisioned):
    rig = provisioned("MN316")
    rig.modem.certs.write("tape.pem", Tape(pem(500)), size=500)
    rig.module.deep_sleep()
    with pytest.raises(ValueError, match=r"tape\.pem.*rewound"):
        rig.modem.restore()
    assert set(rig.module.store.certs) == {"ca.pem", "client.pem"}
    assert rig.modem.tls(1).read()["cert"] == "client.pem"


@pytest.mark.parametrize("known", [True, False])
def test_a_store_in_ram_is_filled_again_by_connect_if_its_sources_are_known(rigs, known):
    network = LoopNetwork()
    network.listen(HOST, PORT, EchoPeer())
    rig = rigs("ML307H", network=network, mipcfg_ssl=True)
    assert rig.modem.require_model().ram_store
    rig.modem.certs.write("ca.pem", io.BytesIO(pem(700)))
    tls = rig.modem.tls(1)
    tls.configure(ca="ca.pem", ignorestamp=True)
    rig.module.reboot()
    rig.clock.advance(5)
    assert rig.module.store.certs == {}
    if not known:
        rig.modem.sources.clear()
        with pytest.raises(ModemReset, match=r"lost ca\.pem: call modem\.restore"):
            rig.modem.connect(HOST, PORT, tls)
        return
    rig.module.commands.clear()
    with rig.modem.connect(HOST, PORT, tls) as stream:
        stream.write(b"x")
        assert stream.read(1) == b"x"
    assert rig.module.store.certs == {"ca.pem": pem(700)}
    sent = [bytes(line) for line in rig.module.commands]
    assert len([line for line in sent if line.startswith(b'AT+MSSLCFG="auth",1,')]) == 1


def test_tapes_are_named_one_after_the_other(rigs):
    rig = rigs("MN316")
    for name in ("one.pem", "two.pem"):
        rig.modem.certs.write(name, Tape(pem(300)), size=300)
    rig.module.deep_sleep()
    with pytest.raises(ValueError, match=r"^one\.pem, two\.pem: the source cannot be rewound"):
        rig.modem.restore()


def test_a_source_that_is_gone_is_named(provisioned, tmp_path):
    rig = provisioned("MN316")
    (tmp_path / "ca.pem").unlink()
    rig.module.deep_sleep()
    with pytest.raises(OSError, match=r"ca\.pem.*cannot be opened"):
        rig.modem.restore()


@pytest.mark.parametrize("series", ["MN316-S", "ML307R"])
def test_models_that_keep_their_store_keep_no_sources(rigs, series):
    rig = rigs(series)
    rig.modem.certs.write("ca.pem", io.BytesIO(pem(500)))
    rig.modem.tls(0).configure(ca="ca.pem")
    writes = rig.module.store.writes
    rig.module.deep_sleep()
    rig.module.contexts.clear()
    rig.modem.restore()
    assert rig.module.store.writes == writes
    assert rig.modem.tls(0).read()["ca"] == "ca.pem"
    rig.modem.certs.remove("ca.pem")
    rig.modem.restore()
    assert rig.module.store.certs == {}


def test_hex_is_told_again_after_deep_sleep(rigs):
    rig = rigs("MN316-S")
    rig.modem.certs.encoding = HEX
    rig.modem.certs.write("ca.pem", io.BytesIO(pem(500)))
    rig.module.deep_sleep()
    rig.module.contexts.clear()
    assert rig.modem.certs.write("ca.pem", io.BytesIO(pem(600))) is True
    assert rig.module.store.certs["ca.pem"] == pem(600)


@pytest.mark.parametrize("series", VOLATILE)
def test_what_was_there_already_comes_back_too(provisioned, series, tmp_path):
    rig = provisioned(series)
    rig.modem.certs.remove("device")
    before = dict(rig.module.store.objects)
    modem = rig.new_driver()  # the host was reset, the module was not
    modem.start()
    assert modem.certs.write("ca.pem", str(tmp_path / "ca.pem")) is False
    stream = io.BytesIO(b"header" + pem(700))
    stream.seek(6)
    assert modem.certs.write("client.pem", stream) is False
    key = io.BytesIO(before[KEY, "client.key"])
    assert modem.certs.write("client.key", key, KEY) is False
    rig.module.deep_sleep()
    modem.restore()
    assert rig.module.store.objects == before


@pytest.mark.parametrize("there", [False, True])
def test_a_stream_that_is_another_by_then_is_not_brought_back_as_the_first(rigs, manual_ca, there):
    rig = rigs("MN316")
    source = io.BytesIO(manual_ca)
    assert rig.modem.certs.write("ca.pem", source, size=1261) is True
    if there:
        rig.modem.sources.clear()  # as after a reset of the host
        source.seek(0)
        assert rig.modem.certs.write("ca.pem", source, size=1261) is False
    rig.module.deep_sleep()
    source.seek(0)
    source.truncate()
    source.write(pem(500))
    with pytest.raises(ValueError, match=r"size is 1261, but the source of ca.pem has 500 bytes"):
        rig.modem.restore()
    assert rig.modem.certs.list() == []
