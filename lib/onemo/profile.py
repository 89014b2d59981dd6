# SPDX-License-Identifier: MIT
#
# What a device must have, as plain JSON: certificates, keys and PSKs by name, and the TLS
# contexts that use them. config.json has it, with whatever else the application keeps there:
#
#   {"objects": [{"name": "ca.pem", "kind": "cert", "source": "/certs/ca.pem"}, ...],
#    "contexts": [{"ssl_id": 1, "auth": "server", "ca": "ca.pem"}, ...]}
#
# `kind`: "cert", "key" or "psk" (the file is the PSK then). `source` may be missing if the module
# has the object already; `md5`, its digest in hexadecimal, says which one that must be. In Python
# a source may be a stream, with `size` in bytes if it cannot be rewound. A context has what
# TLSContext.configure takes, `auth` in words, `ciphersuite` by name or number.
#
# schema.py and profile_check.py check it, and are loaded only then.

from ._port import unload
from .cert_store import CERT, KEY, PSK

KIND = {"cert": CERT, "key": KEY, "psk": PSK}
AUTH = ("none", "server", "mutual")  # in the order of their numbers
PARTS = ("objects", "contexts")  # of config.json: what makes a profile


def read(path="config.json"):
    """What config.json holds, for main.py: each entry checked, and all that it needs there.
    ValueError names the first fault, before anything is sent; OSError if there is no such file."""
    from . import profile_check

    config = profile_check.load(path)
    _raise_first(profile_check.faults(config))
    return config


def checked(profile, stored=False):
    """The part of a configuration that is a profile, with cipher suites as numbers. ValueError
    names the first entry that is missing or wrong. `stored`: it comes from a journal, so that
    sources may be unknown, and there may be entries of another version."""
    from . import profile_check

    _raise_first(profile_check.faults(profile, PARTS, stored))
    contexts = []
    for given in profile["contexts"]:
        context = given
        if isinstance(given.get("ciphersuite"), str):
            context = dict(given, ciphersuite=profile_check.suite_id(given["ciphersuite"]))
        contexts.append(context)
    return {"objects": profile["objects"], "contexts": contexts}


def check_endpoint(endpoint):
    """ValueError that names what is wrong with the host, port and ssl_id of an endpoint."""
    from . import schema

    try:
        schema.check(endpoint, "endpoint", ("host", "port", "ssl_id"))
    finally:
        unload("schema")


def _raise_first(found):
    # ValueError for the first fault. What tells them is not needed again soon.
    try:
        for said in found:
            raise ValueError(said)
    finally:
        unload("profile_check")
        unload("schema")


def settings(context):
    """The arguments of TLSContext.configure."""
    found = {name: context[name] for name in context if name != "ssl_id"}
    found["auth"] = AUTH.index(context["auth"])
    return found
