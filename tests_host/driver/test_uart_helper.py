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
    }
    assert uart.open_uart({**FIXED, "id": "XA"}).number == "XA"


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
    settings = FIXED if port_like == "stm32" else PINNED
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
        assert f"baudrate={baud}" in line
        assert f"rxbuf={rxbuf}" in line
        assert "timeout=0," in line
        assert ("txbuf=512" in line) == (port_like != "stm32")
