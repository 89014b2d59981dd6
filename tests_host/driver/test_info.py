# SPDX-License-Identifier: MIT
"""modem.info(): identity, signal and cell in every form that modules answer; nothing that makes no
sense is passed on, and identifiers are in no trace."""

import io
import random

import pytest
from onemo import aio
from onemo.errors import Timeout
from onemo.trace import Trace
from onemo_simulator.profiles import NEWER, SERIES

IMEI, ICCID, IMSI = "861234050012345", "898604A0192270012345", "460040123456789"
KEYS = {
    "model",
    "firmware",
    "imei",
    "iccid",
    "imsi",
    "rssi_dbm",
    "rsrp_dbm",
    "rsrq_db",
    "sinr_db",
    "operator",
    "tac",
    "cell_id",
    "mcc",
    "mnc",
    "earfcn",
    "pci",
}
COMMANDS = {
    "firmware": b"AT+CGMR",
    "imei": b"AT+CGSN=1",
    "iccid": b"AT+ICCID",
    "imsi": b"AT+CIMI",
    "rssi_dbm": b"AT+CSQ",
    "rsrp_dbm": b"AT+CESQ",
    "rsrq_db": b"AT+CESQ",
    "operator": b"AT+COPS?",
    "tac": b"AT+CEREG?",
    "cell_id": b"AT+CEREG?",
}


@pytest.mark.parametrize(
    "model", sorted({name for profile in SERIES + NEWER for name in profile.submodels[:1]})
)
def test_every_series(rigs, model):
    rig = rigs(model)
    info = rig.modem.info()
    assert set(info) == KEYS
    assert info["firmware"] == f"{model}-MBRH0S01"
    assert (info["imei"], info["iccid"], info["imsi"]) == (IMEI, ICCID, IMSI)
    assert info["rssi_dbm"] == 2 * 24 - 113
    assert (info["rsrp_dbm"], info["rsrq_db"], info["sinr_db"]) == (-95, -10.0, 15.0)
    assert info["operator"] == "CHINA MOBILE"
    assert (info["cell_id"], info["mcc"], info["mnc"]) == ("0521870C", "460", "00")
    assert (info["earfcn"], info["pci"]) == (1300, 256)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


def test_without_a_sim_the_rest_is_there(rigs):
    info = rigs(sim=False).modem.info()
    assert (info["iccid"], info["imsi"], info["operator"]) == (None, None, None)
    assert info["imei"] == IMEI
    assert info["rsrp_dbm"] == -95


def test_without_a_network(rigs):
    info = rigs(cfun=4).modem.info()
    assert info["imei"] == IMEI
    network = KEYS - {"model", "firmware", "imei", "iccid", "imsi"}
    assert {key: info[key] for key in network} == dict.fromkeys(network)


def test_without_identifiers_none_is_asked_for(rig):
    before = len(rig.module.commands)
    info = rig.modem.info(identifiers=False)
    assert set(info) == KEYS
    assert (info["imei"], info["iccid"], info["imsi"]) == (None, None, None)
    assert info["rssi_dbm"] == -65
    asked = rig.module.commands[before:]
    assert not any(name in command for command in asked for name in (b"CGSN", b"CCID", b"CIMI"))


def test_the_tracking_area_if_it_was_asked_for(rig):
    assert rig.modem.info()["tac"] is None
    rig.modem.command("+CEREG=2")
    info = rig.modem.info()
    assert (info["tac"], info["cell_id"]) == ("5141", "0521870C")


@pytest.mark.parametrize(
    ("key", "lines", "value"),
    [
        ("firmware", [b"ML307R-DL-MBRH0S01"], "ML307R-DL-MBRH0S01"),
        ("firmware", [b"Revision: ML302S-DNLM-MBRH0S00"], "ML302S-DNLM-MBRH0S00"),
        ("firmware", [b"+CGMR: ML307C-DC-CN-MBRH1S00_4.0.15"], "ML307C-DC-CN-MBRH1S00_4.0.15"),
        ("firmware", [b'+CGMR:"ML307X-DC-MBRH1S00"'], "ML307X-DC-MBRH1S00"),
        ("firmware", [b"RDY", b"ML307Y-DL-MBRH0S01"], "ML307Y-DL-MBRH0S01"),
        ("firmware", [b"ML307Y-DL-MBRH0S01", b"+CPIN: READY"], "ML307Y-DL-MBRH0S01"),
        ("firmware", [b"x" * 65], None),
        ("firmware", [b"+CEREG: 1"], None),
        ("firmware", [], None),
        ("imei", [b"+CGSN: 861234050012345"], IMEI),
        ("imei", [b'+CGSN:"861234050012345"'], IMEI),
        ("imei", [b"861234050012345"], IMEI),
        ("iccid", [b"+ICCID: 898604A0192270012345"], ICCID),
        ("iccid", [b"+MCCID: 898604A0192270012345"], ICCID),
        ("iccid", [b"+ICCID:898604a0192270012345"], ICCID),
        ("iccid", [b'+ICCID: "8986011234567890123F"'], "8986011234567890123"),
        ("iccid", [b"+MCCID: 898604A0192270012345F"], ICCID),
        ("iccid", [b"898604A0192270012345"], ICCID),
        ("imsi", [b"460040123456789"], IMSI),
        ("imsi", [b"+CIMI: 460040123456789"], IMSI),
        ("imsi", [b"+CIMI:46004012345678"], "46004012345678"),
        ("imsi", [b"+CEREG: 1", b"460040123456789", b'+MIPCALL: 1,1,"10.0.0.1"'], IMSI),
        ("rssi_dbm", [b"+CSQ: 0,99"], -113),
        ("rssi_dbm", [b"+CSQ: 31,0"], -51),
        ("rssi_dbm", [b"+CSQ:24"], -65),
        ("rssi_dbm", [b"+CSQ: 99,99"], None),
        ("rssi_dbm", [b"+CSQ: 32,99"], None),
        ("rssi_dbm", [b"+CSQ: 199,99"], None),
        ("rssi_dbm", [b"+CSQ: -1,99"], None),
        ("rssi_dbm", [b"+CSQ: "], None),
        ("rssi_dbm", [], None),
        ("rsrp_dbm", [b"+CESQ: 99,99,255,255,20,0"], -141),
        ("rsrp_dbm", [b"+CESQ: 99,99,255,255,20,97"], -44),
        ("rsrq_db", [b"+CESQ: 99,99,255,255,0,50"], -20.0),
        ("rsrq_db", [b"+CESQ: 99,99,255,255,34,50"], -3.0),
        ("rsrq_db", [b"+CESQ: 99,99,255,255,21,50"], -9.5),
        ("operator", [b'+COPS: 0,0,"CHINA MOBILE",7'], "CHINA MOBILE"),
        ("operator", [b'+COPS: 0,2,"46000",7'], "46000"),
        ("operator", [b"+COPS: 0,2,46000"], "46000"),
        ("operator", [b'+COPS: 0,0,"A, B and C",7'], "A, B and C"),
        ("operator", [b"+COPS: 0"], None),
        ("operator", [b"+COPS: 0,0,"], None),
        ("operator", [b'+COPS: 0,0,"",7'], None),
        ("operator", [b'+COPS: 0,0,"na\xc3\xafve\x07"'], "na??ve?"),
        ("tac", [b'+CEREG: 2,5,"60EF","005113AA",7'], "60EF"),
        ("cell_id", [b'+CEREG: 2,5,"60EF","005113AA",7'], "005113AA"),
        ("tac", [b'+CEREG: 2,5,"60EF","005113AA",7', b'+CEREG: 5,"60EE","005113AB",7'], "60EF"),
        ("tac", [b'+CEREG: 5,"60EE","005113AB",7', b'+CEREG: 2,5,"60EF","005113AA",7'], "60EF"),
        ("tac", [b"+CEREG: 0,1"], None),
        ("tac", [b'+CEREG: 2,1,"nowhere","005113AA",7'], None),
        ("cell_id", [b'+CEREG: 2,1,"60EF","0051,13AA",7'], "0521870C"),
    ],
)
def test_forms_of_an_answer(rig, key, lines, value):
    rig.module.reply(COMMANDS[key], b"OK", None, lines=lines)
    info = rig.modem.info()
    assert info[key] == value
    assert type(info[key]) is type(value)
    assert set(info) == KEYS


RADIO = b'AT+MUESTATS="radio"'
CELL = b'AT+MUESTATS="cell"'


@pytest.mark.parametrize(
    ("command", "line", "found"),
    [
        (
            RADIO,
            b'+MUESTATS: "radio",4,-970,-680,,,,12345678,,150,1300,17,-100',
            {"rsrp_dbm": -97, "sinr_db": 15.0, "pci": 17, "cell_id": "12345678"},
        ),
        (
            RADIO,
            b'+MUESTATS: "radio",4,-965,-680,230,1,2,"0521870C",0,-35,38950,503,-105',
            {"rsrp_dbm": -96, "rsrq_db": -10.5, "sinr_db": -3.5, "earfcn": 38950, "pci": 503},
        ),
        (
            RADIO,
            b'+MUESTATS: "radio",4,-32768,-32768,,,,,,-32768,,,-32768',
            {"rsrp_dbm": None, "rsrq_db": None, "sinr_db": None, "cell_id": None, "pci": None},
        ),
        (RADIO, b'+MUESTATS: "radio",4,-970', {"rsrp_dbm": -97, "sinr_db": None}),
        (RADIO, b'+MUESTATS: "scell",4,-970,-970,-970,-970', {"rsrp_dbm": None}),
        (
            RADIO,
            b'+MUESTATS: "radio",4,97000,0,,,,<script>,,9999,999999,504,-431',
            {
                "rsrp_dbm": None,
                "cell_id": None,
                "sinr_db": None,
                "earfcn": None,
                "pci": None,
                "rsrq_db": None,
            },
        ),
        (
            CELL,
            b'+MUESTATS: "scell",4,460,01,0,,0,-970,-100,-680,150,20.0',
            {
                "mcc": "460",
                "mnc": "01",
                "earfcn": 0,
                "pci": 0,
                "rsrp_dbm": -97,
                "rsrq_db": -10.0,
                "sinr_db": 15.0,
            },
        ),
        (
            CELL,
            b'+MUESTATS: "scell",4,460,004,1300,,256,-970,-100,-680,150',
            {"mcc": "460", "mnc": "004", "earfcn": 1300, "pci": 256, "sinr_db": 15.0},
        ),
        (
            CELL,
            b'+MUESTATS: "scell",4,460,00,1,,2,-970,-100,-680,150,20.0\r\n'
            b'+MUESTATS: "ncell",4,460,00,3,,4,-990,-110,-700,20',
            {"earfcn": 1, "pci": 2},
        ),
        (CELL, b'+MUESTATS: "scell",4,46,0,,,,,,,', {"mcc": None, "mnc": None, "pci": None}),
        (CELL, b'+MUESTATS: "scell",4,"460","0x",1', {"mcc": "460", "mnc": None, "earfcn": 1}),
        (CELL, b"+MUESTATS: ", {"mcc": None, "pci": None}),
    ],
)
def test_forms_of_the_cell(rig, command, line, found):
    for other in (RADIO, CELL):
        if other != command:
            rig.module.reply(other, b"OK")
    rig.module.reply(b"AT+CESQ", b"+CME ERROR: 50")
    rig.module.reply(command, line + b"\r\n\r\nOK")
    info = rig.modem.info()
    assert {key: info[key] for key in found} == found


@pytest.mark.parametrize(
    "refusal", [b"ERROR", b"+CME ERROR: 50", b"+CME ERROR: 4", b"+CMS ERROR: 1"]
)
def test_what_is_refused_is_none_and_the_rest_is_there(rigs, refusal):
    for key, command in COMMANDS.items():
        rig = rigs()
        rig.module.reply(command, refusal, None)
        info = rig.modem.info()
        if key == "imei":
            assert info["imei"] == IMEI  # AT+GSN
            assert b"AT+GSN" in rig.module.commands
        elif key == "iccid":
            assert info["iccid"] == ICCID  # AT+MCCID
        elif key == "cell_id":
            assert info[key] == "0521870C"  # MUESTATS
        elif key in ("rsrp_dbm", "rsrq_db"):
            assert info[key] is not None  # MUESTATS
        else:
            assert info[key] is None
        assert info["sinr_db"] == 15.0


def test_a_module_that_refuses_all_of_it(rig):
    for command in {*COMMANDS.values(), RADIO, CELL, b"AT+GSN", b"AT+MCCID"}:
        rig.module.reply(command, b"ERROR", None)
    assert rig.modem.info() == dict.fromkeys(KEYS) | {"model": "ML307R"}
    assert rig.modem.command("+CGMM") == [b"ML307R-DC"]


HOSTILE = [
    b"+CGSN: 86123405001234",
    b"+CGSN: 8612340500123456",
    b"+CGSN: 86123405001234O",
    b"+CGSN: 861234050012345;DROP",
    b"+CGSN: \xff\xfe\x00",
    b'+CGSN: "',
    b"+CGSN",
    b":",
    b"+CGSN: " + b"8" * 1500,
]


@pytest.mark.parametrize("line", HOSTILE)
def test_what_makes_no_sense_is_none(rig, line):
    for command in (b"AT+CGSN=1", b"AT+GSN", b"AT+ICCID", b"AT+MCCID", b"AT+CIMI"):
        rig.module.reply(command, b"OK", None, lines=[line])
    info = rig.modem.info()
    assert (info["imei"], info["iccid"], info["imsi"]) == (None, None, None)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]


@pytest.mark.parametrize("seed", range(60))
def test_damaged_answers_are_of_the_right_kind_or_none(rigs, seed):
    rig = rigs()
    chance = random.Random(seed)
    good = {
        b"AT+CGMR": b"ML307R-DL-MBRH0S01",
        b"AT+CGSN=1": b"+CGSN: 861234050012345",
        b"AT+ICCID": b"+ICCID: 898604A0192270012345",
        b"AT+CIMI": b"460040123456789",
        b"AT+CSQ": b"+CSQ: 24,99",
        b"AT+CESQ": b"+CESQ: 99,99,255,255,20,50",
        b"AT+COPS?": b'+COPS: 0,0,"CHINA MOBILE",7',
        b"AT+CEREG?": b'+CEREG: 2,5,"60EF","005113AA",7',
        RADIO: b'+MUESTATS: "radio",4,-970,-680,,,,0521870C,,150,1300,256,-100',
        CELL: b'+MUESTATS: "scell",4,460,00,1300,,256,-970,-100,-680,150,20.0',
    }
    for command, line in good.items():
        for _ in range(2):
            damaged = bytearray(line)
            for _ in range(chance.choice([0, 1, 1, 3, 8])):
                at = chance.randrange(len(damaged))
                damaged[at] = chance.choice(
                    [damaged[at] ^ (1 << chance.randrange(8)), 0x22, 0x2C, 0xFF, 0x30]
                )
            damaged = bytes(damaged).replace(b"\r", b" ").replace(b"\n", b" ")
            rig.module.reply(command, b"OK", lines=[damaged])
    info = rig.modem.info()
    assert set(info) == KEYS
    for key, low, high in (
        ("rssi_dbm", -113, -51),
        ("rsrp_dbm", -156, -31),
        ("rsrq_db", -43, 20),
        ("sinr_db", -50, 60),
        ("earfcn", 0, 262143),
        ("pci", 0, 503),
    ):
        assert info[key] is None or low <= info[key] <= high
    for key in ("imei", "imsi", "mcc", "mnc"):
        assert info[key] is None or info[key].isdigit()
    for key in ("firmware", "iccid", "operator", "tac", "cell_id"):
        assert info[key] is None or (info[key].isascii() and info[key].isprintable())


def test_one_damaged_answer_is_not_believed(rig):
    rig.module.reply(b"AT+CGSN=1", b"OK", lines=[b"+CGSN: 861234050012344"])
    rig.module.reply(b"AT+CIMI", b"ERROR")
    rig.module.reply(b"AT+ICCID", b"+CME ERROR: 13")
    info = rig.modem.info()
    assert (info["imei"], info["iccid"], info["imsi"]) == (IMEI, ICCID, IMSI)


def test_answers_that_never_agree_are_none(rig):
    for number in range(8):
        rig.module.reply(b"AT+CIMI", b"OK", lines=[b"46004012345678%d" % number])
    assert rig.modem.info()["imsi"] is None


def test_a_module_that_falls_silent_is_an_error_in_time(rig):
    rig.module.reply(b"AT+CSQ", None)
    before = rig.clock.now()
    with pytest.raises(Timeout):
        rig.modem.info()
    assert rig.clock.now() - before < 10
    assert rig.modem.info()["rssi_dbm"] == -65


def test_with_asyncio(rig):
    import asyncio

    modem = aio.Modem(rig.uart)
    blocking = rig.modem.info()

    async def job():
        await modem.start()
        return await modem.info()

    real = aio.sleep_ms

    async def nap(ms):
        rig.clock.advance(ms / 1000 + 0.0002)
        await asyncio.sleep(0)

    aio.sleep_ms = nap
    try:
        assert asyncio.run(asyncio.wait_for(job(), 60)) == blocking
    finally:
        aio.sleep_ms = real


# Identifiers in traces


SECRETS = [IMEI.encode(), ICCID.encode(), IMSI.encode()]
RAW = [
    "+CGSN=1",
    "+GSN",
    "+ICCID",
    "+ICCID?",
    "+MCCID",
    "+CIMI",
    "at+cimi",
    "AT+CIMI\r",
    "+CSQ;+CIMI",
]


class Seen:
    def __init__(self, identifiers=None):
        self.data = {">": b"", "<": b""}
        if identifiers is not None:
            self.identifiers = identifiers

    def __call__(self, direction, data):
        self.data[direction] += data


def asks_for_them(rig):
    rig.modem.info()
    for text in RAW:
        try:
            rig.modem.command(text)
        except OSError:
            pass  # ICCID? and several commands in one are not every module's
    rig.modem.command("+CSQ")


@pytest.mark.parametrize("series", ["ML307R", "ML307X", "MN316"])
@pytest.mark.parametrize("identifiers", [None, False])
@pytest.mark.parametrize("echo", [False, True])
def test_no_trace_shows_them(rigs, series, identifiers, echo):
    seen = Seen(identifiers)
    rig = rigs(series, driver={"trace": seen})
    if echo:
        rig.module.echo = True
    asks_for_them(rig)
    assert not [secret for secret in SECRETS if secret in seen.data["<"]]
    assert b"AT+CIMI" in seen.data[">"]
    assert b"+CSQ: 24,99" in seen.data["<"]  # all else is there
    assert b"CHINA MOBILE" in seen.data["<"]


def test_a_trace_that_asks_for_them_has_them(rigs):
    seen = Seen(True)
    asks_for_them(rigs(driver={"trace": seen}))
    assert not [secret for secret in SECRETS if secret not in seen.data["<"]]


@pytest.mark.parametrize("identifiers", [False, True])
def test_the_same_in_lines_of_text(rigs, identifiers):
    sink = io.StringIO()
    trace = Trace(sink, identifiers)
    asks_for_them(rigs(driver={"trace": trace}))
    trace.flush()
    text = sink.getvalue()
    assert ("> AT+CIMI\n" in text) and ("+CSQ: 24,99" in text)
    for secret in SECRETS:
        assert (secret.decode() in text) is identifiers
    assert ("< <" in text) is not identifiers


def test_an_answer_that_comes_too_late_is_not_shown_either(rigs):
    seen = Seen()
    rig = rigs(strict=False, driver={"trace": seen})  # probes meet a module that is busy
    rig.module.delay(b"AT+CIMI", 7.0)
    with pytest.raises(Timeout):
        rig.modem.command("+CIMI", timeout_ms=2000)
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert rig.modem.command("+CSQ") == [b"+CSQ: 24,99"]
    assert IMSI.encode() not in seen.data["<"]
    assert b"+CSQ: 24,99" in seen.data["<"]


def test_no_error_shows_them(rig):
    rig.module.reply(b"AT+CIMI", b"+CME ERROR: 50")
    with pytest.raises(OSError, match="50") as caught:
        rig.modem.command("+CIMI")
    assert IMSI not in str(caught.value) + repr(caught.value)
