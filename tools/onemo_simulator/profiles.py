# SPDX-License-Identifier: MIT
"""The series: the twelve (23 sub-models) of the SSL manual V5.3.0, and those sold since."""

from __future__ import annotations

from dataclasses import replace

from .profile import Profile

__all__ = ["NEWER", "PROFILES", "SERIES", "Profile", "find"]

_NB_MIPCFG = ("encoding", "autofree", "sndbuf", "rcvbuf")


def _4g(series: str, *suffixes: str, **facts: object) -> Profile:
    return replace(Profile(series, tuple(f"{series}-{s}" for s in suffixes)), **facts)  # type: ignore[arg-type]


def _nb(series: str, *suffixes: str, **facts: object) -> Profile:
    return replace(
        Profile(
            series,
            tuple(f"{series}-{s}" for s in suffixes),
            nb=True,
            ssl_ids=5,
            conn_ids=5,
            data_mode=False,
            psk=True,
            mipcfg_options=_NB_MIPCFG,
            mipcfg_ssl=False,
            transparent=False,
            window=4096,
            line=1560,
        ),
        **facts,  # type: ignore[arg-type]
    )


_AUTO = {"factory_baud": 0}

# The manual's V5.3.0, in its order.
SERIES: tuple[Profile, ...] = (
    _nb("MN316", "DBRS", "DLVS", volatile=True, tls_links=2),
    _nb("MN316-S", "DLVS", encodings=(0, 1, 2), digests=(0, 1, 2, 3)),
    _nb("MN326", "X", volatile=True, tls_links=2),
    _4g("ML302A", "DCLM", "DSLM", "GCLM", "GSLM", **_AUTO),
    _4g("ML302S", "DNLM", ciphers=False, revision_prefix="Revision: "),
    _4g("ML305A", "DC", "DS", "DL", **_AUTO),
    _4g("ML305M", "DSLM", factory_baud=9600, power_saving="mode", factory_sleepmode=2),
    _4g(
        "ML305U",
        "DBLN",
        send_prompt_limit=4096,
        window=63920,
        power_saving="mode",
        factory_sleepmode=2,
    ),
    _4g("ML307A", "DCLN", "DSLN", "GCLN", "GSLN", "DL", **_AUTO),
    _4g("ML307G", "DL", later_submodels=("ML307G-DC",), close_modes=3),
    _4g("ML307R", "DC", "DL", later_submodels=("ML307R-BL", "ML307R-MC", "ML307R-ML"), **_AUTO),
    _4g("ML307S", "DNLM", ciphers=False, revision_prefix="Revision: "),
)

# Sold since: the SSL manual V5.4.5, the TCP/IP manual V5.1.5, and the field. What no source
# states (how many TLS connections ML307C has, for one) is as with ML307R.
_NEWER: dict[str, object] = {"cgmm": "series", "call_cids": (0, 16)}
_NO_SNDBUF = ("encoding", "autofree", "rcvbuf", "cid", "timeout", "ackmode")
_NO_RESET = ("&F", "&F0", "Z", "Z0")


def _platform_x(series: str, *suffixes: str, **facts: object) -> Profile:
    """ML307X and ML307Y: another platform, with TLS 1.1 and 1.2 only."""
    return _4g(
        series,
        *suffixes,
        **{
            **_NEWER,
            "versions": (2, 3, 255),
            "suite_prefix": True,
            "tls_links": 2,
            "window": 65534,
            "max_timeout": 180,
            "escape_guard": 1.0,
            "mipcfg_settable": ("sndbuf",),
            "power_saving": "dtr",
            "factory_sleepmode": 1,
            **facts,
        },
    )


def _without_tls(series: str, *suffixes: str, **facts: object) -> Profile:
    """The newer NB-IoT modules: sockets only (TCP/IP manual, note 1)."""
    return _nb(
        series,
        *suffixes,
        **{
            **_NEWER,
            "tls": False,
            "psk": False,
            "conn_ids": 4,
            "window": 2048,
            "read_max": 1460,
            "one_packet_reads": True,
            "udp_packets": 1,
            "mipcfg_options": ("encoding", "autofree", "rcvbuf"),
            **facts,
        },
    )


NEWER: tuple[Profile, ...] = (
    _4g(
        "ML307C",
        "DL-CN",
        "DC-CN",
        **_NEWER,
        later_submodels=("ML307C-GC-CN", "ML307C-DC-EM", "ML307C-DL-EM"),
        mipcfg_options=_NO_SNDBUF,
        cgact_off="undone",
        cclk="utc-fields",
        absent_commands=_NO_RESET,
        factory_baud=0,
    ),
    _4g(
        "ML307M",
        "DL",
        "DA",
        "DH",
        **_NEWER,
        mipcfg_options=_NO_SNDBUF,
        udp_packets=128,
        only_cid_stays=True,
        absent_commands=("Z", "Z0", "GSN"),
        factory_baud=9600,
        power_saving="mode",
        factory_sleepmode=2,
    ),
    _4g(
        "ML307N",
        "DC",
        "DL",
        **_NEWER,
        mipcfg_options=_NO_SNDBUF,
        udp_packets=128,
        only_cid_stays=True,
        absent_commands=("Z", "Z0", "GSN"),
        line=2048,
        factory_baud=9600,
        power_saving="mode",
        factory_sleepmode=2,
    ),
    _platform_x(
        "ML307X",
        "DB",
        "DC",
        only_cid_stays=True,
        creg=True,
        mccid_padding="F",
        cmee_levels=(0, 1),
        absent_commands=_NO_RESET,
    ),
    _platform_x("ML307Y", "DL", cgact_off="error"),
    _4g(
        "ML307H",
        "DU",
        **_NEWER,
        store_memory="ram",
        close_drops_unsent=True,
        cids=5,
        window=65535,
        udp_packets=45,
        mipcfg_settable=("sndbuf",),
        cmee_levels=(0, 1),
        absent_commands=_NO_RESET,
    ),
    _4g(
        "ML307H",
        "GU",
        **_NEWER,
        tls=False,
        mipcfg_ssl=False,
        close_drops_unsent=True,
        cids=5,
        window=65535,
        udp_packets=45,
        mipcfg_settable=("sndbuf",),
        cmee_levels=(0, 1),
        absent_commands=_NO_RESET,
    ),
    replace(
        _4g("MR880A", **_NEWER),
        submodels=("MR880A",),
        conn_ids=10,
        versions=(3, 255),
        sni=True,
        escaped_send=False,
        mipcfg_options=("encoding", "autofree", "sndbuf", "rcvbuf", "timeout", "ackmode"),
        mipcfg_settable=("sndbuf", "rcvbuf"),
        window=65535,
        max_timeout=180,
        power_saving="none",
    ),
    _without_tls("MN316A", "D", "DC"),
    _without_tls(
        "MN318",
        "BX",
        "LC",
        "LX",
        conn_ids=6,
        read_max=4096,
        one_packet_reads=False,
        udp_packets=12,
        mipcfg_options=("encoding", "autofree", "cid"),
    ),
    _without_tls("MN319", "DL", power_saving="permanent"),
    _without_tls("MN326A", "DG"),
)

PROFILES: tuple[Profile, ...] = SERIES + NEWER

_BY_NAME: dict[str, tuple[Profile, str]] = {}
for _profile in PROFILES:
    # ML307H has two rows; its bare name is the first.
    _BY_NAME.setdefault(_profile.series, (_profile, _profile.submodels[0]))
    for _submodel in _profile.submodels + _profile.later_submodels:
        _BY_NAME[_submodel] = (_profile, _submodel)


def find(model: str) -> tuple[Profile, str]:
    """The profile and the sub-model of a series ("ML307R") or sub-model ("ML307R-DL") name."""
    try:
        return _BY_NAME[model.upper()]
    except KeyError:
        known = ", ".join(dict.fromkeys(p.series for p in PROFILES))
        raise ValueError(f"no such model: {model!r}; known series: {known}") from None
