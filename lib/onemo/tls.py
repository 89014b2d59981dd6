# TLS contexts: everything that MSSLCFG sets (manual 3.1). A module is lax by default: it verifies
# nothing, ignores dates and offers SSL 3.0. `configure` is strict by default, sends every option
# each time, and reads each back, for firmware is known that answers OK to what it ignores.

from . import syntax
from ._port import const
from .certs import CERT, KEY, PSK
from .channel import DONE, LINE
from .errors import CommandError, ModemReset, Unsupported, VerifyError

AUTH_NONE = const(0)
AUTH_SERVER = const(1)
AUTH_MUTUAL = const(2)

SSL3 = const(0)
TLS1_0 = const(1)
TLS1_1 = const(2)
TLS1_2 = const(3)
TLS_ANY = const(255)

OPTIONS = (
    "auth",
    "cert",
    "psk",
    "encoding",
    "negotime",
    "version",
    "ciphersuite",
    "session",
    "ignorestamp",
    "ignoreverify",
)

_TIMEOUT_MS = const(5000)
_BAD_PARAMETER = const(50)
_FLAGS = ("session", "ignorestamp", "ignoreverify")


def tls(modem, ssl_id):
    """TLS context `ssl_id`: the same object for the same id. Nothing is sent yet."""
    syntax.check_range(ssl_id, "ssl_id", 0, modem.needed_model().ssl_ids - 1)
    if ssl_id not in modem.contexts:
        modem.contexts[ssl_id] = TLSContext(modem, ssl_id)
    return modem.contexts[ssl_id]


class TLSContext:
    """One of the module's TLS contexts, by its ssl_id. Got as `modem.tls(ssl_id)`; nothing is sent
    until `configure`."""

    def __init__(self, modem, ssl_id):
        self.ssl_id = ssl_id
        self._modem = modem
        self._ch = modem.channel
        self._settings = None  # what configure was asked for: {option: value}
        self._boot = -1  # the boot of the module that they were sent to

    def configure(
        self,
        auth=AUTH_SERVER,
        *,
        ca=None,
        cert=None,
        key=None,
        pskid=None,
        version=TLS1_2,
        ciphersuite=0,
        negotime_s=45,
        session=True,
        ignorestamp=False,
        ignoreverify=False,
        allow_broken=False,
        send=True,
    ):
        """Sets every option of this context and reads each back (manual 3.1). `ca`, `cert`, `key`:
        names in the module's store; `negotime_s`: seconds, 10..300; `ciphersuite`: an id of the
        manual's appendix 5.1, 0 leaves the choice to module and server, a broken one needs
        `allow_broken`. With `send=False` they are noted only, and sent when they are first needed.

        Modules are not documented to compare the server's name with its certificate: whoever holds
        a certificate that `ca` vouches for is accepted for any host. Use a CA of your own as `ca`,
        one that signs nothing but your servers.

        ValueError or TypeError before anything is sent; VerifyError where the module does not keep
        a value."""
        model = self._modem.needed_model()
        if auth not in (AUTH_NONE, AUTH_SERVER, AUTH_MUTUAL):
            raise ValueError(
                "auth is %r; it must be AUTH_NONE, AUTH_SERVER or AUTH_MUTUAL" % (auth,)
            )
        if auth != AUTH_NONE and ca is None:
            raise ValueError(
                "auth needs ca=, the name of the CA's certificate in the module; "
                "AUTH_NONE verifies nothing"
            )
        if auth == AUTH_MUTUAL and (cert is None or key is None):
            raise ValueError(
                "AUTH_MUTUAL needs cert= and key=, the names of the client's in the module"
            )
        for name, what in ((ca, "ca"), (cert, "cert"), (key, "key"), (pskid, "pskid")):
            if name is not None:
                syntax.check_text(name, what)
        if version not in (SSL3, TLS1_0, TLS1_1, TLS1_2, TLS_ANY):
            raise ValueError(
                "version is %r; it must be SSL3, TLS1_0, TLS1_1, TLS1_2 or TLS_ANY" % (version,)
            )
        syntax.check_range(negotime_s, "negotime_s", 10, 300)
        if ciphersuite:
            try:
                from . import suites
            except ImportError:
                raise Unsupported(
                    "a ciphersuite is judged by onemo/suites, which is not installed: install all "
                    "of onemo, or leave the choice to module and server"
                )
            if suites.strength(ciphersuite) == "broken" and not allow_broken:
                raise ValueError(
                    "ciphersuite 0x%X, %s, is broken; use a sound one, "
                    "or allow_broken=True if there is no other way"
                    % (ciphersuite, suites.name(ciphersuite))
                )
        missing = None
        if version not in model.versions:
            missing = "TLS version %d; use TLS1_2" % version
        if self._modem.certs.encoding not in model.encodings:
            missing = "certs.encoding %r (manual 3.1, note 4)" % (self._modem.certs.encoding,)
        if pskid is not None and not model.psk:
            missing = "PSKs (manual 3.1, note 3); use certificates"
        if missing:
            raise Unsupported("%s has no %s" % (model, missing))
        self._settings = {
            "cert": (ca, cert, key),
            "psk": pskid,
            "negotime": negotime_s,
            "version": version,
            "ciphersuite": ciphersuite,
            "session": int(bool(session)),
            "ignorestamp": int(bool(ignorestamp)),
            "ignoreverify": int(bool(ignoreverify)),
            "auth": auth,
        }
        self._boot = -1
        return self._modem.run_operation(self.applied()) if send else None

    def configured(self):
        return self._settings is not None

    def applied(self, again=False):
        """Operation: sends the settings, unless this boot of the module has them."""
        modem = self._modem
        if self._settings is None:
            raise ValueError(
                "TLS context %d is not configured: call configure() first" % self.ssl_id
            )
        if self._boot == modem.boots and not again:
            return
        if self._boot >= 0 and not again and modem.needed_model().volatile:
            yield from self._look_for_names()
        for option in OPTIONS:
            if self._has(option):
                yield from self._set(option, self._wanted(option))
        yield from self.difference()
        ch = self._ch
        if ch.result:
            raise VerifyError(
                "the module keeps %s of TLS context %d at %r, not %r; "
                "no connection is safe with it"
                % (ch.result[0], self.ssl_id, ch.result[1], ch.result[2])
            )

    def difference(self):
        """Operation: the first option that the module keeps otherwise than configured, in result
        as (option, kept, wanted); None where there is none, so that nothing has to be sent."""
        ch = self._ch
        for option in OPTIONS:
            if self._has(option):
                yield from self._get(option)
                wanted = self._wanted(option)
                if ch.result != wanted:
                    ch.result = (option, ch.result, wanted)
                    return
        self._boot = self._modem.boots
        ch.result = None

    def _look_for_names(self):
        # The module started anew, perhaps from a deep sleep that took all (manual 3.1, note).
        from .inventory import find

        settings = self._settings
        names = settings["cert"] + (settings["psk"],)
        kinds = (CERT, CERT, KEY, PSK)
        for i in range(len(kinds)):
            name = names[i]
            if name:
                yield from find(self._ch, name, kinds[i])
                if self._ch.result is None:
                    raise ModemReset(
                        "the module started anew and has lost %s: call modem.restore()" % name
                    )

    def _wanted(self, option):
        # How certificates are written is one for all contexts, and not configure's.
        return self._modem.certs.encoding if option == "encoding" else self._settings[option]

    def strict_about_time(self):
        """Whether validity dates count, so that the module's clock must be right."""
        settings = self._settings
        return settings["auth"] != AUTH_NONE and not (
            settings["ignorestamp"] or settings["ignoreverify"]
        )

    def _has(self, option):
        return option != "psk" or self._modem.needed_model().psk

    def _begin(self, option):
        return self._ch.begin(b"+MSSLCFG=").quote(option).number(self.ssl_id)

    def _set(self, option, value):
        ch = self._ch
        self._begin(option)
        if option == "cert":
            for name in value:
                ch.quote(name or "")
        elif option == "psk":
            ch.quote(value or "")
        elif option == "ciphersuite":
            ch.verbatim("%X" % value)
        else:
            ch.number(value)
        ch.go(_TIMEOUT_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError as error:
            # A module that knows no empty name: whatever it keeps instead is seen as it is read
            # back.
            if error.code != _BAD_PARAMETER or option not in ("cert", "psk"):
                raise
            if option == "cert" and value[0]:
                self._begin(option)
                for name in value:
                    if name:
                        ch.quote(name)
                ch.go(_TIMEOUT_MS)
                while ch.poll() != DONE:
                    yield
            elif value and value != (None, None, None):
                raise

    def _get(self, option):
        ch = self._ch
        value = None
        self._begin(option).go(_TIMEOUT_MS, b"+MSSLCFG:")
        while (event := ch.poll()) != DONE:
            if event != LINE:
                yield
            elif ch.value(1) == self.ssl_id:
                value = self._value(option)
        ch.result = value

    def _value(self, option):
        # The value in the line at hand: `"<option>",<ssl_id>,<values>`.
        ch = self._ch
        if option == "cert":
            return (_name(ch.text(2)), _name(ch.text(3)), _name(ch.text(4)))
        if option == "psk":
            return _name(ch.text(2))
        if option == "ciphersuite":
            try:
                return int(ch.text(2), 16)
            except (ValueError, TypeError):
                return None
        return ch.value(2)

    def read(self):
        """Every option as the module has it now: a dict with configure's parameter names and
        types, and `encoding`. An unset name is None."""
        return self._modem.run_operation(self._read())

    def _read(self):
        found = {"pskid": None}
        for option in OPTIONS:
            if not self._has(option):
                continue
            yield from self._get(option)
            value = self._ch.result
            if option == "cert":
                found["ca"], found["cert"], found["key"] = value or (None, None, None)
            elif option == "psk":
                found["pskid"] = value
            elif option == "negotime":
                found["negotime_s"] = value
            else:
                found[option] = bool(value) if option in _FLAGS else value
        self._ch.result = found

    def read_all(self, option):
        """One option of every ssl_id, as MSSLCFG="<option>" lists it: [(ssl_id, value), ...]. The
        value of "cert" is (ca, cert, key)."""
        if option not in OPTIONS:
            raise ValueError("option is %r; it must be one of %s" % (option, ", ".join(OPTIONS)))
        if not self._has(option):
            raise Unsupported("%s has no PSKs (manual 3.1, note 3)" % self._modem.needed_model())
        return self._modem.run_operation(self._read_all(option))

    def _read_all(self, option):
        ch = self._ch
        found = []
        ch.begin(b"+MSSLCFG=").quote(option).go(_TIMEOUT_MS, b"+MSSLCFG:")
        while (event := ch.poll()) != DONE:
            if event == LINE:
                found.append((ch.value(1), self._value(option)))
            else:
                yield
        ch.result = found


def _name(text):
    # Modules show an unset name as "NULL", as "" or not at all.
    return None if text in (None, "", "NULL") else text
