# SPDX-License-Identifier: MIT
"""Serial number and dates, as a device reads them out of a certificate, against cryptography."""

import io
from datetime import UTC, datetime, timedelta

import on_micropython
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.x509.oid import NameOID
from hypothesis import given, settings
from hypothesis import strategies as st
from onemo.cert_validity import CertificateHead, due, minutes

EPOCH = datetime(2000, 3, 1, tzinfo=UTC)
KEYS = {
    "ec": ec.generate_private_key(ec.SECP256R1()),
    "rsa": rsa.generate_private_key(public_exponent=65537, key_size=2048),
}
MOMENTS = st.datetimes(datetime(1990, 1, 1), datetime(9999, 12, 30), timezones=st.just(UTC))


def certificate(begin, end, serial=1, issuer="a CA", kind="ec"):
    def name(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    key = KEYS[kind]
    builder = x509.CertificateBuilder().subject_name(name("device")).issuer_name(name(issuer))
    builder = builder.public_key(key.public_key()).serial_number(serial)
    builder = builder.not_valid_before(begin).not_valid_after(end)
    return builder.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def read(pem, piece=64):
    head = CertificateHead()
    source = io.BytesIO(pem)
    while data := source.read(piece):
        head.write(data)
    return head.validity()


def since(moment):
    return int((moment - EPOCH) // timedelta(minutes=1))


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(MOMENTS, MOMENTS).map(sorted),
    st.integers(1, (1 << 159) - 1),
    st.text("abcdefgh", min_size=1, max_size=64),
    st.sampled_from(["ec", "rsa"]),
    st.sampled_from([b"\n", b"\r\n"]),
    st.integers(1, 2000),
)
def test_what_a_certificate_says(dates, serial, issuer, kind, line_end, piece):
    begin, end = (moment.replace(microsecond=0) for moment in dates)
    pem = certificate(begin, end, serial, issuer, kind).replace(b"\n", line_end)
    assert read(pem + pem, piece) == (f"{serial:x}", since(begin), since(end))


@pytest.mark.parametrize("year", [1950, 1999, 2000, 2040, 2049, 2050, 2051, 2099])
def test_a_year_of_two_digits_is_of_the_century_that_it_means(year):
    begin, end = datetime(1950, 1, 1, tzinfo=UTC), datetime(year, 12, 31, 23, 59, tzinfo=UTC)
    assert read(certificate(begin, end)) == ("1", since(begin), since(end))


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"-----BEGIN CERTIFICATE-----\n",
        b"-----BEGIN X-----\nMAA=\n-----END X-----\n",
        b"x-----" * 9,
    ],
)
def test_what_is_no_certificate(text):
    with pytest.raises(ValueError, match="cannot be read"):
        read(text)


@given(MOMENTS)
def test_minutes_are_those_of_the_calendar(moment):
    assert minutes(moment.timetuple()) == since(moment)


def test_on_micropython(tmp_path):
    begin, end = datetime(2026, 2, 28, 23, 59, tzinfo=UTC), datetime(2051, 3, 1, tzinfo=UTC)
    pem = certificate(begin, end, 0x80FF00)
    lib = on_micropython.compiled(tmp_path, "cert_validity", "md5")
    said = on_micropython.run(
        f"""
import json
from onemo import cert_validity
head = cert_validity.CertificateHead()
head.write({pem!r})
serial, begin, end = head.validity()
print(json.dumps([serial, begin, end, cert_validity.due(begin, end, "246f28010203")]))
""",
        lib=lib,
    )
    wanted = since(begin), since(end)
    assert said == ["80ff00", *wanted, due(*wanted, "246f28010203")]


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 1 << 25), st.integers(3, 1 << 25), st.text(max_size=20))
def test_it_is_due_between_two_thirds_and_three_quarters(begin, life, device):
    at = due(begin, begin + life, device)
    assert begin + life * 2 // 3 <= at <= begin + life * 3 / 4
    assert at == due(begin, begin + life, device)


def test_devices_are_spread_evenly():
    life = 365 * 1440
    days = [(due(0, life, f"{number:012x}") - life * 2 // 3) // 1440 for number in range(30000)]
    counts = [days.count(day) for day in range(30)]
    assert min(counts) > 850
    assert max(counts) < 1150
