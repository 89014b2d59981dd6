# SPDX-License-Identifier: MIT
#
# modem.attach: radio, SIM, registration, packet service and PDP context 1 as they are wanted. Each
# step looks, acts on what differs, and looks again; what was done is told (modem.on_event).
#
# Loaded for that and let go of then. Nothing here relies on AT+CGACT=0: some models undo it,
# others never answer it.

from . import _port
from ._port import const
from .at_channel import DONE, LINE, REPLY_MS
from .at_retry import RETRY_MS, ask_op, is_over, is_transient, listen_op, pause_op
from .at_syntax import check_text
from .errors import CommandError, ModemError, Timeout, VerifyError

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any

_SIM_MS = const(30000)  # until a SIM that is there is ready
_PRIORITY_MS = const(2000)  # for a module that is busy
_RADIO_MS = const(15000)  # for AT+CFUN, and AT+CPIN
_ATTACH_MS = const(75000)  # for AT+CGATT=1
_DIAL_MS = const(60000)
_LOOK_MAX_MS = const(4000)  # from look to look at what takes its time
_PAUSE_MAX_MS = const(30000)  # between dialling and dialling again
_SETTLE_MS = const(300)  # a socket opened earlier gave 753 in the field
_SIM_COMES = (10, 13)  # no SIM, SIM failure: said as well while it comes up
_SIM_BUSY = const(14)
_BAD_PARAMETER = const(50)  # said to MIPCALL=1,1 while the context is up
_REGISTERED = (1, 5, 9, 10)  # home, roaming; the same without circuit-switched fallback
_DENIED = const(3)
_TYPES = ("IP", "IPV6", "IPV4V6")
_FIRST = ("IP", "IPV6")  # in the order of MDNSCFG's numbers
_PRIORITY = const(b'+MDNSCFG="priority"')
_AUTH = ("none", "pap", "chap")  # in the order of CGAUTH's numbers
_TRIES_MIN = const(2)  # of the PIN: the last one is left to a person


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        run_operation: Any

    def attach(
        self,
        apn: "str | None" = None,
        *,
        pdp_type: "str | None" = None,
        user: "str | None" = None,
        password: "str | None" = None,
        auth: str = "chap",
        pin: "str | None" = None,
        pin_file: str = "onemo.pin",
        dns_priority: "str | None" = None,
        timeout_ms: int = 120000,
    ) -> "list[str]":
        """Make the module be online, and return the addresses of PDP context 1, a list of str:
        radio on (AT+CFUN=1), SIM ready, registered, packet service attached (AT+CGATT=1), context
        up. What is as wanted is left alone; what was done is told, see `on_event`.

        `apn`: the context has this one and no other: it is set and dialled anew where it differs.
        None: whichever the module has. `pdp_type`: "IP", "IPV6" or "IPV4V6"; None: as the module
        has it. `user`, `password`: what the APN asks for, by `auth`, "chap" or "pap"
        (AT+CGAUTH). `pin`: of the SIM, 4 to 8 digits; it is never tried twice if the SIM does not
        accept it, for which `pin_file` remembers the attempt. `dns_priority`: "IP" or "IPV6",
        which of a name's addresses are tried first where the module can be told (AT+MDNSCFG);
        None: as it does by itself.

        Timeout, after `timeout_ms` milliseconds, says what was missing: a registration that was
        denied, for instance; CommandError 10 without a SIM, after 30 s; ModemError for a SIM that
        needs a person; VerifyError if the context has another APN; ValueError or TypeError for a
        parameter that cannot be one."""
        _port.unload("network", "at_retry")
        settings = (pdp_type, user, password, auth, pin, pin_file, dns_priority)
        return self.run_operation(attach_op(self, apn, settings, timeout_ms))


def attach_op(modem, apn, settings, timeout_ms):
    """Bring PDP context 1 up; returns its addresses: see BaseModem.attach. ValueError or TypeError
    at once. `settings`: pdp_type, user, password, auth, pin, pin_file, dns_priority."""
    pdp_type, user, password, auth, pin, _, first = settings
    for text, what in ((apn, "apn"), (user, "user"), (password, "password")):
        if text is not None:
            check_text(text, what, 99)
    if pdp_type not in (None,) + _TYPES:
        raise ValueError("pdp_type is %r; it must be one of %s" % (pdp_type, " ".join(_TYPES)))
    if first not in (None,) + _FIRST:
        raise ValueError('dns_priority is %r; it must be "IP" or "IPV6"' % (first,))
    if auth not in _AUTH[1:]:
        raise ValueError('auth is %r; it must be "pap" or "chap"' % (auth,))
    if (user is None) != (password is None):
        raise ValueError("user and password go together: pass both, or neither")
    if user is not None and apn is None:
        raise ValueError("user and password belong to an APN: pass apn= as well")
    if pin is not None:
        check_text(pin, "pin", 8)
        if len(pin) < 4 or pin.strip("0123456789"):
            raise ValueError("pin must be 4 to 8 digits")
    return _Attachment(modem, apn, settings, timeout_ms).run_op()


class _Attachment:
    # One call of attach.

    def __init__(self, modem, apn, settings, timeout_ms):
        self._modem = modem
        self._ch = modem.channel
        self._apn = apn
        self._type, self._user, self._password, auth, self._pin, self._pin_file, first = settings
        self._auth = _AUTH.index(auth)
        self._first = first
        self._timeout_ms = timeout_ms
        self._end = _port.ticks_add(_port.ticks_ms(), timeout_ms)

    def run_op(self):
        """Operation: all of it."""
        yield from self._switch_on_op()
        yield from self._unlock_op()
        may_be_old = yield from self._define_op()
        yield from self._register_op()
        yield from self._attach_op()
        addresses = yield from self._dial_op(may_be_old)
        if self._first:
            yield from self._put_first_op(_FIRST.index(self._first))
        return self._ch.set_result(addresses)

    def _tell(self, text):
        self._modem.tell("attach", text)

    def _left_ms(self):
        return max(0, _port.ticks_diff(self._end, _port.ticks_ms()))

    def _until(self, ms):
        # The end of a step that has `ms` of its own.
        return _port.ticks_add(_port.ticks_ms(), min(ms, self._left_ms()))

    def _pause_op(self, since):
        # Between two looks at what takes its time: an eighth of what has passed since the first.
        passed_ms = _port.ticks_diff(_port.ticks_ms(), since)
        yield from pause_op(self._modem, max(RETRY_MS, min(_LOOK_MAX_MS, passed_ms // 8)))

    def _run_op(self, command, timeout_ms):
        # A setting, once; whoever calls looks whether it took. Returns the refusal, if any.
        try:
            yield from ask_op(self._ch, command, self._until(0), timeout_ms=timeout_ms)
        except CommandError as error:
            return error

    # The radio

    def _switch_on_op(self):
        end = self._until(_RADIO_MS)
        told = False
        while True:
            try:
                level = yield from ask_op(self._ch, b"+CFUN?", end, _first_number)
            except CommandError:
                return  # it does not say; registration will show
            if level in (1, None) or is_over(end):
                return
            if not told:
                self._tell("the radio was off (AT+CFUN? says %d): switched on" % level)
                told = True
            yield from self._run_op(b"+CFUN=1", _RADIO_MS)
            yield from listen_op(self._ch, RETRY_MS)

    # The SIM

    def _unlock_op(self):
        end = self._until(_SIM_MS)
        limit_ms = min(_SIM_MS, self._timeout_ms)
        told = False
        while True:
            try:
                state = yield from ask_op(self._ch, b"+CPIN?", self._until(0), _first_text)
            except CommandError as error:
                if is_over(end) or not is_transient(error, _SIM_COMES):
                    raise
                state = "not ready"
            if state == "READY":
                return
            if state == "SIM PIN":
                yield from self._enter_pin_op()
            elif state and state.upper() != "NOT READY":
                raise ModemError("the SIM asks for %s, which takes a person: unlock it" % state)
            elif is_over(end):
                raise Timeout("no SIM that is ready within %d ms (AT+CPIN?)" % limit_ms)
            elif not told:
                self._tell("the SIM is not ready: waiting, up to %d ms" % limit_ms)
                told = True
            yield from listen_op(self._ch, RETRY_MS)

    def _enter_pin_op(self):
        # A wrong PIN is not tried twice, over a restart of the host either: three tries block the
        # SIM. So the attempt is on file before it is made.
        if self._pin is None:
            raise ModemError(
                "the SIM asks for its PIN: pass pin=..., or switch its PIN off with a phone"
            )
        ch = self._ch
        tries = yield from self._ask_once_op(b"+CPINR", _pin_tries, b"+CPINR:")
        card = yield from self._ask_once_op(b"+ICCID", _first_text, b"+")
        mark = _mark(card or "", self._pin)
        before = self._read_attempt(mark)
        # A try that the module did not count was not made, or the PIN was right.
        if before is not None and (tries is None or tries < before):
            raise ModemError(
                "the SIM did not accept this PIN before, and it is not tried twice: check it, "
                "then remove the file %s" % self._pin_file
            )
        if tries is not None and tries < _TRIES_MIN:
            raise ModemError(
                "the SIM's PIN has %d try left, which is left to a person: unlock it with a phone"
                % tries
            )
        try:
            with open(self._pin_file, "w") as file:
                file.write("%s %d" % (mark, -1 if tries is None else tries))
        except OSError as error:
            raise ModemError(
                "%s cannot be written, so the PIN is not tried: %s" % (self._pin_file, error)
            )
        ch.command(b"+CPIN=").begin_secret().quote(self._pin).send(_RADIO_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError as error:
            if error.code != _SIM_BUSY:
                raise ModemError(
                    "the SIM does not accept the PIN (%s); it is not tried again" % error
                )
        else:
            self._tell("the SIM's PIN was entered")
        finally:
            ch.wipe()
        _remove(self._pin_file)

    def _read_attempt(self, mark):
        # Tries that were left at the attempt on file, -1 if that is not known; None without one.
        try:
            with open(self._pin_file) as file:
                words = file.read(64).split()
            return int(words[1]) if words[0] == mark else None
        except OSError:
            return None
        except (IndexError, ValueError):
            return 99  # unreadable: as if it had failed

    def _ask_once_op(self, command, take, expect):
        # None where the module does not tell.
        try:
            return (yield from ask_op(self._ch, command, self._until(0), take, expect))
        except CommandError:
            return None

    # The context's definition

    def _define_op(self):
        # Returns whether the context that is up may have been dialled as something else.
        if self._apn is None and self._type is None:
            return False
        ch = self._ch
        defined = yield from ask_op(ch, b"+CGDCONT?", self._end, _definition)
        has_type, has_apn = defined or ("", "")
        pdp_type = self._type or has_type or _TYPES[2]
        apn = has_apn if self._apn is None else self._apn
        same = pdp_type == has_type and apn.lower() == has_apn.lower()
        if same and (yield from self._has_credentials_op()):
            return False
        still_up = yield from self._hang_up_op()
        command = '+CGDCONT=1,"%s","%s"' % (pdp_type, apn)
        yield from ask_op(ch, command.encode(), self._end)
        if self._apn is not None:
            yield from self._authenticate_op()
        defined = yield from ask_op(ch, b"+CGDCONT?", self._end, _definition)
        if not defined or defined[0] != pdp_type or defined[1].lower() != apn.lower():
            raise VerifyError(
                "PDP context 1 was set to %s %s, and reads %s" % (pdp_type, apn, defined)
            )
        self._tell("PDP context 1 was %s %s, now %s %s" % (has_type, has_apn, pdp_type, apn))
        return still_up

    def _has_credentials_op(self):
        if self._user is None:
            return True
        ch = self._ch
        found = None
        ch.command(b"+CGAUTH?").begin_secret().send(REPLY_MS, b"+CGAUTH:")
        try:
            while (event := ch.poll()) != DONE:
                if event != LINE:
                    yield
                elif ch.value(0) == 1:  # some show no password
                    found = ch.value(1) == self._auth and ch.text(2) == self._user
                    found = found and ch.text(3) in (None, self._password)
        except CommandError:  # not to be read: what is up was dialled with them
            found = yield from self._addresses_op()
        return bool(found)

    def _authenticate_op(self):
        # Context 1's user and password, or none: those of another APN are not left over.
        ch = self._ch
        ch.command(b"+CGAUTH=").number(1)
        if self._user is None:
            ch.number(0)
        else:
            ch.number(self._auth).quote(self._user).begin_secret().quote(self._password)
        ch.send(REPLY_MS)
        try:
            while ch.poll() != DONE:
                yield
        except CommandError:
            if self._user is not None:
                raise
        ch.wipe()

    def _hang_up_op(self):
        # Ends context 1 before it becomes another. Returns whether it may be up all the same: the
        # only context of some models cannot be ended, others bring it back.
        if not (yield from self._addresses_op()):
            return False
        yield from self._run_op(b"+MIPCALL=0,1", _DIAL_MS)
        return bool((yield from self._addresses_op()))

    # Registration and packet service

    def _register_op(self):
        began = _port.ticks_ms()
        told = None
        while True:
            stat = yield from ask_op(self._ch, b"+CEREG?", self._end, _second_number)
            if stat in _REGISTERED:
                return
            if is_over(self._end):
                break
            if stat != told:
                told = stat
                if stat == _DENIED:
                    self._modem.tell("denied", "the network denies registration (CEREG 3)")
                else:
                    self._tell(
                        "not registered (CEREG %s): waiting, up to %d ms" % (stat, self._left_ms())
                    )
            yield from self._pause_op(began)
        if stat == _DENIED:
            raise Timeout(
                "registration denied by the network for %d ms (AT+CEREG? says 3): is the SIM "
                "active, is its plan paid, may it be used in this device?" % self._timeout_ms
            )
        raise Timeout(
            "no registration with a network within %d ms (AT+CEREG? says %s): check antenna and "
            "coverage" % (self._timeout_ms, stat)
        )

    def _attach_op(self):
        began = _port.ticks_ms()
        told = False
        while not (yield from ask_op(self._ch, b"+CGATT?", self._end, _first_number)):
            if is_over(self._end):
                raise Timeout(
                    "no packet service (AT+CGATT?) within %d ms: is the SIM's data plan active?"
                    % self._timeout_ms
                )
            if not told:
                self._tell("packet service was off: attached (AT+CGATT=1)")
                told = True
            yield from self._run_op(b"+CGATT=1", _ATTACH_MS)
            yield from self._pause_op(began)

    # The context

    def _addresses_op(self):
        # Of PDP context 1 while it is up; else None.
        return (yield from ask_op(self._ch, b"+MIPCALL?", self._end, _addresses))

    def _dial_op(self, may_be_old):
        pause_ms = 1000
        refusal = None
        dialled = radio_restarted = False
        while True:
            addresses = yield from self._addresses_op()
            if addresses and self._apn is not None:
                known = yield from self._apn_in_use_op()
                old = known != self._apn.lower() if known else may_be_old
                if old and not radio_restarted:
                    # What cannot be hung up ends with the radio.
                    radio_restarted = True
                    may_be_old = False
                    yield from self._restart_radio_op(known)
                    continue
                if old:
                    raise VerifyError(
                        "PDP context 1 is up with APN %s, not with %s" % (known, self._apn)
                    )
            if addresses:
                if dialled:
                    yield from listen_op(self._ch, _SETTLE_MS)
                return addresses
            if is_over(self._end):
                raise Timeout(
                    "no PDP context within %d ms (AT+MIPCALL?)%s"
                    % (self._timeout_ms, "; %s" % refusal if refusal else "")
                )
            refusal = yield from self._run_op(b"+MIPCALL=1,1", _DIAL_MS)
            dialled = True
            if refusal is None:
                self._tell("PDP context 1 was down: dialled")
                yield from self._wait_for_address_op()
            elif refusal.code != _BAD_PARAMETER:  # it may have come up by itself meanwhile
                pause_ms = min(pause_ms, self._left_ms())
                self._tell("%s; again in %d ms" % (refusal, pause_ms))
                yield from pause_op(self._modem, pause_ms)
                pause_ms = min(2 * pause_ms or 1, _PAUSE_MAX_MS)
            else:
                yield from listen_op(self._ch, RETRY_MS)

    def _wait_for_address_op(self):
        end = self._until(_DIAL_MS)
        while not (yield from self._addresses_op()) and not is_over(end):
            yield from listen_op(self._ch, RETRY_MS)

    def _apn_in_use_op(self):
        # In small letters, without what the network adds; None where the module does not tell.
        apn = yield from self._ask_once_op(b"+CGCONTRDP=1", _third_text, b"+CGCONTRDP:")
        if not apn:
            return None
        apn = apn.lower()
        at = apn.find(".mnc")
        return apn if at < 0 else apn[:at]

    # Names

    def _put_first_op(self, number):
        # Which addresses of a name are tried first. Many modules forget it as they reboot; what
        # one does not have is told, for names are looked up all the same.
        found = yield from self._ask_once_op(_PRIORITY, _second_number, b"+MDNSCFG:")
        if found == number:
            return
        end = self._until(_PRIORITY_MS)
        try:
            yield from ask_op(self._ch, _PRIORITY + b",%d" % number, end)
            found = yield from self._ask_once_op(_PRIORITY, _second_number, b"+MDNSCFG:")
            if found in (None, number):  # not all can be asked
                return
            refusal = "it reads %s" % found
        except CommandError as error:
            refusal = error
        self._tell("addresses of kind %s are not tried first: %s" % (self._first, refusal))

    def _restart_radio_op(self, known):
        self._tell(
            "PDP context 1 is up with APN %s: radio off and on"
            % (known or "of an earlier setting")
        )
        yield from self._run_op(b"+CFUN=4", _RADIO_MS)
        yield from self._switch_on_op()
        yield from self._unlock_op()
        yield from self._register_op()
        yield from self._attach_op()


def _first_number(ch):
    return ch.value(0)


def _second_number(ch):
    # Read: `n,stat[,...]`; the URC of the same name has one parameter fewer and is no answer.
    return ch.value(1)


def _first_text(ch):
    return ch.text(0)


def _third_text(ch):
    return ch.text(2)


def _pin_tries(ch):
    return ch.value(1) if ch.text(0) == "SIM PIN" else None


def _definition(ch):
    return (ch.text(1) or "", ch.text(2) or "") if ch.value(0) == 1 else None


def _addresses(ch):
    if ch.value(0) == 1 and ch.value(1) == 1:
        return [text for text in (ch.text(2), ch.text(3)) if text]
    return None


def _mark(card, pin):
    # Tells one attempt from another; a SIM that was changed has none.
    from binascii import hexlify

    from .md5 import md5

    hashed = md5()
    hashed.update(("%s %s" % (card, pin)).encode())
    return hexlify(hashed.digest()).decode()


def _remove(path):
    import os

    try:
        os.remove(path)
    except OSError:
        pass
