# SPDX-License-Identifier: MIT
#
# One option of a TLS context, set or read alone, and the list of those that the firmware has
# (manual 3.1).

from ._port import const, unload
from .at_channel import DONE, LINE, REPLY_MS
from .errors import CommandError, ProtocolError, Unsupported, VerifyError
from .tls_rows import FLAG, REFUSED, ROWS

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

_READS = const(4)


class Methods:
    """Part of TLSContext, loaded when it is called."""

    if TYPE_CHECKING:  # what TLSContext has
        ssl_id: int
        _ch: Any
        _has: Any
        _kept_op: Any
        _modem: Any
        _parse: Any

        def __init__(self, modem: Any, ssl_id: int) -> None: ...

    def read(self) -> "dict[str, Any]":
        """Every option as the module has it now: a dict with configure's parameter names and
        types, and `encoding`. None: a name that is unset, or an option that the firmware does not
        have."""
        unload("tls_option")
        return self._modem.run_operation(self.read_op())

    def read_op(self):
        """Operation: every option as the module has it."""
        found = {"pskid": None}
        for option in ROWS:
            names = option.arguments
            if option.name in self._modem.absent:
                found[names[0]] = None
            if not self._has(option):
                continue
            value = yield from self.shown_op(option)
            if len(names) > 1:
                for i in range(len(names)):
                    found[names[i]] = value and value[i]
            else:
                found[names[0]] = value
        return self._ch.set_result(found)

    def read_all(self, option: str) -> "list[tuple[int, Any]]":
        """One option of every ssl_id, as MSSLCFG="<option>" lists it: [(ssl_id, value), ...]. The
        value of "cert" is (ca, cert, key). ValueError, Unsupported."""
        row = find_row(self._modem, option)
        if not self._has(row):
            raise Unsupported("the module's firmware has no %s (MSSLCFG)" % option)
        unload("tls_option")
        return self._modem.run_operation(self.read_all_op(row))

    def set(self, option: str, value, *, allow_broken: bool = False):
        """Set one option of this context alone and read it back (manual 3.1). `option` and `value`
        are as in configure(), or the manual's: "negotime_s" or "negotime", "pskid" or "psk". The
        value of "cert" is the CA's name, which is written in the manual's short form and unbinds
        the other two, or (ca, cert, key) with None for what is not used. "encoding" is one for all
        contexts: `certs.encoding` follows.

        A context that configure() was called for keeps the value from now on; for one that it was
        not, configure() is still needed before connect. What configure() refuses is refused here,
        before anything is sent; Unsupported, VerifyError."""
        alone = self.__class__(self._modem, self.ssl_id)  # that knows of one option only
        unload("tls_option")
        return self._modem.run_operation(
            set_op(self._modem, self, alone, option, value, allow_broken)
        )

    def get(self, option: str):
        """One option of this context as the module has it now, with the types of read();
        (ca, cert, key) for "cert". None: unset, or the firmware does not have it. ValueError,
        Unsupported."""
        unload("tls_option")
        return self._modem.run_operation(get_op(self._modem, self, option))

    def options(self):
        """The options that the firmware says it has: a list of the names in the test form
        AT+MSSLCFG=? (manual 3.1). Firmware exists that takes more than it lists."""
        unload("tls_option")
        return self._modem.run_operation(options_op(self._ch))

    def read_all_op(self, option):
        """Operation: one option of every context."""
        ch = self._ch
        found = []
        ch.command(b"+MSSLCFG=").quote(option.name).send(REPLY_MS, b"+MSSLCFG:")
        while (event := ch.poll()) != DONE:
            if event == LINE:
                found.append((ch.value(1), self._parse(option)))
            else:
                yield
        return ch.set_result(found)

    def shown_op(self, option):
        """Operation: one option as the module has it, and the application sees it."""
        value = REFUSED
        if self._has(option):
            value = yield from self._kept_op(option)
        if value is REFUSED:
            return None
        return bool(value) if option.kind == FLAG and value is not None else value


def find_row(modem, option):
    """The row of an option by its name, or by configure()'s name for its only value. ValueError,
    Unsupported."""
    model = modem.require_model()
    names = []
    for row in ROWS:
        has = not row.capability or getattr(model, row.capability)
        if has or row.name == "psk":  # of the manual's ten
            names.append(row.name)
            if option == row.name or (option,) == row.arguments:
                if not has:
                    raise Unsupported("%s has no PSKs (manual 3.1, note 3)" % model)
                return row
    raise ValueError("option is %r; it must be one of %s" % (option, ", ".join(names)))


def set_op(modem, context, alone, option, value, allow_broken):
    """Set one option: see TLSContext.set. `alone`: a context that is not configured, through which
    it is set and checked as configure() does. ValueError, TypeError or Unsupported at once."""
    from .tls_configure import check_values, checked_value

    unload("tls_configure")
    row = find_row(modem, option)
    names = row.arguments
    if len(names) == 1 or value is None or isinstance(value, str):
        value = (value,)
    if not isinstance(value, (tuple, list)) or not 1 <= len(value) <= len(names):
        raise TypeError(
            "%s is %r; it must be a name, or a tuple of (%s)" % (option, value, ", ".join(names))
        )
    arguments = {names[i]: value[i] if i < len(value) else None for i in range(len(names))}
    if row.name == "encoding":
        checked_value(row, arguments)  # what no model has is no question of the model
    check_values(modem, arguments, allow_broken)
    value = checked_value(row, arguments)
    settings = None
    if context.configured():
        settings = dict(context.noted())
        settings[row.name] = value
        check_values(modem, _as_arguments(settings), True)
    alone.noted({row.name: value})
    return _set_op(modem, context, alone, row.name, value, settings)


def _as_arguments(settings):
    # Settings as configure() gets them.
    arguments = {}
    for row in ROWS:
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


def get_op(modem, context, option):
    """One option as the module has it: see TLSContext.get. ValueError or Unsupported at once."""
    return _get_op(modem.channel, context, find_row(modem, option))


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
