# SPDX-License-Identifier: MIT
"""What is looked at in a module, through the driver. Runs on a PC and, sent definition by
definition, on a board: nothing here may need more than MicroPython has.

A step returns (state, code, facts): "ok", "note", "warn", "bad" or "skip"; a key of words.py; what
its sentences need.
"""

from onemo import CommandError, Modem, Timeout
from onemo._port import sleep_ms, ticks_diff, ticks_ms


class Case:
    """What the steps share."""

    modem = None
    config: "dict | None" = None  # of the board or of --config
    info = None


case = Case()


def begin(uart, baud):
    case.modem = Modem(uart, baud=baud)


def run_step(name):
    """The step's result, whatever happens."""
    try:
        return globals()["step_" + name]()
    except Timeout as error:
        return "bad", "went-silent", {"text": str(error)}
    except (OSError, ValueError, TypeError, KeyError, IndexError, MemoryError) as error:
        return "bad", "unexpected", {"text": f"{type(error).__name__} {error}"}


def first_line(text):
    lines = case.modem.command(text)
    return bytes(lines[0]).decode() if lines else ""


def fields(line):
    return [part.strip().strip('"') for part in line.partition(":")[2].split(",")]


def refusal(error, code):
    return "bad", code, {"number": error.code, "text": str(error)}


def step_model():
    case.modem.start(timeout_ms=8000)
    info = case.modem.info(identifiers=False)
    case.info = info
    facts = {"model": info["model"] or "?", "firmware": info["firmware"] or "?"}
    if not case.modem.is_known_model:
        return "warn", "model-unknown", facts
    return "ok", "model", facts


def step_power():
    try:
        millivolts = int(fields(first_line("+CBC"))[-1])
    except (CommandError, ValueError, IndexError):
        return "note", "power-not-told", {}
    facts = {"volts": f"{millivolts / 1000:.2f}"}
    if 3400 <= millivolts <= 4300:
        return "ok", "power", facts
    return "warn", "power-odd", facts


def step_sim():
    try:
        state = fields(first_line("+CPIN?"))[0]
    except CommandError as error:
        known = {10: "sim-missing", 13: "sim-failure", 14: "sim-busy"}
        return refusal(error, known.get(error.code, "sim-failure"))
    if state == "READY":
        return "ok", "sim", {}
    return "bad", "sim-puk" if "PUK" in state else "sim-pin", {"state": state}


def step_registration():
    answer = fields(first_line("+CEREG?"))
    stat = int(answer[1], 10) if len(answer) > 1 and answer[1].isdigit() else 4
    code = ("off", "home", "searching", "denied", "unknown", "roaming")[min(stat, 5)]
    return "ok" if stat in (1, 5) else "bad", "registration-" + code, {"stat": stat}


def step_signal():
    info = case.info
    dbm, limits, what = info["rsrp_dbm"], (-85, -95, -105, -115), "RSRP"
    if dbm is None:
        dbm, limits, what = info["rssi_dbm"], (-65, -75, -85, -95), "RSSI"
    if dbm is None:
        return "bad", "signal-none", {}
    grade = 0
    while grade < 4 and dbm < limits[grade]:
        grade += 1
    code = ("excellent", "good", "fair", "weak", "poor")[grade]
    facts = {"dbm": dbm, "what": what, "operator": info["operator"] or "?"}
    return "ok" if grade < 3 else "warn", "signal-" + code, facts


def step_apn():
    for line in case.modem.command("+CGDCONT?"):
        found = fields(bytes(line).decode())
        if found[0] == "1" and len(found) > 2 and found[2]:
            return "ok", "apn", {"apn": found[2]}
    return "warn", "apn-none", {}


def step_address():
    module = (case.config or {}).get("module") or {}
    try:
        addresses = case.modem.attach(module.get("apn"), timeout_ms=8000)
    except OSError as error:
        code = getattr(error, "code", None)
        return "bad", "address-none", {"number": code, "text": str(error)}
    return "ok", "address", {"addresses": ", ".join(addresses)}


def step_clock():
    try:
        now = case.modem.clock(timeout_ms=6000)
    except OSError as error:
        return "bad", "clock-unset", {"text": str(error)}
    return "ok", "clock", {"time": "%d-%02d-%02d %02d:%02d:%02d" % tuple(now[:6])}  # noqa: UP031


def step_store():
    stored = {}
    kinds = ("cert", "key", "psk") if case.modem.require_model().psk else ("cert", "key")
    for number, kind in enumerate(kinds, 1):
        for name, _ in case.modem.certs.list(number):
            stored[name] = kind
    if not case.config or "objects" not in case.config:
        return "note", "store-alone", {"names": ", ".join(sorted(stored)) or "-"}
    missing = [o["name"] for o in case.config["objects"] if stored.get(o["name"]) != o["kind"]]
    if missing:
        return "bad", "store-missing", {"names": ", ".join(missing)}
    return "ok", "store", {"count": len(case.config["objects"])}


def step_differs():
    """On a board, where the sources are."""
    try:
        changes = case.modem.sync(case.config, dry_run=True)
    except ValueError as error:
        return "bad", "files-wrong", {"text": str(error)}
    names = [str(name) for what, name in changes if what != "configure"]
    if names:
        return "warn", "store-differs", {"names": ", ".join(names)}
    return "ok", "store-same", {}


def step_journal():
    found = case.modem.identity()
    facts = {"since": found["since"] or "?", "coming": ", ".join(found["coming"])}
    if found["under_way"]:
        return "warn", "journal-under-way", facts
    return "ok", "journal-proven" if found["proven"] else "journal-none", facts


def step_dns():
    host = case.config["endpoint"]["host"]
    if not host.strip("0123456789.") or ":" in host:
        return "ok", "dns", {"host": host, "addresses": host}
    answers = []
    case.modem.on_urc(b"+MDNSGIP:", lambda line: answers.append(line.decode()))
    try:
        case.modem.command(f'+MDNSGIP="{host}"')
    except CommandError as error:
        return refusal(error, "dns-refused")
    start = ticks_ms()
    while not answers and ticks_diff(ticks_ms(), start) < 8000:
        sleep_ms(200)
        case.modem.command("+CSQ")  # lets the driver hear what comes by itself
    found = [a for a in fields(answers[0])[1:] if a] if answers else []
    if not found:
        return "bad", "dns-none", {"host": host}
    return "ok", "dns", {"host": host, "addresses": ", ".join(found)}


def step_tcp():
    endpoint = case.config["endpoint"]
    try:
        case.modem.connect(endpoint["host"], endpoint["port"], timeout_ms=9000).close()
    except OSError as error:
        return "bad", "tcp-failed", {"number": getattr(error, "code", None), "text": str(error)}
    return "ok", "tcp", {"host": endpoint["host"], "port": endpoint["port"]}


def step_tls():
    from onemo import profile

    endpoint = case.config["endpoint"]
    tls = case.modem.tls(endpoint["ssl_id"])
    try:
        for context in profile.checked(case.config)["contexts"]:
            if context["ssl_id"] == endpoint["ssl_id"]:
                tls.configure(**profile.settings(context))
        start = ticks_ms()
        case.modem.connect(endpoint["host"], endpoint["port"], tls, timeout_ms=20000).close()
    except OSError as error:
        return "bad", "tls-failed", {"number": getattr(error, "code", None), "text": str(error)}
    except ValueError as error:
        return "bad", "config-wrong", {"text": str(error)}
    seconds = ticks_diff(ticks_ms(), start) / 1000
    return "ok", "tls", {"seconds": f"{seconds:.1f}", "ssl_id": endpoint["ssl_id"]}
