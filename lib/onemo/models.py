# What each model can and cannot do: the one table of it, read by the driver and by the README's
# generator. From manual 1.1 and its notes, sockets from the vendor's TCP/IP manual. Where another
# manual says something else about TLS, the SSL manual rules, and a comment here says so.

# A line each: the series, a letter for each thing that sets it apart, endings of its sub-models.
# One string, since on a board each small one would cost as much again for being an object.
#
#   n  NB-IoT: ssl_id 0..4 (manual 3.1, note 2), five connections, PSK (note 3; 3.7)
#   i  inline: no ">", data is written inside the command (manual 3.2 and 3.3, note)
#   v  volatile: forgets all in deep sleep, has two TLS connections (manual 3.1, note)
#   f  every form: of encoding (manual 3.1, note 4) and check algorithm (3.8, note 8)
#   c  no AT+MSSLCIPHER (manual 3.9, note)
#   h  half of the usual bytes after MIPSEND's ">"
#   d  disputed: the SSL manual denies ">", a memory in deep sleep and a third TLS connection to
#      MN316 and MN326 only, other sources to MN316-S as well. Its ">" is not used, for inline data
#      works either way; in the rest the SSL manual rules.
_TABLE = (
    "MN316 niv DBRS DLVS\n"
    "MN316-S nifd DLVS\n"
    "MN326 niv X\n"
    "ML302A - DCLM DSLM GCLM GSLM\n"
    "ML302S c DNLM\n"
    "ML305A - DC DS DL\n"
    "ML305M - DSLM\n"
    "ML305U h DBLN\n"
    "ML307A - DCLN DSLN GCLN GSLN DL\n"
    "ML307G - DL\n"
    "ML307R - DC DL\n"
    "ML307S c DNLM"
)
_UNKNOWN = "nivcu"  # what every model can do, and none more


class Model:
    """What one model can do. The class has what most 4G series have, an instance what differs.

    name: the series, or what an unknown module calls itself; series: None where unknown.
    """

    known = True
    nb = False  # NB-IoT, not 4G
    ssl_ids = 6  # ssl_id 0..ssl_ids - 1
    connections = 6  # connect_id likewise
    tls_links = None  # TLS connections at once; None: no limit is documented
    prompt = True  # takes data after ">" (certificates, keys, MIPSEND)
    prompt_disputed = False
    encodings = (2,)  # MSSLCFG "encoding": 0 ASCII, 1 hex, 2 escaped string
    algorithms = (0,)  # MSSLCHECK: 0 MD5, 1 SHA, 2 SHA256, 3 CRC
    versions = (0, 1, 2, 3, 255)  # MSSLCFG "version": SSL 3.0, TLS 1.0, 1.1, 1.2, all
    psk = False
    ciphers = True  # lists its cipher suites
    volatile = False  # deep sleep loses certificates and settings
    mipcfg_ssl = True  # False: said not to have MIPCFG "ssl"; ask, the manuals disagree
    send_prompt = 8192  # bytes a MIPSEND takes after ">"
    send_inline = 1460  # characters a MIPSEND takes inside the command
    read_max = 4096  # bytes a MIPRD gives at once
    open_codes = True  # a failed MIPOPEN says why; False: 1, whatever the reason
    open_timeout = True  # MIPOPEN honours its timeout

    def __init__(self, name, series, marks):
        self.name = name
        self.series = series
        if "n" in marks:
            self.nb = True
            self.ssl_ids = self.connections = 5
            self.psk = True
            self.mipcfg_ssl = self.open_codes = self.open_timeout = False
        if "i" in marks:
            self.prompt = False
            self.prompt_disputed = "d" in marks
            self.send_prompt = 0
        if "v" in marks:
            self.volatile = True
            self.tls_links = 2
        if "f" in marks:
            self.encodings = (0, 1, 2)
            self.algorithms = (0, 1, 2, 3)
        if "c" in marks:
            self.ciphers = False
        if "h" in marks:
            self.send_prompt = 4096
        if "u" in marks:
            self.known = self.nb = self.psk = False
            self.versions = (3, 255)

    def __str__(self):
        return self.name if self.known else self.name + " (a model unknown here)"

    def __repr__(self):
        return "<Model %s%s>" % (self.name, "" if self.known else ", unknown")


def identify(cgmm):
    """(series or None, Model) for an answer to AT+CGMM, AT+CGMR or ATI, or a user's str.

    Sub-model, revision, prefix and case do not matter: b"Revision: ml302s-dnlm-v1" is ML302S. One
    that the manual does not name (None) gets what all have in common, and known = False.
    """
    text = cgmm.encode() if isinstance(cgmm, str) else bytes(cgmm)
    for mark in (b":", b'"', b",", b"_", b"/"):
        text = text.replace(mark, b" ")
    words = text.upper().split()
    best = None
    for row in _rows():
        series = row[0].encode()
        for word in words:
            # MN316A is no MN316, and MN316-S is more than that; the longest is the right one
            if (word == series or word.startswith(series + b"-")) and (
                best is None or len(series) > len(best[0])
            ):
                best = row
    if best:
        return best[0], Model(best[0], best[0], best[1])
    name = "".join([chr(c) for c in text.strip()[:32] if 32 <= c < 127])
    return None, Model(name or "unknown", None, _UNKNOWN)


def every():
    """Iterates the table in the manual's order: (Model, its sub-models, as ("ML307R-DC", ...))."""
    for row in _rows():
        series = row[0]
        yield Model(series, series, row[1]), tuple([series + "-" + end for end in row[2:]])


def _rows():
    for row in _TABLE.split("\n"):
        yield row.split()
