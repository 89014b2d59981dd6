# SPDX-License-Identifier: MIT
"""Figures as text: for the terminal and for the README."""

from collections.abc import Iterable
from typing import Any

HEADINGS = ("figure", "limit", "promised", "onemo", "plain script", "`micropython-am7020`")
# What the README shows; all else is in docs/bench.json.
_README = """
command line upload upload_forced read_back refill_out ciphers tls_connection tls_message
aio_command
live_import live_loaded live_import_rom live_loaded_rom
life_connect life_aio_connect life_uploading life_written_upload heap_upload heap_growth
small_command small_upload small_live_import small_live_import_rom small_live_loaded
small_live_loaded_rom flash_loaded wire_extra exact_115200 exact_921600
paced_115200 paced_921600 stream_read_115200 stream_buffered_115200 stream_unbuffered_115200
proof_extra proof_ms growth_upload
chip_command chip_line chip_byte_out chip_byte_in busy_out busy_in
lost_921600_256 lost_921600_default lost_list_256 lost_list_1024 lost_list_default gap_out gap_in
chip_live_import_files chip_live_import_rom chip_live_import_frozen
chip_live_loaded_files chip_live_loaded_rom chip_live_loaded_frozen
tls_module_ec_ms tls_module_ec_live tls_module_ec_more tls_board_ec_ms tls_board_ec_peak
tls_board_rsa_ms tls_board_rsa_peak
"""
README = tuple(_README.split())


def number(value: float | None, unit: str) -> str:
    """A value with as many digits as say something."""
    if value is None:
        return "–"
    if unit == "cycles":
        return f"{value:,.0f}"
    if unit == "B":
        return f"{value:,.0f}" if value == int(value) or value >= 10 else f"{value:.1f}"
    if unit == "×":
        return f"{value:.3f}" if value < 5 else f"{value:.1f}"
    return f"{value:.3f}" if value < 1 else f"{value:.1f}"


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A figure's row of the table."""
    unit = row["unit"]
    promised = number(row["at_most"], unit)
    ours = number(row["ours"], unit)
    if row["reached"] is False:
        ours += " (not reached)"
    return (
        row["text"],
        number(row["limit"], unit),
        "" if row["at_most"] is None else f"≤ {promised}",
        ours if unit == "B" else f"{ours} {unit}",
        number(row["plain"], unit),
        number(row["published"], unit),
    )


def markdown(report: dict[str, Any], keys: Iterable[str] = README) -> str:
    """The table for the README: what a run that could not measure a key lacks is left out."""
    rows = {row["key"]: row for row in report["figures"]}
    lines = ["| " + " | ".join(HEADINGS) + " |", "|---|" + "---:|" * (len(HEADINGS) - 1)]
    group = None
    for key in keys:
        if key not in rows:
            continue
        row = rows[key]
        if row["group"] != group:
            group = row["group"]
            lines.append(f"| **{group}** |" + " |" * (len(HEADINGS) - 1))
        lines.append("| " + " | ".join(cells(row)) + " |")
    return "\n".join(lines)


def plain_text(report: dict[str, Any]) -> str:
    """All figures, for the terminal."""
    rows = [(row["group"], [c.replace("`", "") for c in cells(row)]) for row in report["figures"]]
    headings = [heading.replace("`", "") for heading in HEADINGS]
    widths = [max(len(c[i]) for _, c in rows) for i in range(len(headings))]
    widths = [max(w, len(h)) for w, h in zip(widths, headings, strict=True)]

    def line(texts: Iterable[str]) -> str:
        first, *rest = zip(texts, widths, strict=True)
        return "  ".join([first[0].ljust(first[1]), *(text.rjust(w) for text, w in rest)]).rstrip()

    lines = [line(headings)]
    group = None
    for name, texts in rows:
        if name != group:
            group = name
            lines += ["", name]
        lines.append(line(texts))
    lines += ["", "time over the line's limit, by packet:", _packets(report["packets"])]
    lines += ["", "share of the cost that grows with the square of the size:"]
    for what, share in report["speed"]["quadratic"].items():
        lines.append(f"  {what:<20} {share:7.1%}")
    for missing in (report["wasm"], report.get("chip")):
        if missing:
            lines += ["", missing]
    return "\n".join(lines)


def _packets(rows: list[dict[str, Any]]) -> str:
    columns = list(rows[0])
    lines = ["  " + "".join(f"{c:>14}" for c in columns)]
    for row in rows:
        texts = [f"{row[c]:.3f}" if isinstance(row[c], float) else str(row[c]) for c in columns]
        lines.append("  " + "".join(f"{text:>14}" for text in texts))
    return "\n".join(lines)
