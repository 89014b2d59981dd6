# SPDX-License-Identifier: MIT
"""models: the twelve series as the manual has them, and how a module is recognised."""

import pytest
from onemo import models

from tests_host.pure.manual import SUBMODELS

NB = {"MN316", "MN316-S", "MN326"}
ALL = set(SUBMODELS)


def model(series: str) -> models.Model:
    return models.identify(series)[1]


def having(name: str, value) -> set[str]:
    return {series for series in ALL if getattr(model(series), name) == value}


def test_twelve_series_with_23_submodels():
    table = {each.name: names for each, names in models.every()}
    assert table == SUBMODELS
    assert (len(table), sum(map(len, table.values()))) == (12, 23)
    assert all(each.known and each.series == each.name for each, _ in models.every())


# Each row is a footnote of the manual, or of the TCP/IP manual.
FACTS = [
    ("ssl_ids", 5, NB),
    ("ssl_ids", 6, ALL - NB),
    ("connections", 5, NB),
    ("connections", 6, ALL - NB),
    ("psk", True, NB),
    ("encodings", (0, 1, 2), {"MN316-S"}),
    ("encodings", (2,), ALL - {"MN316-S"}),
    ("algorithms", (0, 1, 2, 3), {"MN316-S"}),
    ("algorithms", (0,), ALL - {"MN316-S"}),
    ("prompt", False, NB),
    ("ciphers", False, {"ML302S", "ML307S"}),
    ("volatile", True, {"MN316", "MN326"}),
    ("tls_links", 2, {"MN316", "MN326"}),
    ("tls_links", None, ALL - {"MN316", "MN326"}),
    ("mipcfg_ssl", False, NB),
    ("send_prompt", 0, NB),
    ("send_prompt", 4096, {"ML305U"}),
    ("send_prompt", 8192, ALL - NB - {"ML305U"}),
    ("send_inline", 1460, ALL),
    ("read_max", 4096, ALL),
    ("versions", (0, 1, 2, 3, 255), ALL),
    ("known", True, ALL),
]


@pytest.mark.parametrize(("name", "value", "series"), FACTS)
def test_what_the_footnotes_say(name, value, series):
    assert having(name, value) == series


RECOGNISED = [
    ("ML307R", "ML307R"),
    (b"ML307R-DC", "ML307R"),
    (b"ML307R-DL-MBRH0S01", "ML307R"),
    (bytearray(b"\r\nml307r-dl\r\n"), "ML307R"),
    (b"Revision: ML302S-DNLM-V1.2.3", "ML302S"),
    (b"Revision:ML307S-DNLM", "ML307S"),
    (b'+CGMM: "ML305U-DBLN"', "ML305U"),
    (b"CMCC ML302A_DCLM rev,2", "ML302A"),
    (b"China Mobile IoT\r\nOneMO/MN326-X\r\n", "MN326"),
    ("MN316-DLVS", "MN316"),
    ("MN316-S-DLVS", "MN316-S"),
    ("mn316-s", "MN316-S"),
    ("MN316-SBRS", "MN316"),
    ("MN316 or MN316-S-DLVS", "MN316-S"),
]


@pytest.mark.parametrize(("said", "series"), RECOGNISED)
def test_models_are_recognised(said, series):
    found, it = models.identify(said)
    assert (found, it.name, it.series, it.known) == (series, series, series, True)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("ML307C-DC", "ML307C-DC"),
        ("MN316A-DLVS", "MN316A-DLVS"),
        ("ML302", "ML302"),
        ("XML307R", "XML307R"),
        ("", "unknown"),
        (b"\xff\x00\r\n", "unknown"),
        (b"A7670E " * 9, ("A7670E " * 9)[:32]),
    ],
)
def test_an_unknown_model_gets_what_all_have_in_common(said, name):
    series, it = models.identify(said)
    assert (series, it.name, it.known) == (None, name, False)
    assert "unknown" in repr(it)
    everyone = [each for each, _ in models.every()]
    for attribute in ("ssl_ids", "connections", "send_prompt", "send_inline", "read_max"):
        assert getattr(it, attribute) == min(getattr(each, attribute) for each in everyone)
    for attribute in ("prompt", "psk", "ciphers", "mipcfg_ssl"):
        assert getattr(it, attribute) == all(getattr(each, attribute) for each in everyone)
    for attribute in ("encodings", "algorithms"):
        common = set.intersection(*(set(getattr(each, attribute)) for each in everyone))
        assert set(getattr(it, attribute)) == common
    assert it.volatile and it.tls_links == 2
    assert it.versions == (3, 255)
