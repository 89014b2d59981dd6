# SPDX-License-Identifier: MIT
"""Transparent mode: the UART is the connection, until `+++` with silence round it."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .module import Module
    from .sockets import Socket

_PAUSE = 0.02  # s behind `+++` where the model asks for no guard time


class Transparent:
    """Bytes from the host go to the connection of `sock`."""

    def __init__(self, module: Module, sock: Socket) -> None:
        self.sock = sock
        self._module = module
        quirk = module.quirks.transparent_guard
        self._guard = module.profile.escape_guard if quirk is None else quirk
        self._heard_at = module.moment - self._guard
        self._pluses = b""
        self._stretch = 0

    def feed(self, data: bytes) -> None:
        """Bytes from the host."""
        quiet = self._module.moment - self._heard_at >= self._guard
        self._heard_at = self._module.moment
        self._stretch += 1
        pluses = self._pluses + data
        if pluses == b"+" * len(pluses) and len(pluses) <= 3 and (self._pluses or quiet):
            self._pluses = pluses
            wait = max(self._guard, _PAUSE)
            self._module._schedule(wait, partial(self._look, self._stretch))
            return
        self._pluses = b""
        self._send(pluses)

    def _look(self, stretch: int) -> None:
        """Silence behind a plus sign: the end of transparent mode, or data after all."""
        if stretch != self._stretch or self._module.tap is not self:
            return
        pluses, self._pluses = self._pluses, b""
        if len(pluses) == 3:
            self._module.tap = None
            self._module.finish()
        else:
            self._send(pluses)

    def _send(self, data: bytes) -> None:
        self.sock.sent += self.sock.connection.write(data)
