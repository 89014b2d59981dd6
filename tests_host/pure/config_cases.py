# SPDX-License-Identifier: MIT
"""Configurations and what each entry of them may be, written apart from the schema."""

import copy
import json
from pathlib import Path
from typing import Any

CONFIG = json.loads((Path(__file__).parents[2] / "config.json").read_text())
CONFIG["objects"].append({"name": "device", "kind": "psk", "source": "/certs/psk"})
CONFIG["contexts"].append({"ssl_id": 2, "auth": "none", "pskid": "device"})
CONFIG["power"] = {"reset": 5}
CONFIG["renewal"] = {"host": "renewal.example", "port": 8886, "grace_port": 8887}

MISSING = object()
# Of each type, and each that is easily taken for another.
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, 1, 2, 3, 4, 5, 6, 9, 10, 15, 16, 32, 45, 99, 100, 128, 129, 255, 300),
    *(301, 1199, 1200, 8192, 8193, 32766, 32767, 49199, 65535, 65536, 86400, 86401, 518400, -1),
    *(518401, 604800, 4000000, 4000001, 1 << 31, 1 << 40, 45.0, 1.0, 0.5, "", " ", "45", "1"),
    *("0", "true", "false", "null", "a", "x" * 32, "x" * 33, "x" * 64, "x" * 65, "x" * 99),
    *("x" * 100, "x" * 200, "x" * 201, "x" * 253, "x" * 254, "x" * 255, "x" * 256, "a,b", "a\\b"),
    *('a"b', "a\r\nb", "é", "a/#", "a/+/b", "a\0b", "f" * 32, "F0" * 16, "g" * 32, "f" * 31),
    *("cert", "key", "psk", "none", "server", "mutual", "Cert", "ca.pem", "client.pem"),
    *("client.key", "device", "0xC02F", "0xc02f", "C02F", "0x", "0xG", "0x10000", "0x0005"),
    *("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA"),
    *([], {}, [1], {"a": 1}, ["cert"], [[]], 31536000, 31536001, 1000, 1001, 60000, 60001),
    *(
        "IP",
        "IPV6",
        "IPV4V6",
        "IPv4",
        "chap",
        "pap",
        "md5",
        "123",
        "1234",
        "12345678",
        "123456789",
    ),
    *("12a4", ["power"], ["board", "context"], ["reset", "dtr"], ["enable", "Reset"], "reset"),
)


def whole(low, high):
    return lambda value: type(value) is int and low <= value <= high


def text(low, high, but=""):
    """A str of so many characters, without those in `but`."""
    return lambda value: (
        isinstance(value, str) and low <= len(value) <= high and not set(value) & set(but)
    )


def quotable(low, high):
    """What may stand between quotes in an AT command."""
    plain = text(low, high, '",\\')
    return lambda value: plain(value) and all(" " <= c <= "~" for c in value)


def one_of(*values):
    return lambda value: any(type(value) is type(one) and value == one for one in values)


def or_null(accepts):
    return lambda value: value is None or accepts(value)


def some(*words):
    """A list of these."""
    return lambda value: isinstance(value, list) and all(word in words for word in value)


def digits(low, high):
    return lambda value: text(low, high)(value) and value.isdecimal()


def flag(value):
    return isinstance(value, bool)


# path -> (what it accepts, whether it may be left out). As on ESP32.
ENTRIES = {
    "$schema": (text(1, 255), True),
    "uart": (one_of(), False),
    "uart.id": (whole(0, 15), False),
    "uart.baud": (whole(1200, 4000000), False),
    "uart.tx": (whole(0, 99), False),
    "uart.rx": (whole(0, 99), False),
    "uart.rts": (or_null(whole(0, 99)), True),
    "uart.cts": (or_null(whole(0, 99)), True),
    "uart.rxbuf": (or_null(whole(129, 32766)), True),
    "uart.txbuf": (or_null(whole(129, 32766)), True),
    "module": (one_of({}), False),
    "module.model": (or_null(quotable(1, 32)), True),
    "module.apn": (or_null(quotable(1, 99)), True),
    "module.pdp_type": (or_null(one_of("IP", "IPV6", "IPV4V6")), True),
    "module.dns_priority": (or_null(one_of("IP", "IPV6")), True),
    "module.user": (or_null(quotable(1, 99)), True),
    "module.password": (or_null(quotable(1, 99)), True),
    "module.auth": (or_null(one_of("pap", "chap")), True),
    "module.sim_pin": (or_null(digits(4, 8)), True),
    "module.sleep": (or_null(flag), True),
    "objects": (one_of(), False),
    "objects.0": (one_of(), False),
    "objects.0.kind": (one_of("cert"), False),  # for a context uses it as one
    "objects.2.kind": (one_of("key"), False),
    "objects.0.name": (one_of("ca.pem"), False),
    "objects.2.name": (one_of("client.key"), False),
    "objects.0.source": (text(1, 255), False),
    "objects.1.md5": (or_null(one_of("f" * 32, "F0" * 16)), True),
    "objects.0.size": (or_null(whole(1, 8192)), True),
    "contexts": (one_of(), False),
    "contexts.1": (one_of(), False),
    "contexts.0.ssl_id": (whole(1, 1), False),  # the endpoint's
    "contexts.1.ssl_id": (lambda value: whole(0, 5)(value) and value != 1, False),
    "contexts.0.auth": (one_of("mutual"), False),  # for the certificate is renewed
    "contexts.1.auth": (one_of("none", "server"), False),  # its PSK takes the place of a CA
    "contexts.0.ca": (one_of("ca.pem", "client.pem"), False),
    "contexts.0.cert": (one_of("ca.pem", "client.pem"), False),
    "contexts.0.key": (one_of("client.key"), False),
    "contexts.0.pskid": (or_null(one_of("device")), True),
    "contexts.1.pskid": (or_null(one_of("device")), True),
    "contexts.0.negotime_s": (whole(10, 300), True),
    "contexts.0.version": (one_of(0, 1, 2, 3, 255), True),
    "contexts.0.ciphersuite": (
        # of numbers see the test
        one_of("0xC02F", "0xc02f", "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256"),
        True,
    ),
    "contexts.0.session": (flag, True),
    "contexts.0.ignorestamp": (flag, True),
    "contexts.0.ignoreverify": (flag, True),
    "contexts.0.sni": (or_null(flag), True),
    "contexts.0.allow_broken": (flag, True),
    "endpoint": (one_of(), False),
    "endpoint.host": (quotable(1, 253), False),
    "endpoint.port": (whole(1, 65535), False),
    "endpoint.ssl_id": (one_of(1), False),  # of the other context nothing can be renewed
    "endpoint.topic": (text(1, 200, "#+\0"), False),
    "endpoint.every_s": (whole(1, 31536000), False),
    "endpoint.keepalive_s": (or_null(whole(10, 65535)), True),
    "endpoint.user": (or_null(text(1, 255)), True),
    "endpoint.password": (or_null(text(1, 255)), True),
    "renewal": (or_null(one_of()), True),
    "renewal.host": (quotable(1, 253), False),
    "renewal.port": (whole(1, 65535), False),
    "renewal.grace_port": (whole(1, 65535), False),
    "renewal.within_s": (whole(0, 86400), True),
    "retry": (one_of(), False),
    "retry.first_s": (whole(1, 300), False),  # most_s
    "retry.most_s": (whole(1, 31536000), False),
    "recovery": (or_null(one_of({})), True),
    "recovery.after": (or_null(whole(1, 1000)), True),
    "recovery.tries": (or_null(whole(1, 1000)), True),
    "recovery.pause_s": (or_null(whole(1, 86400)), True),
    "recovery.rest_s": (or_null(whole(1, 86400)), True),
    "recovery.steps": (
        or_null(some("context", "radio", "module", "uart", "power", "board")),
        True,
    ),
    "power": (or_null(one_of({})), True),
    **{
        f"power.{name}": (or_null(whole(0, 99)), True)
        for name in ("power_key", "reset", "dtr", "enable", "status")
    },
    "power.inverted": (or_null(some("power_key", "reset", "dtr", "enable", "status")), True),
    **{
        f"power.{name}_ms": (or_null(whole(1, 60000)), True)
        for name in ("start", "shutdown", "reset", "discharge", "boot", "wake")
    },
    "watchdog_s": (or_null(whole(1, 86400)), True),
}


def changed(path, value, config=CONFIG):
    """A copy with another value at `path`; MISSING takes it away."""
    found = copy.deepcopy(config)
    *way, last = [int(part) if part.isdigit() else part for part in path.split(".")]
    place = found
    for part in way:
        place = place[part]
    if value is MISSING:
        del place[last]
    else:
        place[last] = value
    return found


def shown(path):
    """As a sentence names it: contexts[0].ca."""
    steps = [f"[{part}]" if part.isdigit() else f".{part}" for part in path.split(".")]
    return "".join(steps).lstrip(".")


# change -> the beginning of what is said, on each interpreter
ACROSS = [
    (("objects.1.name", "ca.pem"), "objects[1].name is ca.pem once more"),
    (("objects.3.name", "ca.pem"), "objects[3].name is ca.pem once more"),
    (("contexts.1.ssl_id", 1), "contexts[1].ssl_id is 1; it must be 0 to 5, each once"),
    (
        ("contexts.0.ca", "ca.pme"),
        'contexts[0].ca is "ca.pme"; it must be the name of a cert in objects: did you mean '
        '"ca.pem"?',
    ),
    (
        ("contexts.0.key", "ca.pem"),
        'contexts[0].key is "ca.pem"; it must be the name of a key in objects, which is a cert',
    ),
    (
        ("contexts.1.pskid", "client.key"),
        'contexts[1].pskid is "client.key"; it must be the name of a psk in objects',
    ),
    (("contexts.0.cert", MISSING), "contexts[0].cert is missing; it must be the name of a cert"),
    (("contexts.0.cert", None), "contexts[0].cert is missing; it must be the name of a cert"),
    (("contexts.1.auth", "mutual"), "contexts[1].ca is missing; it must be the name of a cert"),
    (
        ("contexts.1", {"ssl_id": 2, "auth": "server"}),
        "contexts[1].ca is missing; it must be the name of a cert",
    ),
    (("objects.0.source", MISSING), "objects[0].source is missing; it must be the path of a file"),
    (("objects.0.source", None), "objects[0].source is missing; it must be the path of a file"),
    (("endpoint.ssl_id", 3), "endpoint.ssl_id is 3; it must be the ssl_id of one of the contexts"),
    (
        ("contexts.0.auth", "server"),
        'contexts[0].auth is "server"; it must be "mutual", for renewal',
    ),
    (("retry.most_s", 0), "retry.most_s is 0; it must be an integer from 1 to 31536000"),
    (("retry.first_s", 301), "retry.most_s is 300; it must be first_s or more"),
    (
        ("contexts.0.ciphersuite", 0xC011),
        "contexts[0].ciphersuite is 49169; it must be a sound one, for "
        "TLS_ECDHE_RSA_WITH_RC4_128_SHA is broken",
    ),
    (("contexts.0.ciphersuite", "C02F"), 'contexts[0].ciphersuite is "C02F"; it must be the name'),
    (("contexts.0.ciphersuite", 0x1301), "contexts[0].ciphersuite is 4865; it must be the name"),
    (("contexts.1", 7), "contexts[1] is 7; it must be an object with ssl_id, auth, ca"),
    (("objects.1", "ca.pem"), 'objects[1] is "ca.pem"; it must be an object with name, kind'),
    (("objects", {"a": 1}), "objects is {...}; it must be a list of certificates and keys"),
    (("contexts", None), "contexts is null; it must be a list of TLS contexts"),
    (("endpoint.every_s", 1 << 30), "endpoint.every_s is 1073741824; it must be an integer from"),
    (("apn", "x"), 'apn is not known here ("apn": did you mean "module.apn"?)'),
    (("uart.wires", 4), "uart.wires is not known; uart has id, baud, tx, rx, rts, cts, rxbuf"),
    (("wifi", {}), "wifi is not known; config.json has $schema, uart, module, objects"),
    (
        ("contexts.0.colour", 1),
        "contexts[0].colour is not known; contexts[0] has ssl_id, auth, ca",
    ),
    (("a\nb", 1), "a\\nb is not known; config.json has"),
]
