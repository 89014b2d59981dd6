# The module's cipher suites (manual 3.9): one line of 1.5 KB, taken token by token as it comes.

from ._port import const
from .channel import DATA, DONE
from .errors import ProtocolError, Unsupported
from .receiver import PIECE
from .syntax import after_colon

_ANSWER_MS = const(5000)
_LINE = const(4096)  # bytes, a generous bound for what it takes on the wire


def ciphers(modem):
    """Iterates the ids of the cipher suites that the module supports (manual 3.9); see `suites`.
    Unsupported where the model does not tell. May be left half-way."""
    found = ids(modem)
    if not modem.channel.ready():
        modem._drive(modem.recovery())
    return _each(modem, found)


def _each(modem, found):
    for number in found:
        if number is None:
            modem._wait(modem.channel.patience_ms())
        else:
            yield number


def ids(modem):
    """None where it must wait, else the next id."""
    if not modem.needed_model().ciphers:
        raise Unsupported("%s does not list its cipher suites (manual 3.9)" % modem.needed_model())
    return _ids(modem.channel)


def _ids(ch):
    ch.begin(b"+MSSLCIPHER=?")
    ch.go(_ANSWER_MS + _LINE * 10000 // ch.baud, b"+MSSLCIPHER:", counted=_begins)
    while (event := ch.poll()) != DONE:
        if event != DATA:
            yield
            continue
        while (token := _token(ch)) is not None:
            yield _number(ch, token) if token else None


def _begins(ch, at, stop):
    # All that comes behind the name is taken as it comes.
    ch._taken = after_colon(ch._rx, at, stop)
    return True


def _number(ch, token):
    try:
        number = int(token, 16)
        if number >= 0:
            return number
    except ValueError:
        pass
    raise ProtocolError("%s: %r is no id" % (ch.command(), token))


def _token(ch):
    # The next one of the line under way, empty for wait, None at the line's end. It looks into the
    # receiver, for nothing else needs a line before it is whole.
    while True:
        rx = ch._rx
        size = len(rx)
        at = ch._taken
        while at < size and rx[at] in b" (,":
            at += 1
        stop = at
        while stop < size and rx[stop] not in b",)\r\n":
            stop += 1
        ch._taken = at
        if stop == size:
            if stop - at > PIECE:
                raise ProtocolError("%s: %r is no id" % (ch.command(), bytes(rx[at:stop])))
            if not ch._read(PIECE):
                ch._expire()
                return b""
        elif rx[stop] == 0x0A:
            return None
        elif stop > at:
            ch._taken = stop
            return bytes(rx[at:stop])
        else:
            ch._taken = stop + 1
