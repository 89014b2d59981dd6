# SPDX-License-Identifier: MIT
#
# One option of a TLS context, set or read alone, and the list of those that the firmware has
# (manual 3.1).

from .at_channel import DONE, LINE, REPLY_MS
from .errors import CommandError, Unsupported, VerifyError


def set_op(modem, context, alone, option, value, allow_broken):
    """Set one option: see TLSContext.set. `alone`: a context that is not configured, through which
    it is set and checked as configure() does. ValueError, TypeError or Unsupported at once."""
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
        context.checked_value(row, arguments)  # what no model has is no question of the model
    context.check_values(arguments, allow_broken)
    value = context.checked_value(row, arguments)
    settings = context.settings_with(row.name, value)
    alone.adopt({row.name: value})
    return _set_op(modem, context, alone, row, value, settings)


def _set_op(modem, context, alone, row, value, settings):
    certs = modem.certs
    encoding = certs.encoding
    if row.name == "encoding":
        certs.encoding = value
    try:
        short = row.name == "cert" and value[0] and not (value[1] or value[2])
        if not (short and (yield from _set_short_op(alone, row, value))):
            yield from alone.settle_op(row)
    except (CommandError, Unsupported, VerifyError) as error:
        certs.encoding = encoding
        raise error
    if settings:
        context.adopt(settings)
    modem.channel.set_result(None)


def _set_short_op(alone, row, names):
    # A CA without a client's certificate and key, as the manual writes it. True if the module
    # keeps just that; it may keep names that are left out.
    try:
        yield from alone.bind_op(names[:1])
    except CommandError:
        return False
    return (yield from alone.shown_op(row)) == names


def get_op(ch, context, row):
    """Operation: one option as the module has it, see TLSContext.get."""
    return ch.set_result((yield from context.shown_op(row)))


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
