# SPDX-License-Identifier: MIT
"""What was found: fields of the simulated module's `Profile` and `Quirks`, and why others are not
known."""

from __future__ import annotations

import re
from dataclasses import MISSING, fields
from typing import Any

from onemo_simulator import Quirks
from onemo_simulator.profile import Profile
from onemo_simulator.profile_file import NONE_WORDS, quirks_to_dict

PROFILE_FIELDS = tuple(field.name for field in fields(Profile))

# Quirks that are a profile's field with another value: there they are written.
FOLDED = {
    "data_mode": "data_mode",
    "mipcfg_ssl": "mipcfg_ssl",
    "cgmm": "cgmm",
    "revision_prefix": "revision_prefix",
    "cclk": "cclk",
    "cgact_off": "cgact_off",
    "window": "window",
    "store_memory": "store_memory",
    "max_line": "line",
    "close_drops_unsent": "close_drops_unsent",
    "absent_commands": "absent_commands",
    "absent_mipcfg": "mipcfg_options",
    "transparent_guard": "escape_guard",
}

# What the probe asks; the reason where nothing more exact is known.
_WRITES = "needs writing: not with --read-only"
_CONNECTS = "needs --server"
_REBOOTS = "needs a reboot of the module: not with --read-only or --no-reboot"
_PSK = "needs --psk"
ASKED: dict[str, str] = {
    "quirks.echo": _REBOOTS,
    "quirks.compact_lists": "no answer of several lines",
    "quirks.junk_line": "",
    "quirks.busy_input": "",
    "quirks.quoted_lf": _WRITES,
    "quirks.need_quotes": "",
    "quirks.baud": "AT+IPR? says nothing",
    "quirks.verbose": "",
    "quirks.cmee": _REBOOTS,
    "quirks.prompt": _WRITES,
    "quirks.data_timeout": _WRITES,
    "quirks.data_timeout_answer": _WRITES,
    "quirks.same_name": _WRITES,
    "quirks.cross_type": _WRITES,
    "quirks.abort_leaves_series": _WRITES,
    "quirks.series_timeout": _WRITES,
    "quirks.pem_check": _WRITES,
    "quirks.bad_pem_code": _CONNECTS,
    "quirks.newline_storage": _WRITES,
    "quirks.inline_length": _WRITES,
    "quirks.list_quotes": _WRITES,
    "quirks.certrd_blank": _WRITES,
    "quirks.key_read_code": _WRITES,
    "quirks.missing_code": "",
    "quirks.check_psk": _PSK,
    "quirks.rm_psk": _PSK,
    "quirks.psk_repeat": _PSK,
    "quirks.unset_cert": "every ssl_id has certificates bound",
    "quirks.cert_omitted": _WRITES,
    "quirks.unknown_option": "",
    "quirks.ignored_options": _WRITES,
    "quirks.absent_options": "",
    "quirks.unlisted_options": "",
    "quirks.mssl_test": "",
    "quirks.plain_suite_zero": _WRITES,
    "quirks.check_comma": "",
    "quirks.unsupported_code": "",
    "quirks.keep_contexts": _REBOOTS,
    "quirks.ignored_mipcfg": _WRITES,
    "quirks.open_urc": _CONNECTS,
    "quirks.open_refusal": _CONNECTS,
    "quirks.no_ca_code": _CONNECTS,
    "quirks.handshake_limit": _CONNECTS,
    "quirks.send_line": _CONNECTS,
    "quirks.session_resumes": _CONNECTS,
    "quirks.host_sent": _CONNECTS,
    "quirks.host_checked": _CONNECTS,
    "quirks.disconnect_keeps": _CONNECTS,
    "quirks.close_free": _WRITES,
    "quirks.ati": "",
    "quirks.model_suffix": "AT+CGMM says no name",
    "quirks.model_prefix": "AT+CGMM says no name",
    "quirks.revision": "AT+CGMR says no revision",
    "quirks.matready": _REBOOTS,
    "quirks.matready_waits": _REBOOTS,
    "quirks.call_active": _REBOOTS,
    "quirks.call_space": "",
    "quirks.zone": "the module's clock is not set",
    "quirks.sleepmode": "",
    "quirks.ntp_syncs": _CONNECTS,
    "cgmm": "series and sub-model have the same name, or AT+CGMM says none",
    "mccid_padding": "needs a SIM that AT+ICCID and AT+MCCID both tell of",
    "encodings": "MSSLCFG=? has no range, and nothing was written",
    "versions": "MSSLCFG=? has no range, or the option is ignored",
    "suite_prefix": _WRITES,
    "store_memory": _REBOOTS,
    "data_mode": _WRITES,
    "tls_links": _CONNECTS,
    "mipcfg_settable": _WRITES,
    "cids": "MIPCFG has no cid",
    "window": "MIPCFG has no rcvbuf",
    "max_timeout": "MIPCFG has no timeout",
    "one_packet_reads": _CONNECTS,
    "close_modes": _WRITES,
    "escape_guard": _CONNECTS,
    "only_cid_stays": _REBOOTS,
    "cgact_off": _REBOOTS,
    "cclk": "the module's clock is not set",
    "line": "no answer tells a long line from one that is too long",
    "send_prompt_limit": "the model has no `>`",
    "power_saving": "",
}
# What no probe can ask, or should not.
_NEVER: dict[str, str] = {
    "later_submodels": "a module knows itself only",
    "volatile": "deep sleep is not tried",
    "factory_baud": "a module in use tells its present speed only",
    "factory_sleepmode": "a module in use tells its present setting only",
    "udp_packets": "datagrams are not tried",
    "close_drops_unsent": "it cannot be told from the network's own losses",
}
NEVER_QUIRKS: dict[str, tuple[str, ...]] = {
    "a time that is not measured": (
        *("answer_delay", "prompt_delay", "store_delay", "boot_delay", "send_delay", "open_delay"),
        *("close_delay", "stack_delay", "register_delay", "sim_delay", "wake_time"),
        *("boot_chatter_time", "sleep_after"),
    ),
    "the store is not filled up: others use it": (
        *("store_capacity", "store_objects", "store_full_code"),
    ),
    "identifies the module, its SIM or its network": (
        *("imei", "iccid", "imsi", "ipv6", "factory_apn", "apn", "other_apn", "operator"),
    ),
    "a state of SIM, network or supply": (
        *("sim", "sim_late", "pin", "puk", "rssi", "rsrp", "rsrq", "sinr", "supply_mv"),
        *("temperature", "registration", "cfun", "attached", "auto_dial", "dial_failures"),
        *("date", "ntp", "off", "wedged", "wedge_code"),
    ),
    "needs the module's pins, or sleep": (
        *("starts_by_itself", "power_key_on", "power_key_off", "reset_pulse", "wake_lost"),
        *("sleep_lost", "wake_by", "wake_junk"),
    ),
    "a change of speed is not tried": ("ipr_lost",),
}
_RARE = "cannot be brought about from outside"


def reason(name: str) -> str:
    """Why a field is not known, if nothing more exact has been said."""
    known = ASKED.get(name) or _NEVER.get(name)
    if known:
        return known
    for why, names in NEVER_QUIRKS.items():
        if name.removeprefix("quirks.") in names:
            return why
    return "not asked" if name in ASKED else _RARE


_NUMBER = re.compile(r"(?<![0-9A-Fa-fx])(?:[0-9]{10,}[0-9A-Fa-f]*)")
_ADDRESS = re.compile(r"\b\d{1,3}(?:\.\d{1,3}){3}\b|\b(?:[0-9A-Fa-f]{0,4}:){3,}[0-9A-Fa-f]{0,4}\b")
_LETTERS = re.compile(r"\b(?=[0-9A-Za-z]*\d{6})[0-9A-Za-z]{15,}\b")


def anonymous(text: str) -> str:
    """A module's answer without what could name it: long numbers, addresses, serials."""
    text = _ADDRESS.sub("<address>", text)
    return _LETTERS.sub("<number>", _NUMBER.sub("<number>", text))


def _anonymous(value: Any) -> Any:
    if isinstance(value, str):
        return anonymous(value)
    if isinstance(value, dict):
        return {key: _anonymous(item) for key, item in value.items()}
    return [_anonymous(item) for item in value] if isinstance(value, list) else value


class Findings:
    """Grows while the probe asks."""

    def __init__(self) -> None:
        self.profile: dict[str, Any] = {}
        self.quirks: dict[str, Any] = {}
        self.why: dict[str, str] = {}
        self.observed: dict[str, Any] = {}

    def set(self, name: str, value: Any) -> None:
        """A field of `Profile`, or of `Quirks` as "quirks.name"."""
        where, _, field = name.rpartition(".")
        if value is None and field not in NONE_WORDS:
            self.missing(name, "answered as no simulated module does")
            return
        if where:
            self.quirks[field] = value
        else:
            if name not in PROFILE_FIELDS:
                raise KeyError(name)
            self.profile[name] = value
        self.why.pop(name, None)

    def missing(self, name: str, why: str) -> None:
        """Asked, but not to be found out; a value that is known stays."""
        where, _, field = name.rpartition(".")
        if field not in (self.quirks if where else self.profile):
            self.why[name] = why

    def get(self, name: str, default: Any = None) -> Any:
        where, _, field = name.rpartition(".")
        return (self.quirks if where else self.profile).get(field, default)

    def forget(self, name: str, why: str) -> None:
        """It was known, and is not any more."""
        where, _, field = name.rpartition(".")
        (self.quirks if where else self.profile).pop(field, None)
        self.why[name] = why

    def fields(self) -> list[str]:
        """Names of what is known."""
        return [*self.profile, *(f"quirks.{name}" for name in self.quirks)]

    def note(self, name: str, value: Any) -> None:
        """Something that the module did and no field holds."""
        self.observed[name] = value

    def as_dict(self) -> dict[str, Any]:
        """The profile's JSON: every field, null where it is not known, and why."""
        found: dict[str, Any] = {}
        unknown: dict[str, str] = {}
        for name in PROFILE_FIELDS:
            value = self.profile.get(name)
            found[name] = list(value) if isinstance(value, tuple) else value
            if value is None:
                unknown[name] = self.why.get(name) or reason(name)
        quirks = quirks_to_dict(self.quirks)
        for field in fields(Quirks):
            name = f"quirks.{field.name}"
            if field.name in FOLDED or field.name in quirks:
                continue
            if name in ASKED:
                quirks[field.name] = None
            unknown[name] = self.why.get(name) or reason(name)
        order = [field.name for field in fields(Quirks)]
        found["quirks"] = dict(sorted(quirks.items(), key=lambda item: order.index(item[0])))
        found["unknown"] = unknown
        found["observed"] = _anonymous(self.observed)
        for needed in fields(Profile):
            if needed.default is MISSING and not found[needed.name]:
                found[needed.name] = ["unknown"] if needed.name == "submodels" else "unknown"
        return found
