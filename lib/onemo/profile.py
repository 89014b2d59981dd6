# SPDX-License-Identifier: MIT
#
# What a device must have, as plain JSON: certificates, keys and PSKs by name, and the TLS
# contexts that use them. config.json has it, with whatever else the application keeps there:
#
#   {"objects": [{"name": "ca.pem", "kind": "cert", "source": "/certs/ca.pem"}, ...],
#    "contexts": [{"ssl_id": 1, "auth": "server", "ca": "ca.pem"}, ...]}
#
# `kind`: "cert", "key" or "psk" (the file is the PSK then). A context has what
# TLSContext.configure takes, `auth` in words.

from .at_syntax import check_text
from .cert_store import CERT, KEY, PSK
from .tls import SETTINGS

KIND = {"cert": CERT, "key": KEY, "psk": PSK}
AUTH = ("none", "server", "mutual")  # in the order of their numbers

_NAMES = ("ca", "cert", "key", "pskid")
_FLAGS = ("session", "ignorestamp", "ignoreverify", "allow_broken")


def _require(table, where, name, kind, wanted, allowed=None):
    value = table.get(name) if isinstance(table, dict) else None
    if (
        not isinstance(value, kind)
        or (kind is int and isinstance(value, bool))
        or (allowed is not None and value not in allowed)
    ):
        said = "missing" if value is None else repr(value)
        raise ValueError("%s%s is %s; it must be %s" % (where, name, said, wanted))
    return value


def checked(profile):
    """The part of a configuration that is a profile. ValueError names the first entry that is
    missing or wrong."""
    names = {}
    objects = _require(profile, "", "objects", list, "a list of certificates and keys")
    for i, item in enumerate(objects):
        where = "objects[%d]." % i
        name = _require(item, where, "name", str, "a name in the module, such as ca.pem")
        check_text(name, where + "name")
        if name in names:
            raise ValueError("%sname is %s once more; each object has its own" % (where, name))
        names[name] = _require(item, where, "kind", str, '"cert", "key" or "psk"', KIND)
        _require(item, where, "source", str, "the path of a file")
    ids = []
    contexts = _require(profile, "", "contexts", list, "a list of TLS contexts")
    for i, item in enumerate(contexts):
        where = "contexts[%d]." % i
        ids.append(_require(item, where, "ssl_id", int, "0 to 5, each once", _unused(ids)))
        auth = AUTH.index(_require(item, where, "auth", str, '"none", "server" or "mutual"', AUTH))
        for k in range(len(_NAMES)):
            kind = ("cert", "cert", "key", "psk")[k]
            if item.get(_NAMES[k]) is not None or (k < 3 and auth > (k > 0)):
                wanted = "the name of a %s in objects" % kind
                of_kind = [name for name in names if names[name] == kind]
                _require(item, where, _NAMES[k], str, wanted, of_kind)
        for name in item:
            if name not in ("ssl_id", "auth") + _NAMES and name not in SETTINGS:
                known = "ssl_id auth %s %s" % (" ".join(_NAMES), " ".join(SETTINGS))
                raise ValueError("%s%s is not known; a context has %s" % (where, name, known))
            if name in _FLAGS:
                _require(item, where, name, bool, "true or false")
            elif name in SETTINGS:
                _require(item, where, name, int, "a number")
    return {"objects": objects, "contexts": contexts}


def _unused(ids):
    return [ssl_id for ssl_id in range(6) if ssl_id not in ids]


def settings(context):
    """The arguments of TLSContext.configure."""
    found = {name: context[name] for name in context if name != "ssl_id"}
    found["auth"] = AUTH.index(context["auth"])
    return found


def fingerprint(profile):
    """MD5 of the profile (not of the files that it names), 32 hexadecimal digits."""
    from binascii import hexlify

    from .md5 import md5

    hashed = md5()
    for part in ("objects", "contexts"):
        for item in profile[part]:
            for name in sorted(item):
                hashed.update(("%s=%r\n" % (name, item[name])).encode())
            hashed.update(b"\n")
    return hexlify(hashed.digest()).decode()
