# SPDX-License-Identifier: MIT
#
# What is in the module's store: listed, read back, digested (manual 3.4, 3.5, 3.8).

from ._port import const, unload
from .at_channel import DATA, DONE, LINE, STORE_MS
from .at_syntax import PAYLOAD_MAX, check_range, check_text
from .cert_digest import find_digest_op
from .cert_store import CERT, PSK
from .errors import ProtocolError

MD5 = const(0)  # MSSLCHECK's algorithms (manual 3.8)
SHA1 = const(1)
SHA256 = const(2)
CRC = const(3)


def read_op(modem, name, sink):
    """Stream a certificate into sink.write: see CertStore.read. ValueError, TypeError at once."""
    check_text(name, "name")
    return _read_op(modem.channel, name.encode(), sink)


def _read_op(ch, name, sink):
    # The list is asked first, as a second opinion on the size: one damaged digit of it would cut
    # the certificate short. The size is kept in the result, for each local makes the generator
    # larger.
    ch.result = None
    ch.command(b"+MSSLLIST=").number(CERT).send(STORE_MS, b"+MSSLLIST:")
    while (event := ch.poll()) != DONE:
        if event != LINE:
            yield
        elif ch.field_equals(0, name):
            ch.result = ch.value(1)
    ch.command(b"+MSSLCERTRD=").quote(name)
    ch.send(STORE_MS + PAYLOAD_MAX * 10000 // ch.baud, b"+MSSLCERTRD:", 1)
    while (event := ch.poll()) != DONE:
        if event != DATA:
            yield
            continue
        _check_count(ch)
        name = None
        while ch.data_remaining:
            event = ch.read_chunk()
            if event:
                sink.write(event)
            if ch.data_remaining and ch.drained:
                yield
    if name is not None:
        ch.lose_sync()  # they may still come
        raise ProtocolError("%s: OK, but no data came" % ch.command_text())
    return ch.result


def _check_count(ch):
    count = ch.data_remaining
    if ch.result is not None and ch.result != count:
        ch.lose_sync()
        raise ProtocolError(
            "%s announces %d bytes, MSSLLIST %d" % (ch.command_text(), count, ch.result)
        )
    ch.result = count


def list_op(modem, kind):
    """[(name, size in bytes), ...] of the objects of one kind. ValueError or TypeError at once."""
    check_range(kind, "kind", CERT, PSK)
    return _list_op(modem.channel, kind)


def _list_op(ch, kind):
    found = []
    ch.command(b"+MSSLLIST=").number(kind).send(STORE_MS, b"+MSSLLIST:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            found.append((ch.text(0), ch.value(1)))
        else:
            yield
    # An OK of another's would have cut the list short.
    from .at_confirm import confirm_empty_op

    unload("at_confirm")
    yield from confirm_empty_op(ch)
    return ch.set_result(found)


def digest_op(modem, name, algorithm=MD5):
    """The check code of one object: see CertStore.digest. ValueError, TypeError or Unsupported at
    once."""
    check_text(name, "name")
    check_range(algorithm, "algorithm", MD5, CRC)
    model = modem.require_model()
    if algorithm not in model.algorithms:
        from .errors import Unsupported

        raise Unsupported("%s checks by MD5 only (manual 3.8, note 8)" % model)
    return find_digest_op(modem.channel, name, algorithm)


def algorithms_op(modem):
    """The numbers in MSSLCHECK's test form: `+MSSLCHECK: ,(0,1,2,3)`, with that leading comma, or
    a range."""
    ch = modem.channel
    ch.command(b"+MSSLCHECK=?").send(STORE_MS, b"+MSSLCHECK:")
    found = []
    while (event := ch.poll()) != DONE:
        if event == LINE:
            found = parse_numbers(ch.line())
        else:
            yield
    return ch.set_result(found)


def parse_numbers(line):
    """The numbers of a list such as b"+X: ,(0,1,4-6)", ranges spelt out. What has three digits or
    more is none of them."""
    found = []
    for part in line[line.find(b":") + 1 :].replace(b"(", b" ").replace(b")", b" ").split(b","):
        ends = part.strip().split(b"-")
        if ends[0].isdigit() and ends[-1].isdigit() and len(ends[-1]) < 3:
            found.extend(range(int(ends[0]), int(ends[-1]) + 1))
    return found
