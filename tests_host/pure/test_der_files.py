# SPDX-License-Identifier: MIT
"""PEM files as DER for the board's own `ssl`: nothing of a file is passed over in silence."""

import pytest
from onemo.cert_der import der, ders

from tests_host.pure.pem_files import CERTIFICATE_1, CERTIFICATE_3, armour


@pytest.fixture
def file(tmp_path):
    def make(data):
        path = tmp_path / "file.pem"
        path.write_bytes(data)
        return str(path)

    return make


LEAF = armour("CERTIFICATE", CERTIFICATE_3)
ISSUER = armour("CERTIFICATE", CERTIFICATE_1)
KEY = b"\x30\x03\x02\x01\x01"
PARAMETERS = armour("EC PARAMETERS", b"\x06\x08\x2a\x86\x48\xce\x3d\x03\x01\x07")


def test_one_block_is_its_der(file):
    assert der(file(b"subject: device\n" + LEAF + b"\n")) == CERTIFICATE_3


@pytest.mark.parametrize("text", [b"", b"# the issuer\n"])
def test_of_several_blocks_none_is_dropped(file, text):
    path = file(LEAF + text + ISSUER)
    assert list(ders(path)) == [CERTIFICATE_3, CERTIFICATE_1]
    assert next(ders(path)) == CERTIFICATE_3
    with pytest.raises(ValueError, match=r"several blocks.*load_verify_locations.*tls="):
        der(path)


def test_the_parameters_before_a_key_are_not_the_key(file):
    assert der(file(PARAMETERS + armour("EC PRIVATE KEY", KEY))) == KEY


@pytest.mark.parametrize("last", [False, True])
def test_a_block_without_its_end_is_not_dropped(file, last):
    cut = LEAF[: LEAF.index(b"-----END")]
    with pytest.raises(ValueError, match="no whole PEM block"):
        list(ders(file(ISSUER + cut if last else cut + ISSUER)))


@pytest.mark.parametrize(
    "data", [b"", b"no PEM\n", b"-----END CERTIFICATE-----\n", b"MAA=\n-----END X-----\n"]
)
def test_a_file_without_a_block_is_named(file, data):
    path = file(data)
    with pytest.raises(ValueError) as caught:
        list(ders(path))
    assert str(caught.value) == f"{path} has no whole PEM block"


@pytest.mark.parametrize(
    "block",
    [
        armour("ENCRYPTED PRIVATE KEY", KEY),
        b"-----BEGIN RSA PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\n"
        b"DEK-Info: AES-128-CBC,00\n\nMAMCAQE=\n-----END RSA PRIVATE KEY-----\n",
    ],
)
def test_an_encrypted_key_is_refused_with_what_decrypts_it(file, block):
    path = file(LEAF + block)
    found = ders(path)
    assert next(found) == CERTIFICATE_3
    with pytest.raises(ValueError) as caught:
        next(found)
    assert str(caught.value) == f"{path}: the key is encrypted; openssl pkey decrypts it"


def test_text_between_blocks_may_have_colons_and_lines_spaces_behind(file):
    data = b"issuer: me\n" + LEAF.replace(b"\n", b" \r\n") + b"subject: ca\n" + ISSUER
    assert list(ders(file(data))) == [CERTIFICATE_3, CERTIFICATE_1]
