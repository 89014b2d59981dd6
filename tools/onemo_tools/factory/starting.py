# SPDX-License-Identifier: MIT
"""A line to begin with: LINE.toml, and a CA whose key is encrypted."""

import os
from datetime import UTC, datetime
from pathlib import Path

from cryptography.hazmat.primitives import serialization

from onemo_tools.factory.authority import make_authority

LINE = """# One station of a line: docs/factory.md describes each entry.
station = "station-1"
records = "records.db"               # or postgresql://user@host/database, from two stations on
page = "line.html"                   # for the wall; rewritten every 2 s

[batch]
name = "first"
units = 100
device_name = "device-{number:06d}"  # the certificate's CN
label = "{number:06d}"               # what is printed on the device

[authority]
certificate = "ca.pem"
key = "ca.key"                       # encrypted; ONEMO_CA_PASSPHRASE, or asked

[certificate]
algorithm = "rsa-2048"               # p-256: keys that modules are not known to take
days = 3650

[module]
ca = "ca.pem"                        # names in the module, as in the product's config.json
cert = "client.pem"
key = "client.key"
# ca_file = "server-ca.pem"          # whom the modules trust; else the line's CA

[prove]                              # the line's own server, as the modules reach it
host = "127.0.0.1"
port = 8884
listen = "127.0.0.1:8884"

[slots]
# left = "/dev/serial/by-path/pci-0000:00:14.0-usb-0:1.1:1.0-port0"
"""


def write(folder: Path, name: str, passphrase: bytes) -> list[Path]:
    """The files, in a folder that has none of them. FileExistsError, ValueError."""
    if len(passphrase) < 8:
        raise ValueError("the passphrase has to have 8 characters at least")
    folder.mkdir(parents=True, exist_ok=True)
    files = [folder / name for name in ("ca.pem", "ca.key", "LINE.toml")]
    for file in files:
        if file.exists() or file.is_symlink():
            raise FileExistsError(f"{file} is there already: give an empty folder")
    certificate, private = make_authority(name, datetime.now(UTC))
    encrypted = private.private_bytes(
        serialization.Encoding.PEM,
        serialization.PrivateFormat.PKCS8,
        serialization.BestAvailableEncryption(passphrase),
    )
    contents = (certificate, encrypted, LINE.encode())
    for file, content in zip(files, contents, strict=True):
        mode = 0o600 if file.suffix == ".key" else 0o644
        descriptor = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "wb") as out:
            out.write(content)
    return files
