# SPDX-License-Identifier: MIT
#
# Pre-shared keys (manual 3.7), which the NB models have.

from binascii import hexlify

from ._port import as_buffer
from .at_channel import DONE, FLASH_MS
from .at_syntax import PAYLOAD_MAX, check_text
from .cert_digest import find_digest_op
from .cert_store import PSK, find_op, remember_source, remove_op
from .errors import CommandError, ProtocolError, Unsupported, VerifyError
from .md5 import md5


def _checked(modem, pskid, psk):
    # `psk` as it goes into the command.
    check_text(pskid, "pskid")
    model = modem.require_model()
    if not model.psk:
        raise Unsupported("%s has no PSKs (manual 3.7); use certificates" % model)
    psk = as_buffer(psk)
    check_psk_bytes(psk, modem.line_max - len(pskid) - len('AT+MSSLPSK="",""\r'))
    return psk


def check_psk_bytes(psk, max_len):
    """ValueError or TypeError, which never show it, unless the bytes `psk` can stand between
    quotes in a command that has room for `max_len`."""
    if not isinstance(psk, (str, bytes, bytearray)):
        raise TypeError("psk must be str or bytes, not " + type(psk).__name__)
    if not 1 <= len(psk) <= PAYLOAD_MAX:
        raise ValueError("psk has %d bytes; the module takes 1 to %d" % (len(psk), PAYLOAD_MAX))
    if len(psk) > max_len:
        raise ValueError(
            "psk has %d bytes, but the module's command line has room for %d; "
            "raise Modem(line=...) if it takes more" % (len(psk), max_len)
        )
    for i in range(len(psk)):
        byte = psk[i : i + 1]
        if byte in ('"', "\\", b'"', b"\\") or not b" " <= as_buffer(byte) <= b"~":
            raise ValueError(
                "psk holds at %d what cannot be written in a command; "
                "use printable ASCII without quote or backslash" % i
            )


def write_psk_op(modem, pskid, psk):
    """Write a PSK and check it in the module: see CertStore.write_psk. ValueError, TypeError or
    Unsupported at once."""
    return _write_psk_op(modem, pskid, _checked(modem, pskid, psk))


def _write_psk_op(modem, pskid, psk):
    ch = modem.channel
    size = yield from find_op(ch, pskid, PSK)
    if size is not None:
        yield from remove_op(modem, pskid)
    suspect = modem.unverified == pskid
    modem.unverified = pskid
    ch.command(b"+MSSLPSK=").quote(pskid).begin_secret().quote(psk).send(FLASH_MS)
    while ch.poll() != DONE:
        yield
    ch.wipe()
    try:
        code = yield from _code_op(ch, pskid)
    except CommandError:
        yield from _remove_copies_op(modem, pskid, psk)
        raise
    verified_by = "MSSLCHECK"
    same = code == _digest(psk)
    if code is None:
        size = yield from find_op(ch, pskid, PSK)
        verified_by = "MSSLLIST"
        same = size == len(psk)
    if not same:
        yield from remove_op(modem, pskid)
        yield from _remove_copies_op(modem, pskid, psk)
        raise VerifyError(
            "PSK %s is not in the module as it was sent, %s says; it was removed, write it "
            "again" % (pskid, verified_by)
        )
    if suspect:  # what it was then may stand under a damaged name
        yield from _remove_copies_op(modem, pskid, psk)
    modem.unverified = None
    modem.psk_verified = verified_by
    remember_source(modem, pskid, PSK, psk, len(psk), None)
    return ch.set_result(True)


def _code_op(ch, pskid):
    # The module's check code of a PSK; None if it gives none, which has to be said twice: one
    # refusal may be a damaged command's.
    refusal = None
    while True:
        code = None  # of the error, if there is one
        try:
            found = yield from find_digest_op(ch, pskid)
            if found is not None:
                return found
        except CommandError as error:
            code = error.code
            if code is None or refusal not in (None, code):
                raise
        if refusal is not None and refusal == code:
            return None
        if refusal is not None or code is None:
            raise ProtocolError("%s was answered without a code" % ch.command_text())
        refusal = code


def _remove_copies_op(modem, pskid, psk):
    # What the line may have made of its name goes, too.
    from .cert_removal import remove_copies_op

    return remove_copies_op(modem, pskid, (_digest(psk),))


def compare_psk_op(modem, pskid, psk):
    """True if the module holds this PSK, False for another one, None for none of that id.
    ValueError, TypeError or Unsupported at once."""
    return _compare_psk_op(modem, pskid, _checked(modem, pskid, psk))


def _compare_psk_op(modem, pskid, psk):
    ch = modem.channel
    size = yield from find_op(ch, pskid, PSK)
    if size is None:
        return None
    same = False
    if size == len(psk):
        # One whose code the module does not give is written once more.
        code = yield from _code_op(ch, pskid)
        same = code == _digest(psk)
    if same:
        remember_source(modem, pskid, PSK, psk, len(psk), None)
    return same


def _digest(psk):
    hashed = md5()
    hashed.update(psk)
    return hexlify(hashed.digest()).decode()
