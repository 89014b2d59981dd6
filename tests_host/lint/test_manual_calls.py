# SPDX-License-Identifier: MIT
"""docs/commands.md: complete, in the manual's order, and each of its calls sends its command."""

import io
import re
from pathlib import Path

import onemo
import pytest
from onemo_simulator import EchoPeer, LoopNetwork
from onemo_tools.lint.manual_calls import ROWS, table
from onemo_tools.proofs.rig import Rig

from tests_host.driver.conftest import pem

DATA = Path(__file__).parents[1] / "data"
DOCS = Path(__file__).resolve().parents[2] / "docs/commands.md"
FILES = {
    "baidu.cer": (DATA / "manual-ca.pem").read_bytes(),
    "test.key": (DATA / "manual-key.pem").read_bytes(),
    "test.cer": pem(854),
    "test.clientcer": pem(854),
    "test-886.key": pem(886, "PRIVATE KEY"),
}
HOST = "www.iottest.work"


def manual():
    """(section, command) in the manual's order; a form with an optional part is several."""
    for line in (DATA / "manual-commands.txt").read_text().splitlines():
        section, kind, command = line.split(" ", 2)
        if kind == "example":
            yield section, command
            continue
        parts = command.replace("]", "").split("[")
        for count in range(1, len(parts) + 1):
            yield section, "".join(parts[:count])


def without_repeats(rows):
    """The rows, of which one command may have several in a row."""
    kept = []
    for row in rows:
        if not kept or kept[-1] != row:
            kept.append(row)
    return kept


def test_the_page_is_what_is_generated():
    marked = f"<!-- calls:begin -->\n{table()}\n<!-- calls:end -->"
    assert marked in DOCS.read_text(encoding="utf-8"), "run: python -m onemo_tools.lint.doc_pages"


def test_every_command_and_example_of_the_manual_has_its_row_in_order():
    listed = [(row.section, row.command) for row in ROWS]
    assert without_repeats(listed) == without_repeats(manual())
    assert len(without_repeats(manual())) == 73


def test_the_list_of_commands_has_all_of_the_manuals_nine():
    names = {re.match(r"AT\+\w+", command).group() for _, command in manual()}
    assert names == {
        "AT+MSSLCFG",
        "AT+MSSLCERTWR",
        "AT+MSSLKEYWR",
        "AT+MSSLCERTRD",
        "AT+MSSLLIST",
        "AT+MSSLRM",
        "AT+MSSLPSK",
        "AT+MSSLCHECK",
        "AT+MSSLCIPHER",
        "AT+MIPCFG",
        "AT+MIPOPEN",
    }


def sent_by(row, folder):
    """The commands that the module gets by the call of a row."""
    network = LoopNetwork()
    network.listen(HOST, 443, EchoPeer())
    with Rig(row.series, network=network) as rig:
        modem = rig.modem
        modem.start()
        stored = rig.module.store.objects
        if ".write(" not in row.call:
            stored[1, "baidu.cer"] = FILES["baidu.cer"]
            stored[1, "test.cer"] = stored[1, "test.clientcer"] = FILES["test.cer"]
            stored[2, "test.key"] = FILES["test.key"]
        if ".connect(" in row.call:
            modem.tls(0).configure(onemo.AUTH_NONE)
            modem.tls(1).configure(ca="test.cer")
            names = {"ca": "test.cer", "cert": "test.clientcer", "key": "test.key"}
            modem.tls(2).configure(onemo.AUTH_MUTUAL, **names)
        before = len(rig.module.commands)
        known = {
            name: getattr(onemo, name)
            for name in re.findall(r"\b[A-Z][A-Z0-9_]+\b", row.call)
            if hasattr(onemo, name)
        }
        known.update(modem=modem, tls=modem.tls(1), file=io.BytesIO())
        eval(row.call, known)
        assert rig.module.violations == []
        return [command.decode() for command in rig.module.commands[before:]]


def is_sent(row, commands):
    """Whether one of the commands is that of the row: an example to the letter, but for what
    note 2 says."""
    if "<" not in row.command:
        if row.note == "2":
            stem = row.command.split(",,")[0]
            return any(re.fullmatch(re.escape(stem) + r",\d+,2", sent) for sent in commands)
        return row.command in commands
    length = "0" if "check_length" not in row.call else "[1-9][0-9]*"
    form = re.escape(row.command)
    if "<data>" in row.command:
        form = form.replace("<length>", length)
    form = form.replace("<data>", '".+"')
    form = re.sub(r"<\w+>", '(?:"[^",]*"|[^",]+)', form)
    return any(re.fullmatch(form, sent, re.DOTALL) for sent in commands)


@pytest.mark.parametrize("number", range(len(ROWS)))
def test_each_call_sends_its_command(number, tmp_path, monkeypatch):
    row = ROWS[number]
    (tmp_path / "certs").mkdir()
    for name, data in FILES.items():
        (tmp_path / "certs" / name).write_bytes(data)
    monkeypatch.chdir(tmp_path)
    commands = sent_by(row, tmp_path)
    assert is_sent(row, commands), (row, commands)


def test_each_example_is_sent_to_the_letter_by_one_of_its_rows():
    noted = {(row.section, row.command) for row in ROWS if row.note == "2"}
    exact = {(row.section, row.command) for row in ROWS if row.note != "2"}
    assert noted <= exact
