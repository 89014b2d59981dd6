# SPDX-License-Identifier: MIT
#
# Which cipher suites the module has (manual 3.9), for modem.ciphers.

from ._port import CLOSES_GENERATORS, const
from .at_channel import DATA, DONE, REPLY_MS, REST_OF_LINE
from .errors import ProtocolError

_LINE = const(4096)  # bytes, a generous bound for what MSSLCIPHER's line takes on the wire
_ID_MAX = const(64)  # bytes in which an id must end
_ID_ROOM = const(16)  # bytes that one has as a rule
_IDS_MAX = const(1024)  # more than that is no list of suites


def supported_ids(modem):
    """Iterate the ids that the module lists (manual 3.9), and None wherever it must wait.
    Unsupported, before anything is sent, if the model does not list them."""
    _check_model(modem)
    return _iterate_supported(modem.channel)


def iterate_supported(modem):
    """Iterate the same for the blocking front, which waits in between."""
    if modem.channel.running:
        modem.refuse_reentry()
    _check_model(modem)
    return _iterate_supported(modem.channel, modem)


def _check_model(modem):
    model = modem.require_model()
    if not model.ciphers:
        from .errors import Unsupported

        raise Unsupported("%s does not list its cipher suites (manual 3.9)" % model)


def _iterate_supported(ch, modem=None):
    # Iterates. All ids stand on one line of 1.5 KB, which is taken apart as it comes. An id is put
    # together in `token`, which serves all of them. `modem`: the blocking front, which waits in
    # here; None where it must wait for others.
    if modem:
        _begin(modem)
    try:
        ch.command(b"+MSSLCIPHER=?")
        ch.send(REPLY_MS + _LINE * 10000 // ch.baud, b"+MSSLCIPHER:", REST_OF_LINE)
        token = bytearray(_ID_ROOM)
        found = None
        while (event := ch.poll()) != DONE:
            if event != DATA:
                if not _waited(modem):
                    yield
                continue
            token[:] = b""
            found = 0
            while ch.data_remaining:
                if found > _IDS_MAX:
                    ch.lose_sync()
                    raise ProtocolError("%s: the list has no end" % ch.command_text())
                chunk = ch.read_chunk()
                if ch.data_remaining and ch.drained and not _waited(modem):
                    yield
                for at in range(len(chunk)):
                    event = chunk[at]  # a byte; a local more would make the generator larger
                    if event not in b" (,)\r\n":
                        token.append(event)
                        if len(token) > _ID_MAX:
                            _refuse_id(ch, token)
                    elif token:
                        yield _parse_id(ch, token)
                        token[:] = b""
                        found += 1
                    if event == 0x0A:
                        ch.end_data(at + 1)
                        break
        if found is None:
            ch.lose_sync()  # it may still come
            raise ProtocolError("%s: OK, but no list came" % ch.command_text())
    finally:
        if modem:
            modem.channel.running = False


def _begin(modem):
    # MicroPython does not close a generator that is left: there nobody can tell a command inside
    # the loop from one behind it.
    if modem.channel.running:
        modem.refuse_reentry()
    modem.channel.running = CLOSES_GENERATORS
    try:
        if not modem.channel.ready():
            modem.drive(modem.resync_op())
    except Exception as error:
        modem.channel.running = False
        raise error


def _waited(modem):
    # True once the blocking front has waited; False for others.
    if modem:
        modem.wait()
    return bool(modem)


def _parse_id(ch, token):
    # By hand, for int() would need a copy.
    number = 0
    start = 2 * (token.startswith(b"0x") or token.startswith(b"0X"))  # noqa: PIE810
    for at in range(start, len(token)):
        digit = token[at] - 48
        if digit > 9:
            digit = (token[at] | 0x20) - 87
            if digit < 10:
                digit = -1
        if not 0 <= digit < 16:
            _refuse_id(ch, token)
        number = number << 4 | digit
    if start == len(token) or number > 0xFFFF:
        _refuse_id(ch, token)
    return number


def _refuse_id(ch, token):
    raise ProtocolError("%s: %r is no id" % (ch.command_text(), bytes(token)))
