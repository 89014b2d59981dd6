# SPDX-License-Identifier: MIT
#
# The 207 cipher suites of manual 5.1: id, name, strength. Loaded only when asked. Three bytes a
# suite, and the parts of the names in two strings: a seventh of what the names alone would take.

from ._port import const

# Key exchanges, those with forward secrecy first: every connection has a key of its own, which no
# key stolen later opens (DHE and ECDHE; for ECJPAKE see RFC 8236).
_EXCHANGES = (
    "DHE_RSA DHE_PSK ECDHE_ECDSA ECDHE_RSA ECDHE_PSK ECJPAKE RSA PSK RSA_PSK ECDH_ECDSA ECDH_RSA"
)
_FORWARD_SECRET = const(6)

# Ciphers: eight that are broken, twelve in CBC mode, then the sound ones.
_CIPHERS = (
    "3DES_EDE_CBC_SHA DES_CBC_SHA NULL_MD5 NULL_SHA NULL_SHA256 NULL_SHA384 RC4_128_MD5 "
    "RC4_128_SHA AES_128_CBC_SHA AES_128_CBC_SHA256 AES_256_CBC_SHA AES_256_CBC_SHA256 "
    "AES_256_CBC_SHA384 ARIA_128_CBC_SHA256 ARIA_256_CBC_SHA384 CAMELLIA_128_CBC_SHA "
    "CAMELLIA_128_CBC_SHA256 CAMELLIA_256_CBC_SHA CAMELLIA_256_CBC_SHA256 "
    "CAMELLIA_256_CBC_SHA384 AES_128_CCM AES_128_CCM_8 AES_128_GCM_SHA256 AES_256_CCM "
    "AES_256_CCM_8 AES_256_GCM_SHA384 ARIA_128_GCM_SHA256 ARIA_256_GCM_SHA384 "
    "CAMELLIA_128_GCM_SHA256 CAMELLIA_256_GCM_SHA384 CHACHA20_POLY1305_SHA256"
)
_BROKEN = const(8)
_LEGACY = const(20)

# Low byte of the id; high nibble: index into _PAGES, low nibble: into _EXCHANGES; into _CIPHERS.
# In the manual's order, which is that of the ids. The tests hold it against the manual's appendix.
_SUITES = (
    b"\x01\x06\x02\x02\x06\x03\x04\x06\x06\x05\x06\x07\x09\x06\x01\x0a\x06\x00\x15\x00\x01\x16\x00\x00"
    b"\x2c\x07\x03\x2d\x01\x03\x2e\x08\x03\x2f\x06\x08\x33\x00\x08\x35\x06\x0a\x39\x00\x0a\x3b\x06\x04"
    b"\x3c\x06\x09\x3d\x06\x0b\x41\x06\x0f\x45\x00\x0f\x67\x00\x09\x6b\x00\x0b\x84\x06\x11\x88\x00\x11"
    b"\x8a\x07\x07\x8b\x07\x00\x8c\x07\x08\x8d\x07\x0a\x8e\x01\x07\x8f\x01\x00\x90\x01\x08\x91\x01\x0a"
    b"\x92\x08\x07\x93\x08\x00\x94\x08\x08\x95\x08\x0a\x9c\x06\x16\x9d\x06\x19\x9e\x00\x16\x9f\x00\x19"
    b"\xa8\x07\x16\xa9\x07\x19\xaa\x01\x16\xab\x01\x19\xac\x08\x16\xad\x08\x19\xae\x07\x09\xaf\x07\x0c"
    b"\xb0\x07\x04\xb1\x07\x05\xb2\x01\x09\xb3\x01\x0c\xb4\x01\x04\xb5\x01\x05\xb6\x08\x09\xb7\x08\x0c"
    b"\xb8\x08\x04\xb9\x08\x05\xba\x06\x10\xbe\x00\x10\xc0\x06\x12\xc4\x00\x12\x01\x19\x03\x02\x19\x07"
    b"\x03\x19\x00\x04\x19\x08\x05\x19\x0a\x06\x12\x03\x07\x12\x07\x08\x12\x00\x09\x12\x08\x0a\x12\x0a"
    b"\x0b\x1a\x03\x0c\x1a\x07\x0d\x1a\x00\x0e\x1a\x08\x0f\x1a\x0a\x10\x13\x03\x11\x13\x07\x12\x13\x00"
    b"\x13\x13\x08\x14\x13\x0a\x23\x12\x09\x24\x12\x0c\x25\x19\x09\x26\x19\x0c\x27\x13\x09\x28\x13\x0c"
    b"\x29\x1a\x09\x2a\x1a\x0c\x2b\x12\x16\x2c\x12\x19\x2d\x19\x16\x2e\x19\x19\x2f\x13\x16\x30\x13\x19"
    b"\x31\x1a\x16\x32\x1a\x19\x33\x14\x07\x34\x14\x00\x35\x14\x08\x36\x14\x0a\x37\x14\x09\x38\x14\x0c"
    b"\x39\x14\x03\x3a\x14\x04\x3b\x14\x05\x3c\x16\x0d\x3d\x16\x0e\x44\x10\x0d\x45\x10\x0e\x48\x12\x0d"
    b"\x49\x12\x0e\x4a\x19\x0d\x4b\x19\x0e\x4c\x13\x0d\x4d\x13\x0e\x4e\x1a\x0d\x4f\x1a\x0e\x50\x16\x1a"
    b"\x51\x16\x1b\x52\x10\x1a\x53\x10\x1b\x5c\x12\x1a\x5d\x12\x1b\x5e\x19\x1a\x5f\x19\x1b\x60\x13\x1a"
    b"\x61\x13\x1b\x62\x1a\x1a\x63\x1a\x1b\x64\x17\x0d\x65\x17\x0e\x66\x11\x0d\x67\x11\x0e\x68\x18\x0d"
    b"\x69\x18\x0e\x6a\x17\x1a\x6b\x17\x1b\x6c\x11\x1a\x6d\x11\x1b\x6e\x18\x1a\x6f\x18\x1b\x70\x14\x0d"
    b"\x71\x14\x0e\x72\x12\x10\x73\x12\x13\x74\x19\x10\x75\x19\x13\x76\x13\x10\x77\x13\x13\x78\x1a\x10"
    b"\x79\x1a\x13\x7a\x16\x1c\x7b\x16\x1d\x7c\x10\x1c\x7d\x10\x1d\x86\x12\x1c\x87\x12\x1d\x88\x19\x1c"
    b"\x89\x19\x1d\x8a\x13\x1c\x8b\x13\x1d\x8c\x1a\x1c\x8d\x1a\x1d\x8e\x17\x1c\x8f\x17\x1d\x90\x11\x1c"
    b"\x91\x11\x1d\x92\x18\x1c\x93\x18\x1d\x94\x17\x10\x95\x17\x13\x96\x11\x10\x97\x11\x13\x98\x18\x10"
    b"\x99\x18\x13\x9a\x14\x10\x9b\x14\x13\x9c\x16\x14\x9d\x16\x17\x9e\x10\x14\x9f\x10\x17\xa0\x16\x15"
    b"\xa1\x16\x18\xa2\x10\x15\xa3\x10\x18\xa4\x17\x14\xa5\x17\x17\xa6\x11\x14\xa7\x11\x17\xa8\x17\x15"
    b"\xa9\x17\x18\xaa\x11\x15\xab\x11\x18\xac\x12\x14\xad\x12\x17\xae\x12\x15\xaf\x12\x18\xff\x15\x15"
    b"\xa8\x23\x1e\xa9\x22\x1e\xaa\x20\x1e\xab\x27\x1e\xac\x24\x1e\xad\x21\x1e\xae\x28\x1e"
)
_PAGES = b"\x00\xc0\xcc"  # high bytes of ids


def name(suite):
    """The name of suite id `suite`: 0xC02F is TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256. ValueError if
    the manual has no such id."""
    at = _find(suite)
    exchange = _word(_EXCHANGES, _SUITES[at + 1] & 15)
    return "TLS_%s_WITH_%s" % (exchange, _word(_CIPHERS, _SUITES[at + 2]))


def id(name):  # noqa: A001 suites.id() reads well, and nothing here needs the builtin
    """The id of the suite named `name`; ValueError if the manual has no such name."""
    exchange, _, cipher = name.partition("_WITH_")
    if exchange.startswith("TLS_"):
        which = _index(_EXCHANGES, exchange[4:])
        cipher = _index(_CIPHERS, cipher)
        for at in range(0, len(_SUITES), 3):
            if _SUITES[at + 2] == cipher and _SUITES[at + 1] & 15 == which:
                return _PAGES[_SUITES[at + 1] >> 4] << 8 | _SUITES[at]
    raise ValueError(
        "cipher suite %r is not in manual 5.1; modem.ciphers() tells those of the module" % (name,)
    )


def strength(suite):
    """ "broken" (NULL, RC4, DES, 3DES: anybody may read along), "legacy" (CBC mode: only if the
    server has nothing better) or "sound" (GCM, CCM, CHACHA20)."""
    cipher = _SUITES[_find(suite) + 2]
    return "broken" if cipher < _BROKEN else "legacy" if cipher < _LEGACY else "sound"


def forward_secret(suite):
    """True if a key stolen later does not reveal what was sent before: prefer such suites."""
    return _SUITES[_find(suite) + 1] & 15 < _FORWARD_SECRET


def ids():
    """Iterate the ids of all suites, ascending."""
    for at in range(0, len(_SUITES), 3):
        yield _PAGES[_SUITES[at + 1] >> 4] << 8 | _SUITES[at]


def _find(suite):
    if not isinstance(suite, int):
        raise TypeError("cipher suite %r: give its id as an int, 0xC02F for example" % (suite,))
    for at in range(0, len(_SUITES), 3):
        if _SUITES[at] == suite & 255 and _PAGES[_SUITES[at + 1] >> 4] == suite >> 8:
            return at
    raise ValueError(
        "cipher suite 0x%X is not in manual 5.1; modem.ciphers() tells those of the module" % suite
    )


def _word(words, number):
    """The number-th of `words`, without making a list of them all."""
    start = 0
    for _ in range(number):
        start = words.find(" ", start) + 1
    end = words.find(" ", start)
    return words[start:] if end < 0 else words[start:end]


def _index(words, word):
    return words.split(" ").index(word) if word in words.split(" ") else -1
