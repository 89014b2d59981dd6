# SPDX-License-Identifier: MIT
"""pki: certificates that OpenSSL and `cryptography` agree with, and bundles of an exact size."""

import datetime
import re
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509 import verification
from onemo_tools.servers import pki

BLOCK = re.compile(
    rb"-----BEGIN CERTIFICATE-----\n(?:[A-Za-z0-9+/]{64}\n)*"
    rb"[A-Za-z0-9+/]{1,64}={0,2}\n-----END CERTIFICATE-----\n"
)


@pytest.fixture(scope="module")
def authority():
    return pki.Authority("pki test CA")


def verify(root: bytes, chain: bytes, server: str | None) -> None:
    """Raises VerificationError unless the chain leads to the root, now."""
    leaf, *others = x509.load_pem_x509_certificates(chain)
    store = verification.Store(x509.load_pem_x509_certificates(root))
    builder = verification.PolicyBuilder().store(store)
    if server:
        builder.build_server_verifier(x509.DNSName(server)).verify(leaf, others)
    else:
        # The strict profile wants an alternative name even of a client; devices have none.
        policy = verification.ExtensionPolicy
        builder = builder.extension_policies(
            ca_policy=policy.webpki_defaults_ca(), ee_policy=policy.permit_all()
        )
        builder.build_client_verifier().verify(leaf, others)


def test_leaves_verify_against_their_authority(authority):
    server = authority.issue("broker.example", server=True)
    verify(authority.pem, server.chain, "broker.example")
    verify(authority.pem, server.chain, "localhost")
    verify(authority.pem, authority.issue("device").chain, None)
    with pytest.raises(verification.VerificationError):
        verify(authority.pem, server.chain, "other.example")
    with pytest.raises(verification.VerificationError):
        verify(pki.Authority("somebody else").pem, server.chain, "broker.example")


def test_a_chain_through_an_intermediate_verifies(authority):
    middle = authority.subordinate("pki test issuing CA")
    server = middle.issue("broker.example", server=True, sans=["broker.example", "192.0.2.1"])
    assert len(x509.load_pem_x509_certificates(server.chain)) == 2
    assert server.chain.startswith(server.certificate)
    verify(authority.pem, server.chain, "broker.example")
    with pytest.raises(verification.VerificationError):
        verify(authority.pem, server.certificate, "broker.example")


@pytest.mark.parametrize("flaw", ["expired", "not_yet_valid"])
def test_flawed_dates_do_not_verify(authority, flaw):
    server = authority.issue("broker.example", server=True, **{flaw: True})
    with pytest.raises(verification.VerificationError, match="not valid at"):
        verify(authority.pem, server.chain, "broker.example")


def test_dates_can_be_given(authority):
    start = datetime.datetime(2030, 1, 2, tzinfo=datetime.UTC)
    end = datetime.datetime(2031, 1, 2, tzinfo=datetime.UTC)
    leaf = authority.issue("device", not_before=start, not_after=end)
    certificate = x509.load_pem_x509_certificate(leaf.certificate)
    assert certificate.not_valid_before_utc == start
    assert certificate.not_valid_after_utc == end


@pytest.mark.parametrize(
    ("algorithm", "kind", "traditional"),
    [
        ("rsa", rsa.RSAPrivateKey, b"-----BEGIN RSA PRIVATE KEY-----\n"),
        ("ec", ec.EllipticCurvePrivateKey, b"-----BEGIN EC PRIVATE KEY-----\n"),
    ],
)
def test_keys_fit_their_certificates_in_both_forms(authority, algorithm, kind, traditional):
    leaf = authority.issue("device", algorithm=algorithm)
    certificate = x509.load_pem_x509_certificate(leaf.certificate)
    assert leaf.key.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert leaf.key_traditional.startswith(traditional)
    for pem in (leaf.key, leaf.key_traditional):
        key = serialization.load_pem_private_key(pem, None)
        assert isinstance(key, kind)
        assert key.public_key() == certificate.public_key()
        assert key.key_size in (2048, 256)


def test_keys_are_kept_by_name_and_generation(authority):
    first = authority.issue("device")
    start = time.perf_counter()
    for _ in range(20):
        assert authority.issue("device").key == first.key
    assert time.perf_counter() - start < 5
    assert authority.issue("device", generation=1).key != first.key
    assert authority.issue("other device").key != first.key
    with pytest.raises(ValueError, match=r"'dsa'.*'rsa'"):
        authority.issue("device", algorithm="dsa")


def test_keys_are_written_for_their_owner_only(authority, tmp_path):
    leaf = authority.issue("device")
    chain, key = leaf.write(tmp_path)
    assert (chain.read_bytes(), key.read_bytes()) == (leaf.chain, leaf.key)
    assert key.stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("size", [8192, 8191, 8190, 8189, 8000, 6001, 5000, 16384])
def test_a_bundle_has_exactly_its_size_by_certificates_alone(authority, size):
    bundle = authority.bundle(size)
    assert len(bundle) == size
    blocks = BLOCK.findall(bundle)
    assert b"".join(blocks) == bundle
    certificates = x509.load_pem_x509_certificates(bundle)
    assert len(certificates) == len(blocks) >= 4
    assert blocks[-1] == authority.pem
    subjects = [certificate.subject.rfc4514_string() for certificate in certificates]
    assert len(set(subjects)) == len(subjects)


def test_a_bundle_of_any_size_from_5000_on_can_be_had(authority):
    other = pki.Authority("a CA of another size, with a longer name than the first")
    assert len(other.pem) != len(authority.pem)
    for each in (authority, other, pki.Authority("curved CA", algorithm="ec")):
        least = len(pki._filler(0, 0))
        for size in range(5000, 8193):
            parts = pki._split(size - len(each.pem), least)
            assert parts is not None, size
            assert sum(parts) == size - len(each.pem)


def test_a_bundle_verifies_its_authority_alone(authority):
    server = authority.issue("broker.example", server=True)
    bundle = authority.bundle(8192)
    verify(bundle, server.chain, "broker.example")
    without = bundle.removesuffix(authority.pem)
    with pytest.raises(verification.VerificationError):
        verify(without, server.chain, "broker.example")


def test_the_smallest_bundle_is_the_authority_and_others_say_so(authority):
    assert authority.bundle(len(authority.pem)) == authority.pem
    for size in (0, 100, len(authority.pem) + 1, len(authority.pem) + 500):
        with pytest.raises(ValueError, match=f"bundle of {size} bytes"):
            authority.bundle(size)
