# SPDX-License-Identifier: MIT
"""Starts a virtual board from the command line."""

import signal
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from onemo_simulator import Fault, FaultyLine, Line, Module, SystemNetwork
from onemo_simulator.serve import Signalled, identity_quirks, parse_host, reach
from onemo_tools.cli.parts import fail, need_extra, need_file

from .chip.ports import PORTS
from .errors import BoardError
from .images import DEFAULT_SIZE

if TYPE_CHECKING:
    from .rp2040 import EmulatedBoard
    from .virtual import VirtualBoard

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


def parse_uart(text: str) -> tuple[int, str]:
    """`1=/dev/pts/7` -> (1, "/dev/pts/7"); ValueError."""
    number, equals, path = text.partition("=")
    if not equals or not number.isdigit() or not path:
        raise ValueError(f"a UART is given as ID=PATH, 1=/dev/pts/7 for example, not {text!r}")
    return int(number), path


def parse_id(text: str) -> bytes:
    """`246f28010203` -> what machine.unique_id() gives; ValueError."""
    try:
        found = bytes.fromhex(text)
    except ValueError:
        found = b""
    if not 1 <= len(found) <= 16:
        raise ValueError(f"a board's id is 1 to 16 bytes in hex, 246f28010203 say, not {text!r}")
    return found


def run(
    flash: Path,
    *,
    port_like: str = "esp32",
    link: Path | None = None,
    uarts: dict[int, str | int] | None = None,
    heap: str = "192K",
    size: int = DEFAULT_SIZE,
    overrun: bool = False,
    unique_id: bytes | None = None,
    show_output: bool = False,
) -> None:
    """Runs a board until Ctrl-C or SIGTERM; prints its port. BoardError."""
    from .virtual import VirtualBoard

    board = VirtualBoard(
        flash,
        port_like=port_like,
        link=link,
        uarts=uarts,
        heap=heap,
        size=size,
        overrun=overrun,
        unique_id=unique_id,
    )
    keep_on(board, show_output)


def keep_on(board: "VirtualBoard | EmulatedBoard", show_output: bool) -> None:
    """Switches a board on until Ctrl-C or SIGTERM; prints its port. BoardError."""
    ended = Signalled()
    previous = {
        number: signal.signal(number, ended.set) for number in (signal.SIGINT, signal.SIGTERM)
    }
    try:
        with board:
            print(board.port, flush=True)
            mark = 0
            while not ended.wait(0.2) and board.alive:
                if show_output:
                    text = board.output.since(mark)
                    mark = board.output.mark()
                    sys.stderr.write(text)
                    sys.stderr.flush()
            board.check()
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)


@app.command()
def main(
    flash: Annotated[Path, typer.Argument(help="Image file (made when missing) or folder.")],
    port_like: Annotated[str, typer.Option(help=f"One of {', '.join(PORTS)}.")] = "esp32",
    link: Annotated[
        Path | None,
        typer.Option(help="Symbolic link to make to the port; mpremote keeps its timeouts there."),
    ] = None,
    uart: Annotated[
        list[str] | None, typer.Option(help="ID=PATH: a terminal device; may be repeated.")
    ] = None,
    heap: Annotated[str, typer.Option(help="Heap size, 64K for example.")] = "192K",
    size: Annotated[int, typer.Option(help="Bytes of a new flash.")] = DEFAULT_SIZE,
    overrun: Annotated[
        bool, typer.Option(help="Receive buffers overrun; for lines paced to the baud rate.")
    ] = False,
    wire: Annotated[
        int | None, typer.Option(help="This UART's TX is wired to its RX, for `test-device`.")
    ] = None,
    module: Annotated[
        int | None, typer.Option(help="A simulated ML307R is wired to this UART.")
    ] = None,
    host: Annotated[
        list[str] | None,
        typer.Option(help="NAME=ADDRESS, for the module of --module, before DNS."),
    ] = None,
    board_id: Annotated[
        str | None, typer.Option("--id", help="What machine.unique_id() gives, in hex.")
    ] = None,
    imei: Annotated[
        str | None, typer.Option(help="That of the module of --module, 15 digits.")
    ] = None,
    iccid: Annotated[str | None, typer.Option(help="That of its SIM, 19 or 20 digits.")] = None,
    clock_unset: Annotated[
        bool, typer.Option("--clock-unset", help="That module's clock says 2070.")
    ] = False,
    fault: Annotated[
        list[str] | None,
        typer.Option(help="A fault on that module's line, as `onemo simulate` has them."),
    ] = None,
    output: Annotated[bool, typer.Option(help="Show what the board prints (stderr).")] = False,
    firmware: Annotated[
        Path | None,
        typer.Option(help="A .uf2 or .bin for the RP2040: runs it on an emulated one instead."),
    ] = None,
) -> None:
    """Starts a virtual board, prints its port for mpremote, ends on Ctrl-C."""
    need_extra("board", "board")
    from .wire import Wire

    try:
        uarts: dict[int, str | int] = dict(map(parse_uart, uart or []))
        with ExitStack() as stack:
            if wire is not None and firmware is None:
                uarts[wire] = stack.enter_context(Wire()).board_fd
            if module is not None:
                hosts = dict(map(parse_host, host or []))
                date: Any = "unset" if clock_unset else None
                own = identity_quirks(imei, iccid)
                simulated = Module("ML307R", network=SystemNetwork(hosts), date=date, **own)
                faults = [Fault.parse(text) for text in fault or []]
                line = Line(FaultyLine(simulated, faults) if faults else simulated)
                uarts[module] = stack.enter_context(line).board_fd
                print(f"the module at UART {module}: {reach(hosts)}", file=sys.stderr, flush=True)
            elif host or clock_unset or fault or imei or iccid:
                raise ValueError(
                    "--host, --imei, --iccid, --clock-unset and --fault go with --module ID"
                )
            if firmware is not None:
                from .rp2040 import EmulatedBoard
                from .rp2040.prepare import emulator

                given = (port_like, heap, size, overrun, board_id)
                if given != ("esp32", "192K", DEFAULT_SIZE, False, None):
                    raise ValueError(
                        "with --firmware there is a whole chip: port, heap, size, overrun and id "
                        "are what it has"
                    )
                need_file("board", firmware, "a firmware")
                wired = [] if wire is None else [wire]
                emulator(lambda text: typer.echo(text, err=True))
                chip = EmulatedBoard(flash, firmware=firmware, uarts=uarts, link=link, wired=wired)
                keep_on(chip, output)
                return
            run(
                flash,
                port_like=port_like,
                link=link,
                uarts=uarts,
                heap=heap,
                size=size,
                overrun=overrun or wire is not None,
                unique_id=None if board_id is None else parse_id(board_id),
                show_output=output,
            )
    except (BoardError, ValueError, OSError) as error:
        raise fail("board", error) from None
