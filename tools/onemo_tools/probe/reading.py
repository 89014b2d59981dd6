# SPDX-License-Identifier: MIT
"""Questions that change nothing: names, framing, `=?` forms, lists, clock."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from onemo_simulator.profiles import PROFILES, find

from onemo_tools.probe.findings import anonymous
from onemo_tools.probe.talk import NoModule

if TYPE_CHECKING:
    from onemo_tools.probe.probe import Probe
    from onemo_tools.probe.talk import Answer

_NAME = re.compile(r"M[LNRF]\d{3}[A-Z]*(?:-[A-Z0-9]+)*")
_FIRMWARE = re.compile(r"-(?=M[A-Z]{1,2}H\d|V?\d)")
_KNOWN = sorted({n for p in PROFILES for n in p.submodels + p.later_submodels}, key=len)
# The manual's options of MSSLCFG, in its order; "sni" is of V5.4.5.
OPTIONS = (
    "auth",
    "cert",
    "psk",
    "encoding",
    "negotime",
    "version",
    "ciphersuite",
    "session",
    "ignorestamp",
    "ignoreverify",
    "sni",
)
MIPCFG = ("encoding", "autofree", "sndbuf", "rcvbuf", "cid", "timeout", "ackmode", "ssl")
# No module has this one.
NOT_THERE = "onemoprobe"
_RESETS = {"&F": ("&F", "&F0"), "Z": ("Z", "Z0")}
# Commands with a test form that all series have, or nearly all.
_COMMANDS = (
    *("CEREG", "CESQ", "CFUN", "CGACT", "CGATT", "CGDCONT", "CGMI", "CGMM", "CGMR", "CGPADDR"),
    *("CGSN", "CIMI", "CMEE", "CPIN", "CSQ", "GSN", "ICCID", "IFC", "IPR", "MCCID"),
    *("MDNSCFG", "MIPCALL", "MIPCFG", "MIPCLOSE", "MIPOPEN", "MIPRD", "MIPSEND", "MIPSTATE"),
    *("MIPTKA", "MNTP", "MUESTATS"),
)
# These are looked up in AT+CLAC only: a test form may scan the network, or be misunderstood.
_LOOKED_UP = ("COPS", "MPOF", "MREBOOT")
_COMMANDS_TLS = ("MSSLCERTWR", "MSSLCHECK", "MSSLKEYWR", "MSSLLIST")
_UNSET = (b"", b"NULL")
_MINUTES = 7 * 60  # s: zones differ by quarters of an hour


def ranges(text: str) -> list[list[int]]:
    """The numbers that each parenthesis of a test form lists: "(0-3,255),(1-2)"."""
    found = []
    for part in re.findall(r"\(([^()]*)\)", text):
        numbers: list[int] = []
        for item in part.replace('"', "").split(","):
            span = re.fullmatch(r"\s*(\d+)\s*(?:-\s*(\d+))?\s*", item)
            if span:
                low, high = int(span.group(1)), int(span.group(2) or span.group(1))
                numbers += range(low, min(high, low + 100000) + 1)
        found.append(numbers)
    return found


def shown(answer: Answer) -> str:
    """An answer for the report, without what could name the module."""
    return anonymous(" | ".join(line.decode("latin-1") for line in answer.lines)) or answer.code


# --- names ------------------------------------------------------------------------------------


def names(probe: Probe) -> None:
    """CGMI, CGMM, CGMR, ATI: series, sub-model, revision. NoModule for what is none of OneMO's."""
    answers = {name: probe.talk.ask(f"AT{name}") for name in ("+CGMI", "+CGMM", "+CGMR", "I")}
    model, revision = (
        "" if not answers[name].ok else answers[name].text for name in ("+CGMM", "+CGMR")
    )
    lines = [line.decode("latin-1") for line in answers["I"].lines] if answers["I"].ok else []
    found = probe.found
    found.note("names", {f"AT{name}": shown(answer) for name, answer in answers.items()})
    if not probe.talk.ask("AT+MIPCFG=?").ok:
        raise NoModule(_another(model or revision or " ".join(lines)))
    told = [text for text in (revision, model, *lines[::-1]) if _NAME.search(text)]
    if not told:  # without a name it is one all the same
        called = anonymous(model or revision) or "unknown"
        found.set("series", called)
        found.set("submodels", (called,))
        return
    submodel, begin, end = _submodel(told[0])
    if revision and told[0] == revision:
        found.set("revision_prefix", revision[:begin])
        if revision[end : end + 1] == "-" and end + 1 < len(revision):
            found.set("quirks.revision", revision[end + 1 :])
    series = _series(submodel, model)
    found.set("series", series)
    found.set("submodels", (submodel,))
    for kind, name in (("submodel", submodel), ("series", series)):
        if name in model:
            prefix, _, suffix = model.partition(name)
            found.set("quirks.model_prefix", prefix)
            found.set("quirks.model_suffix", suffix)
            if series != submodel:
                found.set("cgmm", kind)
            break
    if len(lines) >= 3:
        found.set("quirks.ati", "three")
    elif len(lines) == 1:
        labelled = lines[0].startswith("Revision:") and not revision.startswith("Revision:")
        found.set("quirks.ati", "labelled" if labelled else "revision")


def _submodel(text: str) -> tuple[str, int, int]:
    """The sub-model in an answer, and where it begins and ends."""
    match = _NAME.search(text)
    assert match is not None
    begin = match.start()
    for known in reversed(_KNOWN):
        if text.startswith(known, begin) and text[begin + len(known) :][:1] in ("", "-", "_"):
            return known, begin, begin + len(known)
    name = _FIRMWARE.split(match.group(), maxsplit=1)[0]
    return name, begin, begin + len(name)


def _series(submodel: str, model: str) -> str:
    """The series of a sub-model: known, as AT+CGMM says, or up to the first ending."""
    try:
        return find(submodel)[0].series
    except ValueError:
        pass
    told = _NAME.search(model)
    if told and submodel.startswith(told.group() + "-"):
        return told.group()
    parts = submodel.split("-")
    return "-".join(parts[:2] if parts[1:2] == ["S"] else parts[:1])


def _another(said: str) -> str:
    """What to say of an AT module that is none of OneMO's, or one of the old dialect."""
    called = f"calls itself {anonymous(said)!r}" if said else "does not say what it is"
    return (
        f"an AT module answers that {called} and has no AT+MIPCFG: the probe knows OneMO modules "
        "only, and not those of the old dialect (ML302 and ML305 without a letter)"
    )


# --- the line ---------------------------------------------------------------------------------


def line(probe: Probe) -> None:
    """How a line is framed, and what becomes of one that is none."""
    talk, found = probe.talk, probe.found
    answer = talk.ask("AT")
    revision = talk.ask("AT+CGMI")
    found.note("framing", {"AT": repr(answer.raw)[2:-1], "AT+CGMI": repr(revision.raw)[2:-1]})
    speed = talk.ask("AT+IPR?")
    if speed.ok and (numbers := re.findall(rb"\d+", speed.lines[0] if speed.lines else b"")):
        found.set("quirks.baud", int(numbers[-1]))
    found.set("quirks.junk_line", _junk(probe))
    talk.send(b"AT+CGMI\rAT\r")
    got = talk.drain(0.5, 4.0)
    talk.sync()
    found.set("quirks.busy_input", "queue" if got.count(b"OK\r") >= 2 else "drop")
    unquoted = talk.ask("AT+MIPCFG=encoding")
    found.set("quirks.need_quotes", not unquoted.ok)


def _junk(probe: Probe) -> str:
    talk = probe.talk
    talk.send(b"xxAT\r")
    got = talk.listen(b"\r\n", 1.0) + talk.drain(0.2, 1.0)
    talk.sync()
    if b"OK" in got:
        return "hunt"
    return "error" if b"ERROR" in got else "silent"


def commands(probe: Probe) -> None:
    """Which commands are there."""
    talk, found = probe.talk, probe.found
    levels = talk.ask("AT+CMEE=?")
    numbers = ranges(levels.text)
    if levels.ok and numbers:
        found.set("cmee_levels", tuple(numbers[0]))
    found.set("creg", talk.ask("AT+CREG?").ok)
    found.set("transparent", talk.ask("AT+MIPMODE=?").ok)
    listed = talk.ask("AT+CLAC", 15.0)
    all_names = {line.decode("latin-1").strip().upper() for line in listed.lines}
    clac = {name.removeprefix("AT+") for name in all_names if name.startswith("AT+")}
    basic = {name.removeprefix("AT") for name in all_names if not name.startswith("AT+")}
    absent: list[str] = []
    if listed.ok and basic:
        for name, forms in _RESETS.items():
            if name not in basic:
                absent += forms
    else:
        found.missing("absent_commands", "AT+CLAC does not list ATZ and AT&F, which are not tried")
    asked = _COMMANDS + (_COMMANDS_TLS if found.get("tls") else ())
    missing = [name for name in asked if not talk.ask(f"AT+{name}=?").there]
    if listed.ok and clac:
        missing = [name for name in (*missing, *_LOOKED_UP) if name not in clac]
    if not listed.ok:
        missing.append("CLAC")
    if "absent_commands" in found.why:
        found.note("commands_missing", missing)
    else:
        found.set("absent_commands", tuple(absent + missing))


# --- what the test forms list -----------------------------------------------------------------


def tls(probe: Probe) -> None:
    """MSSLCFG and its options, MSSLCHECK, MSSLCIPHER."""
    talk, found = probe.talk, probe.found
    form = talk.ask("AT+MSSLCFG=?")
    found.set("tls", form.there or talk.ask("AT+MSSLLIST=1").there)
    if not found.get("tls"):
        _without_tls(probe)
        return
    found.note("MSSLCFG=?", [line.decode("latin-1") for line in form.lines])
    listed = _listed(probe, form)
    reading = {name: talk.ask(f'AT+MSSLCFG="{name}"') for name in (*OPTIONS, NOT_THERE)}
    there = [name for name in OPTIONS if reading[name].lines]
    probe.options = there
    stranger = reading[NOT_THERE]
    found.set("quirks.unknown_option", "ok" if stranger.ok else "50")
    found.note("MSSLCFG of an unknown option", stranger.code)
    found.set("psk", "psk" in there)
    found.set("sni", "sni" in there)
    lacking = frozenset(name for name in OPTIONS[:-1] if name not in there and name != "psk")
    found.set("quirks.absent_options", lacking)
    found.set("quirks.unlisted_options", frozenset(n for n in there if n not in listed))
    for name in there:
        count = len(reading[name].lines)
        if count > 1:
            found.set("ssl_ids", count)
            break
    for name, fact in (("encoding", "encodings"), ("version", "versions")):
        if (numbers := listed.get(name)) and name in there:
            found.set(fact, tuple(numbers))
    if "cert" in there:
        _bound(probe, reading["cert"])
    multi = reading[there[0]] if there else form
    if len(multi.lines) > 1:
        found.set("quirks.compact_lists", _compact(multi))
    _algorithms(probe)
    ciphers = talk.ask("AT+MSSLCIPHER=?", 10.0)
    found.set("ciphers", ciphers.ok)
    if ciphers.ok:
        probe.suites = [int(n, 16) for n in re.findall(r"0x([0-9A-Fa-f]+)", ciphers.text)]
        found.note("suites", " ".join(f"{suite:02X}" for suite in probe.suites))
    nobody = probe.name("nobody")
    codes = {what: talk.ask(f'AT+{what}="{nobody}"').code for what in ("MSSLCHECK", "MSSLCERTRD")}
    found.note("codes of a name that is not there", codes)
    if codes["MSSLCHECK"].isdigit():
        found.set("quirks.missing_code", int(codes["MSSLCHECK"]))


def _compact(answer: Answer) -> bool:
    """Information lines stand one CR LF apart instead of two."""
    return b"\r\n\r\n" not in answer.raw[: answer.raw.rfind(b"OK")].strip()


def _bound(probe: Probe, answer: Answer) -> None:
    """Which ssl_ids bind nothing, and how a name that is not set is shown."""
    names = {}
    for value in answer.values():
        parts = [part.strip(b' "') for part in value.split(b",")]
        if len(parts) > 2 and parts[1].isdigit():
            names[int(parts[1])] = parts[2:]
    unset = {name for found in names.values() for name in found if name in _UNSET}
    if len(unset) == 1:
        probe.found.set("quirks.unset_cert", "NULL" if b"NULL" in unset else "empty")
    probe.free_contexts = [at for at, found in names.items() if all(n in _UNSET for n in found)]


def _listed(probe: Probe, form: Answer) -> dict[str, list[int]]:
    """The options that MSSLCFG=? lists, with the values of those that have a range."""
    values = [value.decode("latin-1") for value in form.values(b"+MSSLCFG:")]
    if not form.ok or not values:
        return {}
    if len(values) == 1 and values[0].startswith("("):
        probe.found.set("quirks.mssl_test", "list")
        return {name: [] for name in re.findall(r'"(\w+)"', values[0])}
    probe.found.set("quirks.mssl_test", "lines")
    found = {}
    for value in values:
        name = re.match(r'"?(\w+)"?', value)
        if name:
            spans = ranges(value)
            found[name.group(1)] = spans[1] if len(spans) > 1 else []
    return found


def _algorithms(probe: Probe) -> None:
    form = probe.talk.ask("AT+MSSLCHECK=?")
    if not form.ok:
        probe.found.missing("digests", "AT+MSSLCHECK=? is refused")
        return
    probe.found.set("quirks.check_comma", form.text.partition(":")[2].strip().startswith(","))
    numbers = ranges(form.text)
    if numbers:
        probe.found.set("digests", tuple(numbers[0]))


def _without_tls(probe: Probe) -> None:
    found = probe.found
    found.set("psk", False)
    found.set("sni", False)
    for name in ("ciphers", "versions", "encodings", "digests", "ssl_ids", "suite_prefix"):
        found.missing(name, "there is no TLS")
    for name in ("store_memory", "tls_links", "data_mode"):
        found.missing(name, "there is no store of certificates")
    nothing = (
        *("unknown_option", "absent_options", "unlisted_options", "ignored_options", "mssl_test"),
        *("unset_cert", "cert_omitted", "check_comma", "missing_code", "keep_contexts", "prompt"),
        *("data_timeout", "data_timeout_answer", "same_name", "cross_type", "pem_check"),
        *("abort_leaves_series", "series_timeout", "newline_storage", "inline_length"),
        *("list_quotes", "certrd_blank", "key_read_code", "quoted_lf", "plain_suite_zero"),
        *("bad_pem_code", "no_ca_code", "handshake_limit", "session_resumes", "host_sent"),
        *("host_checked", "check_psk", "rm_psk", "psk_repeat"),
    )
    for name in nothing:
        found.missing(f"quirks.{name}", "there is no TLS")


def sockets(probe: Probe) -> None:
    """MIPCFG and the test forms of the connection commands."""
    talk, found = probe.talk, probe.found
    form = talk.ask("AT+MIPCFG=?")
    found.note("MIPCFG=?", [line.decode("latin-1") for line in form.lines])
    listed: dict[str, list[list[int]]] = {}
    for value in form.values(b"+MIPCFG:"):
        text = value.decode("latin-1")
        name = re.match(r'"?(\w+)"?', text)
        if name:
            listed[name.group(1)] = ranges(text)
    names = [*listed, *(name for name in MIPCFG if name not in listed)]
    reading = {name: talk.ask(f'AT+MIPCFG="{name}"') for name in names}
    there = [name for name in names if reading[name].lines]
    probe.mipcfg = there
    found.set("mipcfg_options", tuple(name for name in there if name != "ssl"))
    found.set("mipcfg_ssl", "ssl" in there)
    stranger = talk.ask(f'AT+MIPCFG="{NOT_THERE}"')
    if not stranger.ok:
        found.set("quirks.unsupported_code", stranger.code)
    state = talk.ask("AT+MIPSTATE?")
    if state.ok and state.lines:
        found.set("conn_ids", len(state.lines))
        probe.free_links = [
            int(value.split(b",")[0])
            for value in state.values(b"+MIPSTATE:")
            if b'"INITIAL"' in value
        ]
    elif there:
        found.set("conn_ids", len(reading[there[0]].lines))
    if len(state.lines) > 1:
        found.set("quirks.compact_lists", _compact(state))
    if "encoding" in there and len(listed.get("encoding", ())) > 1:
        found.set("escaped_send", 2 in listed["encoding"][1])
    for option, fact in (("cid", "cids"), ("timeout", "max_timeout")):
        spans = listed.get(option, [])
        if option in there and len(spans) > 1 and spans[1]:
            found.set(fact, max(spans[1]))
    if "rcvbuf" in there:
        numbers = re.findall(rb"\d+", reading["rcvbuf"].values()[0])
        found.set("window", int(numbers[-1]))
    _forms(probe)
    _power(probe)


def _forms(probe: Probe) -> None:
    talk, found = probe.talk, probe.found
    send = talk.ask("AT+MIPSEND=?")
    spans = ranges(send.text)
    nb_fields = len(spans) > 2
    if send.ok and len(spans) == 2 and spans[1]:
        found.set("send_prompt_limit", max(spans[1]))
    read = ranges(talk.ask("AT+MIPRD=?").text)
    if len(read) > 1 and read[1]:
        found.set("read_max", max(read[1]))
    call = talk.ask("AT+MIPCALL=?")
    spans = ranges(call.text)
    if call.ok and call.lines:
        found.set("quirks.call_space", b": " in call.lines[0])
        if len(spans) > 1 and spans[1]:
            found.set("call_cids", (min(spans[1]), max(spans[1])))
    found.set("nb", nb_fields)
    found.note(
        "test forms",
        {
            f"AT+{name}=?": shown(talk.ask(f"AT+{name}=?"))
            for name in ("MIPOPEN", "MIPSEND", "MIPRD", "MIPCALL", "MIPCLOSE")
        },
    )


def _power(probe: Probe) -> None:
    talk, found = probe.talk, probe.found
    form = talk.ask("AT+MLPMCFG=?")
    if not form.ok:
        found.set("power_saving", "none")
        found.missing("quirks.sleepmode", "there is no AT+MLPMCFG")
        return
    names = {name for line in form.lines for name in re.findall(rb'"(\w+)"', line)}
    found.note("MLPMCFG=?", [line.decode("latin-1") for line in form.lines])
    if b"dtr" in names:
        found.set("power_saving", "dtr")
    elif b"delaysleep" in names:
        found.set("power_saving", "full")
    elif b"sleepmode" in names:
        found.missing("power_saving", "needs writing: mode or permanent")
    now = talk.ask('AT+MLPMCFG="sleepmode"')
    numbers = re.findall(rb"\d+", now.lines[0].partition(b",")[2]) if now.lines else []
    if now.ok and numbers:
        found.set("quirks.sleepmode", int(numbers[0]))


# --- clock and SIM ----------------------------------------------------------------------------


def clock(probe: Probe) -> None:
    """CCLK against this PC's UTC."""
    found = probe.found
    answer = probe.talk.ask("AT+CCLK?")
    text = answer.text.partition(":")[2].strip()
    match = re.fullmatch(r'("?)(\d\d)/(\d\d)/(\d\d),(\d\d):(\d\d):(\d\d)([+-]\d+)?\1', text)
    if not answer.ok or not match:
        found.missing("cclk", "AT+CCLK? has no time")
        return
    if not match.group(1):
        found.set("nb", True)
    year, month, day, hour, minute, second = (int(match.group(at)) for at in range(2, 8))
    zone = int(match.group(8) or "0")
    try:
        fields = datetime(2000 + year, month, day, hour, minute, second, tzinfo=UTC)
    except ValueError:
        found.missing("cclk", "AT+CCLK? has no date that there is")
        return
    now = probe.utc()
    ahead = (fields - now).total_seconds()
    local = (fields - timedelta(minutes=15 * zone) - now).total_seconds()
    for off, mode in ((local, "local"), (ahead, "utc-fields")):
        if abs(off) <= _MINUTES:
            found.set("cclk", "utc" if zone == 0 and probe.network_zone else mode)
            found.set("quirks.zone", probe.network_zone or zone)
            found.note("clock", {"zone": zone, "fields": mode, "seconds off": round(off)})
            return
    found.note("clock", {"zone": zone, "seconds off": round(ahead)})


def sim(probe: Probe) -> None:
    """How MCCID ends. No number is kept."""
    one, two = (probe.talk.ask(f"AT+{name}") for name in ("ICCID", "MCCID"))
    numbers = [a.text.partition(":")[2].strip() if a.ok else "" for a in (one, two)]
    if all(numbers) and numbers[1].startswith(numbers[0]):
        probe.found.set("mccid_padding", numbers[1][len(numbers[0]) :])
    probe.found.note("commands of the SIM", {"AT+ICCID": one.code, "AT+MCCID": two.code})


def long_lines(probe: Probe) -> None:
    """The longest command line, by one that changes nothing however long it is."""
    probe.found_line(lambda size: b"AT+MIPSTATE=" + b"0" * (size - 12))


def again(probe: Probe) -> None:
    """The same once more: what is answered differently then is not known."""
    first, probe.found = probe.found, type(probe.found)()
    try:
        for step in (names, clock, tls, sockets, commands):
            step(probe)
    finally:
        second, probe.found = probe.found, first
    for name in second.fields():
        if first.get(name, ...) not in (..., second.get(name)):
            first.forget(name, "answered differently when asked again")
