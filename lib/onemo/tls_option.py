# SPDX-License-Identifier: MIT
#
# One option of a TLS context, set or read alone, and the list of those that the firmware has
# (manual 3.1).

from ._port import const
from .at_channel import DONE, LINE, REPLY_MS
from .errors import CommandError, ProtocolError, Unsupported, VerifyError

_READS = const(4)


def find_row(modem, rows, option):
    """The row of an option by its name, or by configure()'s name for its only value. ValueError,
    Unsupported."""
    model = modem.require_model()
    names = []
    for row in rows:
        has = not row.capability or getattr(model, row.capability)
        if has or row.name == "psk":  # of the manual's ten
            names.append(row.name)
            if option == row.name or (option,) == row.arguments:
                if not has:
                    raise Unsupported("%s has no PSKs (manual 3.1, note 3)" % model)
                return row
    raise ValueError("option is %r; it must be one of %s" % (option, ", ".join(names)))


def set_op(modem, rows, context, alone, option, value, allow_broken):
    """Set one option: see TLSContext.set. `alone`: a context that is not configured, through which
    it is set and checked as configure() does. ValueError, TypeError or Unsupported at once."""
    row = find_row(modem, rows, option)
    names = row.arguments
    if len(names) == 1 or value is None or isinstance(value, str):
        value = (value,)
    if not isinstance(value, (tuple, list)) or not 1 <= len(value) <= len(names):
        raise TypeError(
            "%s is %r; it must be a name, or a tuple of (%s)" % (option, value, ", ".join(names))
        )
    arguments = {names[i]: value[i] if i < len(value) else None for i in range(len(names))}
    if row.name == "encoding":
        context.checked_value(row, arguments)  # what no model has is no question of the model
    context.check_values(arguments, allow_broken)
    value = context.checked_value(row, arguments)
    settings = None
    if context.configured():
        settings = dict(context.noted())
        settings[row.name] = value
        context.check_values(_as_arguments(rows, settings), True)
    alone.noted({row.name: value})
    return _set_op(modem, context, alone, row.name, value, settings)


def _as_arguments(rows, settings):
    # Settings as configure() gets them.
    arguments = {}
    for row in rows:
        if row.name in settings and row.name != "encoding":
            value = settings[row.name]
            if len(row.arguments) == 1:
                value = (value,)
            for i in range(len(row.arguments)):
                arguments[row.arguments[i]] = value[i]
    return arguments


def _set_op(modem, context, alone, name, value, settings):
    encoding = modem.encoding
    if name == "encoding":
        modem.encoding = value
    try:
        short = name == "cert" and value[0] and not (value[1] or value[2])
        if not (short and (yield from _bind_ca_op(modem.channel, alone, value[0]))):
            yield from alone.apply_op()
    except (CommandError, Unsupported, VerifyError) as error:
        modem.encoding = encoding
        raise error
    if settings:
        context.noted(settings)
    modem.channel.set_result(None)


def _bind_ca_op(ch, alone, ca):
    # A CA without a client's certificate and key, as the manual writes it in 4.1. True if the
    # module keeps just that; it may keep names that are left out.
    ch.command(b"+MSSLCFG=").quote("cert").number(alone.ssl_id).quote(ca).send(REPLY_MS)
    try:
        while ch.poll() != DONE:
            yield
    except CommandError:
        return False
    return (yield from alone.difference_op()) is None


def get_op(modem, rows, context, option):
    """One option as the module has it: see TLSContext.get. ValueError or Unsupported at once."""
    return _get_op(modem.channel, context, find_row(modem, rows, option))


def _get_op(ch, context, row):
    # A value counts once it has come twice: a damaged one looks like any other.
    before = ch  # no value
    for _ in range(_READS):
        value = yield from context.shown_op(row)
        if value == before:
            return ch.set_result(value)
        before = value
    raise ProtocolError("the module says %s of %s, then something else" % (value, row.name))


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


def tell_negotime(modem, ssl_id, negotime_s, timeout_ms):
    """Tell that a handshake has less time than `negotime_s` says."""
    modem.tell(
        "negotime",
        "negotime_s of TLS context %d is %d, but connect gives up after %d ms: a handshake that "
        "takes longer ends with that; raise timeout_ms, or lower negotime_s"
        % (ssl_id, negotime_s, timeout_ms),
    )
