# SPDX-License-Identifier: MIT
"""Questions that need a server: what comes in which order, and whom TLS trusts."""

from __future__ import annotations

import ipaddress
import json
import re
from typing import TYPE_CHECKING, Any

from onemo_tools.probe import reading
from onemo_tools.probe.server import PLAIN, SILENT

if TYPE_CHECKING:
    from onemo_tools.probe.probe import Probe, Server
    from onemo_tools.probe.talk import Answer

CERT = 1
_OPEN_S = 20  # MIPOPEN's timeout
_NTP_S = 35.0
_GUARDS = (0.0, 0.25, 0.5, 1.0, 2.0)  # s of silence round +++ that are tried
_PULL = 2
_SHORT, _LONG = 10, 20  # s: negotime and MIPOPEN's timeout, and the other way round
NO_LINK = "the module has no PDP context, or every connect_id is in use"


class _NoLink(Exception):
    """Nothing can be opened."""


def _server(probe: Probe) -> Server:
    assert probe.plan.server is not None
    return probe.plan.server


# --- connections ------------------------------------------------------------------------------


def open_link(
    probe: Probe,
    link: int,
    offset: int,
    ssl_id: int | None = None,
    timeout: int = _OPEN_S,
    patience: float = 5.0,
) -> tuple[int | None, Answer, str]:
    """Opens; the result of +MIPOPEN (None: none came), MIPOPEN's answer, and when it came."""
    server = _server(probe)
    if "ssl" in probe.mipcfg:
        probe.set_link(link, "ssl", b"0" if ssl_id is None else b"1,%d" % ssl_id)
    head = b"+MIPOPEN: %d," % link
    probe.talk.urcs.clear()  # of earlier connections
    probe.touched.open_links.add(link)
    answer = probe.talk.ask(
        f'AT+MIPOPEN={link},"TCP","{server.host}",{server.port + offset},{timeout},{_PULL}',
        timeout + patience + 10.0,
    )
    before = [line for line in answer.lines if line.startswith(head)]
    if before:
        return _number(before[0]), answer, "before"
    if not answer.ok:
        probe.touched.open_links.discard(link)
        return None, answer, ""
    urc = probe.talk.wait_urc(head, timeout + patience)
    if urc is None:
        return None, answer, "never"
    number = _number(urc)
    if number:
        probe.touched.open_links.discard(link)
    return number, answer, "after"


def _number(line: bytes) -> int:
    return int(line.rpartition(b",")[2])


def receive(probe: Probe, link: int, seconds: float = 8.0) -> bytes:
    """What a connection has received, read once; b"" if nothing came."""
    probe.talk.wait_urc(b'+MIPURC: "rtcp",%d,' % link, seconds)
    return _read(probe, link)


def _read(probe: Probe, link: int) -> bytes:
    answer = probe.talk.ask(f"AT+MIPRD={link},1024")
    head = re.search(rb"\+MIPRD: ?\d+,\d+,(\d+),", answer.raw)
    return answer.raw[head.end() : head.end() + int(head.group(1))] if head else b""


def greeting(probe: Probe, link: int) -> dict[str, Any]:
    """The server's first line: what it saw of the handshake."""
    data = receive(probe, link)
    try:
        found = json.loads(data.partition(b"\n")[0])
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}


def send(probe: Probe, link: int, data: bytes) -> Answer:
    """Sends a word to the server, in the command."""
    return probe.talk.ask(b'AT+MIPSEND=%d,0,"%s"' % (link, data), 15.0)


def _free_link(probe: Probe) -> int:
    if not probe.free_links:
        raise _NoLink
    return probe.free_links[-1]


# --- steps ------------------------------------------------------------------------------------


def network_time(probe: Probe) -> None:
    """MNTP's zone; it sets the module's clock, which is then looked at again."""
    answer = probe.talk.ask("AT+MNTP", 10.0)
    line = probe.talk.wait_urc(b"+MNTP:", _NTP_S) if answer.ok else None
    probe.found.note("MNTP", answer.code if line is None else line.split(b",")[0].decode())
    zone = re.search(rb'([+-]\d+)"?\Z', line or b"")
    if not zone:
        probe.found.missing("quirks.ntp_syncs", "AT+MNTP gives no time")
        return
    was_right = probe.found.get("cclk") is not None
    probe.network_zone = int(zone.group(1))
    probe.found.set("quirks.zone", probe.network_zone)
    reading.clock(probe)
    if was_right:
        probe.found.missing("quirks.ntp_syncs", "the module's clock was right already")
    else:
        probe.found.set("quirks.ntp_syncs", probe.found.get("cclk") is not None)


def plain(probe: Probe) -> None:
    """Order of answers, ids in use, packets, data after a disconnect: without TLS."""
    talk, found = probe.talk, probe.found
    fields = (
        *("quirks.open_urc", "quirks.open_refusal", "quirks.send_line"),
        *("quirks.disconnect_keeps", "one_packet_reads", "escape_guard"),
    )
    if not probe.free_links:
        for field in fields:
            found.missing(field, NO_LINK)
        return
    link = _free_link(probe)
    result, answer, when = open_link(probe, link, PLAIN)
    if not answer.ok or result not in (0, None):
        why = f"the server's plain port cannot be reached: {result or answer.code}"
        found.note("plain connection", why)
        for field in fields:
            found.missing(field, why)
        if when:
            found.set("quirks.open_urc", when)
        return
    found.set("quirks.open_urc", when)
    greeting(probe, link)
    again, answer, _ = _open_again(probe, link)
    found.set("quirks.open_refusal", "urc" if again is not None else "cme")
    found.note("MIPOPEN of an id in use", answer.code if again is None else again)
    _send_and_read(probe, link)
    _left_unread(probe, link)
    probe.close(link)
    talk.sync()


def _open_again(probe: Probe, link: int) -> tuple[int | None, Answer, str]:
    found = open_link(probe, link, PLAIN, timeout=5)
    probe.touched.open_links.add(link)  # the first one is
    return found


def _send_and_read(probe: Probe, link: int) -> None:
    """+MIPSEND against its OK; two packets, read at once."""
    talk, found = probe.talk, probe.found
    head = b"+MIPSEND: %d," % link
    answer = send(probe, link, b"two;")
    if answer.ok:
        if any(line.startswith(head) for line in answer.lines):
            found.set("quirks.send_line", "before")
        else:
            late = talk.wait_urc(head, 1.0)
            found.set("quirks.send_line", "after" if late else "absent")
        talk.port.sleep(1.5)
        talk.notice(talk.drain(0.1))
        found.set("one_packet_reads", len(_read(probe, link)) == 100)
        _read(probe, link)
    if found.get("data_mode") is None:
        prompt, answer = talk.prompt(f"AT+MIPSEND={link},4")
        if prompt is not None:
            found.set("data_mode", True)
            talk.finish(b"hey;", 15.0)
            receive(probe, link, 2.0)
        elif answer.code.isdigit():
            found.set("data_mode", False)


def _left_unread(probe: Probe, link: int) -> None:
    """The server sends something and closes; whether it can be read afterwards."""
    if probe.values("MIPCFG", "autofree", link) != b"0":
        probe.found.missing("quirks.disconnect_keeps", "autofree is not 0")
        return
    probe.talk.urcs.clear()
    answer = send(probe, link, b"bye;")
    if not answer.ok or probe.talk.wait_urc(b'+MIPURC: "disconn",%d' % link, 10.0) is None:
        probe.found.missing("quirks.disconnect_keeps", f"the server did not close: {answer.code}")
        return
    probe.found.set("quirks.disconnect_keeps", b"left over" in _read(probe, link))


def transparent(probe: Probe) -> None:
    """How much silence round +++ the way out takes."""
    talk, found = probe.talk, probe.found
    if not found.get("transparent"):
        found.missing("escape_guard", "there is no transparent mode")
        return
    if not probe.free_links or found.get("quirks.open_urc") is None:
        return
    link = _free_link(probe)
    server = _server(probe)
    probe.touched.open_links.add(link)
    probe.touched.transparent = True
    # Where the result comes first there is no OK behind CONNECT, so it is not waited for.
    command = f'AT+MIPOPEN={link},"TCP","{server.host}",{server.port + PLAIN},{_OPEN_S},1'
    talk.send(command.encode() + b"\r")
    got = talk.listen(b"CONNECT", _OPEN_S + 5.0)
    if b"CONNECT" not in got:
        probe.touched.transparent = False
        found.missing("escape_guard", "MIPOPEN does not say CONNECT")
        talk.sync()
        probe.close(link)
        return
    talk.drain(0.5, 3.0)
    for guard in _GUARDS:
        talk.send(b"x;")
        talk.port.sleep(guard)
        talk.send(b"+++")
        if b"OK\r" in talk.listen(b"OK\r", guard + 1.5):
            probe.touched.transparent = False
            found.set("escape_guard", guard)
            break
    if probe.touched.transparent:
        leave_transparent(probe)
    talk.drain(0.2, 1.0)
    talk.sync()
    probe.close(link)


def leave_transparent(probe: Probe) -> None:
    """Out of transparent mode: by +++, or because the server closes."""
    talk = probe.talk
    talk.port.sleep(3.0)
    talk.send(b"+++")
    if b"OK\r" not in talk.listen(b"OK\r", 4.0):
        talk.send(b"bye;")
        talk.listen(b"disconn", 5.0)
    probe.touched.transparent = False


# --- TLS --------------------------------------------------------------------------------------

_TLS_FIELDS = (
    *("quirks.no_ca_code", "quirks.bad_pem_code", "quirks.host_sent", "quirks.host_checked"),
    *("quirks.session_resumes", "quirks.handshake_limit", "tls_links"),
)


def _tls_context(probe: Probe) -> int | None:
    """The ssl_id that is used, or None where there is nothing to be done."""
    found = probe.found
    why = ""
    if not found.get("tls"):
        return None
    if not found.get("mipcfg_ssl"):
        why = 'MIPCFG has no "ssl"'
    elif not probe.free_links or not probe.free_contexts:
        why = "every ssl_id or connect_id is in use"
    elif found.get("quirks.open_urc") is None:
        why = "the server cannot be reached"
    elif "ssl" in (found.get("quirks.ignored_mipcfg") or ()):
        why = 'MIPCFG "ssl" is ignored: connections would be plain'
    elif {"auth", "cert"} & (found.get("quirks.ignored_options") or set()):
        why = 'MSSLCFG "auth" or "cert" is ignored'
    if not why:
        return probe.free_contexts[-1]
    for field in _TLS_FIELDS:
        found.missing(field, why)
    return None


def tls(probe: Probe) -> None:
    """Verdicts: no CA, a CA that is none, the right name, a wrong one; SNI; sessions."""
    talk, found = probe.talk, probe.found
    ssl_id = _tls_context(probe)
    if ssl_id is None:
        return
    link = _free_link(probe)
    for option, value in (("auth", b"1"), ("version", b"3"), ("ignoreverify", b"0")):
        if option in probe.options:
            probe.set_option(ssl_id, option, value)
    for option, value in (("ignorestamp", b"1"), ("session", b"1"), ("sni", b"0")):
        if option in probe.options:
            probe.set_option(ssl_id, option, value)
    probe.set_option(ssl_id, "cert", b'"","",""')
    result = _try_tls(probe, link, 0, ssl_id)[0]
    found.note("auth 1 without a CA", result)
    _set_code(probe, "quirks.no_ca_code", result)
    if found.get("quirks.pem_check") == "load" and probe.put(CERT, "j", b"no PEM\n").ok:
        probe.set_option(ssl_id, "cert", f'"{probe.name("j")}","",""'.encode())
        result = _try_tls(probe, link, 0, ssl_id)[0]
        found.note("a CA that is no PEM", result)
        _set_code(probe, "quirks.bad_pem_code", result)
        probe.set_option(ssl_id, "cert", b'"","",""')
        probe.clear("j")
    else:
        found.missing("quirks.bad_pem_code", "PEM that is none is not stored")
    answer = probe.put(CERT, "s", _server(probe).ca)
    if not answer.ok:
        for field in _TLS_FIELDS:
            found.missing(field, f"the server's CA cannot be written: {answer.code}")
        return
    probe.set_option(ssl_id, "cert", f'"{probe.name("s")}","",""'.encode())
    right, seen = _try_tls(probe, link, 0, ssl_id)
    found.note("TLS with the right name", right)
    found.note("TLS as the server saw it", {k: v for k, v in seen.items() if k != "sni"})
    if right != 0:
        for field in _TLS_FIELDS:
            found.missing(field, f"TLS with the right name fails: {right}")
        return
    _names(probe, link, ssl_id, seen)
    _, seen = _try_tls(probe, link, 0, ssl_id)
    if "resumed" in seen:
        found.set("quirks.session_resumes", bool(seen["resumed"]))
    talk.sync()


def _names(probe: Probe, link: int, ssl_id: int, seen: dict[str, Any]) -> None:
    """SNI, and a certificate of another name."""
    found = probe.found
    host = _server(probe).host
    if _is_address(host):
        found.missing("quirks.host_sent", "the server has an address and no name: nothing to send")
    elif "sni" in seen:
        found.set("quirks.host_sent", "always" if seen["sni"] == host else "option")
    if "sni" in probe.options and not _is_address(host):
        probe.set_option(ssl_id, "sni", b"1")
        _, with_sni = _try_tls(probe, link, 0, ssl_id)
        found.note('SNI with "sni" 1', with_sni.get("sni") == host)
        probe.set_option(ssl_id, "sni", b"0")
    wrong, _ = _try_tls(probe, link, 1, ssl_id)
    found.note("TLS with a wrong name", wrong)
    if wrong is not None:
        found.set("quirks.host_checked", wrong != 0)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _try_tls(
    probe: Probe, link: int, offset: int, ssl_id: int
) -> tuple[int | None, dict[str, Any]]:
    """One TLS connection, closed again: its result, and what the server saw."""
    result, answer, when = open_link(probe, link, offset, ssl_id)
    seen: dict[str, Any] = {}
    if when == "never" and answer.ok:
        state = probe.talk.ask(f"AT+MIPSTATE={link}")
        result = 0 if b'"CONNECTED"' in state.raw else None
    if result == 0:
        seen = greeting(probe, link)
    if link in probe.touched.open_links:
        probe.close(link)
    if result is None and answer.code.isdigit():
        result = int(answer.code)
    return result, seen


def _set_code(probe: Probe, name: str, result: int | None) -> None:
    if probe.found.get("nb"):
        probe.found.missing(name, "an NB module says 1, whatever failed")
    elif result:
        probe.found.set(name, result)
    else:
        probe.found.missing(name, f"MIPOPEN ends with {result}")


def links(probe: Probe) -> None:
    """TLS connections until one is refused."""
    found = probe.found
    ssl_id = _tls_context(probe)
    if ssl_id is None or "quirks.host_checked" in found.why:
        return
    opened: list[int] = []
    refused: int | None = None
    for link in probe.free_links:
        result, answer, when = open_link(probe, link, 0, ssl_id)
        if when == "never" and b'"CONNECTED"' in probe.talk.ask(f"AT+MIPSTATE={link}").raw:
            result = 0
        if result != 0:
            refused = result if result is not None else _code(answer)
            break
        opened.append(link)
    if refused is not None or len(opened) == found.get("conn_ids"):
        found.set("tls_links", len(opened))
        found.note("one TLS link too many", refused)
    else:
        found.missing("tls_links", f"at least {len(opened)}: other connections are open")
    for link in sorted(probe.touched.open_links):
        probe.close(link)


def _code(answer: Answer) -> int | None:
    return int(answer.code) if answer.code.isdigit() else None


def silent(probe: Probe) -> None:
    """Whether negotime or MIPOPEN's timeout ends a handshake that is not answered."""
    found = probe.found
    ssl_id = _tls_context(probe)
    if ssl_id is None or "quirks.host_checked" in found.why:
        return
    if found.get("nb"):
        found.missing("quirks.handshake_limit", "an NB module takes no timeout in MIPOPEN")
        return
    ignored = found.get("quirks.ignored_options") or ()
    if "negotime" not in probe.options or "negotime" in ignored:
        found.missing("quirks.handshake_limit", 'MSSLCFG has no "negotime", or ignores it')
        return
    link = _free_link(probe)
    took = []
    for negotime, timeout in ((_SHORT, _LONG), (_LONG, _SHORT)):
        probe.set_option(ssl_id, "negotime", b"%d" % negotime)
        start = probe.talk.port.now()
        result, _, when = open_link(probe, link, SILENT, ssl_id, timeout, patience=15.0)
        took.append(probe.talk.port.now() - start)
        if link in probe.touched.open_links:
            probe.close(link)
        if when == "never" or not result:
            found.missing("quirks.handshake_limit", f"MIPOPEN ends with {result}")
            return
    found.note(
        "s until a silent handshake ended (negotime 10, then timeout 10)",
        [round(seconds, 1) for seconds in took],
    )
    early = [seconds < (_SHORT + _LONG) / 2 for seconds in took]
    limits = {(True, True): "both", (True, False): "negotime", (False, True): "timeout"}
    found.set("quirks.handshake_limit", limits.get((early[0], early[1])))
