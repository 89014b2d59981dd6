# SPDX-License-Identifier: MIT
#
# One option of a TLS context, set or read alone, and the list of those that the firmware has
# (manual 3.1).

from .at_channel import DONE, LINE, REPLY_MS
from .errors import CommandError, Unsupported, VerifyError
from .tls import TLSContext, checked_value


def set_op(modem, context, option, value, allow_broken):
    """Set one option: see TLSContext.set. ValueError, TypeError or Unsupported at once."""
    row = context.row_of(option)
    names = row.arguments
    if len(names) == 1:
        arguments = {names[0]: value}
    else:
        if value is None or isinstance(value, str):
            value = (value,)
        if not isinstance(value, (tuple, list)) or not 1 <= len(value) <= len(names):
            raise TypeError(
                "%s is %r; it must be a name, or a tuple of (%s)"
                % (option, value, ", ".join(names))
            )
        arguments = {names[i]: value[i] if i < len(value) else None for i in range(len(names))}
    if row.name == "encoding":
        checked_value(row, arguments)  # what no model has is no question of the model
    context.check_values(arguments, allow_broken)
    value = checked_value(row, arguments)
    settings = context.settings_with(row.name, value)
    return OneOption(modem, context.ssl_id, row, value).set_alone_op(context, settings)


def get_op(modem, context, option):
    """One option as the module has it: see TLSContext.get. ValueError or Unsupported at once."""
    row = context.row_of(option)
    return OneOption(modem, context.ssl_id, row).get_alone_op()


class OneOption(TLSContext):
    # A context that knows of one option alone, so that it is set and checked as configure() does.

    def __init__(self, modem, ssl_id, row, *value):
        super().__init__(modem, ssl_id)
        self._row = row
        for wanted in value:
            self._settings = {row.name: wanted}

    def set_alone_op(self, context, settings):
        """Operation: set the option, read it back, and let `context` go on with `settings`."""
        row = self._row
        certs = self._modem.certs
        encoding = certs.encoding
        if row.name == "encoding":
            certs.encoding = self._settings["encoding"]
        try:
            if self._has(row) and not (yield from self._set_short_op()):
                yield from self._set_or_miss_op(row)
                if self._has(row):
                    yield from self._check_kept_op(row, (yield from self._kept_op(row)))
        except (CommandError, Unsupported, VerifyError) as error:
            certs.encoding = encoding
            raise error
        if settings:
            context.adopt(settings)
        self._ch.set_result(None)

    def _set_short_op(self):
        # A CA without a client's certificate and key, as the manual writes it. True if the module
        # keeps just that; it may keep names that are left out.
        row = self._row
        wanted = self._settings[row.name]
        if row.name != "cert" or not wanted[0] or wanted[1] or wanted[2]:
            return False
        try:
            yield from self.bind_op(wanted[:1])
        except CommandError:
            return False
        return (yield from self._kept_op(row)) == wanted

    def get_alone_op(self):
        """Operation: the option as the module has it."""
        value = None
        if self._has(self._row):
            value = yield from self._shown_op(self._row)
        return self._ch.set_result(value)


def options_op(ch):
    """The names in MSSLCFG's test form, which is a line for each, or one list."""
    found = []
    ch.command(b"+MSSLCFG=?").send(REPLY_MS, b"+MSSLCFG:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            for name in _words(ch.line()):
                if name not in found:
                    found.append(name)
        else:
            yield
    return ch.set_result(found)


def _words(line):
    # The names in a line such as b'+MSSLCFG: "auth",(0-5),(0-2)' or b"+MSSLCFG: (auth,cert)".
    line = line[line.find(b":") + 1 :]
    for mark in (b"(", b")", b'"', b" "):
        line = line.replace(mark, b",")
    return [word.decode() for word in line.split(b",") if word.isalpha()]
