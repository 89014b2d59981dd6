# The words for pem.Judge's verdicts, in the order of its numbers. Loaded only when a file is
# refused: who has good files never pays for them. No word quotes the file: it may be a key.

_TEXTS = (
    "longer than 8192 bytes, the most that a module takes (manual 3.2): take certificates out",
    "the file is empty: give the PEM file itself",
    "not PEM, there is no -----BEGIN line: give the PEM file, or convert with openssl",
    "DER, not PEM: openssl x509 -inform DER -in FILE -out PEM (for a key: openssl pkey)",
    "UTF-16, a byte order mark or binary data: save the file as plain ASCII text",
    "a byte that is not printable ASCII: remove it, from comments too",
    "cut short, the last block has no -----END line: copy the whole file again",
    "an -----END line without its -----BEGIN line: copy the whole file again",
    "the -----END line is misspelt or not that of the -----BEGIN line: copy the file again",
    "a character that base64 does not have (spaces count): copy the file again",
    "the base64 text of this block is not a multiple of 4 characters: copy the whole file again",
    "base64 padding (=) in the wrong place: copy the whole file again",
    "a header inside the block, as encrypted keys have (Proc-Type: 4,ENCRYPTED), but modules take "
    "no passphrase: openssl pkey -in KEY -out PLAIN",
    "a blank line inside a block: remove it",
    "a -----BEGIN line that is misspelt or has spaces behind it: correct it",
    "an encrypted key, but modules take no passphrase: openssl pkey -in KEY -out PLAIN",
    "a public key: give the certificate, or the private key",
    "a certificate request: give the certificate that the authority made from it",
    "modules take CERTIFICATE and [RSA, EC] PRIVATE KEY, not this block: remove it",
    "a private key where a certificate belongs: give the certificate, or write it as kind KEY",
    "a certificate file that also contains a private key: put the key into a file of its own",
    "a certificate where a private key belongs: give the key, or write it as kind CERT",
    "a key file that also contains a certificate: put the certificate into a file of its own",
    "a second private key: give the one that belongs to the certificate",
    "line ends other than LF or CR LF: save the file with one of these",
    "EC PARAMETERS without their EC PRIVATE KEY: give the whole key file",
)


def text(fault, line):
    """What is wrong and what to do, for verdict `fault` (1..) met in `line` (1..)."""
    return "PEM refused at line %d: %s" % (line, _TEXTS[fault - 1])
