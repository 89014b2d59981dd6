# SPDX-License-Identifier: MIT
"""The simulated module: power, state, and which command means what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from . import bringup, certs, contexts, mip, mipcfg, power, sockets
from .clock import Clock
from .contexts import Contexts
from .loop_network import LoopNetwork
from .profiles import find
from .quirks import Quirks
from .store import Store
from .terminal import Terminal
from .wire import ERROR_TEXTS, Arg, Malformed, Refusal, parse_extended

if TYPE_CHECKING:
    from .network import Network, TlsInfo

Handler = Callable[["Module", str, list[Arg]], object]

COMMANDS: dict[str, Handler] = {
    **bringup.COMMANDS,
    **certs.COMMANDS,
    **contexts.COMMANDS,
    **mipcfg.COMMANDS,
    **mip.COMMANDS,
    **power.COMMANDS,
}
UNSET = datetime(2070, 1, 1, tzinfo=UTC)
# What a handler returns when it will end the command itself.
DEFERRED = object()


class Module(Terminal):
    """One OneMO module: `feed` it what the host sends, `take` what it answers.

    model: a series ("ML307R") or sub-model ("MN316-DLVS"). clock: default `MonotonicClock`.
    network: `LoopNetwork` (default, nobody listens) or `SystemNetwork`. Every other keyword is a
    field of `Quirks`. Single-threaded: one caller at a time.
    """

    deferred = DEFERRED

    def __init__(
        self,
        model: str = "ML307R",
        *,
        clock: Clock | None = None,
        network: Network | None = None,
        **quirks: Any,
    ) -> None:
        super().__init__(clock, Quirks(**quirks))
        self.profile, self.submodel = find(model)
        self.max_line = self.quirks.max_line or self.profile.line
        self.data_mode = (
            self.profile.data_mode if self.quirks.data_mode is None else self.quirks.data_mode
        )
        self.store = Store(self.quirks.store_capacity, self.quirks.store_objects)
        self.contexts = Contexts(self.profile.ssl_ids)
        self.network: Network = LoopNetwork() if network is None else network
        self.network.attach(self.clock)
        self.sockets = sockets.Sockets(self)
        self.baud = self.quirks.baud  # 0: follows the host up to 115200
        self.boots = 0
        self.deaf_commands = 0  # so many are lost (after a change of speed)
        self.powered = False
        self._wake_lost = 0
        self._replies: list[tuple[bytes, bytes | None, list[int]]] = []
        self._now0 = self.clock.now()
        self._date0 = datetime.now(UTC)
        self._network_date = (
            self.quirks.date if isinstance(self.quirks.date, datetime) else self._date0
        )
        if self._network_date.tzinfo is None:
            self._network_date = self._network_date.replace(tzinfo=UTC)
        self.set_date(UNSET if self.quirks.date == "unset" else self._network_date)
        self.modem = bringup.Modem(self)
        if self.quirks.off:
            self._deaf = True
        else:
            self.powered = True
            self.modem.up()

    # --- for tests ------------------------------------------------------------------------------

    @property
    def moment(self) -> float:
        """The clock's time of what happens now, in seconds."""
        return self._moment

    def tls_info(self, conn: int) -> TlsInfo | None:
        """Version, cipher and peer of connection `conn`; None without TLS."""
        return self.sockets.tls_info(conn)

    def reply(self, prefix: bytes, answer: bytes | None, times: int = 1) -> None:
        """Answer the next `times` commands that begin with `prefix` with this final result.

        None: no answer at all. Of several that match, the one planned first is used first.
        """
        self._replies.append((prefix, answer, [times]))

    def power_cycle(self) -> None:
        """Cut the power and switch it on again: as a reboot, but the clock is lost as well."""
        self.set_date(UNSET if self.quirks.date == "unset" else self.network_date())
        self.reboot()

    def power_off(self) -> None:
        """Deaf and mute until `power_cycle`."""
        self._lose_volatile()
        self.powered = False
        self._deaf = True

    def reboot(self, delay: float | None = None, lose_output: bool = False) -> None:
        """Start anew: deaf for `boot_delay` seconds (or `delay`), then +MATREADY.

        Sockets, MIPCFG, echo and CMEE are lost, and MSSLCFG unless `keep_contexts`; with
        `lose_output` also what was on TX and has not been taken.
        """
        if lose_output:
            self._out.clear()
        self._lose_volatile()
        self.powered = True
        self._deaf = True
        self.boots += 1
        self._schedule(self.quirks.boot_delay if delay is None else delay, self._ready)

    def deep_sleep(self, silent: bool = False) -> None:
        """Sleep deeply and wake: volatile models lose certificates and settings (manual 3.1).

        `silent`: without +MATREADY, so that the host has to find out.
        """
        self._lose_volatile(keep_contexts=not self.profile.volatile)
        if self.profile.volatile:
            self.store.clear()
        self._wake_lost = self.quirks.wake_lost
        self.modem.up()
        if self.quirks.matready and not silent:
            self.urc(b"+MATREADY")

    # --- power ----------------------------------------------------------------------------------

    def _lose_volatile(self, keep_contexts: bool | None = None) -> None:
        self._moment = self.clock.now()
        self._reset_line()
        self.sockets.lose()
        self.store.series = None
        self._replies.clear()
        self.echo = self.quirks.echo
        self.deaf_commands = 0
        if not (self.quirks.keep_contexts if keep_contexts is None else keep_contexts):
            self.contexts.clear()
        self.modem.down()

    def _ready(self) -> None:
        self._deaf = False
        if self.quirks.matready:
            self._put(b"\r\n+MATREADY\r\n")
        self.modem.boot()

    # --- calendar -------------------------------------------------------------------------------

    def date(self) -> datetime:
        """What the module's own clock says, UTC."""
        return self._date + timedelta(seconds=self.clock.now() - self._date_at)

    def set_date(self, date: datetime) -> None:
        """Set the module's own clock."""
        self._date, self._date_at = date, self.clock.now()

    def network_date(self) -> datetime:
        """What the network's time servers say, UTC."""
        return self._network_date + timedelta(seconds=self.clock.now() - self._now0)

    # --- commands -------------------------------------------------------------------------------

    def feed(self, data: bytes | bytearray | memoryview) -> None:
        """Bytes arrive from the host."""
        if self._wake_lost and data:
            lost = min(self._wake_lost, len(data))
            self._wake_lost -= lost
            data = bytes(data)[lost:]
        super().feed(data)

    def string(self, arg: Arg) -> None:
        """Refuse a string parameter without quotes."""
        if self.quirks.need_quotes and not arg.quoted:
            raise Malformed

    def fail(self, code: int | None) -> None:
        """End the command in progress with an error, as AT+CMEE has it."""
        level = self.modem.cmee
        if code is None or level == 0:
            self._finish(final=b"ERROR")
        elif level == 1:
            self._finish(final=b"+CME ERROR: %d" % code)
        else:
            self._finish(final=b"+CME ERROR: " + ERROR_TEXTS.get(code, "Unknown").encode())

    def finish(self, info: Iterable[bytes] = ()) -> None:
        """End the command in progress with OK."""
        self._finish(info)

    def _poll(self) -> None:
        self.sockets.poll()

    def next_event(self, sockets: bool = True) -> float | None:
        """When the module does something by itself (s); `sockets`: or has to look at them."""
        timer = super().next_event()
        network = self.network.next_event(sockets)
        if timer is None or network is None:
            return network if timer is None else timer
        return min(timer, network)

    def _execute(self, body: bytes | None) -> None:
        if self.deaf_commands:
            self.deaf_commands -= 1
            self._finish(final=None)
            return
        if self._replies and self._planned_reply():
            return
        try:
            result = self._dispatch(body)
        except Refusal as refusal:
            self.fail(refusal.code)
        except Malformed:
            self._violation("quotes", self.commands[-1][:80])
            self.fail(50)
        else:
            if result is not DEFERRED:
                self._finish(result or ())  # type: ignore[arg-type]

    def _planned_reply(self) -> bool:
        line = self.commands[-1]
        for planned in self._replies:
            prefix, answer, times = planned
            if line.startswith(prefix):
                times[0] -= 1
                if times[0] <= 0:
                    self._replies.remove(planned)
                self._finish(final=answer)
                return True
        return False

    def _dispatch(self, body: bytes | None) -> object:
        if body is None:
            raise Refusal(None)
        if not body.startswith(b"+"):
            return bringup.basic(self, body)
        command = parse_extended(body)
        handler = COMMANDS.get(command.name) if command else None
        if command is None or handler is None:
            raise Refusal(None)
        return handler(self, command.form, command.args)
