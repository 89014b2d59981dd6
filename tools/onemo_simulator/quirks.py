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
    baud: int = 115200
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
    check_psk: bool = True  # MSSLCHECK answers for a PSK id
    rm_psk: bool = True  # MSSLRM takes a PSK id
    psk_repeat: Literal["replace", "763"] = "replace"
    # --- the contexts -------------------------------------------------------------------------
    unset_cert: Literal["NULL", "empty"] = "NULL"
    cert_omitted: Literal["keep", "clear"] = "keep"  # names left out of MSSLCFG="cert"
    unknown_option: Literal["50", "ok"] = "50"  # unknown MSSLCFG keyword
    ignored_options: frozenset[str] = frozenset()  # known ones whose setting is ignored with OK
    keep_contexts: bool = False  # MSSLCFG survives a reboot
    # --- sockets ------------------------------------------------------------------------------
    mipcfg_ssl: bool | None = None  # MIPCFG "ssl" accepted; None: as the profile has it
    ignored_mipcfg: frozenset[str] = frozenset()  # MIPCFG options whose setting is ignored
    open_urc: Literal["after", "before", "never"] = "after"  # +MIPOPEN and its OK
    open_delay: float = 0.0  # result held back this long after the network has it
    open_result: int | None = None  # instead of opening, report this code
    open_refusal: Literal["cme", "urc"] = "cme"  # how 552 and 570 come
    early_open_753: bool = False  # the first TLS open within 300 ms of PDP up fails
    no_ca_code: int = 762  # auth 1 and no CA bound (753 was seen as well)
    handshake_limit: Literal["both", "negotime", "timeout"] = "both"
    send_line: Literal["before", "after", "absent"] = "before"  # +MIPSEND and its OK
    send_delay: float = 0.002
    partial_send: int | None = None  # accept at most so many bytes of a MIPSEND
    close_delay: float = 0.01
    close_free: Literal["551", "error", "ok"] = "551"  # MIPCLOSE of a free id
    disconnect_keeps: bool = False  # autofree 0 keeps unread data readable
    window: int | None = None  # receive window; None: the profile's
    # --- bring-up -----------------------------------------------------------------------------
    model_suffix: str = ""  # appended to what CGMM answers
    model_prefix: str = ""
    revision: str = "MBRH0S01"
    sim: bool = True
    off: bool = False  # needs power_cycle() first
    boot_delay: float = 2.5  # from power or reset to +MATREADY
    matready: bool = True  # printed at all
    register_delay: float = 1.0  # from +MATREADY to registered
    registration: int = 1  # CEREG stat once registered: 1 home, 5 roaming, 3 denied
    auto_dial: bool = True  # the PDP context comes up by itself
    call_active: Literal["ok", "50"] = "ok"  # MIPCALL when it is up already
    call_space: bool = True  # the space after "+MIPCALL:"
    date: datetime | Literal["unset"] | None = None  # None: this machine's; unset: 2070-01-01
    ntp: bool = True  # MNTP succeeds
    wake_lost: int = 0  # bytes lost after deep sleep

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
