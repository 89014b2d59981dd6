# SPDX-License-Identifier: MIT
"""Everything that real modules do differently from one another, or that the manual leaves open.

Each field is a keyword of `Module(...)`. Times are seconds of the module's clock.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from functools import cache
from typing import Literal, get_args, get_origin, get_type_hints


@dataclass(slots=True)
class Quirks:
    """Defaults: a well-behaved ML307R as the manual and most field logs show it."""

    # --- the line -----------------------------------------------------------------------------
    echo: bool = True  # command echo after power-up
    answer_delay: float = 0.001  # from CR to the answer
    compact_lists: bool = False  # CR LF only once between information lines
    junk_line: Literal["error", "silent", "hunt"] = "error"  # a line that does not begin with AT
    busy_input: Literal["queue", "drop"] = "queue"  # bytes that come while a command runs
    max_line: int | None = None  # longest command line; None: the profile's
    quoted_lf: Literal["keep", "drop"] = "keep"  # LF inside a string; elsewhere it is dropped
    need_quotes: bool = True  # string parameters without quotes are refused (50)
    urc_during: Literal["idle", "command", "always"] = "command"
    # idle: URCs wait for the final result; command: may come before the answer, but not in the
    # data phase; always: between `>` and the final result as well
    ipr_lost: int = 0  # commands lost after a change of speed
    baud: int | Literal["factory"] = 115200  # factory: as delivered; 0 follows the host
    verbose: bool = True  # False: ATV0 left over, until ATV1 or a reboot
    cmee: int = 0  # AT+CMEE after power-up
    refuse_once: tuple[tuple[bytes, bytes], ...] = ()  # (command's beginning, final result)
    boot_chatter: tuple[bytes, ...] = ()  # by turns in front of each answer after power-up
    boot_chatter_time: float = 10.0  # for so long
    # --- the data phase -----------------------------------------------------------------------
    prompt: bytes = b"\r\n>"  # also b"\r\n> " and b"\r\n>\r\n"
    prompt_delay: float = 0.005
    data_timeout: float = 10.0  # for a packet of MSSLCERTWR/MSSLKEYWR; 0: waits for ever
    data_timeout_answer: int | Literal["silent"] | None = None  # CME code; None: plain ERROR
    data_mode: bool | None = None  # the `>` mode; None: as the profile has it
    # --- the store ----------------------------------------------------------------------------
    store_delay: float = 0.02  # flash write before the OK
    store_capacity: int = 128 * 1024  # bytes of all objects
    store_objects: int = 200
    store_full_code: int = 764
    same_name: Literal["replace", "763"] = "replace"
    cross_type: Literal["separate", "763"] = "separate"  # a key named as a certificate is
    abort_leaves_series: bool = True  # a timed-out packet leaves the object open (765 for others)
    series_timeout: float | None = None  # an open series ends by itself after this
    pem_check: Literal["load", "write"] = "load"  # when bad PEM is noticed
    bad_pem_code: int = 769  # when it is noticed at load
    newline_storage: Literal["crlf", "lf"] = "crlf"  # what an escaped \r\n is stored as
    inline_length: Literal["typed", "decoded"] = "typed"  # what <length> is compared with
    list_quotes: bool = True
    certrd_blank: int = 0  # extra CR LF pairs before the OK of MSSLCERTRD (0..4)
    key_read_code: int = 766
    missing_code: int = 762  # MSSLCERTRD, MSSLCHECK, MSSLRM of a name that is not there
    check_psk: bool = True  # MSSLCHECK answers for a PSK id
    rm_psk: bool = True  # MSSLRM takes a PSK id
    psk_repeat: Literal["replace", "763"] = "replace"
    # --- the contexts -------------------------------------------------------------------------
    unset_cert: Literal["NULL", "empty"] = "NULL"
    cert_omitted: Literal["keep", "clear"] = "keep"  # names left out of MSSLCFG="cert"
    unknown_option: Literal["50", "ok"] = "50"  # unknown MSSLCFG keyword
    ignored_options: frozenset[str] = frozenset()  # known ones whose setting is ignored with OK
    absent_options: frozenset[str] = frozenset()  # MSSLCFG keywords that the firmware lacks
    unlisted_options: frozenset[str] = frozenset()  # are there, but not in MSSLCFG=? (ML307C)
    mssl_test: Literal["lines", "list"] = "lines"  # MSSLCFG=?: seen on ML307R, or the manual's
    plain_suite_zero: bool = False  # "ciphersuite" takes 0 without 0x on ML307X and ML307Y
    check_comma: bool = True  # the leading comma of MSSLCHECK=? (manual 3.8)
    unsupported_code: Literal["50", "4", "error"] = "50"  # for an option that is not there
    absent_commands: frozenset[str] = frozenset()  # answered as if unknown: ERROR ("IFC", "&F")
    keep_contexts: bool = False  # MSSLCFG survives a reboot
    # --- sockets ------------------------------------------------------------------------------
    mipcfg_ssl: bool | None = None  # MIPCFG "ssl" accepted; None: as the profile has it
    ignored_mipcfg: frozenset[str] = frozenset()  # MIPCFG options whose setting is ignored
    absent_mipcfg: frozenset[str] = frozenset()  # MIPCFG options that the firmware lacks
    open_urc: Literal["after", "before", "never"] = "after"  # +MIPOPEN and its OK
    open_delay: float = 0.0  # result held back this long after the network has it
    open_result: int | None = None  # instead of opening, report this code
    open_refusal: Literal["cme", "urc"] = "cme"  # how 552 and 570 come
    wedged: Literal["pdp", "cfun", "reboot", "reset", "power"] | None = None
    # every MIPOPEN ends with wedge_code until this (or what is stronger) was done
    wedge_code: int = 558
    early_open_753: bool = False  # the first TLS open within 300 ms of PDP up fails
    no_ca_code: int = 762  # auth 1 and no CA bound (753 was seen as well)
    handshake_limit: Literal["both", "negotime", "timeout"] = "both"
    send_line: Literal["before", "after", "absent"] = "before"  # +MIPSEND and its OK
    send_delay: float = 0.002
    partial_send: int | None = None  # accept at most so many bytes of a MIPSEND
    stack_delay: float = 0.0  # accepted bytes are on the network so much later
    close_drops_unsent: bool | None = None  # MIPCLOSE drops them; None: the profile's (ML307H)
    host_sent: Literal["option", "always"] = "option"  # SNI: with "sni" 1, or unasked
    host_checked: bool = False  # its certificate must have the name of the server
    session_resumes: bool = False  # with "session" 1 TLS sessions are resumed, unverified
    transparent_guard: float | None = None  # s of silence round +++; None: the profile's
    close_delay: float = 0.01
    close_free: Literal["551", "error", "ok"] = "551"  # MIPCLOSE of a free id
    disconnect_keeps: bool = False  # autofree 0 keeps unread data readable
    window: int | None = None  # receive window; None: the profile's
    # --- bring-up -----------------------------------------------------------------------------
    cgmm: Literal["series", "submodel"] | None = None  # what CGMM names; None: the profile's
    ati: Literal["three", "revision", "labelled"] = "three"  # lines of ATI
    model_suffix: str = ""  # appended to what CGMM answers
    model_prefix: str = ""
    revision: str = "MBRH0S01"
    revision_prefix: str | None = None  # before CGMR's answer; None: the profile's
    imei: str = "861234050012345"
    iccid: str = "898604A0192270012345"
    imsi: str = "460040123456789"
    sim: bool = True
    sim_delay: float = 0.0  # from +MATREADY (or the start) until the SIM is ready
    sim_late: Literal["not-ready", "10", "13", "14"] = "not-ready"  # until then: text or CME code
    pin: str = ""  # that the SIM asks for
    puk: str = "12345678"  # that it asks for after three wrong PINs
    rssi: int = 24  # CSQ's
    rsrp: int = -95  # dBm
    rsrq: int = -10  # dB
    sinr: int = 15  # dB
    operator: str = "CHINA MOBILE"
    supply_mv: int = 3800  # MDEVSTATUS of ML307X
    temperature: int = 31
    off: bool = False  # needs power_cycle() first
    boot_delay: float = 2.5  # from power or reset to +MATREADY
    matready: bool = True  # printed at all
    matready_waits: bool = False  # until the host has sent something (seen with auto-baud)
    starts_by_itself: bool = True  # when powered; False: needs the power key
    power_key_on: float = 2.0  # low for so long switches on
    power_key_off: float = 3.5  # and off
    reset_pulse: float = 0.1  # RESET low for so long
    register_delay: float = 1.0  # from +MATREADY to registered
    registration: int = 1  # CEREG stat once registered: 1 home, 5 roaming, 3 denied
    cfun: int = 1  # AT+CFUN left over at the start
    attached: bool = True  # CGATT at the start
    auto_dial: bool = True  # the PDP context comes up by itself
    factory_apn: str = "cmnet"  # of context 1, with which it does
    apn: str | None = None  # the only one that leads anywhere; None: any
    other_apn: Literal["unreachable", "refused"] = "unreachable"  # opens 558, or dialling 571
    credentials: tuple[str, str, str] | None = None  # ("pap" or "chap", user, password) of the APN
    credentials_shown: bool = True  # CGAUTH? gives the password as well
    dial_failures: int = 0  # so many dialled contexts fail with 571 after power-up
    cgact_off: Literal["ok", "undone", "error"] | None = None  # CGACT=0; None: the profile's
    ipv6: str = ""  # second address in MIPCALL's lines
    call_active: Literal["ok", "50"] = "ok"  # MIPCALL when it is up already
    call_space: bool = True  # the space after "+MIPCALL:"
    date: datetime | Literal["unset"] | None = None  # None: this machine's; unset: 2070-01-01
    cclk: Literal["local", "utc-fields", "utc"] | None = None  # CCLK; None: the profile's
    zone: int = 32  # quarters of an hour
    ntp: bool = True  # MNTP succeeds
    ntp_syncs: bool = True  # and sets the module's clock
    wake_lost: int = 0  # bytes lost after deep sleep
    store_memory: Literal["flash", "ram", "noinit"] | None = None  # None: the profile's
    # ram: certificates are lost at reboot and power-off; noinit: at power-off only
    sleepmode: int | Literal["factory"] = 0  # MLPMCFG "sleepmode"; factory: as delivered
    sleep_after: float | None = None  # s of silence until it sleeps if sleepmode is not 0
    sleep_lost: int = 1  # bytes that wake the UART and are lost
    wake_by: Literal["uart", "dtr"] = "uart"  # dtr: only that pin, low, wakes it
    wake_time: float = 0.1  # s from DTR low until it hears
    wake_junk: bytes = b""  # sent when it wakes (0xE0 was seen)

    def __post_init__(self) -> None:
        for name, (known, alone) in _choices().items():
            value = getattr(self, name)
            if value not in known and (alone or isinstance(value, str)):
                raise ValueError(f"{name} is one of {', '.join(known)}, not {value!r}")

    @classmethod
    def names(cls) -> list[str]:
        """Every option's name."""
        return [f.name for f in fields(cls)]


@cache
def _choices() -> dict[str, tuple[tuple[str, ...], bool]]:
    """The words of each option that takes words, and whether it takes nothing else."""
    found = {}
    for name, hint in get_type_hints(Quirks).items():
        alone = get_origin(hint) is Literal
        parts = [hint] if alone else get_args(hint)
        words = [w for part in parts if get_origin(part) is Literal for w in get_args(part)]
        if words:
            found[name] = (tuple(words), alone)
    return found
