# SPDX-License-Identifier: MIT
"""What somebody sees who catches nothing, and what is refused before it can go wrong."""

import subprocess
import sys
from pathlib import Path

import onemo
import onemo.errors
import pytest
from onemo import AUTH_NONE
from onemo_tools.deploy.packages import ROOT

MICROPYTHON = Path(sys.executable).parent / "micropython"
NAMES = [
    "ModemError",
    "Timeout",
    "CommandError",
    "VerifyError",
    "Unsupported",
    "ModemReset",
    "ConnectionLost",
    "ProtocolError",
    "ClockError",
]

FRAME = f"""
import sys
sys.path.insert(0, {str(ROOT / "lib")!r})
"""


def last_words(code):
    """The last line that MicroPython prints of an uncaught error."""
    done = subprocess.run(
        [MICROPYTHON, "-c", FRAME + code], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 1 and "Traceback" in done.stdout + done.stderr
    return (done.stdout + done.stderr).splitlines()[-1]


@pytest.mark.parametrize(
    ("raised", "said"),
    [
        (
            "CommandError(752, 'AT+MIPOPEN=0')",
            "CommandError: AT+MIPOPEN=0: 752, the server's certificate failed verification: check "
            "that the CA in the module is the server's (certs.list, certs.digest), its dates, and "
            "the module's clock",
        ),
        (
            "CommandError(575, 'AT+MIPCALL=1')",
            "CommandError: AT+MIPCALL=1: 575, no APN: set the one of your SIM: "
            "modem.attach(apn=...)",
        ),
        ("CommandError(None, 'AT+X')", "CommandError: AT+X: ERROR"),
        ("Timeout('no answer to AT within 5000 ms')", "Timeout: no answer to AT within 5000 ms"),
        ("ClockError('set it')", "ClockError: set it"),
    ],
)
def test_an_uncaught_error_says_what_to_do(raised, said):
    assert last_words(f"from onemo.errors import *\nraise {raised}") == said


def test_errno_is_what_it_was():
    code = """
import json
from onemo import errors
found = []
for name in NAMES:
    error = getattr(errors, name)(752, "AT") if name == "CommandError" else (
        getattr(errors, name)("text"))
    found.append([name, error.errno, error.args[0], isinstance(error, OSError)])
print(json.dumps(found))
"""
    import on_micropython

    found = on_micropython.run(code.replace("NAMES", repr(NAMES)))
    numbers = {name: number for name, number, _, _ in found}
    assert numbers["Timeout"] == 110 and numbers["ModemReset"] == 104
    assert numbers["Unsupported"] == 95 and numbers["ProtocolError"] == 5
    for name, number, first, is_os_error in found:
        cls = getattr(onemo.errors, name)
        here = cls(752, "AT") if name == "CommandError" else cls("text")
        assert (here.errno, here.args[0]) == (number, number) == (first, first) and is_os_error


@pytest.mark.parametrize("name", NAMES)
def test_the_classes_can_be_had_from_onemo(name):
    assert getattr(onemo, name) is getattr(onemo.errors, name)


def test_all_classes_are_listed_there():
    classes = {
        name
        for name, value in vars(onemo.errors).items()
        if isinstance(value, type) and issubclass(value, onemo.errors.ModemError)
    }
    assert classes == set(NAMES)


@pytest.mark.parametrize("what", ["id", "method", "true", "text"])
def test_no_context_is_a_type_error_before_a_byte_is_sent(rigs, what):
    rig = rigs()
    wrong = {"id": 1, "method": rig.modem.tls, "true": True, "text": "1"}[what]
    before = len(rig.module.commands)
    with pytest.raises(TypeError, match=r"tls is .*; it must be a context, modem\.tls\(ssl_id\)"):
        rig.modem.connect("broker.example", 8883, wrong)
    assert len(rig.module.commands) == before


def test_for_code_that_uses_socket_as_well(rigs):
    rig = rigs()
    with pytest.raises(TypeError, match="it must be a context"):
        rig.modem.socket_module(rig.modem.tls)
    tls = rig.modem.tls(1)
    tls.configure(AUTH_NONE)
    assert rig.modem.socket_module(tls)
