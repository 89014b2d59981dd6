# SPDX-License-Identifier: MIT
"""The simulated module: power, state, and which command means what."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from . import (
    bringup,
    certs,
    contexts,
    identity,
    mip,
    mipcfg,
    power,
    profile_file,
    signal_quality,
    sim,
    sleep,
    sockets,
)
from .clock import Clock
from .contexts import Contexts
from .loop_network import LoopNetwork
from .pins import Pins
from .profile import Profile
from .profiles import find
from .quirks import Quirks
from .script import Script
from .store import Store
from .terminal import Terminal
from .wire import ERROR_TEXTS, Arg, Malformed, Refusal, parse_extended

if TYPE_CHECKING:
    from .network import Network, TlsInfo

Handler = Callable[["Module", str, list[Arg]], object]

COMMANDS: dict[str, Handler] = {
    **identity.COMMANDS,
    **sim.COMMANDS,
    **signal_quality.COMMANDS,
    **bringup.COMMANDS,
    **certs.COMMANDS,
    **contexts.COMMANDS,
    **mipcfg.COMMANDS,
    **mip.COMMANDS,
    **power.COMMANDS,
    **sleep.COMMANDS,
}
UNSET = datetime(2070, 1, 1, tzinfo=UTC)
# What a handler returns when it will end the command itself.
DEFERRED = object()
# Command -> what of the profile says whether there is one.
_DEPENDS = {
    "MSSLPSK": "psk",
    "MSSLCIPHER": "ciphers",
    "MIPMODE": "transparent",
    "CREG": "creg",
}


class Module(Terminal):
    """One OneMO module: `feed` it what the host sends, `take` what it answers.

    model: a series ("ML307R") or sub-model ("MN316-DLVS"). clock: default `MonotonicClock`.
    network: `LoopNetwork` (default, nobody listens) or `SystemNetwork`. profile: a series of
    one's own instead of `model`, a `Profile` or the path of its JSON, which may hold quirks as
    well. Every other keyword is a field of `Quirks`, and has the last word. Single-threaded: one
    caller at a time.
    """

    deferred = DEFERRED

    def __init__(
        self,
        model: str = "ML307R",
        *,
        profile: Profile | str | Path | None = None,
        clock: Clock | None = None,
        network: Network | None = None,
        **quirks: Any,
    ) -> None:
        if profile is None:
            self.profile, self.submodel = find(model)
        else:
            if isinstance(profile, Profile):
                self.profile = profile
            else:
                self.profile, own = profile_file.load_module(profile)
                quirks = own | quirks
            self.submodel = self.profile.submodels[0]
        super().__init__(clock, Quirks(**quirks))
        self.max_line = self.quirks.max_line or self.profile.line
        self.data_mode = (
            self.profile.data_mode if self.quirks.data_mode is None else self.quirks.data_mode
        )
        self.store = Store(self.quirks.store_capacity, self.quirks.store_objects)
        self.contexts = Contexts(self.profile.ssl_ids)
        self.network: Network = LoopNetwork() if network is None else network
        self.network.attach(self.clock)
        self.sockets = sockets.Sockets(self)
        speed = self.quirks.baud  # 0: follows the host up to 115200
        self.baud = self.profile.factory_baud if speed == "factory" else speed
        self.boots = 0
        self.deaf_commands = 0  # so many are lost (after a change of speed)
        self.powered = False
        self._wake_lost = 0
        self._matready_waits = False
        self._script = Script()
        for prefix, answer in self.quirks.refuse_once:
            self.reply(prefix, answer)
        self._now0 = self.clock.now()
        self._date0 = datetime.now(UTC)
        self._network_date = (
            self.quirks.date if isinstance(self.quirks.date, datetime) else self._date0
        )
        if self._network_date.tzinfo is None:
            self._network_date = self._network_date.replace(tzinfo=UTC)
        self.set_date(UNSET if self.quirks.date == "unset" else self._network_date)
        self.sim = sim.Sim(self)
        self.sleep = sleep.Sleep(self)
        self.pins = Pins(self)
        self.modem = bringup.Modem(self)
        self._begin_chatter()
        if self.quirks.off:
            self._deaf = True
        else:
            self.powered = True
            self.modem.up()
            if self.sim.late:
                self.modem.boot()

    # --- for tests ------------------------------------------------------------------------------

    @property
    def moment(self) -> float:
        """The clock's time of what happens now, in seconds."""
        return self._moment

    def tls_info(self, conn: int) -> TlsInfo | None:
        """Version, cipher and peer of connection `conn`; None without TLS."""
        return self.sockets.tls_info(conn)

    def reply(
        self,
        prefix: bytes,
        answer: bytes | None,
        times: int | None = 1,
        *,
        lines: Iterable[bytes] = (),
    ) -> None:
        """Answer the next `times` (None: all) commands that begin with `prefix` with this final
        result, behind these information `lines`, instead of executing them.

        None: no final result at all. Of several that match, the one planned first is used first.
        A reboot ends all plans.
        """
        self._script.add_reply(prefix, answer, times, tuple(lines))

    def delay(self, prefix: bytes, seconds: float, times: int | None = 1) -> None:
        """Execute the next `times` commands that begin with `prefix` that much later."""
        self._script.add_delay(prefix, seconds, times)

    def chatter(self, prefix: bytes, text: bytes, times: int | None = 1) -> None:
        """Send `text` between the next `times` commands that begin with `prefix` and their
        answers: a URC of something else, or an SMS whose text is OK (`b'+CMT: ,23\\r\\nOK'`)."""
        self._script.add_chatter(prefix, text, times)

    def wedge(self, until: sockets.Cure = "reboot") -> None:
        """From now on every MIPOPEN ends with `wedge_code`, until the cure (or a stronger one)."""
        self.sockets.wedged = until

    def power_cycle(self) -> None:
        """Cut the power and switch it on again: as a reboot, but the clock is lost as well."""
        self.set_date(UNSET if self.quirks.date == "unset" else self.network_date())
        self.power_off()
        self.sockets.heal("power")
        if self.quirks.starts_by_itself:
            self.reboot()

    def power_off(self) -> None:
        """Deaf and mute until `power_cycle` or the power key."""
        self._halt()
        self.powered = False
        if self._memory != "flash":
            self.store.clear()

    def reboot(
        self, delay: float | None = None, lose_output: bool = False, silent: bool = False
    ) -> None:
        """Start anew: deaf for `boot_delay` seconds (or `delay`), then +MATREADY unless `silent`.

        Sockets, MIPCFG, echo and CMEE are lost, MSSLCFG unless `keep_contexts`, and the store of
        a module that keeps it in RAM; with `lose_output` also what was on TX and not taken.
        """
        if lose_output:
            self._out.clear()
        self._halt()
        if self._memory == "ram":
            self.store.clear()
        self.powered = True
        self.boots += 1
        self.sockets.heal("reboot")
        delay = self.quirks.boot_delay if delay is None else delay
        self._schedule(delay, partial(self._ready, silent))

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

    @property
    def _memory(self) -> str:
        return self.quirks.store_memory or self.profile.store_memory

    def _halt(self) -> None:
        self._lose_volatile()
        self._deaf = True

    def _begin_chatter(self) -> None:
        until = self._moment + self.quirks.boot_chatter_time
        self._script.boot(self.quirks.boot_chatter, until)

    def _lose_volatile(self, keep_contexts: bool | None = None) -> None:
        self._moment = self.clock.now()
        self._reset_line()
        self.sockets.lose()
        self.store.series = None
        self._script.clear()
        self.echo = self.quirks.echo
        self.verbose = True
        self.quiet = False
        self._matready_waits = False
        self.deaf_commands = 0
        if not (self.quirks.keep_contexts if keep_contexts is None else keep_contexts):
            self.contexts.clear()
        self.modem.down()

    def _ready(self, silent: bool = False) -> None:
        self._deaf = False
        self.sleep.boot()
        self.sim.boot()
        self._begin_chatter()
        if self.quirks.matready and not silent:
            if self.quirks.matready_waits:
                self._matready_waits = True
            else:
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
        self._run()
        if self._matready_waits and data and not self._deaf:
            self._matready_waits = False
            self._put(b"\r\n+MATREADY\r\n")
        self._hear(self.sleep.hear(bytes(data)))

    def string(self, arg: Arg) -> None:
        """Refuse a string parameter without quotes."""
        if self.quirks.need_quotes and not arg.quoted:
            raise Malformed

    def command_names(self) -> list[str]:
        """The extended commands that this model and firmware have."""
        return [name for name in COMMANDS if self.has_command(name)]

    def has_command(self, name: str) -> bool:
        """Whether this model and firmware have the command (without AT and its plus sign)."""
        profile = self.profile
        if name in profile.absent_commands or name in self.quirks.absent_commands:
            return False
        if name.startswith("MSSL") and not profile.tls:
            return False
        if name == "MLPMCFG":
            return profile.power_saving != "none"
        member = _DEPENDS.get(name)
        return member is None or bool(getattr(profile, member))

    def unsupported(self) -> Refusal:
        """The refusal of an option that this model or firmware does not have."""
        code = self.quirks.unsupported_code
        return Refusal(None if code == "error" else int(code))

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
        line = self.commands[-1]
        self._script.chatter(line, self, self._moment)
        delay = self._script.delay(line)
        if delay:
            self._schedule(delay, partial(self._execute_now, body))
        else:
            self._execute_now(body)

    def _execute_now(self, body: bytes | None) -> None:
        planned = self._script.reply(self.commands[-1])
        if planned is not None:
            self._finish(*planned)
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

    def _dispatch(self, body: bytes | None) -> object:
        if body is None:
            raise Refusal(None)
        if not body.startswith(b"+"):
            return bringup.basic(self, body)
        command = parse_extended(body)
        if command is None:
            raise Refusal(None)
        handler = COMMANDS.get(command.name) if self.has_command(command.name) else None
        if handler is None:
            raise Refusal(None)
        return handler(self, command.form, command.args)
