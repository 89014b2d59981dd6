# SPDX-License-Identifier: MIT
"""docs/commands.md: each command and each example of the SSL manual, and the call that sends it.

`python -m onemo_tools.lint.doc_pages` writes the page's table.

A test holds the rows to the manual's list of commands, and runs each call.
"""

from __future__ import annotations

from typing import NamedTuple


class Row(NamedTuple):
    """One command as the manual has it: a form, its optional parts chosen, or an example."""

    section: str
    command: str
    call: str
    note: str = ""  # the number of a note below the table
    series: str = "ML307R"  # a series that has it


_NB = "MN316-S"


def _option(name: str, parameters: str, value: str, **other: str) -> tuple[Row, ...]:
    typed = f'AT+MSSLCFG="{name}"'
    return (
        Row("3.1", typed, f'tls.read_all("{name}")', **other),
        Row("3.1", f"{typed},<ssl_id>", f'tls.get("{name}")', **other),
        Row("3.1", f"{typed},<ssl_id>,{parameters}", f'tls.set("{name}", {value})', **other),
    )


def _written(section: str, name: str, source: str, kind: str) -> tuple[Row, ...]:
    typed = {"3.2": "AT+MSSLCERTWR", "3.3": "AT+MSSLKEYWR"}[section]
    form = f"{typed}=<{'key' if kind else 'cert'}_name>,<remain_length>,<length>"
    call = f'modem.certs.write("{name}", "{source}"{kind}'
    return (
        Row(section, f"{typed}=?", f'modem.command("{typed[2:]}=?")'),
        Row(section, form, f"{call})"),
        Row(section, f"{form},<data>", f"{call}, inline=True)", "1"),
        Row(section, f"{form},<data>", f'{call}, inline=True, check_length="typed")', "1"),
    )


def _opened(ssl_id: int) -> tuple[Row, ...]:
    opened = f'{ssl_id},"TCP","www.iottest.work",443,,0'
    connect = f'modem.connect("www.iottest.work", 443, modem.tls({ssl_id}), id={ssl_id})'
    return (
        Row("4.1", f'AT+MIPCFG="ssl",{ssl_id},1,{ssl_id}', connect),
        Row("4.1", f"AT+MIPOPEN={opened}", connect, "2"),
        Row("4.1", f"AT+MIPOPEN={opened}", f"modem.command('+MIPOPEN={opened}')", "3"),
    )


_CA = 'modem.certs.write("test.cer", "certs/test.cer")'

ROWS: tuple[Row, ...] = (
    Row("3.1", "AT+MSSLCFG=?", "tls.options()"),
    *_option("auth", "<cert_verify>", "AUTH_NONE"),
    *_option(
        "cert",
        "<srv_cert>,<cli_cert>,<prv_key>",
        '("test.cer", "test.clientcer", "test.key")',
    ),
    *_option("psk", "<pskid>", '"1"', series=_NB),
    *_option("encoding", "<input_format>", "ESCAPED"),
    *_option("negotime", "<negotiate_timeout>", "60"),
    *_option("version", "<ssl_version>", "TLS1_2"),
    *_option("ciphersuite", "<cipher_suite>", "0xC02F"),
    *_option("session", "<session_enable>", "False"),
    *_option("ignorestamp", "<ignore_stamp>", "False"),
    *_option("ignoreverify", "<ignore_verify>", "False"),
    Row("3.1", 'AT+MSSLCFG="psk",1,"1"', 'modem.tls(1).set("psk", "1")', series=_NB),
    Row("3.1", 'AT+MSSLCFG="ciphersuite",1', 'modem.tls(1).get("ciphersuite")'),
    Row(
        "3.1",
        'AT+MSSLCFG="ciphersuite",1,2D',
        'modem.tls(1).set("ciphersuite", 0x2D, allow_broken=True)',
        "4",
    ),
    Row("3.1", 'AT+MSSLCFG="encoding"', 'modem.tls(1).read_all("encoding")'),
    *_written("3.2", "baidu.cer", "certs/baidu.cer", ""),
    Row(
        "3.2",
        'AT+MSSLCERTWR="baidu.cer",0,1261',
        'modem.certs.write("baidu.cer", "certs/baidu.cer")',
    ),
    *_written("3.3", "test.key", "certs/test.key", ", KEY"),
    Row(
        "3.3",
        'AT+MSSLKEYWR="test.key",0,1674',
        'modem.certs.write("test.key", "certs/test.key", KEY)',
    ),
    Row("3.4", "AT+MSSLCERTRD=<cert_name>", 'modem.certs.read("baidu.cer", file)'),
    Row("3.4", 'AT+MSSLCERTRD="baidu.cer"', 'modem.certs.read("baidu.cer", file)'),
    Row("3.5", "AT+MSSLLIST=<ca_type>", "modem.certs.list(KEY)"),
    Row("3.5", "AT+MSSLLIST=1", "modem.certs.list(CERT)"),
    Row("3.5", "AT+MSSLLIST=2", "modem.certs.list(KEY)"),
    Row("3.5", "AT+MSSLLIST=3", "modem.certs.list(PSK)"),
    Row("3.6", "AT+MSSLRM=<cert_name>", 'modem.certs.remove("baidu.cer")'),
    Row("3.6", 'AT+MSSLRM="baidu.cer"', 'modem.certs.remove("baidu.cer")'),
    Row("3.7", "AT+MSSLPSK=<pskid>,<psk>", 'modem.certs.write_psk("123", "2345")', series=_NB),
    Row("3.7", 'AT+MSSLPSK="123","2345"', 'modem.certs.write_psk("123", "2345")', series=_NB),
    Row("3.8", "AT+MSSLCHECK=?", "modem.certs.algorithms()"),
    Row("3.8", "AT+MSSLCHECK=<cert_name>", 'modem.certs.digest("test.key")'),
    Row(
        "3.8",
        "AT+MSSLCHECK=<cert_name>,<verify_alg>",
        'modem.certs.digest("test.key", SHA256)',
        series=_NB,
    ),
    Row("3.8", 'AT+MSSLCHECK="test.key"', 'modem.certs.digest("test.key")'),
    Row("3.9", "AT+MSSLCIPHER=?", "list(modem.ciphers())"),
    Row("3.9", "AT+MSSLCIPHER=?", "list(modem.ciphers())"),
    Row("4.1", 'AT+MSSLCFG="auth",0,0', "modem.tls(0).configure(AUTH_NONE)"),
    *_opened(0),
    Row("4.1", 'AT+MSSLCFG="auth",1,1', 'modem.tls(1).configure(AUTH_SERVER, ca="test.cer")'),
    Row("4.1", 'AT+MSSLCERTWR="test.cer",0,854', _CA),
    Row("4.1", 'AT+MSSLCFG="cert",1,"test.cer"', 'modem.tls(1).set("cert", "test.cer")', "5"),
    *_opened(1),
    Row(
        "4.1",
        'AT+MSSLCFG="auth",2,2',
        "modem.tls(2).configure("
        'AUTH_MUTUAL, ca="test.cer", cert="test.clientcer", key="test.key")',
    ),
    Row("4.1", 'AT+MSSLCERTWR="test.cer",0,854', _CA),
    Row(
        "4.1",
        'AT+MSSLCERTWR="test.clientcer",0,854',
        'modem.certs.write("test.clientcer", "certs/test.clientcer")',
    ),
    Row(
        "4.1",
        'AT+MSSLKEYWR="test.key",0,886',
        'modem.certs.write("test.key", "certs/test-886.key", KEY)',
    ),
    Row(
        "4.1",
        'AT+MSSLCFG="cert",2,"test.cer","test.clientcer","test.key"',
        'modem.tls(2).set("cert", ("test.cer", "test.clientcer", "test.key"))',
    ),
    *_opened(2),
)


def table() -> str:
    """All rows, for docs/commands.md."""
    lines = ["| manual | command | call | |", "| --- | --- | --- | --- |"]
    for row in ROWS:
        notes = row.note or ("6" if row.series == _NB else "")
        lines.append(f"| {row.section} | `{row.command}` | `{row.call}` | {notes} |")
    return "\n".join(lines)
