# SPDX-License-Identifier: MIT
"""lib/onemo/uart.py: what each port's UART is given, and what is said of wrong entries."""

import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from onemo import uart
from onemo_board import VirtualBoard, images, mpremote

LIB = Path(uart.__file__).parent
PINNED = {"id": 1, "baud": 115200, "tx": 17, "rx": 18}
FIXED = {"id": 2, "baud": 115200}


class FakeUart:
    """Notes what it is opened with."""

    RTS, CTS = 1, 2

    def __init__(self, number, **options):
        self.number, self.options = number, options


@pytest.fixture
def port(monkeypatch):
    """Makes this machine look like a port."""

    def be(platform):
        monkeypatch.setattr(sys, "platform", platform)
        monkeypatch.setitem(sys.modules, "machine", SimpleNamespace(UART=FakeUart))

    yield be
    monkeypatch.undo()


@pytest.mark.parametrize("platform", ["esp32", "rp2"])
def test_ports_with_pins_get_pins_and_both_buffers(port, platform):
    port(platform)
    opened = uart.open_uart(PINNED)
    assert opened.number == 1
    assert opened.options == {
        "baudrate": 115200,
        "bits": 8,
        "parity": None,
        "stop": 1,
        "timeout": 0,
        "rxbuf": 1024,
        "txbuf": 512,
        "tx": 17,
        "rx": 18,
        "flow": 0,  # rp2 keeps what was set before, even over a soft reset
    }


@pytest.mark.parametrize("platform", ["pyboard", "stm32"])
def test_stm32_gets_neither_pins_nor_a_send_buffer(port, platform):
    port(platform)
    opened = uart.open_uart(FIXED)
    assert opened.options == {
        "baudrate": 115200,
        "bits": 8,
        "parity": None,
        "stop": 1,
        "timeout": 0,
        "rxbuf": 1024,
        "flow": 0,
    }
    assert uart.open_uart({**FIXED, "id": "XA"}).number == "XA"


# What UART() takes by keyword, from machine_uart.c of each port (1.26 to 1.29).
_FRAME = ["baudrate", "bits", "parity", "stop"]
_TIMES = ["timeout", "timeout_char"]
SIGNATURES = {
    "esp32": [*_FRAME, "tx", "rx", "rts", "cts", "txbuf", "rxbuf", *_TIMES, "invert", "flow"],
    "rp2": [*_FRAME, "tx", "rx", "cts", "rts", *_TIMES, "invert", "flow", "txbuf", "rxbuf"],
    "samd": [*_FRAME, "tx", "rx", *_TIMES, "rxbuf", "txbuf", "rts", "cts"],
    "mimxrt": [*_FRAME, "flow", *_TIMES, "invert", "rxbuf", "txbuf"],
    "pyboard": [*_FRAME, "flow", *_TIMES, "rxbuf", "read_buf_len"],
    "renesas-ra": [*_FRAME, "flow", *_TIMES, "rxbuf", "read_buf_len"],
    "nrf": ["baudrate", *_TIMES],
}
WITH_PINS = ("esp32", "rp2", "samd")


@pytest.mark.parametrize("platform", SIGNATURES)
def test_each_port_is_given_what_its_constructor_takes(port, platform):
    port(platform)
    opened = uart.open_uart(PINNED if platform in WITH_PINS else FIXED).options
    assert set(opened) <= set(SIGNATURES[platform])
    assert (opened["baudrate"], opened["timeout"]) == (115200, 0)
    for name in {"rxbuf", "txbuf", "flow", "tx", "rx"} & set(SIGNATURES[platform]):
        assert opened[name] == {"rxbuf": 1024, "txbuf": 512, "flow": 0, "tx": 17, "rx": 18}[name]


@pytest.mark.parametrize("platform", SIGNATURES)
def test_flow_control_as_each_port_takes_it(port, platform):
    port(platform)
    wired = {"rts": 7, "cts": 8} if platform in WITH_PINS else {"rts": True, "cts": True}
    settings = {**(PINNED if platform in WITH_PINS else FIXED), **wired}
    if platform == "nrf":
        with pytest.raises(ValueError, match=r"uart\.rts is true; it must be left out"):
            uart.open_uart(settings)
        return
    opened = uart.open_uart(settings).options
    assert set(opened) <= set(SIGNATURES[platform])
    if "flow" in SIGNATURES[platform]:
        assert opened["flow"] == FakeUart.RTS | FakeUart.CTS
    assert ("rts" in opened) == (platform in WITH_PINS)


def test_pins_by_name_where_the_port_has_names(port):
    port("samd")
    opened = uart.open_uart({**PINNED, "tx": "PA08", "rx": "D1"}).options
    assert (opened["tx"], opened["rx"]) == ("PA08", "D1")


@pytest.mark.parametrize(
    ("platform", "module", "given"),
    [
        ("acme-logger", "stm", "pyboard"),
        ("acme-tracker", "esp32", "esp32"),
        ("acme-pico", "_rp2", "rp2"),
        ("acme-rt", "mimxrt", "mimxrt"),
        ("acme-d", "samd", "samd"),
        ("nrf52840-Dongle", None, "nrf"),
        ("BLYST Nano", "nrf", "nrf"),
        ("acme-ra", "renesas", "renesas-ra"),
    ],
)
def test_a_product_board_that_calls_itself_otherwise(port, monkeypatch, platform, module, given):
    port(platform)
    if module:
        monkeypatch.setitem(sys.modules, module, SimpleNamespace())
    opened = uart.open_uart(PINNED if given in WITH_PINS else FIXED).options
    assert set(opened) <= set(SIGNATURES[given])
    assert ("bits" in opened) == (given != "nrf")


def test_a_port_that_nobody_knows_is_named_with_what_to_do(port):
    port("acme-own")
    with pytest.raises(ValueError, match=r"on acme-own is not known here: open a machine\.UART"):
        uart.open_uart(PINNED)


@pytest.mark.parametrize(
    ("platform", "error", "said"),
    [
        ("rp2", ValueError("bad TX pin"), "uart.tx is 17: bad TX pin"),
        ("rp2", ValueError("bad RX pin"), "uart.rx is 18: bad RX pin"),
        ("rp2", ValueError("bad CTS pin"), "uart.cts is 8: bad CTS pin"),
        ("rp2", ValueError("UART(1) doesn't exist"), r"uart.id is 1: UART\(1\) doesn't exist"),
        ("esp32", ValueError("UART(1) does not exist"), "uart.id is 1: UART"),
        ("esp32", ValueError("invalid pin"), "uart.rx is 18: invalid pin"),  # Pin says which
        ("samd", ValueError("invalid UART pin"), "uart is .*, which the chip refuses: invalid"),
        ("esp32", OSError(-258, "ESP_ERR_INVALID_ARG"), "which the chip refuses: .*ESP_ERR"),
        ("esp32", TypeError("extra keyword"), "which the chip refuses: extra keyword"),
    ],
)
def test_what_the_chip_refuses_is_named_by_its_entry(port, monkeypatch, platform, error, said):
    def refuse(*_args, **_options):
        raise error

    def pin(number):
        if str(error) == "invalid pin" and number == 18:
            raise ValueError("invalid pin")

    port(platform)
    monkeypatch.setitem(sys.modules, "machine", SimpleNamespace(UART=refuse, Pin=pin))
    refuse.RTS, refuse.CTS = 1, 2
    with pytest.raises(ValueError, match=said):
        uart.open_uart({**PINNED, "cts": 8})


@pytest.mark.parametrize(
    ("baud", "rxbuf"), [(9600, 1024), (115200, 1024), (460800, 2048), (921600, 4096)]
)
def test_the_receive_buffer_grows_with_the_speed(port, baud, rxbuf):
    port("esp32")
    assert uart.open_uart({**PINNED, "baud": baud}).options["rxbuf"] == rxbuf
    assert uart.open_uart({**PINNED, "baud": baud, "rxbuf": 2222}).options["rxbuf"] == 2222


def test_flow_control_where_it_is_wired(port):
    port("esp32")
    opened = uart.open_uart({**PINNED, "rts": 7, "cts": 8}).options
    assert (opened["rts"], opened["cts"], opened["flow"]) == (7, 8, FakeUart.RTS | FakeUart.CTS)
    only = uart.open_uart({**PINNED, "rts": 0, "cts": None}).options
    assert (only["rts"], only["flow"]) == (0, FakeUart.RTS)
    assert "cts" not in only
    port("pyboard")
    opened = uart.open_uart({**FIXED, "rts": True, "cts": False}).options
    assert opened["flow"] == FakeUart.RTS
    assert "rts" not in opened and "cts" not in opened


@pytest.mark.parametrize(
    ("platform", "change", "said"),
    [
        ("esp32", {"id": None}, "uart.id is null; it must be an integer from 0 to 15"),
        ("esp32", {"id": "XA"}, 'uart.id is "XA"; it must be an integer from 0 to 15'),
        ("esp32", {"id": True}, "uart.id is true; it must be an integer from 0 to 15"),
        ("esp32", {"baud": None}, "uart.baud is null; it must be an integer from 1200 to 4000000"),
        ("esp32", {"baud": "fast"}, 'uart.baud is "fast"; it must be an integer from 1200 to'),
        ("esp32", {"baud": 300}, "uart.baud is 300; it must be"),
        ("esp32", {"baud": 115200.5}, "uart.baud is 115200.5; it must be"),
        ("esp32", {"tx": None}, "uart.tx is null; .*wired to the module's RXD"),
        ("rp2", {"rx": -1}, "uart.rx is -1; .*wired to the module's TXD"),
        ("rp2", {"rx": False}, "uart.rx is false; .*TXD"),
        ("esp32", {"rts": "7"}, 'uart.rts is "7"; .*wired to the module.s CTS, or null'),
        ("esp32", {"rxbuf": 128}, "uart.rxbuf is 128; it must be an integer from 129 to 32766"),
        ("rp2", {"txbuf": 40000}, "uart.txbuf is 40000; it must be an integer from 32 to 32766"),
        ("esp32", {"bard": 115200}, r'uart.bard is not known \("bard": did you mean "baud"\?\)'),
        ("pyboard", {}, "uart.tx is 17; it must be left out"),
        ("pyboard", {"tx": None, "rx": None, "txbuf": 512}, "uart.txbuf is 512; .*left out"),
        ("pyboard", {"tx": None, "rx": None, "rts": 7}, "uart.rts is 7; .*true or false"),
    ],
)
def test_a_wrong_or_missing_entry_is_named_with_what_it_should_be(port, platform, change, said):
    port(platform)
    with pytest.raises(ValueError, match=said):
        uart.open_uart({**PINNED, **change})


def test_what_is_no_object_is_named(port):
    port("esp32")
    with pytest.raises(ValueError, match="uart is 1; it must be an object"):
        uart.open_uart(1)


def test_reopen_changes_the_speed_and_nothing_else(port):
    port("esp32")
    settings = {**PINNED, "rts": 7}
    fast = uart.reopen(settings)(921600)
    assert fast.options["baudrate"] == 921600
    assert fast.options["rxbuf"] == 4096
    assert (fast.number, fast.options["tx"], fast.options["rts"]) == (1, 17, 7)
    assert settings["baud"] == 115200
    assert uart.reopen({**settings, "rxbuf": 3000})(921600).options["rxbuf"] == 3000


@pytest.mark.parametrize("port_like", ["esp32", "rp2", "stm32"])
def test_the_ports_themselves_accept_it(tmp_path, port_like):
    pins = {"rp2": {"tx": 4, "rx": 5}}.get(port_like, {})
    settings = FIXED if port_like == "stm32" else PINNED | pins
    at = "/flash/lib" if port_like == "stm32" else "/lib"
    image = tmp_path / "flash.img"
    names = ("uart.py", "schema.py", "at_syntax.py", "_port.py")
    files = {f"/lib/onemo/{name}": (LIB / name).read_bytes() for name in names}
    files["/lib/onemo/__init__.py"] = b""
    images.write_files(image, files)
    script = (
        f"import sys; assert {at!r} in sys.path\n"
        "from onemo.uart import open_uart, reopen\n"
        f"print(open_uart({json.dumps(settings)}))\n"
        f"print(reopen({json.dumps(settings)})(921600))\n"
    )
    with VirtualBoard(image, port_like=port_like) as board:
        said = mpremote(board.port, "exec", script, timeout=60).stdout.splitlines()
    for line, baud, rxbuf in zip(said, (115200, 921600), (1024, 4096), strict=True):
        assert f"UART({settings['id']}," in line
        shown = int(line.partition("baudrate=")[2].partition(",")[0])
        assert abs(shown - baud) < baud / 50  # stm32 tells what its divisor makes of it
        assert f"rxbuf={rxbuf}" in line
        assert "timeout=0," in line
        assert "flow=" not in line or "flow=0," in line
        assert ("txbuf=512" in line) == (port_like != "stm32")
