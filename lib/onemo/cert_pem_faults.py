# SPDX-License-Identifier: MIT
#
# Why PemScanner refused a file, in words. Loaded only then: who has good files never pays for it.
# No word quotes the file: it may be a key.

from ._port import const

_CERT = const(1)

# cert_pem.py's verdicts that are looked at closer
_BAD_CHARACTER = const(7)
_NOT_TEXT = const(14)
_NOT_BASE64 = const(15)
_OTHER_KIND = const(16)
_UNKNOWN = const(17)

# and what may be found then
_NOT_ASCII = const(14)
_HEADER = const(15)
_KEY_FOR_CERT = const(16)
_DER = const(18)
_UTF16 = const(19)
_KEY_AMONG_CERTS = const(20)
_CERT_FOR_KEY = const(21)
_CERT_AFTER_KEY = const(22)
_BOUNDARY = const(23)
_ENCRYPTED = const(24)
_PUBLIC = const(25)
_REQUEST = const(26)

_LABEL = const(11)  # where it stands in a BEGIN line

_TEXTS = (
    "longer than 8192 bytes, the most that a module takes (manual 3.2): take certificates out",
    "the file is empty: give the PEM file itself",
    "not PEM, there is no -----BEGIN line: give the PEM file, or convert with openssl",
    "cut short, the last block has no -----END line: copy the whole file again",
    "an -----END line without its -----BEGIN line: copy the whole file again",
    "the -----END line is misspelt or not that of the -----BEGIN line: copy the file again",
    "a character that base64 does not have (spaces count): copy the file again",
    "the base64 text of this block is not a multiple of 4 characters: copy the whole file again",
    "base64 padding (=) in the wrong place: copy the whole file again",
    "a blank line inside a block: remove it",
    "a second private key: give the one that belongs to the certificate",
    "line ends other than LF or CR LF: save the file with one of these",
    "EC PARAMETERS without their EC PRIVATE KEY: give the whole key file",
    "a byte that is not printable ASCII: remove it, from comments too",
    "a header inside the block, as encrypted keys have (Proc-Type: 4,ENCRYPTED), but modules take "
    "no passphrase: openssl pkey -in KEY -out PLAIN",
    "a private key where a certificate belongs: give the certificate, or write it as kind KEY",
    "modules take CERTIFICATE and [RSA, EC] PRIVATE KEY, not this block: remove it",
    "DER, not PEM: openssl x509 -inform DER -in FILE -out PEM (for a key: openssl pkey)",
    "UTF-16, a byte order mark or binary data: save the file as plain ASCII text",
    "a certificate file that also contains a private key: put the key into a file of its own",
    "a certificate where a private key belongs: give the key, or write it as kind CERT",
    "a key file that also contains a certificate: put the certificate into a file of its own",
    "a -----BEGIN line that is misspelt or has spaces behind it: correct it",
    "an encrypted key, but modules take no passphrase: openssl pkey -in KEY -out PLAIN",
    "a public key: give the certificate, or the private key",
    "a certificate request: give the certificate that the authority made from it",
)


def text(scanner, name):
    """What is wrong and what to do; `scanner.fault` is the closer verdict from now on."""
    closer = {
        _NOT_TEXT: _not_text,
        _NOT_BASE64: _not_base64,
        _OTHER_KIND: _other_kind,
        _UNKNOWN: _unknown,
    }.get(scanner.fault)
    if closer:
        scanner.fault = closer(scanner)
    said = "PEM refused at line %d: %s" % (scanner.lines, _TEXTS[scanner.fault - 1])
    return name + ": " + said if name else said


def _not_text(scanner):
    begin = scanner.lines == 1 and scanner.column < 4
    if begin and scanner.column and scanner.line[0] == 0x30:
        return _DER
    if scanner.bad_byte == 0 or (
        begin and scanner.column == 0 and scanner.bad_byte in b"\xef\xfe\xff"
    ):
        return _UTF16
    return _NOT_ASCII


def _not_base64(scanner):
    # The first line of a block may be such as "Proc-Type: 4,ENCRYPTED".
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
        return _BOUNDARY
    if line.find(b"PRIVATE KEY", _LABEL, end) > 0:
        if scanner.kind == _CERT:
            return _other_kind(scanner)
        return _ENCRYPTED if line.startswith(b"ENCRYPTED ", _LABEL) else _UNKNOWN
    if line.find(b"PUBLIC KEY", _LABEL, end) > 0:
        return _PUBLIC
    return _REQUEST if line.find(b"REQUEST", _LABEL, end) > 0 else _UNKNOWN
