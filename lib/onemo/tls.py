# SPDX-License-Identifier: MIT
#
# TLS contexts: everything that MSSLCFG sets (manual 3.1). A module is lax by default: it verifies
# nothing, ignores dates and offers SSL 3.0. `configure` is strict by default, sends every option
# each time, and reads each back, for firmware is known that answers OK to what it ignores.

from . import at_syntax
from ._port import as_buffer, bound, const, methods_of, unload
from .at_channel import DONE, LINE, REPLY_MS, STORE_MS
from .errors import CommandError, Unsupported, VerifyError
from .tls_rows import HEX, NAMES, REFUSED, ROWS

TYPE_CHECKING = const(0)  # for type checkers, who take it for true

# As modem.py's: methods that are called once or seldom.
_SELDOM = const(
    " configure=tls_configure read=tls_option read_all=tls_option set=tls_option get=tls_option "
    "options=tls_option shown_op=tls_option read_op=tls_option read_all_op=tls_option "
)

if TYPE_CHECKING:
    from typing import Any

    from . import tls_configure, tls_option

    class _Methods(tls_configure.Methods, tls_option.Methods):
        pass

else:
    _Methods = methods_of(_SELDOM)

_NOT_THERE = const((50, 4, None))  # how firmware refuses an option that it does not have

_NO_RISK = ("encoding", "negotime", "session")  # no connection is less safe by these


def context_of(modem, ssl_id):
    """A modem's context `ssl_id`, made when first used."""
    model = modem.require_model()
    if not model.tls:
        from .model_info import refuse_tls

        refuse_tls(model)
    at_syntax.check_range(ssl_id, "ssl_id", 0, model.ssl_ids - 1)
    if ssl_id not in modem.contexts:
        modem.contexts[ssl_id] = TLSContext(modem, ssl_id)
    return modem.contexts[ssl_id]


class TLSContext(_Methods):
    """One of the module's TLS contexts, by its ssl_id. Got as `modem.tls(ssl_id)`; nothing is sent
    until `configure`. Every method raises CommandError if the module refuses, Timeout,
    ModemReset."""

    def __init__(self, modem, ssl_id: int) -> None:
        self.ssl_id = ssl_id
        self._modem = modem
        self._ch = modem.channel
        self._settings: "dict[str, Any]" = {}  # what configure was asked for: {option: value}
        self._epoch = -1  # of the modem, in which they were sent

    if not TYPE_CHECKING:

        def __getattr__(self, name):
            return bound(self, _SELDOM, name)

    def __repr__(self) -> str:
        text = "<TLSContext %d" % self.ssl_id
        if self._modem.absent:
            text += ", the firmware has no " + ", ".join(self._modem.absent)
        if "ignorestamp" in self._modem.absent:
            text += ": dates may go unchecked"
        return text + ">"

    # For the library's own parts

    def configured(self) -> bool:
        """True once configure() was called."""
        return bool(self._settings)

    def noted(self, settings=None):
        """What configure() was asked for, {option: value}. `settings` takes its place."""
        if settings is not None:
            self._settings = settings
        return self._settings

    def checks_dates(self) -> bool:
        """True if validity dates count, so that the module's clock must be right."""
        settings = self._settings
        return bool(settings["auth"] and settings["cert"][0]) and not (
            settings.get("ignorestamp") or settings.get("ignoreverify")
        )

    def apply_op(self, again=False):
        """Operation: send the settings, unless they were sent in this epoch. VerifyError;
        ValueError at once without any."""
        if not self._settings:
            raise ValueError(
                "TLS context %d is not configured: call configure() first" % self.ssl_id
            )
        if self._epoch == self._modem.epoch and not again:
            return ()  # for each connection asks for it, and operations take heap
        return self._apply_op(again)

    def _apply_op(self, again):
        modem = self._modem
        restores = self._epoch >= 0 and not again and modem.require_model().volatile
        if restores:
            from .cert_restore import restored_op

            unload("cert_restore")
            if (yield from restored_op(modem, self._settings)):
                return
        for option in ROWS:
            if self._asks_for(option):
                yield from self._set_or_miss_op(option)
        for option in ROWS:
            if self._asks_for(option):
                yield from self._check_kept_op(option, (yield from self._kept_op(option)))
        self._epoch = modem.epoch
        self._ch.set_result(None)

    def difference_op(self):
        """Operation: the first option that the module keeps otherwise than configured, as (option,
        kept, wanted); None if there is none, so that nothing needs to be sent."""
        for option in ROWS:
            if self._asks_for(option):
                kept = yield from self._kept_op(option)
                wanted = self._wanted(option)
                if kept is REFUSED:
                    kept = yield from self._kept_op(option)
                if kept is REFUSED and wanted == option.default:
                    self._miss(option)
                elif kept != wanted:
                    return option.name, kept, wanted
        self._epoch = self._modem.epoch
        return None

    def verify_op(self):
        """Operation: read back what decides whether a connection is safe, and send it again if it
        differs: the module may have rebooted without a word, or a command to another context may
        have been damaged into one to this. Then look whether the module has the certificates and
        the key, before a handshake fails. VerifyError if it stays different; CommandError 762
        names the object that is missing."""
        # Each connection does this: it is written out, for operations inside take heap.
        ch = self._ch
        for option in ROWS:
            if not self._asks_for(option) or option.name in _NO_RISK:
                continue
            self._begin(option).send(REPLY_MS, b"+MSSLCFG:")
            kept = None
            try:
                while (event := ch.poll()) != DONE:
                    if event != LINE:
                        yield
                    elif self._is_line_of(option):
                        kept = self._parse(option)
            except CommandError as error:
                kept = self._refused(option, error)
            if kept != self._wanted(option):
                yield from self._check_kept_op(option, kept)
        for name in self._settings["cert"]:
            if name:
                ch.command(b"+MSSLCHECK=").quote(name).send(STORE_MS, b"+MSSLCHECK:")
                while (event := ch.poll()) != DONE:
                    if event != LINE:
                        yield

    # Inside

    def _kept_op(self, option):
        # What the module has; REFUSED if it does not tell.
        try:
            return (yield from self._get_op(option))
        except CommandError as error:
            return self._refused(option, error)

    def _refused(self, option, error):
        # REFUSED if this error says that the firmware does not have an option that may be missing.
        if option.default is None or error.code not in _NOT_THERE:
            raise error
        return REFUSED

    def _is_line_of(self, option):
        ch = self._ch
        return ch.value(1) == self.ssl_id and ch.field_equals(0, as_buffer(option.name))

    def _set_or_miss_op(self, option):
        # Sets an option; one that is refused to be set, and to be told, is absent.
        try:
            yield from self._set_op(option, self._wanted(option))
        except CommandError as error:
            if option.default is None or error.code not in _NOT_THERE:
                raise
            for _ in range(2):
                kept = yield from self._kept_op(option)
                if kept is not REFUSED:
                    if error.code is not None:
                        raise error
                    # A plain ERROR may have been the answer to a damaged line.
                    yield from self._set_op(option, self._wanted(option))
                    return
                if self._ch.out_of_sync:  # the same holds here: another ERROR may be on its way
                    yield from self._modem.resync_op()
            self._miss(option)

    def _check_kept_op(self, option, kept):
        # VerifyError unless the module keeps what is wanted, or does not have the option at all.
        wanted = self._wanted(option)
        if kept == wanted or not self._has(option):
            return
        # The module may have rebooted without a word; and one damaged line must not make an option
        # absent. It is sent and asked for once more.
        yield from self._set_or_miss_op(option)
        again = yield from self._kept_op(option)
        if again == wanted or not self._has(option):
            return
        if (
            option.default is not None
            and again == kept
            and not (option.name == "ignoreverify" and kept)
            and (kept is REFUSED or not (yield from self._is_listed_op(option.name)))
        ):
            self._miss(option)
            return
        raise VerifyError(
            "the module keeps %s of TLS context %d at %r, not %r; "
            "no connection is safe with it" % (option.name, self.ssl_id, kept, wanted)
        )

    def _is_listed_op(self, name):
        # False if the test form lists the firmware's options, and not this one.
        ch = self._ch
        lists = found = False
        name = b'"%s"' % name.encode()
        ch.command(b"+MSSLCFG=?").send(REPLY_MS, b"+MSSLCFG:")
        try:
            while (event := ch.poll()) != DONE:
                if event == LINE:
                    line = ch.line()
                    lists = lists or line.find(b'"auth"') >= 0
                    found = found or line.find(name) >= 0
                else:
                    yield
        except CommandError:
            return True
        return found or not lists

    def _miss(self, option):
        # Notes that the firmware does not have an option. Unsupported if it was asked for.
        name = option.arguments[0]
        if self._wanted(option) != option.default:
            raise Unsupported(
                "the module's firmware has no %s, so it cannot be set to %r; leave it at %r"
                % (name, self._wanted(option), option.default)
            )
        modem = self._modem
        modem.absent += (option.name,)
        text = "the module's firmware has no %s (MSSLCFG)" % name
        if option.name == "ignorestamp":
            text += ": it may not check the dates of certificates"
        elif option.name == "version":
            text += ": it may accept versions before TLS 1.2"
        modem.tell("absent", text)

    def _wanted(self, option):
        # How certificates are written is one for all contexts, and not configure's.
        if option.name == "encoding":
            return self._modem.encoding
        return self._settings.get(option.name)

    def _asks_for(self, option):
        # False for what the firmware does not have, or configure() leaves as it is.
        return option.name in self._settings and self._has(option)

    def _has(self, option):
        if option.name in self._modem.absent:
            if self._settings and self._wanted(option) not in (None, option.default):
                self._miss(option)
            return False
        return not option.capability or getattr(self._modem.require_model(), option.capability)

    def _begin(self, option):
        return self._ch.command(b"+MSSLCFG=").quote(option.name).number(self.ssl_id)

    def _set_op(self, option, value):
        ch = self._ch
        self._begin(option)
        names = None
        if option.kind == NAMES:
            names = value if isinstance(value, tuple) else (value,)
            for name in names:
                ch.quote(name or "")
        elif option.kind == HEX:
            # ML307X wants 0x before it (manual V5.4.5, 3.1, note 8).
            ch.verbatim(("0x%X" if self._modem.require_model().suite_0x else "%X") % value)
        else:
            ch.number(value)
        ch.send(REPLY_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError:
            model = self._modem.require_model()
            if option.kind == HEX and not (model.known or model.suite_0x):
                model.suite_0x = True  # it may be like ML307X
                try:
                    yield from self._set_op(option, value)
                    return
                except CommandError:
                    model.suite_0x = False
            # The module may know no empty name: the last ones are left out then, as in the
            # manual's own example. What it keeps instead is seen as it is read back.
            if not names or names[-1]:
                raise
            while names and not names[-1]:
                names = names[:-1]
            if names:
                self._begin(option)
                for name in names:
                    ch.quote(name or "")
                ch.send(REPLY_MS)
                while ch.poll() != DONE:
                    yield

    def _get_op(self, option):
        ch = self._ch
        value = None
        self._begin(option).send(REPLY_MS, b"+MSSLCFG:")
        while (event := ch.poll()) != DONE:
            if event != LINE:
                yield
            elif self._is_line_of(option):
                value = self._parse(option)
        return value

    def _is_line_with(self, names):
        # True if the line at hand has these names. Each connection asks: strings take heap.
        ch = self._ch
        index = 2
        for name in names:
            if name:
                if not ch.field_equals(index, as_buffer(name)):
                    return False
            elif not (
                ch.field_equals(index, b"")
                or ch.field_equals(index, b"NULL")
                or ch.text(index) is None
            ):
                return False
            index += 1
        return True

    def _parse(self, option):
        # The value in the line at hand: `"<option>",<ssl_id>,<values>`. Each connection asks: what
        # it wants is compared where it lies, for strings and comprehensions take heap.
        ch = self._ch
        if option.kind == NAMES:
            names = self._wanted(option)
            if isinstance(names, tuple) and self._is_line_with(names):
                return names
            names = ()
            while len(names) < len(option.arguments):
                names += (_name(ch.text(2 + len(names))),)
            return names if len(names) > 1 else names[0]
        number = ch.value(2)
        if option.kind == HEX and number != 0:
            if ch.field_equals(2, b"0x00"):
                return 0
            try:
                return int(ch.text(2), 16)
            except (ValueError, TypeError):
                return None
        return number


def _name(text):
    # Modules show an unset name as "NULL", as "" or not at all.
    return None if text in (None, "", "NULL") else text
