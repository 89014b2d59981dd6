# SPDX-License-Identifier: MIT
#
# TLS contexts: everything that MSSLCFG sets (manual 3.1). A module is lax by default: it verifies
# nothing, ignores dates and offers SSL 3.0. `configure` is strict by default, sends every option
# each time, and reads each back, for firmware is known that answers OK to what it ignores.

from collections import namedtuple

from . import at_syntax
from ._port import const, unload
from .at_channel import DONE, LINE, REPLY_MS
from .cert_digest import find_digest_op
from .errors import CommandError, Unsupported, VerifyError

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

AUTH_NONE = const(0)
AUTH_SERVER = const(1)
AUTH_MUTUAL = const(2)

SSL3 = const(0)
TLS1_0 = const(1)
TLS1_1 = const(2)
TLS1_2 = const(3)
TLS_ANY = const(255)

_BAD_PARAMETER = const(50)
_NOT_THERE = const((50, 4, None))  # how firmware refuses an option that it does not have
_REFUSED = "nothing"  # in place of a value that the module does not tell

# How the value of an option is written
_NUMBER = const(0)
_FLAG = const(1)  # 0 or 1, a bool for the application
_HEX = const(2)  # hexadecimal digits, no quotes
_NAMES = const(3)  # names in the module's store, as strings

# One row an option, in the order in which they are sent. `arguments`: what configure() calls its
# values. `low`, `high`: the least and the greatest number. `capability`: the attribute of Model
# without which a model does not have it; None: all models do.
# `default`: what configure() sets without being asked, so that a firmware that does not have the
# option may do without it; None: there is none such.
_Option = namedtuple(
    "_Option", ("name", "arguments", "kind", "low", "high", "capability", "default")
)
_OPTIONS = (
    _Option("auth", ("auth",), _NUMBER, 0, 2, None, None),
    _Option("cert", ("ca", "cert", "key"), _NAMES, 0, 0, None, None),
    _Option("psk", ("pskid",), _NAMES, 0, 0, "psk", None),
    _Option("encoding", ("encoding",), _NUMBER, 0, 2, None, 2),
    _Option("negotime", ("negotime_s",), _NUMBER, 10, 300, None, 45),
    _Option("version", ("version",), _NUMBER, 0, 255, None, TLS1_2),
    _Option("ciphersuite", ("ciphersuite",), _HEX, 0, 0xFFFF, None, 0),
    _Option("session", ("session",), _FLAG, 0, 1, None, 1),
    _Option("ignorestamp", ("ignorestamp",), _FLAG, 0, 1, None, 0),
    _Option("ignoreverify", ("ignoreverify",), _FLAG, 0, 1, None, 0),
    _Option("sni", ("sni",), _FLAG, 0, 1, "sni", None),
)
_NO_RISK = ("encoding", "negotime", "session")  # no connection is less safe by these

# Those of the manual V5.3.0: all but "sni", which later ones have
OPTIONS = tuple([option.name for option in _OPTIONS if option.name != "sni"])


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


class TLSContext:
    """One of the module's TLS contexts, by its ssl_id. Got as `modem.tls(ssl_id)`; nothing is sent
    until `configure`. Every method raises CommandError if the module refuses, Timeout,
    ModemReset."""

    def __init__(self, modem, ssl_id: int) -> None:
        self.ssl_id = ssl_id
        self._modem = modem
        self._ch = modem.channel
        self._settings = {}  # what configure was asked for: {option: value}
        self._boot = -1  # the boot of the module that they were sent to

    def configure(
        self,
        auth: int = AUTH_SERVER,
        *,
        ca: "str | None" = None,
        cert: "str | None" = None,
        key: "str | None" = None,
        pskid: "str | None" = None,
        version: "int | None" = TLS1_2,
        ciphersuite: "int | None" = 0,
        negotime_s: "int | None" = 45,
        session: "bool | None" = True,
        ignorestamp: "bool | None" = False,
        ignoreverify: "bool | None" = False,
        sni: "bool | None" = None,
        allow_broken: bool = False,
        send: bool = True,
    ) -> None:
        """Set every option of this context and read each back (manual 3.1).

        `ca`, `cert`, `key`, `pskid`: names in the module's store. `negotime_s`: seconds, 10..300.
        `ciphersuite`: an id of the manual's appendix 5.1; 0 leaves the choice to module and
        server; a broken one needs `allow_broken`. `sni`: tell the server which host is meant,
        which MR880A can (manual V5.4.5, 3.1); None: where the model can, and `auth` verifies.
        With `send=False` the settings are noted only, and sent when they are first needed.

        Modules are not documented to compare the server's name with its certificate: whoever holds
        a certificate that `ca` vouches for is accepted for any host. Use a CA of your own as `ca`,
        one that signs nothing but your servers.

        An option that the firmware does not have (it refuses it, or says OK, does not keep it and
        does not list it in AT+MSSLCFG=?) is told as an "absent" event, see `on_event`; it is
        Unsupported if another value than the default was asked for. `auth` and the names must be
        there, and an `ignoreverify` that stays on is an error.

        None for `negotime_s`, `version`, `ciphersuite`, `session`, `ignorestamp` or `ignoreverify`
        leaves the option as the module has it: a fresh one checks no dates and takes SSL 3.0.

        AUTH_SERVER needs `ca`, unless `pskid` or `ignoreverify` takes its place; AUTH_MUTUAL needs
        `ca`, `cert` and `key`.

        ValueError, TypeError or Unsupported before anything is sent; VerifyError if the module
        does not keep a value."""
        arguments = {
            "auth": auth,
            "ca": ca,
            "cert": cert,
            "key": key,
            "pskid": pskid,
            "negotime_s": negotime_s,
            "version": version,
            "ciphersuite": ciphersuite,
            "session": session,
            "ignorestamp": ignorestamp,
            "ignoreverify": ignoreverify,
            "sni": self._modem.require_model().sni and auth != AUTH_NONE if sni is None else sni,
        }
        for option in _OPTIONS:
            name = option.arguments[0]
            if option.default is not None and arguments.get(name, 0) is None:
                del arguments[name]
        self.check_values(arguments, allow_broken)
        settings = {"encoding": None}
        for option in _OPTIONS:
            if option.arguments[0] in arguments:
                settings[option.name] = self.checked_value(option, arguments)
        self._settings = settings
        self._boot = -1
        return self._modem.run_operation(self.apply_op()) if send else None

    def check_values(self, arguments, allow_broken):
        """ValueError or Unsupported for a value that no module, or this model, takes, and for what
        does not go together. `arguments`: those of configure(), or some of them. For the library's
        own parts."""
        model = self._modem.require_model()
        get = arguments.get
        auth = get("auth", AUTH_NONE)
        if isinstance(auth, bool) or auth not in (AUTH_NONE, AUTH_SERVER, AUTH_MUTUAL):
            raise ValueError(
                "auth is %r; it must be AUTH_NONE, AUTH_SERVER or AUTH_MUTUAL" % (auth,)
            )
        if auth and "ca" in arguments:
            # A PSK takes the place of certificates; ignoreverify says that nothing is verified.
            excused = auth == AUTH_SERVER and (get("pskid") is not None or get("ignoreverify"))
            if get("ca") is None and not excused:
                raise ValueError(
                    "auth needs ca=, the name of the CA's certificate in the module; "
                    "AUTH_NONE verifies nothing"
                )
            if auth == AUTH_MUTUAL and (get("cert") is None or get("key") is None):
                raise ValueError(
                    "AUTH_MUTUAL needs cert= and key=, the names of the client's in the module"
                )
        version = get("version", TLS1_2)
        if isinstance(version, bool) or version not in (SSL3, TLS1_0, TLS1_1, TLS1_2, TLS_ANY):
            raise ValueError(
                "version is %r; it must be SSL3, TLS1_0, TLS1_1, TLS1_2 or TLS_ANY" % (version,)
            )
        if get("ciphersuite"):
            self._check_suite(arguments["ciphersuite"], allow_broken)
        missing = None
        if version not in model.versions:
            missing = "TLS version %d; use TLS1_2" % version
        encoding = get("encoding", self._modem.encoding)
        if encoding not in model.encodings:
            missing = "certs.encoding %r (manual 3.1, note 4)" % (encoding,)
        if get("pskid") is not None and not model.psk:
            missing = "PSKs (manual 3.1, note 3); use certificates"
        if get("sni") and not model.sni:
            missing = "SNI (manual V5.4.5, 3.1, note 3); leave sni out"
        if missing:
            raise Unsupported("%s has no %s" % (model, missing))

    def checked_value(self, option, arguments):
        """The value of an option, from the arguments that it takes; ValueError, TypeError."""
        names = option.arguments
        if option.kind == _NAMES:
            for name in names:
                if arguments[name] is not None:
                    at_syntax.check_text(arguments[name], name)
        value = arguments[names[0]]
        if len(names) > 1:
            return tuple([arguments[name] for name in names])
        if option.kind == _FLAG:
            if value not in (False, True):  # "false" would be true
                raise TypeError("%s is %r; it must be True or False" % (names[0], value))
            return int(value)
        if option.kind != _NAMES:
            at_syntax.check_range(value, names[0], option.low, option.high)
        return value

    def _check_suite(self, ciphersuite, allow_broken):
        try:
            from . import suites
        except ImportError:
            raise Unsupported(
                "a ciphersuite is judged by onemo/suites, which is not installed: install all "
                "of onemo, or leave the choice to module and server"
            )
        if suites.strength(ciphersuite) == "broken" and allow_broken is not True:
            raise ValueError(
                "ciphersuite 0x%X, %s, is broken; use a sound one, "
                "or allow_broken=True if there is no other way"
                % (ciphersuite, suites.name(ciphersuite))
            )

    def __repr__(self) -> str:
        text = "<TLSContext %d" % self.ssl_id
        if self._modem.absent:
            text += ", the firmware has no " + ", ".join(self._modem.absent)
        if "ignorestamp" in self._modem.absent:
            text += ": dates may go unchecked"
        return text + ">"

    def read(self) -> "dict[str, Any]":
        """Every option as the module has it now: a dict with configure's parameter names and
        types, and `encoding`. None: a name that is unset, or an option that the firmware does not
        have."""
        return self._modem.run_operation(self._read_op())

    def _read_op(self):
        found = {"pskid": None}
        for option in _OPTIONS:
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
        from .tls_option import find_row

        row = find_row(self._modem, _OPTIONS, option)
        if not self._has(row):
            raise Unsupported("the module's firmware has no %s (MSSLCFG)" % option)
        return self._modem.run_operation(self._read_all_op(row))

    def set(self, option: str, value, *, allow_broken: bool = False):
        """Set one option of this context alone and read it back (manual 3.1). `option` and `value`
        are as in configure(), or the manual's: "negotime_s" or "negotime", "pskid" or "psk". The
        value of "cert" is the CA's name, which is written in the manual's short form and unbinds
        the other two, or (ca, cert, key) with None for what is not used. "encoding" is one for all
        contexts: `certs.encoding` follows.

        A context that configure() was called for keeps the value from now on; for one that it was
        not, configure() is still needed before connect. What configure() refuses is refused here,
        before anything is sent; Unsupported, VerifyError."""
        from .tls_option import set_op

        alone = TLSContext(self._modem, self.ssl_id)  # that knows of one option only
        return self._modem.run_operation(
            set_op(self._modem, _OPTIONS, self, alone, option, value, allow_broken)
        )

    def get(self, option: str):
        """One option of this context as the module has it now, with the types of read();
        (ca, cert, key) for "cert". None: unset, or the firmware does not have it. ValueError,
        Unsupported."""
        from .tls_option import get_op

        return self._modem.run_operation(get_op(self._modem, _OPTIONS, self, option))

    def options(self):
        """The options that the firmware says it has: a list of the names in the test form
        AT+MSSLCFG=? (manual 3.1). Firmware exists that takes more than it lists."""
        from .tls_option import options_op

        return self._modem.run_operation(options_op(self._ch))

    def _read_all_op(self, option):
        ch = self._ch
        found = []
        ch.command(b"+MSSLCFG=").quote(option.name).send(REPLY_MS, b"+MSSLCFG:")
        while (event := ch.poll()) != DONE:
            if event == LINE:
                found.append((ch.value(1), self._parse(option)))
            else:
                yield
        return ch.set_result(found)

    # For the library's own parts

    def configured(self) -> bool:
        """True once configure() was called."""
        return bool(self._settings)

    def noted(self, settings=None):
        """What configure() was asked for, {option: value}. `settings` takes its place."""
        if settings is not None:
            self._settings = settings
        return self._settings

    def names(self):
        """The names of the objects that it uses."""
        names = self._settings.get("cert", ()) + (self._settings.get("psk"),)
        return [name for name in names if name]

    def checks_dates(self) -> bool:
        """True if validity dates count, so that the module's clock must be right."""
        settings = self._settings
        return bool(settings["auth"] and settings["cert"][0]) and not (
            settings.get("ignorestamp") or settings.get("ignoreverify")
        )

    def apply_op(self, again=False):
        """Operation: send the settings, unless this boot of the module has them. VerifyError."""
        modem = self._modem
        if not self._settings:
            raise ValueError(
                "TLS context %d is not configured: call configure() first" % self.ssl_id
            )
        if self._boot == modem.boot_count and not again:
            return
        restores = self._boot >= 0 and not again and modem.require_model().volatile
        if restores:
            from .cert_restore import restored_op

            unload("cert_restore")
            if (yield from restored_op(modem, self._settings)):
                return
        for option in _OPTIONS:
            if self._asks_for(option):
                yield from self._set_or_miss_op(option)
        for option in _OPTIONS:
            if self._asks_for(option):
                yield from self._check_kept_op(option, (yield from self._kept_op(option)))
        self._boot = modem.boot_count
        self._ch.set_result(None)

    def difference_op(self):
        """Operation: the first option that the module keeps otherwise than configured, as (option,
        kept, wanted); None if there is none, so that nothing needs to be sent."""
        for option in _OPTIONS:
            if self._asks_for(option):
                kept = yield from self._kept_op(option)
                wanted = self._wanted(option)
                if kept is _REFUSED:
                    kept = yield from self._kept_op(option)
                if kept is _REFUSED and wanted == option.default:
                    self._miss(option)
                elif kept != wanted:
                    return option.name, kept, wanted
        self._boot = self._modem.boot_count
        return None

    def verify_op(self):
        """Operation: read back what decides whether a connection is safe, and send it again if it
        differs: the module may have rebooted without a word, or a command to another context may
        have been damaged into one to this. VerifyError if it stays different."""
        for option in _OPTIONS:
            if not self._asks_for(option) or option.name in _NO_RISK:
                continue
            yield from self._check_kept_op(option, (yield from self._kept_op(option)))

    def check_present_op(self):
        """Operation: look whether the module has the certificates and the key, before a handshake
        fails. CommandError 762 names the one that is missing."""
        for name in self._settings["cert"]:
            if name:
                yield from find_digest_op(self._ch, name)

    def shown_op(self, option):
        """Operation: one option as the module has it, and the application sees it."""
        value = _REFUSED
        if self._has(option):
            value = yield from self._kept_op(option)
        if value is _REFUSED:
            return None
        return bool(value) if option.kind == _FLAG and value is not None else value

    # Inside

    def _kept_op(self, option):
        # What the module has; _REFUSED if it does not tell.
        try:
            return (yield from self._get_op(option))
        except CommandError as error:
            if option.default is None or error.code not in _NOT_THERE:
                raise
            return _REFUSED

    def _set_or_miss_op(self, option):
        # Sets an option; one that is refused to be set, and to be told, is absent.
        try:
            yield from self._set_op(option, self._wanted(option))
        except CommandError as error:
            if option.default is None or error.code not in _NOT_THERE:
                raise
            for _ in range(2):
                kept = yield from self._kept_op(option)
                if kept is not _REFUSED:
                    if error.code is not None:
                        raise error
                    # A plain ERROR may have been the answer to a damaged line.
                    yield from self._set_op(option, self._wanted(option))
                    return
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
            and (kept is _REFUSED or not (yield from self._is_listed_op(option.name)))
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
        if option.kind == _NAMES:
            names = value if isinstance(value, tuple) else (value,)
            for name in names:
                ch.quote(name or "")
        elif option.kind == _HEX:
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
            if option.kind == _HEX and not (model.known or model.suite_0x):
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
            elif ch.value(1) == self.ssl_id and ch.field_equals(0, option.name.encode()):
                value = self._parse(option)
        return value

    def _parse(self, option):
        # The value in the line at hand: `"<option>",<ssl_id>,<values>`.
        ch = self._ch
        if option.kind == _NAMES:
            names = tuple([_name(ch.text(2 + i)) for i in range(len(option.arguments))])
            return names if len(names) > 1 else names[0]
        if option.kind == _HEX:
            try:
                return int(ch.text(2), 16)
            except (ValueError, TypeError):
                return None
        return ch.value(2)


def _name(text):
    # Modules show an unset name as "NULL", as "" or not at all.
    return None if text in (None, "", "NULL") else text
