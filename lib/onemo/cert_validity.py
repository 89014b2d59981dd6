# SPDX-License-Identifier: MIT
#
# Serial number and dates of a certificate as it is read from the module (RFC 5280, 4.1), and when
# it is to be renewed.

from binascii import a2b_base64

from ._port import const
from .md5 import md5

_HEAD = const(1400)  # characters of a certificate that have its dates among them


class CertificateHead:
    """The beginning of a certificate: a sink for `certs.read`."""

    def __init__(self):
        self._text = b""

    def write(self, data):
        if len(self._text) < _HEAD:
            self._text += data

    def validity(self):
        """Serial number (hexadecimal), notBefore and notAfter, see `minutes`. ValueError if it is
        no certificate, or has nothing of this in its first kilobyte."""
        try:
            text = self._text[:_HEAD].split(b"-----")[2].replace(b"\r", b"").replace(b"\n", b"")
            der = a2b_base64(text[: len(text) // 4 * 4])
            at = _content(der, _content(der, 0)[0])[0]
            if der[at] == 0xA0:  # the version
                at = _content(der, at)[1]
            start, at = _content(der, at)
            serial = "%x" % int.from_bytes(der[start:at], "big")
            at = _content(der, _content(der, at)[1])[1]  # after algorithm and issuer
            start, stop = _content(der, _content(der, at)[0])
            begin = _parse_time(der[start:stop])
            start, stop = _content(der, stop)
            return serial, begin, _parse_time(der[start:stop])
        except (IndexError, ValueError):
            raise ValueError("the certificate in force cannot be read")


def _content(der, at):
    # Where the content of the DER element at `at` begins and ends.
    size = der[at + 1]
    at += 2
    if size & 0x80:
        begin = at + (size & 0x7F)
        size = int.from_bytes(der[at:begin], "big")
        at = begin
    return at, at + size


def _parse_time(text):
    # UTCTime, YYMMDDhhmmssZ, or GeneralizedTime with four digits for the year.
    if len(text) == 13:
        text = (b"19" if text[0] > 0x34 else b"20") + text
    return minutes(
        (int(text[:4]), int(text[4:6]), int(text[6:8]), int(text[8:10]), int(text[10:12]))
    )


def minutes(time):
    """Minutes since the first of March 2000, of a time as time.gmtime has it."""
    year, month, day, hour, minute = time[:5]
    year -= 2000
    if month < 3:
        year -= 1
        month += 12
    days = 365 * year + year // 4 - year // 100 + year // 400 + (153 * month - 457) // 5 + day - 1
    return (days * 24 + hour) * 60 + minute


def due(begin, end, device):
    """When a certificate is to be renewed, in minutes as `begin` and `end` of its life: at two
    thirds of that, and up to a twelfth later by the device's id, so that devices that were made on
    one day are not due on one day."""
    digest = md5()
    digest.update(device.encode())
    part = int.from_bytes(digest.digest()[:3], "big")
    return begin + (end - begin) * 2 // 3 + ((end - begin) * part // 12 >> 24)
