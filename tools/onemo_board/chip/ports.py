# SPDX-License-Identifier: MIT
"""What differs between the firmware ports that the board can behave like.

Every figure is from the port's sources (MicroPython 1.29); the file is named beside it.
"""

from collections.abc import Mapping
from typing import NamedTuple

# the machine.reset_cause() of each way to boot, under the names that the host side uses
POWER_ON, HARD, WATCHDOG, DEEP_SLEEP, SOFT = "power-on", "hard", "watchdog", "deep sleep", "soft"
BUTTON = "button"  # the reset pin


class Port(NamedTuple):
    """One firmware port's manners."""

    name: str
    machine: str  # the last item of os.uname()
    unique_id: bytes
    frequency: int
    # machine.*_RESET, and which of them reset_cause() gives after each kind of boot
    constants: Mapping[str, int]
    causes: Mapping[str, int]
    hashes: tuple[str, ...]
    flash_at: str  # where the flash is mounted, and the current directory at boot
    path: tuple[str, ...]  # sys.path
    progsize: int  # littlefs write granularity
    uart_ids: tuple[int, ...]
    uart_constants: Mapping[str, int]
    uart_keywords: tuple[str, ...]  # in positional order; the first four may be positional
    buffers: Mapping[str, int]  # default sizes
    uart_irqs: Mapping[str, int]
    uart_hard_irq: bool = True  # irq(hard=True)
    uart_names: bool = False  # UART("XA")
    frequencies: tuple[int, ...] = ()  # what machine.freq() gives where it gives several
    absent: tuple[str, ...] = ()  # built-in and frozen modules of the unix build that it has not
    platform: str = ""  # sys.platform, where it is not the port's name
    wdt_max_ms: int | None = None
    wdt_too_long: str = ""


_RESETS = {"PWRON_RESET": 1, "HARD_RESET": 2, "WDT_RESET": 3, "DEEPSLEEP_RESET": 4}
_PINNED_UART: tuple[str, ...] = (
    "baudrate",
    "bits",
    "parity",
    "stop",
    "tx",
    "rx",
    "rts",
    "cts",
    "txbuf",
    "rxbuf",
)
_PINNED_UART += ("timeout", "timeout_char", "invert", "flow")

ESP32 = Port(
    name="esp32",
    machine="Virtual board with ESP32",
    unique_id=bytes.fromhex("246f28010203"),
    frequency=160_000_000,
    # esp32/modmachine.c: a software reset is HARD_RESET, only a soft reset SOFT_RESET
    constants={**_RESETS, "SOFT_RESET": 5},
    causes={POWER_ON: 1, BUTTON: 1, HARD: 2, WATCHDOG: 3, DEEP_SLEEP: 4, SOFT: 5},
    hashes=("md5", "sha1", "sha256"),  # since 1.22
    flash_at="/",
    path=("", ".frozen", "/lib"),
    progsize=32,
    uart_ids=(0, 1, 2),
    uart_constants={"RTS": 1, "CTS": 2, "INV_RX": 4, "INV_TX": 32},
    uart_irqs={"IRQ_RX": 1, "IRQ_RXIDLE": 0x1000, "IRQ_BREAK": 128},
    uart_hard_irq=False,
    uart_keywords=_PINNED_UART,
    buffers={"rxbuf": 256, "txbuf": 256},
)

STM32 = Port(
    name="stm32",
    platform="pyboard",
    machine="Virtual board with STM32F405RG",
    unique_id=bytes.fromhex("3a00360004513436333137360000")[:12],
    frequency=168_000_000,
    constants={**_RESETS, "SOFT_RESET": 0},
    causes={POWER_ON: 1, BUTTON: 2, HARD: 2, WATCHDOG: 3, DEEP_SLEEP: 4, SOFT: 0},
    # boards without SSL (PYBV11, F4 boards) link sha256 only
    hashes=("sha256",),
    flash_at="/flash",  # stm32/main.c: mounted on /flash, which is the boot-up directory
    path=("", ".frozen", "/flash", "/flash/lib"),
    progsize=32,
    uart_ids=(1, 2, 3, 4, 5, 6),
    uart_constants={"RTS": 256, "CTS": 512},
    uart_irqs={"IRQ_RXIDLE": 16, "IRQ_RX": 32},
    uart_names=True,
    frequencies=(168_000_000, 168_000_000, 42_000_000, 84_000_000),  # SYSCLK, HCLK, PCLK1, PCLK2
    uart_keywords=(
        "baudrate",
        "bits",
        "parity",
        "stop",
        "flow",
        "timeout",
        "timeout_char",
        "rxbuf",
        "read_buf_len",
    ),
    absent=("socket", "ssl", "tls", "_thread", "websocket", "cryptolib", "requests", "mip"),
    wdt_max_ms=32_767,  # stm32/machine_wdt.c: 12 bits after a prescaler of 256
    wdt_too_long="WDT timeout too long",
    buffers={"rxbuf": 64, "txbuf": 0},
)

RP2 = Port(
    name="rp2",
    machine="Virtual board with RP2040",
    unique_id=bytes.fromhex("e660583883724a32"),
    frequency=125_000_000,
    # rp2/modmachine.c: there are two causes; machine.reset() goes through the watchdog
    constants={"PWRON_RESET": 1, "WDT_RESET": 3},
    causes={POWER_ON: 1, BUTTON: 1, HARD: 3, WATCHDOG: 3, DEEP_SLEEP: 3, SOFT: 1},
    hashes=("md5", "sha1", "sha256"),  # md5 since 1.27
    flash_at="/",
    path=("", ".frozen", "/lib"),
    progsize=256,  # rp2/modules/_boot.py
    uart_ids=(0, 1),
    uart_constants={"CTS": 1, "RTS": 2, "INV_TX": 1, "INV_RX": 2},
    uart_irqs={"IRQ_RXIDLE": 64, "IRQ_TXIDLE": 32, "IRQ_BREAK": 512},
    # a Pico without W has no network, and micropython-lib's packages are not in its firmware
    absent=("socket", "ssl", "tls", "websocket", "requests", "mip", "argparse"),
    uart_keywords=_PINNED_UART,
    wdt_max_ms=8388,
    wdt_too_long="timeout exceeds 8388",
    buffers={"rxbuf": 256, "txbuf": 256},
)

PORTS: Mapping[str, Port] = {port.name: port for port in (ESP32, STM32, RP2)}
