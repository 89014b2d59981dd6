# SPDX-License-Identifier: MIT
"""What a probe ought to find out of a simulated module: from the module, never from the probe."""

from __future__ import annotations

from dataclasses import fields

from onemo_simulator import mipcfg
from onemo_simulator.profile import Profile
from onemo_simulator.quirks import Quirks
from onemo_tools.probe.findings import ASKED

# What no probe asks; the rest of the profile is asked.
NEVER = {
    "later_submodels",
    "volatile",
    "factory_baud",
    "factory_sleepmode",
    "udp_packets",
    "close_drops_unsent",
}
_FOLDED = ("cgmm", "revision_prefix", "cclk", "cgact_off", "window", "store_memory")
# Seconds that a time may be off.
TOLERANCE = {"quirks.data_timeout": 0.2, "quirks.series_timeout": 1.0}


def truth(module):
    """Every field as the module has it: its profile's, with the quirks that replace them."""
    profile, quirks = module.profile, module.quirks
    true = {field.name: getattr(profile, field.name) for field in fields(Profile)}
    for name in _FOLDED:
        value = getattr(quirks, name)
        if value is not None:
            true[name] = value
    true["submodels"] = (module.submodel,)
    true["data_mode"] = module.data_mode
    true["line"] = module.max_line
    true["tls_links"] = min(profile.tls_links, profile.conn_ids)
    true["absent_commands"] = set(profile.absent_commands) | set(quirks.absent_commands)
    have = mipcfg.options(module)
    true["mipcfg_options"] = tuple(name for name in have if name != "ssl")
    true["mipcfg_ssl"] = "ssl" in have
    if quirks.transparent_guard is not None:
        true["escape_guard"] = quirks.transparent_guard
    for name in Quirks.names():
        if f"quirks.{name}" in ASKED:
            true[f"quirks.{name}"] = getattr(quirks, name)
    if len(profile.encodings) == 1:  # then none can be told that is ignored
        true["quirks.ignored_options"] = quirks.ignored_options - {"encoding"}
    if quirks.sleepmode == "factory":
        true["quirks.sleepmode"] = profile.factory_sleepmode
    if quirks.baud == "factory":
        true["quirks.baud"] = profile.factory_baud
    return true


def unknowable(module):
    """Fields that cannot be asked of this module, all being allowed: they have to be null."""
    profile, quirks = module.profile, module.quirks
    have = mipcfg.options(module)
    none = set(NEVER)

    def no(condition, *names):
        if condition:
            none.update(names)

    no(profile.series == module.submodel, "cgmm")
    no("cid" not in have, "cids")
    no("rcvbuf" not in have, "window")
    no("timeout" not in have, "max_timeout")
    no(not profile.transparent, "escape_guard")
    no(profile.nb, "send_prompt_limit")
    no(profile.power_saving == "none", "quirks.sleepmode")
    no(quirks.series_timeout is None, "quirks.series_timeout")
    no(not profile.suite_prefix, "quirks.plain_suite_zero")
    no(not profile.psk, "quirks.check_psk", "quirks.rm_psk", "quirks.psk_repeat")
    no(
        not module.data_mode,
        *("quirks.prompt", "quirks.data_timeout", "quirks.data_timeout_answer"),
        *("quirks.abort_leaves_series", "quirks.series_timeout"),
    )
    no(
        "ssl" not in have,
        *("tls_links", "quirks.no_ca_code", "quirks.bad_pem_code", "quirks.handshake_limit"),
        *("quirks.host_sent", "quirks.host_checked", "quirks.session_resumes"),
    )
    no(profile.nb, "quirks.no_ca_code", "quirks.bad_pem_code", "quirks.handshake_limit")
    no(quirks.pem_check == "write", "quirks.bad_pem_code")
    no(
        quirks.data_timeout == 0,
        *("quirks.data_timeout_answer", "quirks.abort_leaves_series", "quirks.series_timeout"),
    )
    no(quirks.data_timeout_answer == "silent", "quirks.data_timeout")
    no(not quirks.abort_leaves_series, "quirks.series_timeout")
    no(
        quirks.open_urc == "never",
        *("quirks.no_ca_code", "quirks.bad_pem_code", "quirks.handshake_limit"),
    )
    gone = quirks.absent_options
    no("version" in gone, "versions")
    no("encoding" in gone, "encodings")
    no("ciphersuite" in gone, "suite_prefix")
    no("negotime" in gone | quirks.ignored_options, "quirks.handshake_limit")
    no("cert" in quirks.ignored_options, "quirks.cert_omitted")
    no(
        "ssl" in quirks.ignored_mipcfg or {"auth", "cert"} & quirks.ignored_options,
        *("tls_links", "quirks.no_ca_code", "quirks.bad_pem_code", "quirks.handshake_limit"),
        *("quirks.host_sent", "quirks.host_checked", "quirks.session_resumes"),
    )
    no(not quirks.sim, "mccid_padding")
    no(quirks.date != "unset", "quirks.ntp_syncs")
    no(quirks.date == "unset" and not quirks.ntp_syncs, "cclk")
    no(
        not module.modem.active,
        *("tls_links", "one_packet_reads", "escape_guard", "only_cid_stays", "cgact_off"),
        *("quirks.bad_pem_code", "quirks.open_urc", "quirks.open_refusal", "quirks.no_ca_code"),
        *("quirks.handshake_limit", "quirks.send_line", "quirks.host_sent", "quirks.host_checked"),
        *("quirks.session_resumes", "quirks.disconnect_keeps", "quirks.call_active"),
    )
    no(
        not profile.tls,
        *("ssl_ids", "encodings", "digests", "ciphers", "versions", "suite_prefix"),
        *("store_memory", "quirks.mssl_test", "quirks.unknown_option", "quirks.absent_options"),
        *("quirks.unlisted_options", "quirks.ignored_options", "quirks.unset_cert"),
        *("quirks.cert_omitted", "quirks.check_comma", "quirks.missing_code"),
        *("quirks.keep_contexts", "quirks.same_name", "quirks.cross_type", "quirks.pem_check"),
        *("quirks.newline_storage", "quirks.inline_length", "quirks.list_quotes"),
        *("quirks.certrd_blank", "quirks.key_read_code", "quirks.quoted_lf", "quirks.prompt"),
        *("quirks.data_timeout", "quirks.data_timeout_answer", "quirks.series_timeout"),
        "quirks.abort_leaves_series",
    )
    return none


def differences(module, found, also_unknown=()):
    """Where what was found is not what is simulated: (field, found, simulated)."""
    data = found.as_dict()
    values = {name: data[name] for name in truth(module) if "." not in name}
    values |= {f"quirks.{name}": value for name, value in data["quirks"].items()}
    nulls = unknowable(module) | set(also_unknown)
    wrong = []
    for name, true in truth(module).items():
        value = values[name]
        is_null = value is None or (value == "error" and name == "quirks.data_timeout_answer")
        if name in nulls:
            if values[name] is not None or not data["unknown"].get(name):
                wrong.append((name, value, "null, and a reason"))
        elif is_null and true is None and name == "quirks.data_timeout_answer":
            continue
        elif not _same(name, value, true):
            wrong.append((name, value, true))
    wrong += [
        (name, "listed", "known") for name in data["unknown"] if values.get(name) is not None
    ]
    return wrong


def _same(name, value, true):
    if value is None:
        return False
    if name in TOLERANCE:
        return abs(value - true) <= TOLERANCE[name]
    if isinstance(true, (set, frozenset)):
        return len(value) == len(set(value)) and set(value) == set(true)
    if isinstance(true, tuple):
        return tuple(value) == true
    if isinstance(true, bytes):
        return value.encode("latin-1") == true
    return (value == true and type(value) is type(true)) or (
        value == true and name == "escape_guard"
    )
