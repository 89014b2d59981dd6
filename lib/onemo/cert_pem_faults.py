# SPDX-License-Identifier: MIT
#
# Why PemScanner refused a file, in words. Loaded only then: who has good files never pays for it.
# No word quotes the file: it may be a key.

from ._port import const

_CERT = const(1)

# cert_pem.py's verdicts that are looked at closer
_NOT_PEM = const(3)
_BAD_CHARACTER = const(7)
_NOT_BASE64 = const(15)
_OTHER_KIND = const(16)
_UNKNOWN = const(17)
_DER_LENGTH = const(20)
_CONTENT = const(21)

# and what may be found then
_HEADER = const(22)
_KEY_FOR_CERT = const(23)
_DER = const(24)
_UTF16 = const(25)
_KEY_AMONG_CERTS = const(26)
_CERT_FOR_KEY = const(27)
_CERT_AFTER_KEY = const(28)
_BOUNDARY = const(29)
_ENCRYPTED = const(30)
_PUBLIC = const(31)
_REQUEST = const(32)
_ESCAPED = const(33)
_ONE_LINE = const(34)
_JSON = const(35)
_BASE64_OF_PEM = const(36)
_PKCS12 = const(37)
_OPENSSH = const(38)
_CRL = const(39)
_QUOTED = const(40)
_PKCS7 = const(41)
_TRUSTED = const(42)
_END_DASHES = const(43)

_LABEL = const(11)  # where it stands in a BEGIN line

_TEXTS = (
    "the blocks are longer than 8192 bytes, the most that a module takes (manual 3.2): take "
    "certificates out",
    "the file is empty: give the PEM file itself",
    "not PEM, there is no -----BEGIN line: give the PEM file, or convert with openssl",
    "cut short, the last block has no -----END line: copy the whole file again",
    "an -----END line without its -----BEGIN line: copy the whole file again",
    "the -----END line is misspelt or not that of the -----BEGIN line: copy the file again",
    "a character that base64 does not have (spaces within a line count): copy the file again",
    "the base64 text of this block is not a multiple of 4 characters, so it is not complete: "
    "copy the whole file again",
    "base64 padding (=) in the wrong place: copy the whole file again",
    "a blank line inside a block: remove it",
    "a second private key: give the one that belongs to the certificate",
    "line ends other than LF or CR LF: save the file with one of these",
    "EC PARAMETERS without their EC PRIVATE KEY: give the whole key file",
    "indented by spaces, as in YAML or a script: every line must begin in the first column: "
    "sed 's/^[ \t]*//' FILE > PEM",
    "",
    "",
    "modules take CERTIFICATE and [RSA, EC] PRIVATE KEY, not this block: remove it",
    "the next -----BEGIN is on the same line as -----END, for a file did not end in a newline: "
    "sed 's/----------BEGIN/-----\\n-----BEGIN/' FILE > PEM",
    "the content is no DER of a certificate or key, though it is base64 (a placeholder, or a "
    "changed character?): copy the whole file again",
    "the DER inside announces %d bytes, but there are %d: a line may be lost or repeated: copy "
    "the whole file again",
    "the label says %s, but inside is %s: give the right file, or correct the label",
    "a header inside the block, as encrypted keys have (Proc-Type: 4,ENCRYPTED), but modules take "
    "no passphrase: openssl pkey -in KEY -out PLAIN",
    "a private key where a certificate belongs: give the certificate, or write it as kind KEY",
    "DER, not PEM: openssl x509 -inform DER -in FILE -out PEM (for a key: openssl pkey)",
    "UTF-16 or binary data, not PEM: save the file as plain ASCII text",
    "a certificate file that also contains a private key: put the key into a file of its own",
    "a certificate where a private key belongs: give the key, or write it as kind CERT",
    "a key file that also contains a certificate: put the certificate into a file of its own",
    "a -----BEGIN line that is misspelt: correct it",
    "an encrypted key, but modules take no passphrase: openssl pkey -in KEY -out PLAIN",
    "a public key: give the certificate, or the private key",
    "a certificate request: give the certificate that the authority made from it",
    "escaped line ends: \\n stands as two characters where a line break belongs, as in JSON or an "
    "environment variable: printf '%b' \"$TEXT\" > PEM",
    "all on one line: PEM needs its line breaks after -----BEGIN ...-----, after every 64 "
    "characters, and before -----END: copy the file with its line breaks",
    "JSON, as cloud consoles answer, not PEM: take the text of the certificate or key out of it, "
    "such as with jq -r .certificatePem FILE > PEM",
    "base64 of a PEM file: base64 -d FILE > PEM",
    "PKCS#12, not PEM: openssl pkcs12 -nodes -in FILE -out PEM, then take its blocks apart",
    "an OpenSSH key, which modules do not take: ssh-keygen -p -m PEM -N '' -f KEY",
    "a revocation list (CRL), which modules do not take: give the certificate",
    "in quotes: remove what is not part of the PEM file",
    "PKCS#7: openssl pkcs7 -print_certs -in FILE -out PEM",
    "a TRUSTED CERTIFICATE, which is OpenSSL's own form: openssl x509 -in FILE -out PEM",
    "the -----END line is misspelt, it must have five dashes on either side: correct it",
)

_CONTENTS = (
    "a certificate",
    "a private key (PKCS#8)",
    "an RSA private key",
    "an EC private key",
    "a certificate request",
    "a public key, or an encrypted private key",
    "something else",
)
_LABELS = ("CERTIFICATE", "PRIVATE KEY", "RSA PRIVATE KEY", "EC PRIVATE KEY")


def text(scanner, name):
    """What is wrong and what to do; `scanner.fault` is the closer verdict from now on."""
    closer = {
        _NOT_PEM: _not_pem,
        _BAD_CHARACTER: _bad_character,
        _NOT_BASE64: _not_base64,
        _OTHER_KIND: _other_kind,
        _UNKNOWN: _unknown,
    }.get(scanner.fault)
    if closer:
        scanner.fault = closer(scanner)
    said = _TEXTS[scanner.fault - 1]
    if scanner.fault == _DER_LENGTH:
        said = said % (scanner.announced, scanner.decoded)
    elif scanner.fault == _CONTENT:
        said = said % (_LABELS[scanner.block], _CONTENTS[scanner.content])
    said = "PEM refused at line %d: %s" % (scanner.lines, said)
    return name + ": " + said if name else said


def _not_pem(scanner):
    # There was no BEGIN line: the file's first bytes tell what it is.
    lines = scanner.lines
    scanner.lines = 1
    head = scanner.head
    at = 2 + (head[1] & 0x7F) if head[1] >= 0x80 else 2
    if head[0] == 0x30 and at < 13 and head[at] in b"\x02\x06\x30":
        if head[at] == 0x06:
            return _PKCS7
        return _PKCS12 if head[at] == 2 and head[at + 2] == 3 else _DER
    if head[0] in b"\xfe\xff" and scanner.total > 1:
        return _UTF16
    if head.startswith(b"\xef\xbb\xbf"):
        head = head[3:]
    word = bytes(head).strip()
    if word.startswith(b"LS0tLS1"):
        return _BASE64_OF_PEM
    if word[:1] in (b"{", b"["):
        return _JSON
    if word[:1] in (b'"', b"'"):
        return _ESCAPED if lines == 1 else _QUOTED
    if b"\0" in word[: scanner.total]:
        return _UTF16
    scanner.lines = lines
    return _NOT_PEM


def _bad_character(scanner):
    if b"END" in scanner.line[: min(scanner.column, 12)] and scanner.line[0] == 0x2D:
        return _END_DASHES
    return _BAD_CHARACTER


def _not_base64(scanner):
    # The first line of a block may be such as "Proc-Type: 4,ENCRYPTED".
    if scanner.bad_byte == 0x5C:
        return _ESCAPED
    return (
        _HEADER
        if scanner.count == scanner.column and scanner.bad_byte in b":-"
        else _BAD_CHARACTER
    )


def _other_kind(scanner):
    if scanner.kind == _CERT:
        return _KEY_AMONG_CERTS if scanner.blocks else _KEY_FOR_CERT
    return _CERT_AFTER_KEY if scanner.blocks else _CERT_FOR_KEY


def _unknown(scanner):
    # A BEGIN line of what is none of the known blocks.
    line = scanner.line
    end = line.find(b"\n")
    if line.find(b"-----\n", _LABEL, end + 1) < 0:
        after = line.find(b"-----", _LABEL, end)
        if after < 0:
            return _BOUNDARY
        after = line[after + 5 : end]
        if after.startswith(b"\\"):
            return _ESCAPED
        return _ONE_LINE if scanner.column > 40 else _BOUNDARY
    label = line[_LABEL:end]
    for word, verdict in (
        (b"OPENSSH", _OPENSSH),
        (b"CRL", _CRL),
        (b"PKCS7", _PKCS7),
        (b"TRUSTED CERT", _TRUSTED),
        (b" -----", _BOUNDARY),
    ):
        if label.find(word) >= 0:
            return verdict
    if line.find(b"PRIVATE KEY", _LABEL, end) > 0:
        if scanner.kind == _CERT:
            return _other_kind(scanner)
        return _ENCRYPTED if line.startswith(b"ENCRYPTED ", _LABEL) else _UNKNOWN
    if line.find(b"PUBLIC KEY", _LABEL, end) > 0:
        return _PUBLIC
    return _REQUEST if line.find(b"REQUEST", _LABEL, end) > 0 else _UNKNOWN
