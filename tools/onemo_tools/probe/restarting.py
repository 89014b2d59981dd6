# SPDX-License-Identifier: MIT
"""Questions that interrupt everybody: contexts that are ended, and a reboot."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from onemo_simulator.profiles import find

from onemo_tools.probe.talk import NoAnswer

if TYPE_CHECKING:
    from onemo_tools.probe.probe import Probe

CERT = 1
_REBOOT_FIELDS = (
    *("quirks.echo", "quirks.cmee", "quirks.matready", "quirks.matready_waits"),
    *("quirks.keep_contexts", "store_memory"),
)
_BACK_S = 8.0  # until a context that the module keeps is back
_CALL_S = 40.0
_REGISTER_S = 45.0  # until a context is up again by itself
_BOOT_S = 20.0  # for +MATREADY
_MARKS = (("negotime", b"77", b"78"), ("session", b"0", b"1"), ("auth", b"1", b"0"))


def contexts(probe: Probe) -> None:
    """The one PDP context that is up: dialled again, ended twice, dialled again."""
    talk, found = probe.talk, probe.found
    active = _active(probe)
    if len(active) != 1:
        for name in ("quirks.call_active", "only_cid_stays", "cgact_off"):
            found.missing(name, f"{len(active)} PDP contexts are up; it takes exactly one")
        return
    [cid] = active
    probe.touched.pdp.add(cid)
    again = talk.ask(f"AT+MIPCALL=1,{cid}", _CALL_S)
    found.set("quirks.call_active", {"ok": "ok", "50": "50"}.get(again.code))
    ended = talk.ask(f"AT+MIPCALL=0,{cid}", _CALL_S)
    found.set("only_cid_stays", not ended.ok)
    found.note("MIPCALL=0 of the only context", ended.code)
    bring_up(probe, cid)
    try:
        off = talk.ask(f"AT+CGACT=0,{cid}", _CALL_S)
    except NoAnswer:
        found.note("CGACT=0", "no answer")
        found.set("cgact_off", "error")
        return
    found.note("CGACT=0", off.code)
    if not off.ok:
        found.set("cgact_off", "error")
    else:
        found.set("cgact_off", "undone" if _comes_back(probe, cid) else "ok")
        bring_up(probe, cid)


def _active(probe: Probe) -> list[int]:
    """Numbers of the contexts that are up."""
    values = probe.talk.ask("AT+CGACT?").values(b"+CGACT:")
    pairs = [re.findall(rb"\d+", value) for value in values]
    return [int(pair[0]) for pair in pairs if len(pair) == 2 and pair[1] == b"1"]


def _comes_back(probe: Probe, cid: int) -> bool:
    end = probe.talk.port.now() + _BACK_S
    while probe.talk.port.now() < end:
        probe.talk.port.sleep(0.5)
        if cid in _active(probe):
            return True
    return False


def bring_up(probe: Probe, cid: int) -> bool:
    """Dials a context that is down; whether it is up."""
    if cid in _active(probe):
        return True
    probe.talk.ask(f"AT+MIPCALL=1,{cid}", _CALL_S)
    end = probe.talk.port.now() + _BACK_S
    while cid not in _active(probe):
        if probe.talk.port.now() > end:
            return False
        probe.talk.port.sleep(0.5)
    return True


def reboot(probe: Probe) -> None:
    """MREBOOT: what is said, and what is left of settings and objects."""
    talk, found = probe.talk, probe.found
    if probe.others() and not _keeps_objects(found.get("submodels")[0]):
        for name in _REBOOT_FIELDS:
            found.missing(name, "a reboot might lose the certificates and keys of others")
        return
    _keep_all(probe)
    active = _active(probe)
    probe.touched.pdp.update(active)
    stored = bool(found.get("tls")) and probe.put(CERT, "r", probe.pems.ca).ok
    mark = _mark(probe)
    with probe.restart_expected():
        answer = talk.ask("AT+MREBOOT", 10.0)
        if not answer.ok:
            found.note("MREBOOT", answer.code)
            return
        start = talk.port.now()
        got = talk.listen(b"+MATREADY", _BOOT_S)
        found.set("quirks.matready_waits", False)
        if b"+MATREADY" in got:
            found.set("quirks.matready", True)
            found.note("s until +MATREADY", round(talk.port.now() - start, 1))
            talk.drain(0.3, 2.0)
        else:
            _wait_silent(probe)
        talk.sync()
        echo = talk.ask("AT")
        found.set("quirks.echo", echo.echoed)
        level = talk.ask("AT+CMEE?")
        if level.ok and level.lines and level.values()[0].strip().isdigit():
            found.set("quirks.cmee", int(level.values()[0]))
        talk.echo_off()
        talk.ask("AT+CMEE=1")
    if mark is not None:
        option, number, value = mark
        found.set("quirks.keep_contexts", probe.values("MSSLCFG", option, number) == value)
    else:
        found.missing("quirks.keep_contexts", "no option of a free ssl_id could be set")
    if stored:
        kept = probe.name("r") in probe.listed(CERT)
        found.set("store_memory", "flash" if kept else "ram")
    probe.clear("r")
    end = talk.port.now() + _REGISTER_S
    while active and not _active(probe) and talk.port.now() < end:
        talk.port.sleep(1.0)
    for cid in active:
        bring_up(probe, cid)


def _keeps_objects(submodel: str) -> bool:
    """Whether the model is known to keep certificates and keys over a reboot."""
    try:
        return find(submodel)[0].store_memory == "flash"
    except ValueError:
        return False


def _mark(probe: Probe) -> tuple[str, int, bytes] | None:
    """An option of a free ssl_id, with another value than it had: (option, ssl_id, value)."""
    if not probe.free_contexts:
        return None
    number = probe.free_contexts[-1]
    for option, one, other in _MARKS:
        if option not in probe.options:
            continue
        value = other if probe.values("MSSLCFG", option, number) == one else one
        kept = probe.set_option(number, option, value).ok
        if kept and probe.values("MSSLCFG", option, number) == value:
            return option, number, value
    return None


def _wait_silent(probe: Probe) -> None:
    """No +MATREADY by itself: perhaps once something was sent."""
    talk = probe.talk
    got = b""
    end = talk.port.now() + 30.0
    while b"OK" not in got and talk.port.now() < end:
        talk.send(b"AT\r")
        got += talk.listen(b"OK", 1.0)
    got += talk.drain(0.3, 2.0)
    waits = b"+MATREADY" in got
    probe.found.set("quirks.matready", waits)
    probe.found.set("quirks.matready_waits", waits)


def _keep_all(probe: Probe) -> None:
    """Every option of every id, which the reboot may lose, is put back in the end."""
    touched = probe.touched
    for what, options, kept in (
        ("MSSLCFG", probe.options, touched.contexts),
        ("MIPCFG", probe.mipcfg, touched.links),
    ):
        for option in options:
            for number, values in probe.all_values(what, option).items():
                kept.setdefault((number, option), values)
