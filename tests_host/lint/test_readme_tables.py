# SPDX-License-Identifier: MIT
"""The README's tables are what the driver does: compared with it, and run."""

import io
import re
from pathlib import Path

import pytest
from onemo import AUTH_NONE, KEY, SHA256
from onemo_simulator import EchoPeer, LoopNetwork, certs, contexts
from onemo_simulator.profiles import NEWER, SERIES
from onemo_tools.lint import tables
from onemo_tools.proofs.rig import Rig

DATA = Path(__file__).parents[1] / "data"
CERTIFICATE = (DATA / "manual-ca.pem").read_bytes()
PRIVATE_KEY = (DATA / "manual-key.pem").read_bytes()
README = Path(__file__).resolve().parents[2] / "README.md"
HOST = "peer.example"


def block(name):
    text = README.read_text(encoding="utf-8")
    return text.split(f"<!-- {name}:begin -->\n")[1].split(f"<!-- {name}:end -->")[0].strip()


@pytest.mark.parametrize("name", tables.TABLES)
def test_the_readme_has_the_tables(name):
    assert block(name) == tables.TABLES[name](), "run: python -m onemo_tools.lint.tables README.md"


def test_the_page_on_models_has_the_table():
    text = (README.parent / "docs" / "models.md").read_text(encoding="utf-8")
    assert tables.filled(text, ["models"]) == text, (
        "run: python -m onemo_tools.lint.tables docs/models.md"
    )


def test_the_generator_writes_between_the_markers_only(tmp_path):
    file = tmp_path / "some.md"
    text = "before\n<!-- models:begin -->\nold\n<!-- models:end -->\nbetween\n"
    text += "<!-- commands:begin -->\n<!-- commands:end -->\nafter\n"
    text += "<!-- libraries:begin -->\n<!-- libraries:end -->\n"
    file.write_text(text)
    tables.main(str(file))
    once = file.read_text()
    assert once == (
        f"before\n<!-- models:begin -->\n{tables.model_table()}\n<!-- models:end -->\nbetween\n"
        f"<!-- commands:begin -->\n{tables.command_table()}\n<!-- commands:end -->\nafter\n"
        f"<!-- libraries:begin -->\n{tables.library_table()}\n<!-- libraries:end -->\n"
    )
    tables.main(str(file))
    assert file.read_text() == once


@pytest.mark.parametrize("text", ["", "<!-- models:begin -->\n", "<!-- models:end -->\n"])
def test_missing_markers_are_named(text):
    with pytest.raises(ValueError, match="models:begin"):
        tables.filled(text)


# Against the simulated modules' profiles, which were written from the manual on their own


def test_models_agree_with_the_profiles():
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")]
        for line in block("models").splitlines()[2:]
    ]
    # ML307H has two profiles, and a row for each beside that of its other sub-models.
    names = {p.submodels[0] if p.series == "ML307H" else p.series: p for p in (*SERIES, *NEWER)}
    assert [row[0] for row in rows if row[0] != "ML307H"] == list(names)
    for row in rows:
        profile = names.get(row[0], names["ML307H-DU"])
        if profile.series != "ML307H":
            listed = profile.submodels + profile.later_submodels
            assert row[1].split() == [n.removeprefix(row[0]) for n in listed if n != row[0]]
        assert row[3] == str(profile.conn_ids)
        asleep = profile.factory_sleepmode and profile.power_saving != "permanent"
        assert (row[12] == "sleeps") is bool(asleep)
        if not profile.tls:
            assert row[2] == "" and row[4:12] == ["", "", "", "", "", "", "none", ""]
            continue
        assert row[2] == f"0..{profile.ssl_ids - 1}"
        assert row[4] == ("behind `>`" if profile.data_mode else "in the command")
        assert row[5] == ("all" if len(profile.encodings) == 3 else "escaped")
        assert row[6] == ("all" if len(profile.digests) == 4 else "MD5")
        assert row[7] == ("yes" if profile.psk else "no")
        assert row[8] == ("yes" if profile.ciphers else "no")
        kept = not profile.volatile and profile.store_memory == "flash"
        assert (row[9] == "kept") is kept
        assert ("each boot" in row[9]) is (profile.store_memory == "ram")
        if row[0] != "ML307H":
            assert row[10].startswith("yes") is profile.mipcfg_ssl
        assert row[10].endswith("2 at once") is (profile.tls_links == 2)
        versions = {"SSL 3.0": 0, "TLS 1.0": 1, "TLS 1.1": 2, "TLS 1.2": 3}
        shown = row[11].removesuffix(", SNI")
        found = [versions[n] for n in shown.split(", ")] if shown != "all" else [0, 1, 2, 3]
        assert [*found, 255] == list(profile.versions)
        assert row[11].endswith("SNI") is profile.sni


def test_every_row_says_where_it_is_known_from():
    for line in block("models").splitlines()[2:]:
        assert re.search(r"(manuals?|field|source)", line.split("|")[-2]), line


def test_every_ssl_command_of_the_manual_has_a_row():
    known = {f"AT+{name}" for name in (*certs.COMMANDS, *contexts.COMMANDS)}
    listed = {re.match(r"AT\+\w+", typed).group() for typed, _, _ in tables.COMMANDS}
    assert listed == known | {"AT+MIPCFG"}
    assert len(known) == 9


def connect(modem):
    modem.tls(0).configure(AUTH_NONE)
    modem.connect(HOST, 8883, modem.tls(0)).close()


METHODS = {
    "tls.options()": lambda modem: modem.tls(0).options(),
    "tls.get(option)": lambda modem: modem.tls(0).get("auth"),
    "tls.set(option, value)": lambda modem: modem.tls(0).set("auth", 1),
    "tls.read_all(option)": lambda modem: modem.tls(0).read_all("auth"),
    "tls.read()": lambda modem: modem.tls(0).read(),
    "tls.configure(…)": lambda modem: modem.tls(0).configure(AUTH_NONE),
    'modem.command("+MSSLCERTWR=?")': lambda modem: modem.command("+MSSLCERTWR=?"),
    "certs.write(name, source)": lambda modem: modem.certs.write("b", io.BytesIO(CERTIFICATE)),
    'modem.command("+MSSLKEYWR=?")': lambda modem: modem.command("+MSSLKEYWR=?"),
    "certs.write(name, source, KEY)": lambda modem: modem.certs.write(
        "k", io.BytesIO(PRIVATE_KEY), KEY
    ),
    "certs.read(name, sink)": lambda modem: modem.certs.read("a", io.BytesIO()),
    "certs.list(kind)": lambda modem: modem.certs.list(KEY),
    "certs.remove(name)": lambda modem: modem.certs.remove("a"),
    "certs.write_psk(pskid, psk)": lambda modem: modem.certs.write_psk("id", "secret"),
    "certs.algorithms()": lambda modem: modem.certs.algorithms(),
    "certs.digest(name)": lambda modem: modem.certs.digest("a"),
    "certs.digest(name, algorithm)": lambda modem: modem.certs.digest("a", SHA256),
    "modem.ciphers()": lambda modem: list(modem.ciphers()),
    "modem.connect(host, port, tls)": connect,
}


@pytest.mark.parametrize(("typed", "section", "method"), tables.COMMANDS)
def test_each_method_sends_its_command(typed, section, method):
    network = LoopNetwork()
    network.listen(HOST, 8883, EchoPeer())
    # MN316-S has all of the manual's commands.
    with Rig("MN316-S", network=network, mipcfg_ssl=True) as rig:
        rig.modem.start()
        rig.module.store.objects[1, "a"] = CERTIFICATE
        before = len(rig.module.commands)
        METHODS[method](rig.modem)
        sent = [command.decode() for command in rig.module.commands[before:]]
        assert rig.module.violations == []
    form = re.escape(typed).replace("…", ".+")
    form = re.sub(r"<\w+>", r"[^\",]+", form)
    assert any(re.fullmatch(form, command, re.DOTALL) for command in sent), (form, sent)
    assert re.fullmatch(r"3\.[1-9]|4\.1", section)


def test_every_row_is_run():
    assert {method for _, _, method in tables.COMMANDS} == set(METHODS)


@pytest.mark.parametrize("name", ["README.md", "README.zh-CN.md"])
def test_the_headlines_figures_are_the_tables(name):
    """`make bench` writes the table; the sentence below the headline says the same."""
    text = README.with_name(name).read_text(encoding="utf-8")
    head = text.split("**Read on**")[0].split("**文档**")[0]
    chip = README.read_text(encoding="utf-8").split("| **32-bit heap** |")[1]
    upload, live = (
        int(re.search(rf"\| {row} \|.*? \| ([\d,]+) \|", chip)[1].replace(",", ""))
        for row in ("allocated: upload of 8192 bytes", "live with all that provisioning loads")
    )
    assert re.search(rf"{upload:,} (bytes|字节)", head), f"an upload allocates {upload} bytes"
    assert f"{live // 1000} KB" in head, f"{live} bytes stay"
