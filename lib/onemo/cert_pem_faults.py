# SPDX-License-Identifier: MIT
#
# Why PemScanner refused a file, in words: the cause, and the command that mends it. Loaded only
# then: who has good files never pays for it. No word quotes the file: it may be a key.

from ._port import const

_CERT = const(1)
_EC_PARAMETERS = const(4)  # index of a label, as in cert_pem.py
_LINE_MAX = const(64)
_COUNT = const(0)  # indexes into `seen`, as in cert_pem.py
_COLUMN = const(1)
_LINE = const(2)

# Indexes into _TEXTS
_BIG = const(0)
_EMPTY = const(1)
_NOT_PEM = const(2)
_NO_END = const(3)
_NO_BEGIN = const(4)
_MISMATCH = const(5)
_NOT_BASE64 = const(6)
_BAD_LENGTH = const(7)
_BAD_PADDING = const(8)
_BLANK = const(9)
_SECOND_KEY = const(10)
_LINE_END = const(11)
_LONE_PARAMETERS = const(12)
_ENDLESS = const(13)
_INDENTED = const(14)
_KEY_FOR_CERT = const(15)
_UNKNOWN = const(16)
_NOT_DER = const(17)
_DER_LENGTH = const(18)
_OTHER_CONTENT = const(19)
_NOT_ASCII = const(20)
_HEADER = const(21)
_DER = const(22)
_UTF16 = const(23)
_KEY_AMONG_CERTS = const(24)
_CERT_FOR_KEY = const(25)
_CERT_AFTER_KEY = const(26)
_BEGIN_MISSPELT = const(27)
_ENCRYPTED = const(28)
_PUBLIC = const(29)
_REQUEST = const(30)
_END_MISSPELT = const(31)
_JOINED = const(32)
_ESCAPED = const(33)
_ONE_LINE = const(34)
_QUOTED = const(35)
_TWICE = const(36)
_JSON = const(37)
_PKCS12 = const(38)
_PKCS7 = const(39)
_OPENSSH = const(40)
_CRL = const(41)
_TRUSTED = const(42)
_BARE = const(43)
_MARKUP = const(44)
_PUTTY = const(45)
_JKS = const(46)
_DASH = const(47)
_MISPLACED = const(48)
_NO_CONTENT = const(49)

# What cert_pem.py's verdicts, from 1 on, are; those above 100 are looked at closer.
_BOUNDARY = const(101)
_BAD_LABEL = const(102)
_KIND = const(103)
_LENGTH = const(104)
_FOREIGN = const(105)
_HEAD = const(106)
_VERDICTS = const(
    (
        _BIG,
        _FOREIGN,
        _BAD_PADDING,
        _BLANK,
        _LINE_END,
        _ENDLESS,
        _INDENTED,
        _BOUNDARY,
        _BAD_LABEL,
        _KIND,
        _LENGTH,
        _HEAD,
        _OTHER_CONTENT,
    )
)

_LABEL = const(11)  # where it stands in a BEGIN line

# No line is to blame.
_WHOLE_FILE = const(
    (
        _DER,
        _UTF16,
        _JSON,
        _PKCS12,
        _BARE,
        _MARKUP,
        _PUTTY,
        _JKS,
    )
)

_TEXTS = (
    "its blocks are longer than 8192 bytes, the most that a module takes (manual 3.2): take "
    "certificates out",
    "the file is empty: give the PEM file itself",
    "not PEM, there is no -----BEGIN line: give the PEM file, or convert with openssl",
    "cut short, the last block has no -----END line: copy the whole file again",
    "an -----END line without its -----BEGIN line: copy the whole file again",
    "the -----END line is not that of the -----BEGIN line: copy the file again, or give both the "
    "same label",
    "a character that base64 does not have (spaces count), or an -----END line that is misspelt: "
    "copy the file again; if spaces took the place of line breaks, quote the variable: "
    'echo "$PEM"',
    "the base64 text of this block is not a multiple of 4 characters: copy the whole file again",
    "base64 padding (=) in the wrong place, or an -----END line without its dashes: copy the "
    "whole file again",
    "a blank line inside a block: grep -v '^[[:space:]]*$' FILE > PEM",
    "a second private key: give the one that belongs to the certificate",
    "line ends other than LF or CR LF: tr -s '\\r' '\\n' < FILE > PEM",
    "EC PARAMETERS without their EC PRIVATE KEY: give the whole key file",
    "over 1 MB of text without a block: give the PEM file itself",
    "indented, or a line of spaces in a block; a line of PEM begins in the first column: "
    "sed 's/^[[:space:]]*//' FILE > PEM",
    "a private key where a certificate belongs: give the certificate, or write it as kind KEY",
    "modules take CERTIFICATE and [RSA, EC] PRIVATE KEY, not this block: remove it",
    "the content of this block is no DER, its first characters are changed or a placeholder: "
    "copy the whole file again; openssl x509 -in FILE -noout (a key: openssl pkey) checks it",
    "the length that its DER says is %d bytes, but the base64 has %d; a line may be lost or "
    "doubled: copy the whole file again",
    "the label says %s, inside is %s: %s",
    "a byte inside a block that is not printable ASCII, as in binary data, or as the long dashes "
    "that a word processor makes of -----END: copy the file again",
    "a header (Proc-Type) inside the block, as encrypted keys have it, but modules take "
    "no passphrase: openssl pkey -in KEY -out PLAIN",
    "DER, not PEM: openssl x509 -inform DER -in FILE -out PEM (for a key: openssl pkey)",
    "UTF-16 or other binary data, not PEM: iconv -f UTF-16 -t UTF-8 FILE > PEM",
    "a certificate file that also contains a private key: put the key into a file of its own",
    "a certificate where a private key belongs: give the key, or write it as kind CERT",
    "a key file that also contains a certificate: put the certificate into a file of its own",
    "a -----BEGIN line that is misspelt: five dashes, BEGIN, one space, the label in capitals, "
    "five dashes and nothing else",
    "an encrypted key, but modules take no passphrase: openssl pkey -in KEY -out PLAIN",
    "a public key: give the certificate, or the private key",
    "a certificate request: give the certificate that the authority made from it",
    "an -----END line that is misspelt: five dashes, END, one space, the label, five dashes",
    "-----BEGIN on the same line as -----END, as files without a last line break are joined: "
    "sed 's/----------/-----\\n-----/' FILE > PEM",
    "escaped line breaks: \\n stands as two characters, as in JSON or an environment variable: "
    "printf '%b\\n' \"$(cat FILE)\" > PEM",
    "all in one line, its line breaks are lost: sed -E 's/(BEGIN [A-Z ]+-----) */\\1\\n/g; "
    's/ *(-----END [A-Z ]+-----) */\\n\\1\\n/g\' FILE > PEM, and quote variables: echo "$PEM"',
    "its lines are in quotes, as in program text: "
    'sed -n \'s/^[^"]*"\\([^"\\\\]*\\).*/\\1/p\' FILE > PEM',
    "base64 of a PEM file, as Kubernetes has it: base64 -d FILE > PEM (the value alone)",
    "JSON, as clouds answer, not PEM: take the value out, jq -r .certificatePem FILE > PEM (a "
    "key: .keyPair.PrivateKey)",
    "PKCS#12 (.p12, .pfx), not PEM: openssl pkcs12 -in FILE -nodes -nokeys -out PEM (for the "
    "key: -nocerts)",
    "PKCS#7 (.p7b), not PEM certificates: openssl pkcs7 -in FILE -print_certs -out PEM (with "
    "-inform DER if FILE is binary)",
    "an OpenSSH key: ssh-keygen -p -m PEM -N '' -f COPY_OF_KEY",
    "a certificate revocation list (CRL), which modules do not take: give the certificate",
    "a certificate with a label that TLS stacks do not know: openssl x509 -in FILE -out PEM",
    "base64 without its -----BEGIN line: base64 -di FILE | openssl x509 -inform DER -out PEM (for "
    "a key: openssl pkey)",
    "HTML or XML, not PEM: the download failed, fetch the certificate again",
    "a PuTTY key: puttygen FILE -O private-openssh -o KEY, then ssh-keygen -p -m PEM -N '' -f KEY",
    "a Java keystore: keytool -importkeystore -srckeystore FILE -destkeystore P12 -deststoretype "
    "PKCS12, then openssl pkcs12 -in P12 -nodes -out PEM",
    "a dash within base64: the line break before -----END is lost, "
    "sed 's/-----END/\\n&/' FILE > PEM, or this is base64url: tr '_-' '/+' for its base64 lines",
    "a -----BEGIN that does not begin its line: put it on a line of its own, without what stands "
    "before it",
    "a block without content: copy the whole file again",
)


def text(scanner, name):
    """What is wrong, and what to do; `scanner.fault` is not 0 from now on."""
    fault = _verdict(scanner)
    scanner.fault = scanner.fault or 100 + fault
    words = _TEXTS[fault]
    if fault == _DER_LENGTH:
        words %= scanner.length, scanner.seen[_COUNT] // 4 * 3 - scanner.pads
    elif fault == _OTHER_CONTENT:
        words %= _other_content(scanner)
    if fault in (_BIG, _ENDLESS):
        words = "PEM refused: " + words
    else:
        line = 1 if fault in _WHOLE_FILE else scanner.seen[_LINE]
        words = "PEM refused at line %d: %s" % (line, words)
    return name + ": " + words if name else words


def _verdict(scanner):
    verdict = _VERDICTS[scanner.fault - 1] if scanner.fault else _EMPTY
    if scanner.fault == 0:
        if scanner.block >= 0:
            verdict = _NO_END
        elif scanner.size:
            verdict = _LONE_PARAMETERS if scanner.last == _EC_PARAMETERS else _not_pem(scanner)
    elif verdict == _BOUNDARY:
        verdict = _boundary(scanner)
    elif verdict == _BAD_LABEL:
        verdict = _label(scanner)
    elif verdict == _KIND:
        verdict = _kind(scanner)
    elif verdict == _LENGTH:
        verdict = _BAD_LENGTH if scanner.seen[_COUNT] % 4 else _DER_LENGTH
    elif verdict == _FOREIGN:
        verdict = _not_base64(scanner)
    elif verdict == _HEAD:
        verdict = _not_der(scanner)
    return verdict


def _not_pem(scanner):
    # No block at all: what the file begins with, or the first thing like a BEGIN, tells.
    if scanner.seen[_COLUMN]:
        scanner.look(scanner.line, 0, _LINE_MAX)  # the last line
        if scanner.fault:
            return _INDENTED
    head = bytes(scanner.head)
    word = head.strip()
    der = head + b"        "
    if der[0] == 0x30 and (der[1] & 0x80 or min(der[:8]) < 9):
        at = _behind_length(der, 1)
        if der[at : at + 3] == b"\2\1\3":
            return _PKCS12
        return _PKCS7 if der[at] == 6 else _DER
    for begin, verdict in (
        (b"\xfe\xed\xfe\xed", _JKS),
        (b"\xff\xfe", _UTF16),
        (b"\xfe\xff", _UTF16),
        (b"{", _JSON),
        (b"[", _JSON),
        (b"<", _MARKUP),
        (b"PuTTY-User-Key", _PUTTY),
        (b"ssh-", _PUBLIC),
        (b"ecdsa-", _PUBLIC),
        (b"LS0tLS1CRUdJ", _TWICE),
    ):
        if word.startswith(begin):
            return verdict
    if b"\0" in head:
        return _UTF16
    if not scanner.hint:
        return _BARE if word.startswith(b"MI") and b" " not in word else _NOT_PEM
    return _hinted(scanner)


def _hinted(scanner):
    # The first thing like a BEGIN.
    scanner.seen[_LINE] = scanner.hint >> 8
    byte = scanner.hint & 0xFF
    if byte in b"\"'`":
        return _QUOTED
    return _BEGIN_MISSPELT if byte == 0x2D or byte > 0x7F else _MISPLACED


def _boundary(scanner):
    # A line that begins with a dash and is not the END of this block.
    line = scanner.line
    if line.startswith(b"-----BEGIN ") or (scanner.boundary and line.find(b"-----", 6) < 0):
        return _NO_END
    if scanner.block < 0:
        return _hinted(scanner) if scanner.hint and not scanner.blocks else _NO_BEGIN
    if b"\r" in line[:-1]:
        return _LINE_END
    if b"-----BEGIN" in line and not line.startswith(b"-----BEGIN"):
        return _JOINED
    if b"\\" in line:
        return _ESCAPED
    if bytes(line).rstrip() in (
        b"-----END CERTIFICATE-----",
        b"-----END PRIVATE KEY-----",
        b"-----END RSA PRIVATE KEY-----",
        b"-----END EC PRIVATE KEY-----",
    ):
        return _MISMATCH
    return _END_MISSPELT if b"END" in line else _NOT_BASE64


def _not_base64(scanner):
    byte = scanner.byte
    # The first line of a block may be such as "Proc-Type: 4,ENCRYPTED".
    if byte in b":-" and scanner.seen[_COUNT] == scanner.seen[_COLUMN] < 24:
        return _HEADER
    if byte == 0x5C:
        return _ESCAPED
    if byte in b"\"'":
        return _QUOTED
    if byte in b"-_":
        return _DASH
    return _NOT_BASE64 if 0x20 <= byte <= 0x7E else _NOT_ASCII


def _kind(scanner):
    if scanner.kind == _CERT:
        return _KEY_AMONG_CERTS if scanner.blocks else _KEY_FOR_CERT
    if scanner.block == 0:
        return _CERT_AFTER_KEY if scanner.blocks else _CERT_FOR_KEY
    return _SECOND_KEY if scanner.blocks else _LONE_PARAMETERS


def _label(scanner):
    # A BEGIN line of what is none of the known blocks.
    line = scanner.line
    if b"\r" in line[:-1]:
        return _LINE_END
    label, dashes, after = bytes(line[_LABEL:]).partition(b"-----")
    if not dashes:
        return _NO_END if scanner.boundary else _BEGIN_MISSPELT
    after = after.strip()
    if after:
        if after.startswith(b"\\"):
            return _ESCAPED
        if after[0] in b"\"',":
            return _QUOTED
        return _BEGIN_MISSPELT if after.startswith(b"-") else _ONE_LINE
    if label != label.strip() or label != label.upper():
        return _BEGIN_MISSPELT
    if label.endswith(b"PRIVATE KEY"):
        if scanner.kind == _CERT:
            return _kind(scanner)
        if label.startswith(b"ENCRYPTED"):
            return _ENCRYPTED
        return _OPENSSH if label.startswith(b"OPENSSH") else _UNKNOWN
    for part, verdict in (
        (b"PUBLIC KEY", _PUBLIC),
        (b"REQUEST", _REQUEST),
        (b"CRL", _CRL),
        (b"PKCS7", _PKCS7),
        (b"CMS", _PKCS7),
    ):
        if part in label:
            return verdict
    if label.endswith(b" CERTIFICATE"):
        return _TRUSTED if scanner.kind == _CERT else _CERT_FOR_KEY
    return _UNKNOWN


def _not_der(scanner):
    if not scanner.seen[_COUNT]:
        return _NO_CONTENT
    head = bytes(scanner.head)  # decoded
    if head.startswith(b"-----BEGIN"):
        return _TWICE
    return _OPENSSH if head.startswith(b"openssh-key") else _NOT_DER


def _other_content(scanner):
    # What the label says, what is inside, and what to do.
    label = ("CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")[scanner.last]
    der = scanner.head
    at = _behind_length(der, 1)
    if der[at] == 2:
        found, remedy = _numbered(der, at, scanner.kind)
    elif der[at] == 0x30:
        found, remedy = _nested(der, _behind_length(der, at + 1), scanner.kind)
    elif der[at] == 6:
        found, remedy = "PKCS#7", "openssl pkcs7 -print_certs -in FILE -out PEM"
    else:
        found, remedy = _NEITHER, _COPY
    return label, found, remedy


_NEITHER = "something else, no DER of a certificate or key"
_COPY = "give the right file, or correct the label"
_GIVE = "give the certificate, or the private key"
_LIST = (
    "a certificate revocation list (CRL)",
    "modules take none; give the certificate of the authority that signed it",
)


def _behind_length(der, at):
    # Where the content begins of which the length is at `at`.
    return at + 1 + (der[at] & 3 if der[at] & 0x80 else 0)


def _numbered(der, at, kind):
    # A SEQUENCE that begins with an INTEGER: a version, or a modulus.
    if der[at + 1] != 1:
        return "an RSA public key", _GIVE
    if der[at + 2] == 3:
        return "PKCS#12", "openssl pkcs12 -in FILE.p12 -nodes -out PEM, from the file it came from"
    label = {0x30: "PRIVATE KEY", 0x02: "RSA PRIVATE KEY", 0x04: "EC PRIVATE KEY"}.get(der[at + 3])
    if der[at + 2] > 1 or not label:
        return _NEITHER, _COPY
    found = {
        "PRIVATE KEY": "a private key (PKCS#8), whose label is PRIVATE KEY",
        "RSA PRIVATE KEY": "an RSA private key, whose label is RSA PRIVATE KEY",
        "EC PRIVATE KEY": "an EC private key, whose label is EC PRIVATE KEY",
    }[label]
    if kind == _CERT:
        return found, "give the certificate; write the key as kind KEY under its own label"
    return found, "correct the label in its BEGIN and END lines"


def _nested(der, at, kind):
    # A SEQUENCE that begins with a SEQUENCE.
    if der[at] == 6:
        if b"\xf7\x0d\x01\x05" in der or b"\xf7\x0d\x01\x0c" in der:
            return (
                "an encrypted private key",
                "decrypt it, for modules take no passphrase: openssl pkey -in KEY -out PLAIN",
            )
        return "a public key", _GIVE
    if der[at] == 0xA0:
        return (
            "a certificate",
            "give the key; write the certificate as kind CERT under its own label",
        )
    if der[at] == 2 and kind == _CERT:
        if der[at + 2] == 0:
            return (
                "a certificate request",
                "give the certificate that the authority made from it",
            )
        if der[at + 5] == 6:
            return _LIST
    elif der[at] == 2:
        return "a certificate, a request or a revocation list", _COPY
    elif der[at] == 0x30 and der[at + 2] == 6:
        return _LIST
    return _NEITHER, _COPY
