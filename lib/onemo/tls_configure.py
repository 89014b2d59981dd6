# SPDX-License-Identifier: MIT
#
# TLSContext.configure, and what goes together. Loaded for that, and let go of.

from . import at_syntax
from ._port import const, unload
from .errors import Unsupported
from .tls_rows import (
    AUTH_MUTUAL,
    AUTH_NONE,
    AUTH_SERVER,
    FLAG,
    NAMES,
    ROWS,
    SSL3,
    TLS1_0,
    TLS1_1,
    TLS1_2,
    TLS_ANY,
)

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any


class Methods:
    """Part of TLSContext, loaded when it is called."""

    if TYPE_CHECKING:  # what TLSContext has
        apply_op: Any
        _modem: Any

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
        unload("tls_configure")
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
        for option in ROWS:
            name = option.arguments[0]
            if option.default is not None and arguments.get(name, 0) is None:
                del arguments[name]
        check_values(self._modem, arguments, allow_broken)
        settings = {"encoding": None}
        for option in ROWS:
            if option.arguments[0] in arguments:
                settings[option.name] = checked_value(option, arguments)
        self._settings = settings
        self._epoch = -1
        return self._modem.run_operation(self.apply_op()) if send else None


def _check_suite(ciphersuite, allow_broken):
    try:
        from . import suites
    except ImportError:
        raise Unsupported(
            "a ciphersuite is judged by onemo/suites, which is not installed: install all "
            "of onemo, or leave the choice to module and server"
        )
    unload("suites")
    if suites.strength(ciphersuite) == "broken" and allow_broken is not True:
        raise ValueError(
            "ciphersuite 0x%X, %s, is broken; use a sound one, "
            "or allow_broken=True if there is no other way"
            % (ciphersuite, suites.name(ciphersuite))
        )


def check_values(modem, arguments, allow_broken):
    """ValueError or Unsupported for a value that no module, or this model, takes, and for what
    does not go together. `arguments`: those of configure(), or some of them. For the library's
    own parts."""
    model = modem.require_model()
    get = arguments.get
    auth = get("auth", AUTH_NONE)
    if isinstance(auth, bool) or auth not in (AUTH_NONE, AUTH_SERVER, AUTH_MUTUAL):
        raise ValueError("auth is %r; it must be AUTH_NONE, AUTH_SERVER or AUTH_MUTUAL" % (auth,))
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
        _check_suite(arguments["ciphersuite"], allow_broken)
    missing = None
    if version not in model.versions:
        missing = "TLS version %d; use TLS1_2" % version
    encoding = get("encoding", modem.encoding)
    if encoding not in model.encodings:
        missing = "certs.encoding %r (manual 3.1, note 4)" % (encoding,)
    if get("pskid") is not None and not model.psk:
        missing = "PSKs (manual 3.1, note 3); use certificates"
    if get("sni") and not model.sni:
        missing = "SNI (manual V5.4.5, 3.1, note 3); leave sni out"
    if missing:
        raise Unsupported("%s has no %s" % (model, missing))


def checked_value(option, arguments):
    """The value of an option, from the arguments that it takes; ValueError, TypeError."""
    names = option.arguments
    if option.kind == NAMES:
        for name in names:
            if arguments[name] is not None:
                at_syntax.check_text(arguments[name], name)
    value = arguments[names[0]]
    if len(names) > 1:
        return tuple([arguments[name] for name in names])
    if option.kind == FLAG:
        if value not in (False, True):  # "false" would be true
            raise TypeError("%s is %r; it must be True or False" % (names[0], value))
        return int(value)
    if option.kind != NAMES:
        at_syntax.check_range(value, names[0], option.low, option.high)
    return value
