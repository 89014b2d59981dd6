# SPDX-License-Identifier: MIT
"""Every public method against every series: it works, or is Unsupported with nothing sent."""

import io

import pytest
from onemo import AUTH_NONE, CERT, CRC, HEX, KEY, MD5, PSK, SHA1, SHA256
from onemo.errors import ModemError, Unsupported
from onemo_simulator import EchoPeer, LoopNetwork
from onemo_simulator.profiles import NEWER, SERIES

from .conftest import md5, pem

OLDER = tuple(profile.series for profile in SERIES)
NEW = tuple(profile.series for profile in NEWER if profile.submodels[0] != "ML307H-GU")
NAMES = (*OLDER, *NEW, "ML307H-GU")
NB = {"MN316", "MN316-S", "MN326"}
NO_TLS = {"MN316A", "MN318", "MN319", "MN326A", "ML307H-GU"}
EVERY = set(NAMES)
TLS = EVERY - NO_TLS
X = {"ML307X", "ML307Y"}
LINKS = {"MN316", "MN326"} | X
HOST, PORT = "peer.example", 8883


def attach(rig):
    assert rig.modem.attach(timeout_ms=60000)


def write(rig):
    assert rig.modem.certs.write("new.pem", io.BytesIO(pem(500))) is True


def write_key(rig):
    assert rig.modem.certs.write("new.key", io.BytesIO(pem(500, "PRIVATE KEY")), KEY) is True


def write_hex(rig):
    rig.modem.certs.encoding = HEX
    if rig.module.profile.data_mode:
        raise Unsupported("data mode has no encodings")  # nothing to try: manual 3.2
    assert rig.modem.certs.write("new.pem", io.BytesIO(pem(500))) is True


def read(rig):
    sink = io.BytesIO()
    assert rig.modem.certs.read("ca.pem", sink) == 300
    assert sink.getvalue() == pem(300)


def listing(rig):
    certs = rig.modem.certs
    assert certs.list() == [("ca.pem", 300)]
    assert certs.list(KEY) == [("a.key", 400)]
    assert certs.list(PSK) == []


def remove(rig):
    assert rig.modem.certs.remove("ca.pem") is True
    assert rig.modem.certs.list() == []


def digest(rig):
    assert rig.modem.certs.digest("ca.pem") == rig.modem.certs.digest("ca.pem", MD5)
    assert rig.modem.certs.digest("ca.pem") == md5(pem(300))


def digest_with(algorithm, length):
    def method(rig):
        assert len(rig.modem.certs.digest("ca.pem", algorithm)) == length

    return method


def algorithms(rig):
    expected = [0, 1, 2, 3] if rig.module.profile.series == "MN316-S" else [0]
    assert rig.modem.certs.algorithms() == expected


def write_psk(rig):
    rig.modem.certs.write_psk("device", "0123456789abcdef")
    assert rig.module.store.psks == {"device": b"0123456789abcdef"}


def configure(rig):
    tls = rig.modem.tls(4)
    tls.configure(ca="ca.pem", negotime_s=60)
    found = tls.read()
    assert (found["auth"], found["ca"], found["negotime_s"]) == (1, "ca.pem", 60)


def configure_psk(rig):
    rig.modem.tls(0).configure(AUTH_NONE, pskid="device")
    assert rig.modem.tls(0).read()["pskid"] == "device"


def read_all(rig):
    found = rig.modem.tls(0).read_all("negotime")
    assert found == [(ssl_id, 300) for ssl_id in range(5 if rig.module.profile.nb else 6)]


def read_all_psk(rig):
    assert rig.modem.tls(0).read_all("psk") == [(ssl_id, None) for ssl_id in range(5)]


def ciphers(rig):
    assert len(list(rig.modem.ciphers())) == 207


def command(rig):
    assert rig.modem.command("+CSQ")[0].startswith(b"+CSQ:")


def reboot(rig):
    boots = rig.module.boots
    rig.modem.reboot()
    assert rig.module.boots == boots + 1
    assert not rig.module.echo


def restore(rig):
    if not rig.module.profile.tls:
        rig.modem.restore()
        return
    rig.modem.tls(1).configure(ca="ca.pem")
    rig.module.contexts.clear()
    rig.modem.restore()
    assert rig.modem.tls(1).read()["ca"] == "ca.pem"


def on_urc(rig):
    lines = []
    rig.modem.on_urc(b"+CTZV:", lines.append)
    rig.module.urc(b"+CTZV: 32")
    rig.modem.command("+CSQ")
    assert lines == [b"+CTZV: 32"]


def connect(rig):
    with rig.modem.connect(HOST, PORT) as stream:
        stream.write(bytes(range(256)) * 12)
        got = b""
        while len(got) < 3072:
            got += stream.read(3072 - len(got))
    assert got == bytes(range(256)) * 12


def connect_tls(rig):
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem")
    with rig.modem.connect(HOST, PORT, tls) as stream:
        assert rig.module.network.connections[-1].tls.ca == pem(300)
        stream.write(b"hello")
        assert stream.read(5) == b"hello"


def configure_sni(rig):
    rig.modem.tls(0).configure(ca="ca.pem", sni=True)
    assert rig.modem.tls(0).read()["sni"] is True


def configure_version(version):
    def method(rig):
        rig.modem.tls(0).configure(ca="ca.pem", version=version)
        assert rig.modem.tls(0).read()["version"] == version

    return method


# Method, and the series that have it: from the manual's notes, not from models.py.
METHODS = {
    "attach": (attach, EVERY),
    "command": (command, EVERY),
    "reboot": (reboot, EVERY),
    "restore": (restore, EVERY),
    "on_urc": (on_urc, EVERY),
    "certs.write": (write, TLS),
    "certs.write of a key": (write_key, TLS),
    "certs.write in hex": (write_hex, {"MN316-S"}),
    "certs.read": (read, TLS),
    "certs.list": (listing, TLS),
    "certs.remove": (remove, TLS),
    "certs.digest": (digest, TLS),
    "certs.digest by SHA1": (digest_with(SHA1, 40), {"MN316-S"}),
    "certs.digest by SHA256": (digest_with(SHA256, 64), {"MN316-S"}),
    "certs.digest by CRC": (digest_with(CRC, 8), {"MN316-S"}),
    "certs.algorithms": (algorithms, TLS),
    "certs.write_psk": (write_psk, NB),
    "tls.configure": (configure, TLS),
    "tls.configure with PSK": (configure_psk, NB),
    "tls.read_all": (read_all, TLS),
    "tls.read_all of psk": (read_all_psk, NB),
    "ciphers": (ciphers, TLS - {"ML302S", "ML307S"}),
    "connect": (connect, EVERY),
    "connect with TLS": (connect_tls, TLS - NB),
    "tls.configure with SNI": (configure_sni, {"MR880A"}),
    "tls.configure with TLS 1.1": (configure_version(2), TLS - {"MR880A"}),
    "tls.configure with SSL 3.0": (configure_version(0), TLS - {"MR880A"} - X),
}


def network():
    found = LoopNetwork()
    found.listen(HOST, PORT, EchoPeer())
    return found


def prepared(rigs, series, **settings):
    rig = rigs(series, network=network(), **settings)
    rig.module.store.objects.update({(CERT, "ca.pem"): pem(300), (KEY, "a.key"): b"K" * 400})
    return rig


@pytest.mark.parametrize("series", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_it_works_or_is_unsupported_with_nothing_sent(rigs, method, series):
    run, having = METHODS[method]
    rig = prepared(rigs, series)
    if series in having:
        run(rig)
        return
    sent = rig.uart.bytes_written
    with pytest.raises(Unsupported) as caught:
        run(rig)
    if method == "connect with TLS" and series in NB:  # the manuals disagree: it is asked
        assert rig.module.network.connections == []
    else:
        assert rig.uart.bytes_written == sent
    assert isinstance(caught.value, ModemError)


@pytest.mark.parametrize("series", sorted(NB))
def test_nb_tls_works_where_the_module_accepts_it(rigs, series):
    connect_tls(prepared(rigs, series, mipcfg_ssl=True))


@pytest.mark.parametrize("answer", [b"+CME ERROR: 50", b"ERROR"])
def test_nb_tls_is_unsupported_however_the_module_refuses(rigs, answer):
    rig = prepared(rigs, "MN316")
    rig.modem.tls(0).configure(ca="ca.pem")
    rig.module.reply(b'AT+MIPCFG="ssl"', answer, times=2)
    with pytest.raises(Unsupported, match="MN316 refuses TLS"):
        rig.modem.connect(HOST, PORT, rig.modem.tls(0))
    connect(rig)  # without it goes on


@pytest.mark.parametrize("series", sorted(LINKS))
def test_two_tls_links_and_no_third(rigs, series):
    rig = prepared(rigs, series, mipcfg_ssl=True)
    tls = rig.modem.tls(0)
    tls.configure(ca="ca.pem")
    first, second = rig.modem.connect(HOST, PORT, tls), rig.modem.connect(HOST, PORT, tls)
    asked = len(rig.module.network.connections)
    with pytest.raises(ModemError, match=f"{series} (has|keeps).* 2"):
        rig.modem.connect(HOST, PORT, tls)
    assert len(rig.module.network.connections) == asked
    rig.modem.connect(HOST, PORT).close()  # without TLS there is no such limit
    first.close()
    with rig.modem.connect(HOST, PORT, tls) as third:
        third.write(b"x")
        assert third.read(1) == b"x"
    second.write(b"y")
    assert second.read(1) == b"y"


@pytest.mark.parametrize("series", NAMES)
def test_ssl_ids_are_the_models(rigs, series):
    rig = prepared(rigs, series)
    if series in NO_TLS:
        with pytest.raises(Unsupported, match=f"{series} has no TLS"):
            rig.modem.tls(0)
        with pytest.raises(Unsupported, match=f"{series} has no TLS"):
            rig.modem.certs.list()
        return
    last = 4 if series in NB else 5
    rig.modem.tls(last).configure(AUTH_NONE)
    sent = rig.uart.bytes_written
    for wrong in (last + 1, -1):
        with pytest.raises(ValueError, match=f"0 to {last}"):
            rig.modem.tls(wrong)
    assert rig.uart.bytes_written == sent


SUBMODELS = [
    (name, profile.series)
    for profile in (*SERIES, *NEWER)
    for name in profile.submodels + profile.later_submodels
]


@pytest.mark.parametrize(("submodel", "series"), SUBMODELS)
@pytest.mark.parametrize(
    "dress",
    [
        {},
        {"model_suffix": "-MBRH0S01"},
        {"model_prefix": "OneMO "},
        {"cgmm": "series"},
        {"cgmm": "submodel", "model_prefix": "+CGMM: "},
        {"model_prefix": "Model: ", "revision_prefix": "Revision: "},
        {"revision_prefix": "+CGMR: ", "revision": "MBRH1S00_4.0.15"},
    ],
)
def test_start_recognises_every_submodel(rigs, submodel, series, dress):
    rig = rigs(submodel, **dress)
    assert rig.modem.model == series
    assert rig.modem.is_known_model
    assert rig.modem.require_model().tls is rig.module.profile.tls
    assert rig.modem.firmware == f"{submodel}-{dress.get('revision', 'MBRH0S01')}"


# A model that the table does not name


def unnamed(rigs, series, *, forms=True, **settings):
    """A module whose name nobody knows; it may have no test forms that tell what it can do."""
    rig = prepared(rigs, series, model_prefix="X", revision_prefix="X", started=False, **settings)
    if not forms:
        for command in (b"AT+MSSLCFG=?", b"AT+MIPCFG=?", b"AT+MSSLCIPHER=?", b"AT+MSSLCHECK=?"):
            rig.module.reply(command, b"ERROR", times=None)
    rig.modem.start()
    assert not rig.modem.is_known_model
    assert rig.modem.model is None
    return rig


@pytest.fixture
def mute(rigs):
    """Something newer, with all the strictness of an MN316, which tells nothing of itself."""
    return unnamed(rigs, "MN316-DLVS", forms=False)


def test_an_unknown_model_says_so(mute):
    with pytest.raises(Unsupported, match=r"XMN316-DLVS .*unknown"):
        mute.modem.certs.write_psk("device", "secret")
    with pytest.raises(Unsupported, match=r"XMN316-DLVS .*unknown"):
        next(mute.modem.ciphers())


ASKS = "certs.algorithms"  # by a test form
CAUTIOUS = [name for name, (_, having) in METHODS.items() if having >= TLS and name != ASKS]


@pytest.mark.parametrize("series", sorted(TLS))
@pytest.mark.parametrize("method", CAUTIOUS)
def test_what_every_model_has_works_on_one_that_tells_nothing(rigs, method, series):
    METHODS[method][0](unnamed(rigs, series, forms=False))


@pytest.mark.parametrize("method", sorted(set(METHODS) - {*CAUTIOUS, ASKS, "connect with TLS"}))
def test_what_some_have_is_refused_to_one_that_tells_nothing(mute, method):
    sent = mute.uart.bytes_written
    with pytest.raises(Unsupported):
        METHODS[method][0](mute)
    assert mute.uart.bytes_written == sent


@pytest.mark.parametrize("series", NAMES)
@pytest.mark.parametrize("method", METHODS)
def test_one_that_tells_can_do_what_it_tells(rigs, method, series):
    """Nobody knows its name, and it does all that a model whose name is known does."""
    run, having = METHODS[method]
    rig = unnamed(rigs, series)
    if series in having:
        run(rig)
        return
    sent = rig.uart.bytes_written
    with pytest.raises(Unsupported, match=r"unknown here|no encodings"):
        run(rig)
    if method != "connect with TLS":
        assert rig.uart.bytes_written == sent


def test_an_unknown_model_that_has_tls_gets_it(rigs):
    connect_tls(unnamed(rigs, "ML307R"))
    connect_tls(unnamed(rigs, "ML307R", forms=False))


def test_a_version_that_an_unknown_model_may_not_have(mute):
    sent = mute.uart.bytes_written
    for version in (0, 1, 2):
        with pytest.raises(Unsupported, match="version"):
            mute.modem.tls(0).configure(AUTH_NONE, version=version)
    assert mute.uart.bytes_written == sent
    mute.modem.tls(0).configure(AUTH_NONE, version=255)


# The round trip of every size (manual 3.2: 8192 bytes at the most)

SIZES = (70, 71, 72, 73, 1261, 8191, 8192)


@pytest.mark.parametrize("packet", [1, 64, 1000, 2048, 8192])
@pytest.mark.parametrize("series", OLDER)
def test_every_size_round_trips(rigs, series, packet, manual_key):
    rig = rigs(series, driver={"packet": packet})
    certs = rig.modem.certs
    for size in SIZES:
        if packet == 1 and size > 1261:
            continue
        # NB modules may store an LF as CR LF, so the largest have CR LF from the start.
        content = pem(size, end=b"\r\n" if series in NB and size > 8000 else b"\n")
        assert certs.write("ca.pem", io.BytesIO(content)) is True
        stored = rig.module.store.certs["ca.pem"]
        assert stored.replace(b"\r", b"") == content.replace(b"\r", b"")
        assert stored == content or series in NB
        assert certs.write("ca.pem", io.BytesIO(content)) is False
        assert certs.list() == [("ca.pem", len(stored))]
        sink = io.BytesIO()
        assert certs.read("ca.pem", sink) == len(stored)
        assert sink.getvalue() == stored
        assert certs.digest("ca.pem") == md5(stored)
        assert certs.remove("ca.pem") is True
    assert certs.write("test.key", io.BytesIO(manual_key), KEY) is True
    assert certs.write("test.key", io.BytesIO(manual_key), KEY) is False
    assert certs.list(KEY) == [("test.key", len(rig.module.store.keys["test.key"]))]
    assert certs.remove("test.key") is True
    assert rig.module.store.objects == {}
