# SPDX-License-Identifier: MIT
#
# Runs on the board, for one connection of a station: what it asks, each answered in one line of
# JSON. A board or a module that is not the one that was read in this connection gets nothing.
# store/ram.py is sent before it.
#
# mypy: ignore-errors
# ruff: noqa: B904, F821, UP031 (as MicroPython has it; Ram is there already)
import gc
import json
from binascii import hexlify

from machine import unique_id

CUT_OFF = 765  # another object is being written (manual 5.2)

_modem = None
_imei = None
pem = bytearray(0)


class Elsewhere(OSError):
    pass


def modem():
    global _modem
    if _modem is None:
        from onemo import Modem
        from onemo.uart import open_uart

        try:
            with open("config.json") as file:
                uart = json.load(file)["uart"]
        except (OSError, ValueError, KeyError):
            raise ValueError("there is no config.json with a UART: onemo deploy puts it there")
        _modem = Modem(open_uart(uart), baud=uart["baud"])
        _modem.start()
    return _modem


def board_id():
    return hexlify(unique_id()).decode()


def read_imei():
    for command in ("+CGSN=1", "+GSN"):
        try:
            for line in modem().command(command):
                text = line.decode().split(":")[-1].strip().strip('"')
                if 14 <= len(text) <= 17 and text.isdigit():
                    return text
        except (OSError, UnicodeError):
            pass
    return None


def identify():
    global _imei
    _imei = None
    said = modem().info()
    again = read_imei()
    _imei = said["imei"] if said["imei"] == again else None
    return {
        "board": board_id(),
        "imei": _imei,
        "iccid": said["iccid"],
        "model": said["model"],
        "firmware": said["firmware"],
    }


def check(board, imei):
    # Before each byte of an identity: is this the board, is this the module?
    check_board(board)
    if read_imei() != imei:
        raise Elsewhere("another module is at this board than the one that was read")


def digests(names):
    # What the module holds under these names, by its own digest; None where it holds nothing.
    certs = modem().certs
    held = [name for kind in (1, 2) for name, _ in certs.list(kind)]
    return [certs.digest(name) if name in held else None for name in names]


def check_board(board):
    if _imei is None or board_id() != board:
        raise Elsewhere("another board is at this port than the one that was read")


def expect(board, size):
    # Room for an object.
    global pem
    check_board(board)
    gc.collect()
    pem = bytearray(size)


def fill(board, at, piece):
    check_board(board)
    pem[at : at + len(piece)] = piece


def write(name, kind, board, imei):
    try:
        check(board, imei)
        try:
            return modem().certs.write(name, Ram(pem), kind, size=len(pem))
        except OSError as error:
            if getattr(error, "code", None) != CUT_OFF:
                raise
        # The board's own program was writing when the station interrupted it. The station does not
        # know which object: a boot of the module ends that, whichever it was.
        modem().reboot()
        check(board, imei)
        return modem().certs.write(name, Ram(pem), kind, size=len(pem))
    finally:
        wipe()


def wipe():
    for i in range(len(pem)):
        pem[i] = 0


def scrub():
    # What the heap had of a key: the collector leaves it where it was, new objects are zero.
    global pem
    wipe()
    pem = bytearray(0)
    gc.collect()
    kept = []
    size = 1024
    while size >= 16:
        try:
            kept.append(bytearray(size))
        except MemoryError:
            size //= 2
    kept = None
    gc.collect()


def prove(host, port, ssl_id, names, apn, nonce):
    # A connection with this identity to the line's server: what it answers is its word.
    from onemo import AUTH_MUTUAL

    m = modem()
    m.attach(apn)
    tls = m.tls(ssl_id)
    tls.configure(AUTH_MUTUAL, ca=names[0], cert=names[1], key=names[2], session=False)
    stream = m.connect(host, port, tls)
    try:
        stream.settimeout(20)
        stream.write(nonce + "\n")
        return stream.readline().decode().strip()
    finally:
        stream.close()


def answer(work):
    try:
        said = {"result": work()}
    except ImportError as error:
        text = "%s: is the library on the board? onemo deploy puts it there" % error
        said = {"error": text, "type": "ImportError"}
    except MemoryError:
        text = "the board's RAM is too short: reset it, let boot.py load less"
        said = {"error": text, "type": "MemoryError"}
    except (OSError, ValueError) as error:
        text = str(error) or repr(error)
        said = {"error": text, "type": type(error).__name__, "code": getattr(error, "code", None)}
    print(json.dumps(said))


answer(board_id)
