# SPDX-License-Identifier: MIT
"""The CA: its key in an encrypted file or in a token, its dates, what it signs."""

import subprocess
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec
from onemo_tools.factory import authority, starting
from onemo_tools.factory.authority import Authority, AuthorityError
from onemo_tools.factory.keys import DeviceKey, digests_of
from onemo_tools.factory.settings import Pkcs11Settings

NOW = datetime.now(UTC)
PASSPHRASE = b"correct horse"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("line")
    starting.write(made, "test CA", PASSPHRASE)
    return made


@pytest.fixture(scope="module")
def signer(folder: Path) -> Authority:
    certificates = authority.load_certificates(folder / "ca.pem")
    return authority.from_file(certificates, folder / "ca.key", PASSPHRASE)


def signed(signer: Authority, algorithm: str = "p-256") -> x509.Certificate:
    with DeviceKey.make(algorithm) as key:
        pem = signer.sign_device("meter", key.public, 4711, signer.validity(NOW, 10), "maker")
    return x509.load_pem_x509_certificate(pem)


@pytest.mark.parametrize("algorithm", ["rsa-2048", "p-256"])
def test_a_device_gets_a_clients_certificate(signer: Authority, algorithm: str) -> None:
    made = signed(signer, algorithm)
    made.verify_directly_issued_by(signer.certificate)
    assert made.subject.rfc4514_string() == "CN=meter,O=maker"
    assert made.serial_number == 4711
    purpose = made.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert [one.dotted_string for one in purpose] == ["1.3.6.1.5.5.7.3.2"]  # clientAuth, alone
    assert made.not_valid_before_utc >= signer.certificate.not_valid_before_utc


def test_a_clock_before_the_cas_start_signs_nothing(signer: Authority) -> None:
    with pytest.raises(AuthorityError, match="before the CA's start"):
        signer.validity(NOW - timedelta(days=3), 10)
    with pytest.raises(AuthorityError, match="outlive the CA"):
        signer.validity(NOW, 36500)


def test_a_key_that_is_not_encrypted_is_refused(folder: Path, tmp_path: Path) -> None:
    certificates = authority.load_certificates(folder / "ca.pem")
    key = serialization.load_pem_private_key((folder / "ca.key").read_bytes(), PASSPHRASE)
    plain = tmp_path / "plain.key"
    plain.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    with pytest.raises(AuthorityError, match="is not encrypted"):
        authority.from_file(certificates, plain, PASSPHRASE)
    with pytest.raises(AuthorityError, match="does not open"):
        authority.from_file(certificates, folder / "ca.key", b"wrong")


def test_a_key_of_another_certificate_is_refused(signer: Authority) -> None:
    with pytest.raises(AuthorityError, match="not that of its certificate"):
        Authority([signer.certificate], ec.generate_private_key(ec.SECP256R1()))
    with pytest.raises(AuthorityError, match="is no CA's certificate"):
        Authority([signed(signer)], None)


def test_files_of_a_line_are_never_replaced(folder: Path) -> None:
    with pytest.raises(FileExistsError):
        starting.write(folder, "another", PASSPHRASE)
    assert (folder / "ca.key").stat().st_mode & 0o777 == 0o600


def test_a_key_is_wiped_and_shows_nothing() -> None:
    with DeviceKey.make("p-256") as key:
        kept = key.pem
        assert b"PRIVATE KEY" in kept and "PRIVATE" not in repr(key)
    assert not any(kept)


def test_a_module_may_show_either_of_two_digests() -> None:
    assert len(set(digests_of(b"a\nb\n"))) == 2
    assert digests_of(b"a\r\nb\r\n") == digests_of(b"a\nb\n")


_SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")


@pytest.mark.postgresql
@pytest.mark.parametrize("kind", ["rsa", "ec"])
def test_a_token_signs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    (tmp_path / "tokens").mkdir()
    (tmp_path / "softhsm2.conf").write_text(f"directories.tokendir = {tmp_path / 'tokens'}\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(tmp_path / "softhsm2.conf"))
    pem, key = authority.make_authority("token CA", NOW)
    private: object = key
    if kind == "ec":
        private = ec.generate_private_key(ec.SECP256R1())
        pem = _self_signed(private)
    (tmp_path / "key.pem").write_bytes(
        private.private_bytes(  # type: ignore[attr-defined]
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    label = f"line {kind}"
    tool = ["softhsm2-util", "--token", label, "--pin", "1234"]
    for words in (
        [
            *("softhsm2-util", "--init-token", "--free", "--label", label),
            *("--so-pin", "12345678", "--pin", "1234"),
        ],
        [*tool, "--import", str(tmp_path / "key.pem"), "--label", "ca", "--id", "01"],
    ):
        subprocess.run(words, check=True, capture_output=True)
    script = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from cryptography import x509
from onemo_tools.factory import authority
from onemo_tools.factory.authority import AuthorityError
from onemo_tools.factory.keys import DeviceKey
from onemo_tools.factory.pkcs11_token import from_token
from onemo_tools.factory.settings import Pkcs11Settings
file, module, label = sys.argv[1:]
found = authority.load_certificates(Path(file))
try:
    from_token(found, Pkcs11Settings(module, label, "ca"), "9999")
except AuthorityError as error:
    print(error)
signer = from_token(found, Pkcs11Settings(module, label, "ca"), "1234")
key = DeviceKey.make("p-256")
dates = signer.validity(datetime.now(UTC), 10)
made = x509.load_pem_x509_certificate(signer.sign_device("meter", key.public, 7, dates))
made.verify_directly_issued_by(signer.certificate)
print("signed", made.subject.rfc4514_string())
"""
    (tmp_path / "ca.pem").write_bytes(pem)
    import sys

    done = subprocess.run(
        [sys.executable, "-c", script, str(tmp_path / "ca.pem"), str(_SOFTHSM), label],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "signed CN=meter" in done.stdout, done.stderr
    assert "PinIncorrect" in done.stdout
    assert Pkcs11Settings("m", "t", "k").token == "t"


def _self_signed(private: ec.EllipticCurvePrivateKey) -> bytes:
    from cryptography.hazmat.primitives import hashes

    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "EC CA")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(private.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=3650))
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), True)
        .sign(private, hashes.SHA256())
    )
    return made.public_bytes(serialization.Encoding.PEM)
