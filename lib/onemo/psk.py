# Pre-shared keys (manual 3.7), which the NB models have, and MSSLCHECK's test form.

from binascii import hexlify

from ._port import const, raw
from .certs import PSK
from .channel import DONE, LINE
from .digest import md5
from .errors import CommandError, Unsupported, VerifyError
from .inventory import check, find
from .syntax import check_text

_TIMEOUT_MS = const(10000)
_FLASH_MS = const(30000)


def write_psk(certs, pskid, psk):
    """Adds a pre-shared key (manual 3.7; no 4G model has it). `psk`: str or bytes, 1..8192,
    printable ASCII without quote or backslash, and the command has to fit the module's line. It is
    checked by MSSLCHECK where the module answers that for a PSK, else by its length in MSSLLIST:
    `psk_verified` says which. A PSK that is there under this id is removed first. ValueError or
    Unsupported before anything is sent."""
    modem = certs.modem
    return modem.run_operation(writing(modem, pskid, checked(modem, pskid, psk)))


def checked(modem, pskid, psk):
    """`psk` as it goes into the command; ValueError, TypeError or Unsupported where it cannot."""
    check_text(pskid, "pskid")
    model = modem.needed_model()
    if not model.psk:
        raise Unsupported("%s has no PSKs (manual 3.7); use certificates" % model)
    psk = raw(psk)
    check_psk(psk, modem.line_max - len(pskid) - len('AT+MSSLPSK="",""\r'))
    return psk


def check_psk(psk, most):
    """ValueError or TypeError, which never show it, unless the bytes `psk` can stand between
    quotes in a command."""
    if not isinstance(psk, (str, bytes, bytearray)):
        raise TypeError("psk must be str or bytes, not " + type(psk).__name__)
    if not 1 <= len(psk) <= 8192:
        raise ValueError("psk has %d bytes; the module takes 1 to 8192" % len(psk))
    if len(psk) > most:
        raise ValueError(
            "psk has %d bytes, but the module's command line has room for %d; "
            "raise Modem(line=...) if it takes more" % (len(psk), most)
        )
    for i in range(len(psk)):
        if psk[i : i + 1] in ('"', "\\", b'"', b"\\") or not b" " <= raw(psk[i : i + 1]) <= b"~":
            raise ValueError(
                "psk holds at %d what cannot be written in a command; "
                "use printable ASCII without quote or backslash" % i
            )


def writing(modem, pskid, psk):
    # Operation of `CertStore.write_psk`.
    ch = modem.channel
    certs = modem.certs
    yield from find(ch, pskid, PSK)
    if ch.result is not None:
        yield from certs.removal(pskid)
    ch.begin(b"+MSSLPSK=").quote(pskid).hide().quote(psk).go(_FLASH_MS)
    while ch.poll() != DONE:
        yield
    hashed = md5()
    hashed.update(psk)
    hashed = hexlify(hashed.digest()).decode()
    try:
        yield from check(ch, pskid)
        said = "MSSLCHECK"
        same = ch.result == hashed
    except CommandError:
        yield from find(ch, pskid, PSK)
        said = "MSSLLIST"
        same = ch.result == len(psk)
    if not same:
        yield from certs.removal(pskid)
        raise VerifyError(
            "PSK %s is not in the module as it was sent, %s says; it was removed, write it "
            "again" % (pskid, said)
        )
    certs.psk_verified = said
    _remember(modem, pskid, psk)
    ch.result = True


def comparing(modem, pskid, psk):
    # Operation: in result whether the module holds this PSK; None: none of that id.
    ch = modem.channel
    yield from find(ch, pskid, PSK)
    if ch.result is None:
        return
    same = False
    if ch.result == len(psk):
        hashed = md5()
        hashed.update(psk)
        try:
            yield from check(ch, pskid)
            same = ch.result == hexlify(hashed.digest()).decode()
        except CommandError:
            pass  # a module that gives no code for PSKs: it is written once more
    if same:
        _remember(modem, pskid, psk)
    ch.result = same


def _remember(modem, pskid, psk):
    if modem.needed_model().volatile:
        from .restore import remember

        remember(modem, pskid, psk, PSK, len(psk))


def algorithms(certs):
    """The algorithms that the module says MSSLCHECK has: its test form (manual 3.8)."""
    return certs.modem.run_operation(_algorithms(certs.channel))


def _algorithms(ch):
    # The form is `+MSSLCHECK: ,(0,1,2,3)` or a range, with that leading comma.
    ch.begin(b"+MSSLCHECK=?").go(_TIMEOUT_MS, b"+MSSLCHECK:")
    found = []
    while (event := ch.poll()) != DONE:
        if event == LINE:
            found = numbers(ch.line())
        else:
            yield
    ch.result = found


def numbers(line):
    """The numbers of a list such as b"+X: ,(0,1,4-6)", ranges spelt out. What has
    three digits or more is none of them."""
    found = []
    for part in line[line.find(b":") + 1 :].replace(b"(", b" ").replace(b")", b" ").split(b","):
        ends = part.strip().split(b"-")
        if ends[0].isdigit() and ends[-1].isdigit() and len(ends[-1]) < 3:
            found.extend(range(int(ends[0]), int(ends[-1]) + 1))
    return found
