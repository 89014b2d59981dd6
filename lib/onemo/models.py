# SPDX-License-Identifier: MIT
#
# Which model can do what: the one table of it, read by the driver and by the README's generator.
# From manual 1.1 and its notes; sockets from the vendor's TCP/IP manual. Where another manual says
# something else about TLS, the SSL manual rules, and a comment here says so.
#
# Loaded to identify a module, and let go of then. One more series is one more row.

from .model import Model


def _rows():
    # Iterates: series, endings of its sub-models, what differs from class Model. The first two are
    # bytes, for a short str would be interned, and so stay when the table goes.
    yield b"MN316", b"DBRS DLVS", _nb(volatile=True, tls_links=2)
    # Others deny ">", a memory in deep sleep and a third TLS connection to MN316-S as well. Its
    # ">" is not used, for data inside the command works either way; in the rest the manual rules.
    yield b"MN316-S", b"DLVS", _nb(encodings=(0, 1, 2), algorithms=(0, 1, 2, 3))
    yield b"MN326", b"X", _nb(volatile=True, tls_links=2)
    yield b"ML302A", b"DCLM DSLM GCLM GSLM", {}
    yield b"ML302S", b"DNLM", {"ciphers": False}
    yield b"ML305A", b"DC DS DL", {}
    yield b"ML305M", b"DSLM", {}
    yield b"ML305U", b"DBLN", {"send_prompt": 4096}
    yield b"ML307A", b"DCLN DSLN GCLN GSLN DL", {}
    yield b"ML307G", b"DL", {}
    yield b"ML307R", b"DC DL", {}
    yield b"ML307S", b"DNLM", {"ciphers": False}


def _nb(**facts):
    # NB-IoT: ssl_id 0..4 (manual 3.1, note 2), no ">" (3.2, note), PSK (3.1, note 3; 3.7).
    facts.update(ssl_ids=5, connections=5, prompt=False, send_prompt=0, psk=True, mipcfg_ssl=False)
    return facts


def _unknown():
    # What every model can do, and none more.
    facts = _nb(volatile=True, tls_links=2)
    facts.update(known=False, psk=False, ciphers=False, versions=(3, 255), clock_zoned=False)
    return facts


def identify(response):
    """(series or None, Model) for an answer to AT+CGMM, AT+CGMR or ATI, or a user's str.

    Sub-model, revision, prefix and case do not matter: b"Revision: ml302s-dnlm-v1" is ML302S. A
    module that the table does not name (None) gets what all have in common, and known = False.
    """
    text = response.encode() if isinstance(response, str) else bytes(response)
    for mark in (b":", b'"', b",", b"_", b"/"):
        text = text.replace(mark, b" ")
    words = text.upper().split()
    series = b""
    facts = None
    for name, _, row in _rows():
        for word in words:
            # MN316A is no MN316, and MN316-S is more than that: the longest is the right one
            if (word + b"-").startswith(name + b"-") and len(name) > len(series):
                series = name
                facts = row
    if facts is not None:
        series = series.decode()
        return series, Model(series, series, facts)
    name = "".join([chr(c) for c in text.strip()[:32] if 32 <= c < 127])
    return None, Model(name or "unknown", None, _unknown())


def every():
    """Iterate the table in the manual's order: (Model, its sub-models, as ("ML307R-DC", ...))."""
    for series, endings, facts in _rows():
        name = series.decode()
        names = [name + "-" + ending.decode() for ending in endings.split()]
        yield Model(name, name, facts), tuple(names)
