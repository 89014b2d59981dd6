# SPDX-License-Identifier: MIT
"""The twelve series (23 sub-models): what the manual and field facts say of each."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Profile:
    """What one series can and cannot do. Defaults are those of most 4G series."""

    series: str
    submodels: tuple[str, ...]
    nb: bool = False  # NB-IoT family: clock unquoted, failed open is 1, extra MIPSEND fields
    ssl_ids: int = 6  # ssl_id 0..5, NB 0..4 (manual note 2)
    conn_ids: int = 6
    data_mode: bool = True  # the `>` prompt (manual 3.2 note)
    encodings: tuple[int, ...] = (2,)  # manual note 4
    digests: tuple[int, ...] = (0,)  # MSSLCHECK algorithms: 0 MD5, 1 SHA1, 2 SHA256, 3 CRC
    psk: bool = False  # MSSLPSK and MSSLCFG "psk" (notes 3, 3.7)
    ciphers: bool = True  # MSSLCIPHER=? (3.9)
    volatile: bool = False  # deep sleep loses certificates and settings (3.1 note)
    tls_links: int = 6  # TLS connections at the same time
    mipcfg_ssl: bool = True  # whether MIPCFG has the "ssl" option
    send_prompt_limit: int = 8192  # bytes per MIPSEND with `>`
    window: int = 64240  # TCP receive window, bytes
    max_timeout: int = 120  # MIPCFG "timeout", s
    revision_prefix: str = ""  # before the firmware revision in CGMR
    line: int = 4096  # longest command line; not published, so roomy


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
            mipcfg_ssl=False,
            window=4096,
            line=1560,
        ),
        **facts,  # type: ignore[arg-type]
    )


SERIES: tuple[Profile, ...] = (
    _nb("MN316", "DBRS", "DLVS", volatile=True, tls_links=2),
    _nb("MN316-S", "DLVS", encodings=(0, 1, 2), digests=(0, 1, 2, 3)),
    _nb("MN326", "X", volatile=True, tls_links=2),
    _4g("ML302A", "DCLM", "DSLM", "GCLM", "GSLM"),
    _4g("ML302S", "DNLM", ciphers=False, revision_prefix="Revision: "),
    _4g("ML305A", "DC", "DS", "DL"),
    _4g("ML305M", "DSLM"),
    _4g("ML305U", "DBLN", send_prompt_limit=4096, window=63920),
    _4g("ML307A", "DCLN", "DSLN", "GCLN", "GSLN", "DL"),
    _4g("ML307G", "DL"),
    _4g("ML307R", "DC", "DL"),
    _4g("ML307S", "DNLM", ciphers=False, revision_prefix="Revision: "),
)

_BY_NAME: dict[str, tuple[Profile, str]] = {}
for _profile in SERIES:
    _BY_NAME[_profile.series] = (_profile, _profile.submodels[0])
    for _submodel in _profile.submodels:
        _BY_NAME[_submodel] = (_profile, _submodel)


def find(model: str) -> tuple[Profile, str]:
    """The profile and the sub-model of a series ("ML307R") or sub-model ("ML307R-DL") name."""
    try:
        return _BY_NAME[model.upper()]
    except KeyError:
        known = ", ".join(p.series for p in SERIES)
        raise ValueError(f"no such model: {model!r}; known series: {known}") from None
