# SPDX-License-Identifier: MIT
#
# Which model can do what: the one table of it, read by the driver and by the README's generator.
# From manual 1.1 and its notes, and from later manuals (SSL V5.4.5, TCP/IP V5.1.5); sockets from
# the TCP/IP manual. Where another manual says something else about TLS, the SSL manual rules, and
# a comment here says so.
#
# Loaded to identify a module, and let go of then. One more series is one more row.

from ._port import const
from .model import Model

# What differs from class Model, a letter a kind.
#
#   n      NB-IoT: ssl_id 0..4 (manual 3.1, note 2), no ">" (3.2, note), PSK (3.1, note 3; 3.7)
#   v, 2   deep sleep loses all; two TLS connections (3.1, note), on ML307X and Y as well
#   r      nothing outlives a power-off (V5.4.5, 3.2, note 9)
#   x      TLS 1.1 and 1.2 only, suites as 0x (V5.4.5, 3.1, notes 7, 8)
#   m      TLS 1.2 only, SNI (V5.4.5, 3.1, notes 1, 3, 7), more connections (TCP/IP, note 2)
#   e, c   3.1, note 4, and 3.8, note 8; 3.9, note
#   t      sockets only (TCP/IP, note 1)     5, 4, 6   TCP/IP, notes 2, 21, 28
#   s, p   MLPMCFG as delivered (4G extended AT manual V2.0.5, 4.10)
#   z      its clock was seen with UTC and a zone
#   u, i   a model that has no row; one that takes data inside commands only
_KINDS = const(b"""
n ssl_ids 5 connections 5 prompt 0 send_prompt 0 psk 1 mipcfg_ssl 0
v volatile 1
r ram_store 1
2 tls_links 2
e encodings 0,1,2 algorithms 0,1,2,3
c ciphers 0
5 send_prompt 4096
x versions 2,3,255 suite_0x 1
m versions 3,255 connections 10 sni 1
t tls 0 psk 0 ciphers 0 mipcfg_ssl 0
4 connections 4 read_max 1460 packet_reads 1
6 connections 6 packet_reads 1
s sleeps 1
z clock_zoned 0
p sleep_permanent 1
u known 0 certain 0 ssl_ids 5 connections 5 ciphers 0 versions 3,255 \
mipcfg_ssl 0 send_prompt 4096 clock_zoned 0 packet_reads 1
i prompt 0 send_prompt 0 connections 4 read_max 1460
h certain 0
""")

# Series; where it is known from (M: SSL manual V5.3.0, N: later manuals, F: seen in the field, Q:
# one other source); its kinds; endings of its sub-models. d: a sub-model that is not as the
# others of its series, h: the others, of which nobody says whether they have TLS.
#
# Others deny ">", a memory in deep sleep and a third TLS connection to MN316-S as well. Its ">" is
# not used, for data inside the command works either way; in the rest the manual rules.
_ROWS = const(b"""
MN316 M nv2 DBRS DLVS
MN316-S M ne DLVS
MN326 M nv2 X
ML302A M - DCLM DSLM GCLM GSLM
ML302S M c DNLM
ML305A M - DC DS DL
ML305M M s DSLM
ML305U M 5s DBLN
ML307A MF - DCLN DSLN GCLN GSLN DL
ML307G MN - DL DC
ML307R MNF - DC DL BL MC ML
ML307S M c DNLM
ML307C NF z DL-CN DC-CN GC-CN DC-EM DL-EM
ML307M N s DL DA DH
ML307N N s DC DL
ML307X NF x2s DB DC
ML307Y FQ x2s DL
ML307H N hvr MU DC GC
ML307H-DU N dvr
ML307H-GU N dt
MR880A N m
MN316A N nt4 D DC
MN318 N nt6 BX LC LX
MN319 N nt4p DL
MN326A N nt4 DG
""")

_MARKS = (b":", b'"', b",", b"_", b"/", b"=")


def _facts(kinds, source):
    facts = {"source": source}
    for k in range(len(kinds)):
        at = _KINDS.find(b"\n" + kinds[k : k + 1] + b" ")
        if at < 0:
            continue
        parts = _KINDS[at + 3 : _KINDS.find(b"\n", at + 1)].split(b" ")
        for i in range(0, len(parts), 2):
            name = parts[i].decode()
            values = [int(n) for n in parts[i + 1].split(b",")]
            value = values[0]
            default = getattr(Model, name)
            if isinstance(default, bool):
                value = value == 1
            facts[name] = tuple(values) if isinstance(default, tuple) else value
    return facts


def kind(word):
    """b"L", b"N" or b"R" for a word with M, this letter and a digit in it, such as OneMO's names;
    else b"?"."""
    for at in range(len(word) - 2):
        if word[at] == 0x4D and word[at + 1] in b"LNR" and 0x30 <= word[at + 2] <= 0x39:
            return word[at + 1 : at + 2]
    return b"?"


def words_of(text):
    """The words of an answer, as bytes in capitals."""
    text = text.encode() if isinstance(text, str) else bytes(text)
    for mark in _MARKS:
        text = text.replace(mark, b" ")
    return text.upper().split()


def row_of(words):
    """The row that one of these words is of: name, source, kinds, endings; None. MN316A is no
    MN316, and MN316-S is more than that: the longest is the right one."""
    found = None
    for word in words:
        name = word
        while name and (found is None or len(name) > len(found[0])):
            at = _ROWS.find(b"\n" + name + b" ")
            if at >= 0:
                found = _ROWS[at + 1 : _ROWS.find(b"\n", at + 1)].split(b" ")
            name = name[: max(0, name.rfind(b"-"))]
    return found


def identify(response):
    """(series or None, Model) for an answer to AT+CGMM, AT+CGMR or ATI, or a user's str.

    Sub-model, revision, prefix and case do not matter: b"Revision: ml302s-dnlm-v1" is ML302S. A
    module that the table does not name (None) gets what all of its kind have in common, and
    known = False.
    """
    words = words_of(response)
    row = row_of(words)
    if row:
        name = row[0].decode()
        series = name[:-3] if b"d" in row[2] else name
        return series, Model(name, series, _facts(row[2], row[1].decode()))
    text = response.encode() if isinstance(response, str) else bytes(response)
    name = "".join([chr(c) for c in text.strip()[:32] if 32 <= c < 127])
    # Later manuals deny ">" to modules that are called MN, and to no other ones; what is not
    # called anything is treated as one of these.
    kinds = b"v2sui"
    for word in words:
        if kind(word) in b"LR":
            kinds = b"v2su"
    return None, Model(name or "unknown", None, _facts(kinds, ""))


def every():
    """Iterate the table, the manual's order first: (Model, its sub-models, as ("ML307R-DC",
    ...))."""
    for row in _ROWS.strip().split(b"\n"):
        name, _, _, *endings = row.decode().split(" ")
        yield identify(name)[1], tuple([name + "-" + ending for ending in endings])
