# SPDX-License-Identifier: MIT
#
# What is known of a module's clock. It stays, while clock.py, which finds out, comes and goes.

from . import at_syntax


class ModuleClock:
    """What is known of a module's clock."""

    def __init__(self, modem):
        self.epoch = -1  # of the modem, in which it was compared
        self.utc_fields = False  # its fields are UTC, whatever its zone says
        self.fault = ""  # how it differs from the server's
        self.server = None  # what the server said: a time as str, "" for nothing
        modem.channel.on_urc(b"+MNTP:", self._on_server)

    def _on_server(self, buf, start, end):
        # `+MNTP: 0,"yy/MM/dd,hh:mm:ss+zz"`, or a number that says why there is none.
        at = at_syntax.after_colon(buf, start, end)
        self.server = ""
        if at_syntax.number(buf, at, end) == 0:
            at = at_syntax.field(buf, at, end, 1)
            self.server = "" if at < 0 else at_syntax.ascii_str(buf[at:end]).strip('"')
