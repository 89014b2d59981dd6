# SPDX-License-Identifier: MIT
"""What one series can and cannot do: the facts that differ from series to series."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

_MIPCFG = ("encoding", "autofree", "sndbuf", "rcvbuf", "cid", "timeout", "ackmode")


@dataclass(frozen=True, slots=True)
class Profile:
    """One series. The defaults are those of most 4G series."""

    series: str
    submodels: tuple[str, ...]
    later_submodels: tuple[str, ...] = ()  # named by manuals after V5.3.0, or by the market only
    nb: bool = False  # NB-IoT family: clock unquoted, failed open is 1, extra MIPSEND fields
    # --- identity -----------------------------------------------------------------------------
    cgmm: Literal["series", "submodel"] = "submodel"  # what AT+CGMM and ATI's second line say
    revision_prefix: str = ""  # before the firmware revision in CGMR
    mccid_padding: str = ""  # behind the number in MCCID (ML307X: "F")
    creg: bool = False  # AT+CREG is there (ML307X); elsewhere a plain ERROR
    absent_commands: tuple[str, ...] = ()  # of those that most series have; "&F", "Z" are two
    cmee_levels: tuple[int, ...] = (0, 1, 2)
    # --- certificates and TLS -----------------------------------------------------------------
    tls: bool = True  # False: no MSSL command at all, no "ssl" in MIPCFG
    ssl_ids: int = 6  # ssl_id 0..5, NB 0..4 (manual note 2)
    data_mode: bool = True  # the `>` prompt (manual 3.2 note)
    encodings: tuple[int, ...] = (2,)  # manual note 4
    digests: tuple[int, ...] = (0,)  # MSSLCHECK algorithms: 0 MD5, 1 SHA1, 2 SHA256, 3 CRC
    psk: bool = False  # MSSLPSK and MSSLCFG "psk" (notes 3, 3.7)
    ciphers: bool = True  # MSSLCIPHER=? (3.9)
    versions: tuple[int, ...] = (0, 1, 2, 3, 255)  # of MSSLCFG "version" (V5.4.5 note 7)
    suite_prefix: bool = False  # "ciphersuite" must be written with 0x (V5.4.5 note 8)
    sni: bool = False  # MSSLCFG has "sni" (V5.4.5 note 1)
    store_memory: Literal["flash", "ram"] = "flash"
    volatile: bool = False  # deep sleep loses certificates and settings (3.1 note)
    tls_links: int = 6  # TLS connections at the same time
    # --- sockets ------------------------------------------------------------------------------
    conn_ids: int = 6
    mipcfg_options: tuple[str, ...] = _MIPCFG
    mipcfg_settable: tuple[str, ...] = ()  # of "sndbuf" and "rcvbuf", which most only report
    mipcfg_ssl: bool = True  # whether MIPCFG has the "ssl" option
    cids: int = 15  # highest PDP context that MIPCFG "cid" takes
    send_prompt_limit: int = 8192  # bytes per MIPSEND with `>`
    escaped_send: bool = True  # MIPCFG "encoding" takes 2 for sending
    read_max: int = 4096  # bytes per MIPRD
    one_packet_reads: bool = False  # a MIPRD gives no more than one packet's bytes
    udp_packets: int = 256  # datagrams that the module keeps for the host
    close_modes: int = 0  # highest <mode> of MIPCLOSE; 0: there is none
    close_drops_unsent: bool = False  # MIPCLOSE drops what it has not sent, instead of sending it
    transparent: bool = True  # access mode 1 and MIPMODE
    escape_guard: float = 0.0  # s of silence round `+++`
    window: int = 64240  # TCP receive window, bytes
    max_timeout: int = 120  # MIPCFG "timeout", s
    # --- bring-up, line and power -------------------------------------------------------------
    call_cids: tuple[int, int] = (1, 15)  # of MIPCALL
    only_cid_stays: bool = False  # MIPCALL cannot end the only context
    cgact_off: Literal["ok", "undone", "error"] = "ok"  # what becomes of AT+CGACT=0
    cclk: Literal["local", "utc-fields", "utc"] = "local"
    # CCLK; utc-fields: UTC that still says +32; utc: with +00
    line: int = 4096  # longest command line; not published, so roomy
    factory_baud: int = 115200  # speed at delivery; 0: follows the host up to 115200
    power_saving: Literal["full", "mode", "dtr", "permanent", "none"] = "full"  # MLPMCFG's kind
    factory_sleepmode: int = 0  # "sleepmode" at delivery
