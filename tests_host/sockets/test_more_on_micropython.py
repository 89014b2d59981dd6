# SPDX-License-Identifier: MIT
"""Identity, clock, single options and counted uploads on real MicroPython, as on CPython."""

import json
import time

import pytest
from onemo import CERT, KEY, TLS1_2
from onemo_simulator import Module
from onemo_tools.proofs.rig import Rig

from .conftest import HOST, network
from .device import run

SCRIPT = """
import json
from onemo import AUTH_SERVER, CERT, KEY, TLS1_2, Modem
from onemo.errors import ModemError

modem = Modem(uart)
modem.start()
told = []
modem.on_event(lambda kind, text: told.append(kind))
tls = modem.tls(1)
tls.set("version", TLS1_2)
tls.set("cert", "ca.pem")
tls.set("negotime_s", 99)
refused = []
for option, value in (("auth", 7), ("cert", ()), ("ciphersuite", 5), ("sny", 1)):
    try:
        tls.set(option, value)
    except (TypeError, ValueError) as error:
        refused.append(type(error).__name__)
found = {
    "info": modem.info(),
    "options": tls.options(),
    "set": [tls.get("version"), tls.get("cert"), tls.get("negotime"), tls.get("session")],
    "refused": refused,
    "pasted": [modem.command(text).pop().decode() for text in ("AT+CSQ", "at+csq\\r", "+csq")],
    "written": [
        modem.certs.write(name, path, kind, inline=True, check_length=counts)
        for name, path, kind, counts in FILES
    ],
    "clock": modem.clock(),
}
with modem.connect(HOST, 7, id=4) as stream:
    stream.write(b"abc")
    found["echo"] = stream.read(3).decode()
    try:
        modem.connect(HOST, 7, id=4)
    except ModemError as error:
        found["busy"] = str(error)
tls.configure(AUTH_SERVER, ca="ca.pem", negotime_s=300, ignorestamp=True, version=None)
try:
    modem.connect(HOST, 7, tls, 6000)
except OSError:
    pass
found["told"] = told
print(json.dumps(found))
"""


@pytest.mark.parametrize("model", ["ML307R", "ML307C", "MN316-S"])
def test_the_same_as_on_cpython(model, tmp_path, manual_ca, manual_key):
    (tmp_path / "ca").write_bytes(manual_ca)
    (tmp_path / "key").write_bytes(manual_key)
    files = [
        ("ca.pem", str(tmp_path / "ca"), CERT, "typed"),
        ("a.key", str(tmp_path / "key"), KEY, "typed"),
        ("more", str(tmp_path / "ca"), CERT, None),
    ]
    how = {"network": network(), "inline_length": "typed", "mipcfg_ssl": True}
    module = Module(model, **how)
    found = json.loads(run(module, SCRIPT, FILES=files, HOST=HOST).splitlines()[-1])
    with Rig(model) as rig:
        rig.modem.start()
        assert found["info"] == rig.modem.info()
        assert found["options"] == rig.modem.tls(1).options()
    assert found["set"] == [TLS1_2, ["ca.pem", None, None], 99, True]
    assert found["refused"] == ["ValueError", "TypeError", "ValueError", "ValueError"]
    assert found["pasted"] == ["+CSQ: 24,99"] * 3
    assert found["written"] == [True] * 3
    assert module.store.objects[KEY, "a.key"].replace(b"\r", b"") == manual_key
    year, month, day, hour, minute = found["clock"][:5]
    now = time.gmtime()
    assert (year, month, day) == now[:3]
    assert abs(hour * 60 + minute - now[3] * 60 - now[4]) <= 1
    assert found["echo"] == "abc"
    assert found["busy"].startswith(f"connection 4 is in use ({HOST}:7)")
    assert "negotime" in found["told"]
    assert module.violations == []
