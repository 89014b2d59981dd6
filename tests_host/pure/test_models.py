# SPDX-License-Identifier: MIT
"""models: the twelve series as the manual has them, and how a module is recognised."""

import pytest
from onemo import model_find, models
from onemo.start import plain

from tests_host.pure.manual import LATER, NEWER, SUBMODELS

NB = {"MN316", "MN316-S", "MN326"}
NO_TLS = {"MN316A", "MN318", "MN319", "MN326A", "ML307H-GU"}
MN = NB | NO_TLS - {"ML307H-GU"}
X = {"ML307X", "ML307Y"}
ALL = {*SUBMODELS, *NEWER}
SMALL = {"MN316A", "MN319", "MN326A"}


def model(series: str) -> models.Model:
    return models.identify(series)[1]


def having(name: str, value) -> set[str]:
    return {series for series in ALL if getattr(model(series), name) == value}


def test_every_series_and_submodel_of_the_manuals():
    table = {each.name: names for each, names in models.every()}
    expected = {name: SUBMODELS[name] + LATER.get(name, ()) for name in SUBMODELS}
    assert table == {**expected, **NEWER}
    assert set(list(table)[:12]) == set(SUBMODELS)  # the README's table begins with these
    assert (len(SUBMODELS), sum(map(len, SUBMODELS.values()))) == (12, 23)
    assert all(each.known and each.name.startswith(each.series) for each, _ in models.every())


def test_every_row_says_where_it_is_known_from():
    for each, _ in models.every():
        assert each.source and set(each.source) <= set("MNFQ"), each.name
        assert ("M" in each.source) == (each.name in SUBMODELS)


# Each row is a footnote of the manual, or of the TCP/IP manual.
FACTS = [
    ("ssl_ids", 5, MN),
    ("ssl_ids", 6, ALL - MN),
    ("connections", 4, SMALL),
    ("connections", 5, NB),
    ("connections", 6, ALL - NB - SMALL - {"MR880A"}),
    ("connections", 10, {"MR880A"}),
    ("tls", False, NO_TLS),
    ("psk", True, NB),
    ("encodings", (0, 1, 2), {"MN316-S"}),
    ("encodings", (2,), ALL - {"MN316-S"}),
    ("algorithms", (0, 1, 2, 3), {"MN316-S"}),
    ("algorithms", (0,), ALL - {"MN316-S"}),
    ("prompt", False, MN),
    ("ciphers", False, {"ML302S", "ML307S"} | NO_TLS),
    ("volatile", True, {"MN316", "MN326", "ML307H", "ML307H-DU"}),
    ("ram_store", True, {"ML307H", "ML307H-DU"}),
    ("tls_links", 2, {"MN316", "MN326"} | X),
    ("tls_links", None, ALL - {"MN316", "MN326"} - X),
    ("mipcfg_ssl", False, NB | NO_TLS),
    ("send_prompt", 0, MN),
    ("send_prompt", 4096, {"ML305U"}),
    ("send_prompt", 8192, ALL - MN - {"ML305U"}),
    ("send_inline", 1460, ALL),
    ("read_max", 1460, SMALL),
    ("read_max", 4096, ALL - SMALL),
    ("versions", (2, 3, 255), X),
    ("versions", (3, 255), {"MR880A"}),
    ("versions", (0, 1, 2, 3, 255), ALL - X - {"MR880A"}),
    ("suite_0x", True, X),
    ("sni", True, {"MR880A"}),
    ("clock_zoned", False, {"ML307C"}),
    ("sleeps", True, {"ML305M", "ML305U", "ML307M", "ML307N"} | X),
    ("sleep_permanent", True, {"MN319"}),
    ("certain", False, {"ML307H"}),
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
    ("said", "name", "certain"),
    [
        ("ML307H", "ML307H", False),
        ("ML307H-DU", "ML307H-DU", True),
        (b"Revision: ML307H-DU-MBRH0S01", "ML307H-DU", True),
        ("ML307H-GU", "ML307H-GU", True),
        ("ml307h-gu-mbrh0s01", "ML307H-GU", True),
        ("ML307H-GUX", "ML307H", False),
        ("ML307H-MU-MBRH0S01", "ML307H", False),
        ("ML307H-DC", "ML307H", False),
    ],
)
def test_a_series_whose_submodels_differ(said, name, certain):
    series, it = models.identify(said)
    assert (series, it.name, it.certain) == ("ML307H", name, certain)
    assert it.tls is (name != "ML307H-GU")


@pytest.mark.parametrize("name", ["ML307R", "ml307r-dc", "ML302A-DCLM", "ML307A", "ML307G-DC"])
def test_a_model_told_by_name_may_need_no_table(name):
    it = plain(name)
    other = models.identify(name)[1]
    assert it.name == other.name
    facts = [fact for fact in dir(other) if not fact.startswith("_") and fact != "source"]
    assert [getattr(it, fact) for fact in facts] == [getattr(other, fact) for fact in facts]


@pytest.mark.parametrize(
    "name", ["ML307H", "ML307", "ML307C", "ML307X-DC", "MN316", "ML305U", "ML302", ""]
)
def test_and_others_do(name):
    assert plain(name) is None


@pytest.mark.parametrize(
    ("lines", "word"),
    [
        ([b"ML307R"], b"ML307R"),
        ([b"+CGMM: ML307C"], b"ML307C"),
        ([b'+CGMM: "ML307X"'], b"ML307X"),
        ([b"Model: ml307n"], b"ML307N"),
        ([b"CMCC", b"ML307X", b"ML307X-DC-MBRH1S00"], b"ML307X-DC-MBRH1S00"),
        ([b"Revision: ML307C-DC-CN-MBRH1S00_4.0.15"], b"ML307C-DC-CN-MBRH1S00"),
        ([b"SIM7600CE", b"ML307R"], b"ML307R"),
        ([b"EC801E", b"ML309Z"], b"ML309Z"),
        ([b"SIMCOM_SIM7600CE-H"], b"SIM7600CE-H"),
        ([b"ML307R-DL-MBRH0S01", b"ML307R"], b"ML307R-DL-MBRH0S01"),
        ([b"RDY", b"SMS Ready", b"", b"2026/11/30", b"OK", b"+CEREG: 1"], None),
        ([b"ML3\xf07R"], None),
        ([b"A" * 60], None),
    ],
)
def test_the_name_is_found_among_what_a_module_says(lines, word):
    best = None
    for line in lines:
        best = model_find.name_in(line, best)
    assert best == word


@pytest.mark.parametrize(
    ("word", "ours", "old"),
    [
        (b"ML309Z", True, False),
        (b"MR990", True, False),
        (b"MN399", True, False),
        (b"NB-MN316-DLVS", True, False),
        (b"ML302", True, True),
        (b"ML305-DC", True, True),
        (b"ML302A", True, False),
        (b"EC801E", False, False),
        (b"SIM7600CE", False, False),
        (b"NT26K", False, False),
        (b"MC20", False, False),
        (b"SLM790", False, False),
        (b"ML", False, False),
    ],
)
def test_whose_name_it_is(word, ours, old):
    assert (model_find.is_ours(word), model_find.is_old(word)) == (ours, old)


@pytest.mark.parametrize(
    ("said", "name"),
    [
        ("ML309Z-DC", "ML309Z-DC"),
        ("MR990", "MR990"),
        ("MN399-DLVS", "MN399-DLVS"),
        ("ML302", "ML302"),
        ("XML307R", "XML307R"),
        ("", "unknown"),
        (b"\xff\x00\r\n", "unknown"),
        (b"A7670E " * 9, ("A7670E " * 9)[:32]),
    ],
)
def test_an_unknown_model_gets_what_all_of_its_kind_have_in_common(said, name):
    series, it = models.identify(said)
    assert (series, it.name, it.known, it.certain) == (None, name, False, False)
    assert "unknown" in repr(it)
    # Data behind ">" is denied to modules that are called MN, and to no other ones.
    other = "ML3" in name or "MR9" in name
    everyone = [each for each, _ in models.every() if each.tls or not other]
    if other:
        everyone = [each for each in everyone if each.prompt]
    assert it.prompt is other
    # What has no TLS at all, TCP/IP manual V5.1.5 says; whether this one has it, it is asked.
    assert it.tls
    for attribute in ("connections", "send_prompt", "send_inline", "read_max"):
        assert getattr(it, attribute) <= min(getattr(each, attribute) for each in everyone)
    assert it.ssl_ids == 5
    for attribute in ("psk", "ciphers"):
        assert getattr(it, attribute) == all(getattr(each, attribute) for each in everyone)
    for attribute in ("encodings", "algorithms", "versions"):
        common = set.intersection(*(set(getattr(each, attribute)) for each in everyone))
        assert set(getattr(it, attribute)) == common
    assert it.volatile and it.tls_links == 2 and it.sleeps and not it.mipcfg_ssl
