# SPDX-License-Identifier: MIT
"""docs/bench.svg: the figures beside their limits and the plain script's."""

from pathlib import Path
from typing import Any

from .wire import BAUDS

_OURS, _PLAIN, _LIMIT = "#1b6ca8", "#c9c9c9", "#d1495b"
_ALLOCATED = {
    "command": "AT+CSQ",
    "line": "a line",
    "upload": "upload\nof 8 KB",
    "read_back": "read-back\nof 8 KB",
}
_LIVE = {
    "live_import": "imported",
    "live_loaded": "all loaded",
    "live_loaded_rom": "all loaded,\nROMFS",
    "small_live_loaded": "all loaded,\n32 bit",
}


def draw(report: dict[str, Any], path: Path) -> None:
    """Writes the picture; the same report gives the same file."""
    import matplotlib

    matplotlib.use("svg")
    matplotlib.rcParams.update({"svg.hashsalt": "onemo", "font.size": 9, "svg.fonttype": "none"})
    from matplotlib import pyplot

    rows = {row["key"]: row for row in report["figures"]}
    figure, axes = pyplot.subplots(1, 3, figsize=(12, 4), width_ratios=(4, 3, 4))
    _allocated(axes[0], rows)
    _live(axes[1], rows)
    _packets(axes[2], report["packets"])
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    figure.tight_layout()
    path.parent.mkdir(exist_ok=True)
    figure.savefig(path, metadata={"Date": None})
    pyplot.close(figure)
    # Without the spaces at ends of lines that matplotlib leaves.
    text = path.read_text(encoding="utf-8")
    path.write_text(
        "\n".join(line.rstrip() for line in text.splitlines()) + "\n", encoding="utf-8"
    )


def _allocated(axis: Any, rows: dict[str, Any]) -> None:
    keys = list(_ALLOCATED)
    for offset, who, colour, label in (
        (-0.2, "ours", _OURS, "onemo"),
        (0.2, "plain", _PLAIN, "plain script"),
    ):
        for i, key in enumerate(keys):
            value = rows["line_kept" if (key, who) == ("line", "plain") else key][who]
            axis.bar(i + offset, value, 0.4, color=colour, label=label if i == 0 else None)
            axis.text(i + offset, value, f"{value:,.0f}", ha="center", va="bottom")
    for i, key in enumerate(keys):
        promised = rows[key]["at_most"]
        said = "promised at most" if i == 0 else None
        axis.hlines(promised, i - 0.4, i, color=_LIMIT, linestyle="--", label=said)
    axis.set_yscale("symlog", linthresh=100)
    axis.set_ylim(0, 60000)
    axis.set_xticks(range(len(keys)), [_ALLOCATED[key] for key in keys])
    axis.set_title("Bytes allocated, once warm (64-bit)")
    axis.legend(frameon=False, loc="upper left")


def _live(axis: Any, rows: dict[str, Any]) -> None:
    keys = [key for key in _LIVE if key in rows]
    values = [rows[key]["ours"] / 1024 for key in keys]
    axis.bar(range(len(keys)), values, 0.5, color=_OURS)
    for i, value in enumerate(values):
        axis.text(i, value, f"{value:.1f}", ha="center", va="bottom")
    for i, key in enumerate(keys):
        if rows[key]["at_most"]:
            axis.hlines(rows[key]["at_most"] / 1024, i - 0.35, i + 0.35, color=_LIMIT, ls="--")
    axis.set_xticks(range(len(keys)), [_LIVE[key] for key in keys])
    axis.set_title("KB of heap taken by the library")


def _packets(axis: Any, rows: list[dict[str, Any]]) -> None:
    packets = [row["packet"] for row in rows]
    for baud, shade in zip(BAUDS, ("#9ecae1", "#4292c6", "#08519c"), strict=True):
        percent = [100 * (row[f"exact_{baud}"] - 1) for row in rows]
        axis.plot(packets, percent, "o-", color=shade, label=f"{baud} bit/s")
    axis.axhline(0, color=_LIMIT, linestyle="--", label="the line's limit")
    axis.set_xscale("log", base=2)
    axis.set_xticks(packets, [str(packet) for packet in packets])
    axis.set_ylim(-0.5)
    axis.set_xlabel("packet, bytes")
    axis.set_title("Verified upload of 8 KB: % over the line's time")
    axis.legend(frameon=False)
