# What is in the module's store: listed, read back, digested (manual 3.4, 3.5, 3.8).

from . import syntax
from ._port import const
from .certs import CERT, PSK, SIZE_MAX
from .channel import DATA, DONE, LINE
from .counted import after, piece
from .errors import ProtocolError, Unsupported

MD5 = const(0)  # MSSLCHECK's algorithms (manual 3.8)
SHA1 = const(1)
SHA256 = const(2)
CRC = const(3)

_TIMEOUT_MS = const(10000)
_CONTENT = after(1)


def read(certs, name, sink):
    """Streams a certificate into sink.write as the module holds it; the number of bytes (manual
    3.4). Private keys cannot be read. The buffer that sink.write is given is good during the call
    only."""
    syntax.check_text(name, "name")
    return certs.modem.run_operation(_reading(certs.channel, name, sink))


def _reading(ch, name, sink):
    ch.begin(b"+MSSLCERTRD=").quote(name)
    ch.go(_TIMEOUT_MS + SIZE_MAX * 10000 // ch.baud, b"+MSSLCERTRD:", _CONTENT)
    size = None
    while (event := ch.poll()) != DONE:
        if event != DATA:
            yield
            continue
        size = ch.left
        while ch.left:
            data = piece(ch)
            if data:
                sink.write(data)
            else:
                yield
    if size is None:
        raise ProtocolError("%s: OK, but no data came" % ch.command())
    ch.result = size


def list(certs, kind=CERT):  # noqa: A001
    """[(name, size in bytes), ...] of the CERTs, KEYs or PSKs in the module (manual 3.5)."""
    syntax.check_range(kind, "kind", CERT, PSK)
    return certs.modem.run_operation(listing(certs.channel, kind))


def listing(ch, kind):
    # Operation of `list`.
    found = []
    ch.begin(b"+MSSLLIST=").number(kind).go(_TIMEOUT_MS, b"+MSSLLIST:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            found.append((ch.text(0), ch.value(1)))
        else:
            yield
    ch.result = found


def find(ch, name, kind):
    # Operation: the size of one object in result, None where it is not listed. Lines that are not
    # it cost nothing.
    wanted = name.encode()
    size = None
    ch.begin(b"+MSSLLIST=").number(kind).go(_TIMEOUT_MS, b"+MSSLLIST:")
    while (event := ch.poll()) != DONE:
        if event == LINE:
            if ch.says(0, wanted):
                size = ch.value(1)
        else:
            yield
    ch.result = size


def digest(certs, name, algorithm=MD5):
    """The module's check code of a certificate, key or PSK: lower-case hex (manual 3.8). All
    models have MD5; SHA1, SHA256 and CRC are MN316-S's: Unsupported elsewhere, nothing sent."""
    syntax.check_text(name, "name")
    syntax.check_range(algorithm, "algorithm", MD5, CRC)
    model = certs.modem.needed_model()
    if algorithm not in model.algorithms:
        raise Unsupported("%s checks by MD5 only (manual 3.8, note 8)" % model)
    return certs.modem.run_operation(check(certs.channel, name, algorithm))


def check(ch, name, algorithm=MD5):
    # Operation of `digest`.
    ch.begin(b"+MSSLCHECK=").quote(name)
    if algorithm:
        ch.number(algorithm)
    ch.go(_TIMEOUT_MS, b"+MSSLCHECK:")
    code = None
    while (event := ch.poll()) != DONE:
        if event == LINE:
            code = ch.text(0).lower()
        else:
            yield
    ch.result = code
