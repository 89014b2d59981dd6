# SPDX-License-Identifier: MIT
"""All figures of one run as one document: what `docs/bench.json` is."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from onemo_tools.bench import size

from . import heaps, life, limits, published, silicon, streams, tls_bytes, wasm, wire
from .device import SIZES, Device

ROUNDS = 25  # of each timing
_RUNS = 5  # of each upload in real time

Say = Callable[[str], None]
Values = dict[str, float]


def measure(device: Device, say: Say) -> dict[str, Any]:
    """Measures everything; `say` is told what comes next."""
    ours: Values = {}
    plain: Values = {}
    theirs: Values = {}
    details = _heap(device, ours, plain, theirs, say)
    say("the wire, on a virtual clock")
    details["packets"] = _exact(ours)
    say("streams, on a virtual clock")
    ours.update(streams.measure())
    details["streams"] = streams.table()
    say("TLS over the wire")
    ours.update(tls_bytes.measure(device))
    say("the wire, in real time")
    _paced(device, ours, plain, details["packets"])
    say("speed and growth")
    details["speed"] = _speed(device, ours, plain)
    say("real firmware on an emulated RP2040")
    details["chip"] = silicon.measure(device, ours, plain, theirs)
    rows = [_row(f, ours, plain, theirs) for f in limits.FIGURES if f.key in ours]
    return _rounded({"figures": rows, **details})


def with_chip(report: dict[str, Any], device: Device) -> dict[str, Any]:
    """A report with the RP2040's rows measured anew, and nothing else."""
    ours: Values = {}
    plain: Values = {}
    theirs: Values = {}
    chip = silicon.measure(device, ours, plain, theirs)
    kept = [row for row in report["figures"] if row["group"] != limits.CHIP]
    rows = [_row(f, ours, plain, theirs) for f in limits.FIGURES if f.key in ours]
    return {**report, "figures": kept + _rounded(rows), "chip": chip}


def with_heap(report: dict[str, Any], device: Device, say: Say) -> dict[str, Any]:
    """A report with all that is told of heap and flash measured anew, and nothing else."""
    ours: Values = {}
    plain: Values = {}
    theirs: Values = {}
    found = _heap(device, ours, plain, theirs, say)
    return _renewed(report, ours, plain, theirs, found)


def with_speed(report: dict[str, Any], device: Device) -> dict[str, Any]:
    """A report with all that is told of this machine's time measured anew, and nothing else."""
    ours: Values = {}
    plain: Values = {}
    theirs: Values = {}
    packets = report["packets"]
    _paced(device, ours, plain, packets)
    return _renewed(
        report, ours, plain, theirs, {"packets": packets, "speed": _speed(device, ours, plain)}
    )


def _renewed(
    report: dict[str, Any], ours: Values, plain: Values, theirs: Values, found: dict[str, Any]
) -> dict[str, Any]:
    old = {row["key"]: row for row in report["figures"] if row["key"] not in ours}
    rows = [
        _row(f, ours, plain, theirs) if f.key in ours else old[f.key]
        for f in limits.FIGURES
        if f.key in ours or f.key in old
    ]
    return {**report, "figures": _rounded(rows), **_rounded(found)}


def _heap(device: Device, ours: Values, plain: Values, theirs: Values, say: Say) -> dict[str, Any]:
    details: dict[str, Any] = {}
    say("allocations")
    _allocations(device, ours, plain)
    say("sizes and live heap")
    details["modules"] = _sizes(device, ours)
    _lives(device, ours)
    say("smallest heaps")
    _heaps(device, ours, plain)
    say(published.NAME)
    theirs.update(published.measure(device))
    say("32-bit heap")
    details["wasm"] = _wasm(device, ours, plain)
    return details


def refreshed(report: dict[str, Any]) -> dict[str, Any]:
    """The same measured values beside today's texts and promises."""
    ours = {row["key"]: row["ours"] for row in report["figures"]}
    plain = {row["key"]: row["plain"] for row in report["figures"]}
    theirs = {row["key"]: row["published"] for row in report["figures"]}
    rows = [_row(f, ours, plain, theirs) for f in limits.FIGURES if f.key in ours]
    return {**report, "figures": rows}


def _rounded(value: Any) -> Any:
    """No more digits than were measured."""
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, list):
        return [_rounded(v) for v in value]
    return {k: _rounded(v) for k, v in value.items()} if isinstance(value, dict) else value


def _row(figure: limits.Figure, ours: Values, plain: Values, theirs: Values) -> dict[str, Any]:
    value = round(ours[figure.key], 4)
    return {
        "key": figure.key,
        "group": figure.group,
        "text": figure.text,
        "unit": figure.unit,
        "limit": figure.limit,
        "at_most": figure.at_most,
        "ours": value,
        "plain": plain.get(figure.key),
        "published": theirs.get(figure.key),
        "reached": limits.reached(figure.key, value),
    }


def _allocations(device: Device, ours: Values, plain: Values) -> None:
    pems = [device.pems[4096], device.pems[8192]]
    ours.update(device.run(f"allocations.ours({pems!r})"))
    plain.update(device.run(f"allocations.peer({pems!r})"))
    found = device.run(f"allocations.asynchronous({pems!r})")
    ours.update({f"aio_{key}": value for key, value in found.items()})


def _sizes(device: Device, ours: Values) -> list[dict[str, Any]]:
    report = size.measure()
    ours["flash_loaded"] = report.loaded.flash
    ours["flash_provision"] = report.provision.flash
    ours["flash_everything"] = report.everything.flash
    for key, value in device.run("live.main()").items():
        ours[f"live_{key}"] = value
    for key, value in device.run(f"live.in_place({str(device.romfs)!r})").items():
        ours[f"live_{key}_rom"] = value
    return [
        {"name": m.name, "part": m.part, "flash": m.flash, "heap": m.heap} for m in report.modules
    ]


def _lives(device: Device, ours: Values) -> None:
    ours.update(life.connection(device))
    for program, prefix in life.PROGRAMS.items():
        found = life.stages(device, program)
        del found["modules"]
        ours.update({f"{prefix}_{stage}": value for stage, value in found.items() if value})


def _heaps(device: Device, ours: Values, plain: Values) -> None:
    found = heaps.all_stages(device)
    for stage, value in found["blocking"].items():
        ours[f"heap_{stage}"] = value
    for stage, value in found["aio"].items():
        ours[f"heap_aio_{stage}"] = value
    for stage, value in found["plain"].items():
        plain[f"heap_{stage}"] = value
    for values, who in ((ours, "blocking"), (plain, "plain")):
        values["room_command"] = heaps.room(device, who, "command")
        values["room_upload"] = heaps.room(device, who, "upload")
        values["heap_growth"] = values["room_upload"] - values["room_command"]


def _wasm(device: Device, ours: Values, plain: Values) -> str | None:
    found = wasm.measure(device)
    if isinstance(found, str):
        return found
    for key in ("command", "line", "upload", "read_back"):
        ours[f"small_{key}"] = found["ours"][key]
        if key in found["plain"]:
            plain[f"small_{key}"] = found["plain"][key]
    ours["small_live_import"] = found["live"]["import"]
    ours["small_live_loaded"] = found["live"]["loaded"]
    ours["small_live_import_rom"] = found["rom"]["import"]
    ours["small_live_loaded_rom"] = found["rom"]["loaded"]
    return None


def _exact(ours: Values) -> list[dict[str, Any]]:
    proof = wire.proof(wire.BAUDS[0])
    ours.update(proof_extra=proof.extra, proof_ms=proof.ms)
    rows = []
    for packet in wire.PACKETS:
        row: dict[str, Any] = {"packet": packet}
        for baud in wire.BAUDS:
            found = wire.exact(packet, baud)
            row["extra"] = found.extra
            row[f"exact_{baud}"] = found.ratio
            if packet == wire.PACKET:
                ours["wire_extra"] = found.extra
                ours[f"exact_{baud}"] = found.ratio
        rows.append(row)
    return rows


def _paced(device: Device, ours: Values, plain: Values, rows: list[dict[str, Any]]) -> None:
    for baud in wire.BAUDS:
        found = wire.paced(device, None, baud, _RUNS)
        plain["wire_extra"] = found.extra
        plain[f"paced_{baud}"] = found.ratio
        for row in rows:
            ratio = wire.paced(device, row["packet"], baud, _RUNS).ratio
            row[f"paced_{baud}"] = ratio
            if row["packet"] == wire.PACKET:
                ours[f"paced_{baud}"] = ratio


def _speed(device: Device, ours: Values, plain: Values) -> dict[str, Any]:
    pems = [device.pems[n] for n in SIZES]
    found = device.run(f"speed.main({pems!r}, {ROUNDS})", heap="4M")
    best, curves = (
        {what: {int(n): us[i] for n, us in sizes.items()} for what, sizes in found.items()}
        for i in (0, 1)
    )
    ours["us_command"] = curves["command ours"][0]
    plain["us_command"] = curves["command plain"][0]
    for key, values, what in (
        ("us_line", ours, "lines ours"),
        ("us_line_kept", ours, "lines kept ours"),
        ("us_line_kept", plain, "lines kept plain"),
        ("us_byte_out", ours, "upload ours"),
        ("us_byte_out", plain, "upload plain"),
        ("us_byte_judge", ours, "judge"),
        ("us_byte_hash", ours, "hash"),
        ("us_byte_in", ours, "read back ours"),
        ("us_byte_in", plain, "read back plain"),
    ):
        values[key] = _slope(curves[what])
    for values, who in ((ours, "ours"), (plain, "plain")):
        upload, read = best[f"upload {who}"], best[f"read back {who}"]
        values["growth_upload"] = upload[8192] / upload[1024]
        values["growth_read"] = read[8192] / read[1024]
    ours["growth_lines"] = best["lines ours"][100] / best["lines ours"][10]
    plain["growth_lines"] = best["lines kept plain"][100] / best["lines kept plain"][10]
    grown = [what for what, curve in best.items() if 0 not in curve]
    return {
        "microseconds": {what: {str(n): us for n, us in c.items()} for what, c in curves.items()},
        "quadratic": {what: quadratic_share(best[what]) for what in grown},
    }


def _slope(curve: Mapping[int, float]) -> float:
    """Cost for each of the things that the longest has more than the shortest."""
    least, most = min(curve), max(curve)
    return (curve[most] - curve[least]) / (most - least)


def quadratic_share(curve: Mapping[int, float]) -> float:
    """The share (may be negative) of the largest cost that the square of the size accounts for,
    fitting a + b n + c n² by least squares: near 0 where costs grow linearly."""
    most = max(curve)
    rows = [(1.0, n / most, (n / most) ** 2, us) for n, us in curve.items()]
    normal = [[sum(r[i] * r[j] for r in rows) for j in range(4)] for i in range(3)]
    a, b, c = _solve(normal)
    return c / (a + b + c)


def _solve(rows: Sequence[list[float]]) -> list[float]:
    """Gauss's elimination of n rows of n + 1."""
    matrix = [list(row) for row in rows]
    count = len(matrix)
    for i in range(count):
        pivot = max(range(i, count), key=lambda k: abs(matrix[k][i]))
        matrix[i], matrix[pivot] = matrix[pivot], matrix[i]
        for k in range(count):
            if k != i:
                factor = matrix[k][i] / matrix[i][i]
                matrix[k] = [x - factor * y for x, y in zip(matrix[k], matrix[i], strict=True)]
    return [matrix[i][count] / matrix[i][i] for i in range(count)]
