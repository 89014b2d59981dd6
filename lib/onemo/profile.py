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


def checked(profile, stored=False):
    """The part of a configuration that is a profile. ValueError names the first entry that is
    missing or wrong. `stored`: it comes from a journal, so that sources may be unknown."""
    names = {}
    objects = _require(profile, "", "objects", list, "a list of certificates and keys")
    for i, item in enumerate(objects):
        where = "objects[%d]." % i
        name = _require(item, where, "name", str, "a name in the module, such as ca.pem")
        check_text(name, where + "name")
        if name in names:
            raise ValueError("%sname is %s once more; each object has its own" % (where, name))
        names[name] = _require(item, where, "kind", str, '"cert", "key" or "psk"', KIND)
        source = item.get("source")
        known = stored or item.get("md5") is not None  # elsewhere than in a source
        if not (hasattr(source, "readinto") or (source is None and known)):
            _require(item, where, "source", str, "the path of a file")
        if item.get("md5") is not None:
            digest = _require(item, where, "md5", str, "32 hexadecimal digits")
            if len(digest) != 32 or digest.lower().strip("0123456789abcdef"):
                raise ValueError("%smd5 is %r; it must be 32 hexadecimal digits" % (where, digest))
        if item.get("size") is not None:
            _require(item, where, "size", int, "a number of bytes")
    ids = []
    contexts = _require(profile, "", "contexts", list, "a list of TLS contexts")
    for i, item in enumerate(contexts):
        where = "contexts[%d]." % i
        ids.append(_require(item, where, "ssl_id", int, "0 to 5, each once", _unused(ids)))
        auth = AUTH.index(_require(item, where, "auth", str, '"none", "server" or "mutual"', AUTH))
        for k in range(len(_NAMES)):
            kind = ("cert", "cert", "key", "psk")[k]
            needed = k < 3 and auth > (k > 0)
            if auth == 1 and (item.get("pskid") is not None or item.get("ignoreverify")):
                needed = False  # what takes the place of a CA
            if item.get(_NAMES[k]) is not None or needed:
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
