# SPDX-License-Identifier: MIT
"""What lint has to say: findings with stable codes."""

from dataclasses import dataclass

ERROR, WARNING = "error", "warning"

# Each code, and what it is about. Codes stay as they are, for programs rely on them.
CODES = {
    "bad-config": "config.json is no JSON, or an entry of it is not what it must be",
    "bom": "a byte order mark at the beginning of a file",
    "ca-does-not-sign": "a CA has the issuer's name, but its key did not sign the certificate",
    "ca-key-present": "the private key of a CA lies among what goes to the device",
    "chain-incomplete": "an intermediate certificate is missing",
    "chain-order": "the certificates of a chain are not in the order leaf to root",
    "ed25519": "an Ed25519 or Ed448 key, which modules do not take",
    "encrypted-key": "the key needs a passphrase, which modules do not take",
    "expired": "the certificate has expired",
    "expires-soon": "the certificate expires within 30 days",
    "explicit-curve": "an EC key with explicit parameters instead of a curve's name",
    "file-missing": "config.json names a file that is not there",
    "file-unwanted": "nothing wants this file",
    "key-mismatch": "the private key does not belong to the certificate",
    "names-look-alike": "two names that differ by case or one character",
    "not-a-ca": "a certificate that is used as a CA may not be one",
    "not-pem": "the file is no PEM file that a module takes",
    "not-utf8": "config.json is not UTF-8",
    "not-yet-valid": "the certificate is not valid yet",
    "unknown-entry": "config.json has an entry that main.py does not know",
    "unreadable": "a file that cannot be read",
    "unsupported-key": "an algorithm or a curve that modules do not take",
    "weak-key": "an RSA key of less than 2048 bits",
    "weak-signature": "a signature with MD5 or SHA-1",
    "wrong-host": "the server's certificate is for other hosts than the one connected to",
}


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: where, how bad, and a sentence with the remedy. `line` and `column`
    count from 1."""

    file: str
    code: str
    severity: str
    text: str
    line: int | None = None
    column: int | None = None

    def __post_init__(self) -> None:
        if self.code not in CODES:
            raise ValueError(f"{self.code!r} is no code of a finding")


def status(findings: list[Finding]) -> int:
    """The exit status: 0 clean, 1 warnings only, 2 errors."""
    if any(finding.severity == ERROR for finding in findings):
        return 2
    return 1 if findings else 0
