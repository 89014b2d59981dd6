# SPDX-License-Identifier: MIT
#
# Bytes of heap that operations take once warm: gc.mem_alloc() with the collector off.

import gc

import plain
import vfs
from common import NAME, Sink, listing, scripted, started, store
from onemo.cert_store import find_op
from scripted import OK

_WARM = 3
_TIMES = 8
_BLOCK = 4096  # bytes of a block of a board's flash
_IN_FLASH = "/flash/ca.pem"
_SUITES = 207  # that the manual lists


def per_call(act):
    for _ in range(_WARM):
        act()
    gc.collect()
    gc.disable()
    before = gc.mem_alloc()
    for _ in range(_TIMES):
        act()
    taken = gc.mem_alloc() - before
    gc.enable()
    return taken / _TIMES


def slope(few, many, count):
    """Bytes for each of the `count` things that the one has more than the other."""
    return (per_call(many) - per_call(few)) / count


def _lines(uart, command, prefix, act):
    # Bytes per line: 101 lines against one.
    listing(uart, command, prefix, 1)
    few = per_call(act)
    listing(uart, command, prefix, 101)
    return (per_call(act) - few) / 100


def ours(pems):
    """`pems`: [(size, path, digest), ...] of 4096 and 8192 bytes. Bytes of each figure."""
    uart = scripted()
    modem = started(uart)
    certs = modem.certs
    found = {"command": per_call(lambda: modem.command("+CSQ"))}
    found["line"] = _lines(
        uart,
        b"AT+MSSLLIST=",
        b"+MSSLLIST:",
        lambda: modem.run_operation(find_op(modem.channel, NAME, 1)),
    )
    found["line_kept"] = _lines(uart, b"AT+X", b"+X:", lambda: modem.command("+X"))
    modem.channel.on_urc(b"+MIPURC:", _look)
    found["urc"] = _lines(
        uart,
        b"AT+MSSLLIST=",
        b"+MIPURC:",
        lambda: modem.run_operation(find_op(modem.channel, NAME, 1)),
    )
    uart.answer(b"AT+MSSLLIST=", b"\r\nOK\r\n")
    modem.packet = 8192
    _transfers(uart, certs, pems, found)
    modem.packet = 2048
    size, path, digest = pems[-1]
    store(uart, path, size, digest)
    found["upload"] = per_call(lambda: certs.write(NAME, path))
    with open(path, "rb") as stream:

        def again():
            stream.seek(0)
            certs.write(NAME, stream)

        found["upload_stream"] = per_call(again)
    found["upload_forced"] = per_call(lambda: certs.write(NAME, path, force=True))
    if hasattr(vfs, "VfsLfs2"):
        found["flash_upload"] = _from_flash(certs, path)
    modem.packet = 1000
    found["upload_odd"] = per_call(lambda: certs.write(NAME, path))
    modem.packet = 2048
    sink = Sink()
    found["read_back"] = per_call(lambda: certs.read(NAME, sink))
    assert sink.size == (_WARM + _TIMES) * size, sink.size
    ids = b",".join([b"0x%04X" % i for i in range(_SUITES)])
    uart.answer(b"AT+MSSLCIPHER=?", b"\r\n+MSSLCIPHER: (" + ids + b")\r\n" + OK)

    def every():
        count = 0
        for _ in modem.ciphers():
            count += 1
        assert count == _SUITES, count

    found["ciphers"] = per_call(every)
    return found


def _look(buf, start, end):
    pass


class _Flash:
    # A board's flash: littlefs on it reads and writes files as there.

    def __init__(self, blocks):
        self._data = bytearray(_BLOCK * blocks)

    def readblocks(self, block, buf, offset=0):
        at = block * _BLOCK + offset
        for i in range(len(buf)):
            buf[i] = self._data[at + i]

    def writeblocks(self, block, buf, offset=0):
        at = block * _BLOCK + offset
        for i in range(len(buf)):
            self._data[at + i] = buf[i]

    def ioctl(self, op, arg):
        return {4: len(self._data) // _BLOCK, 5: _BLOCK, 6: 0}.get(op)


def _from_flash(certs, path):
    # Bytes beyond those of opening and closing the file.
    with open(path, "rb") as file:
        pem = file.read()
    flash = _Flash(64)
    vfs.VfsLfs2.mkfs(flash)
    vfs.mount(vfs.VfsLfs2(flash), "/flash")
    with open(_IN_FLASH, "wb") as file:
        file.write(pem)
    opened = per_call(lambda: open(_IN_FLASH, "rb").close())
    written = per_call(lambda: certs.write(NAME, _IN_FLASH))
    vfs.umount("/flash")
    return written - opened


def _transfers(uart, certs, pems, found):
    # Bytes per refill of the 256-byte buffer: one packet of 8192 bytes against one of 4096.
    writes = []
    reads = []
    sink = Sink()
    for size, path, digest in pems:
        store(uart, path, size, digest)
        writes.append(per_call(lambda: certs.write(NAME, path)))  # noqa: B023
        reads.append(per_call(lambda: certs.read(NAME, sink)))
    refills = (pems[1][0] - pems[0][0]) / 256
    found["refill_out"] = (writes[1] - writes[0]) / refills
    found["refill_in"] = (reads[1] - reads[0]) / refills


def peer(pems):
    """The same of the plain script."""
    uart = scripted()
    found = {"command": per_call(lambda: plain.command(uart, "+CSQ"))}
    found["line_kept"] = _lines(uart, b"AT+X", b"+X:", lambda: plain.command(uart, "+X"))
    size, path, digest = pems[-1]
    store(uart, path, size, digest)
    found["upload"] = per_call(lambda: plain.upload(uart, NAME, path))
    found["read_back"] = per_call(lambda: plain.read_back(uart, NAME))
    return found


def of_published(pems):
    """The same of the published driver."""
    import published

    uart = scripted()
    published.on_a_pc(uart)
    modem = published.opened()
    found = {"command": per_call(lambda: published.command(modem))}
    size, path, digest = pems[-1]
    store(uart, path, size, digest)
    found["upload"] = per_call(lambda: published.upload(modem, NAME, path))
    return found


def asynchronous(pems):
    """The same of the asyncio front."""
    import asyncio

    from onemo.aio import Modem

    uart = scripted()
    modem = Modem(uart)
    certs = modem.certs
    found = {}

    async def repeat(make):
        for _ in range(_WARM):
            await make()
        gc.collect()
        gc.disable()
        before = gc.mem_alloc()
        for _ in range(_TIMES):
            await make()
        taken = gc.mem_alloc() - before
        gc.enable()
        return taken / _TIMES

    async def main():
        await modem.start()
        found["command"] = await repeat(lambda: modem.command("+CSQ"))

        def look():
            return modem.run_operation(find_op(modem.channel, NAME, 1))

        listing(uart, b"AT+MSSLLIST=", b"+MSSLLIST:", 1)
        few = await repeat(look)
        listing(uart, b"AT+MSSLLIST=", b"+MSSLLIST:", 101)
        found["line"] = (await repeat(look) - few) / 100
        uart.answer(b"AT+MSSLLIST=", b"\r\nOK\r\n")
        size, path, digest = pems[-1]
        store(uart, path, size, digest)
        found["upload"] = await repeat(lambda: certs.write(NAME, path))
        sink = Sink()
        found["read_back"] = await repeat(lambda: certs.read(NAME, sink))

    asyncio.run(main())
    return found
