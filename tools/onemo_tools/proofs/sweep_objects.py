# SPDX-License-Identifier: MIT
"""The smallest real identities, for the sweep: P-256, made once, so that a run's number means the
same everywhere. Two of each, which the store knows by names that differ by one bit."""

from __future__ import annotations

import atexit
import os
import shutil
import tempfile
from functools import cache
from pathlib import Path

CERT, KEY, PSK = 1, 2, 3  # the store's kinds (manual 3.5)
CA_OLD, CERT_OLD, KEY_OLD = "cb.pem", "client-2024.pem", "client-2024.key"
CA_NEW, CERT_NEW, KEY_NEW = "cc.pem", "client-2025.pem", "client-2025.key"

CA_2024 = b"""\
-----BEGIN CERTIFICATE-----
MIIBBTCBraADAgECAgEBMAoGCCqGSM49BAMCMA0xCzAJBgNVBAMMAkNBMB4XDTI0
MDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowDTELMAkGA1UEAwwCQ0EwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAATVlI3h+QkxzUKEeFZ1K1RrDfF93azs8L4pCJyF
UJIwWitKjzd/5nL7q5ucQOlB0SPVwg/Oeojkul9UdGzZ+AYIMAoGCCqGSM49BAMC
A0cAMEQCIHJPPn2guoXl/f5G1BLnOIJhZsAksmV83CaKPcUmRRMNAiBI5rJpIF3G
hMsocEvANyrJ/gsfKzRRtwuaAnRZSB+1jQ==
-----END CERTIFICATE-----
"""
CERT_2024 = b"""\
-----BEGIN CERTIFICATE-----
MIIBBTCBrKADAgECAgECMAoGCCqGSM49BAMCMA0xCzAJBgNVBAMMAkNBMB4XDTI0
MDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowDDEKMAgGA1UEAwwBZDBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABBD/oXU6WsI4QsZO14h+MahjLJkhEMpIXdQkNxNH
OMkHPyvqhJKKqVl52l3cZKm9mfdPVPV/ZWmj1bsWovT2IQgwCgYIKoZIzj0EAwID
SAAwRQIhAIIWiyAovgmecUMfuDP6+pbMTU12eT5wSfOKVYPyb5SdAiA5VRQr/GIz
LEZI/pM/tfK67sP9GChKdogdqrEBzfGYqQ==
-----END CERTIFICATE-----
"""
KEY_2024 = b"""\
-----BEGIN PRIVATE KEY-----
MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCBS6uPbC6JrbzBpSr8e
3at2hxxYwO+l2oi1OZ6qazvHDA==
-----END PRIVATE KEY-----
"""
CA_2025 = b"""\
-----BEGIN CERTIFICATE-----
MIIBBzCBraADAgECAgEBMAoGCCqGSM49BAMCMA0xCzAJBgNVBAMMAkNBMB4XDTI0
MDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowDTELMAkGA1UEAwwCQ0EwWTATBgcq
hkjOPQIBBggqhkjOPQMBBwNCAASNK+u1hM06t4qxbACioYRmajboh+RzaWt2X8Vv
9mn65g542TQadxSuU/WJIr6ugAsIbANEX+iitIaJ2xbihDiZMAoGCCqGSM49BAMC
A0kAMEYCIQD3M5he43W44JMBXfSe85XAcuVVY/3BO4Hop/ht5bbRjwIhAJwnN930
j5QfTK9kmWOGfUqzOaRtNrhARswGlflw9e0F
-----END CERTIFICATE-----
"""
CERT_2025 = b"""\
-----BEGIN CERTIFICATE-----
MIIBBjCBrKADAgECAgECMAoGCCqGSM49BAMCMA0xCzAJBgNVBAMMAkNBMB4XDTI0
MDEwMTAwMDAwMFoXDTQ5MDEwMTAwMDAwMFowDDEKMAgGA1UEAwwBZDBZMBMGByqG
SM49AgEGCCqGSM49AwEHA0IABOfCqU7iFhUCuhSLtxc9JK/5zmPQDjqC4UtZn8dT
ptjAAiE3t5EZfPAxZ/Jobf0ll3WNoYLxZatu3qlD7w3fbj8wCgYIKoZIzj0EAwID
SQAwRgIhALn9+zEi3IDq7Cxde24QMwXDAy49lWoBqUcu4iVY2sJyAiEA/3pBBuLn
xe4UPaCTDuDrFWFT+6M6dmannjQlRzYf2aQ=
-----END CERTIFICATE-----
"""
KEY_2025 = b"""\
-----BEGIN PRIVATE KEY-----
MEECAQAwEwYHKoZIzj0CAQYIKoZIzj0DAQcEJzAlAgEBBCCmaBsIK/2yLVm+YPjC
baff2Eg6ssoqxgGGUe4SVqsOTQ==
-----END PRIVATE KEY-----
"""

CONTENT = {
    (CERT, CA_OLD): CA_2024,
    (CERT, CERT_OLD): CERT_2024,
    (KEY, KEY_OLD): KEY_2024,
    (CERT, CA_NEW): CA_2025,
    (CERT, CERT_NEW): CERT_2025,
    (KEY, KEY_NEW): KEY_2025,
}
OLD = {place: CONTENT[place] for place in ((CERT, CA_OLD), (CERT, CERT_OLD), (KEY, KEY_OLD))}
NEW = {place: CONTENT[place] for place in ((CERT, CA_NEW), (CERT, CERT_NEW), (KEY, KEY_NEW))}
PSK_BYTES = b"q7Zr0dXw4LkTn2VbE8sJ6yHc"
FOREIGN = {(CERT, "vendor.pem"): b"-----BEGIN CERTIFICATE-----\nMAA=\n-----END CERTIFICATE-----\n"}


@cache
def root() -> Path:
    """Where this process and those that it forks keep files, until it ends."""
    memory = Path("/dev/shm")
    made = Path(tempfile.mkdtemp(prefix="onemo-", dir=memory if memory.is_dir() else None))
    atexit.register(shutil.rmtree, made, ignore_errors=True)
    return made


def folder() -> Path:
    """Where this process, and no other, keeps the files that profiles name."""
    return _folder(os.getpid())


@cache
def _folder(process: int) -> Path:
    made = root() / str(process)
    made.mkdir()
    for (_, name), data in CONTENT.items():
        (made / name).write_bytes(data)
    return made


def pieces(secret: bytes) -> list[bytes]:
    """What must not be seen of a secret: stretches of 16 bytes of each of its lines."""
    return [
        line[at : at + 16]
        for line in secret.splitlines()
        if not line.startswith(b"-----")
        for at in range(0, len(line) - 15, 8)
    ]


SECRETS = [piece for data in (KEY_2024, KEY_2025, PSK_BYTES) for piece in pieces(data)]
