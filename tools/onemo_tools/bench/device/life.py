# SPDX-License-Identifier: MIT
#
# What is live at each stage of a product's life: the library and its objects, without the UART.

import gc
import sys

from modules import BUILT_IN, load
from paced import FdUart

HOST = "broker.example"
PORT = 8883
STAGES = ("import", "start", "sync", "uploading", "upload", "connect")


class _Meter:
    def __init__(self, fd):
        load(BUILT_IN)
        self.uart = FdUart(fd)
        self.found = dict.fromkeys(STAGES, 0)
        self.found["modules"] = self.modules = {}  # stage -> what is loaded of the library
        self._base = 0
        self.note("")
        self._base = self._taken()

    def _taken(self):
        gc.collect()
        gc.collect()
        return gc.mem_alloc() - self._base

    def note(self, stage):
        """Live bytes and modules at the end of a stage."""
        taken = self.found[stage] = self._taken()
        self._note_modules(stage)
        self._base += self._taken() - taken  # these notes are not the library's

    def _note_modules(self, stage):
        modules = [name[len("onemo.") :] for name in sys.modules if name.startswith("onemo.")]
        self.modules[stage] = " ".join(sorted(modules))

    def progress(self, done, total):
        """While a certificate goes out."""
        self.found["uploading"] = max(self.found["uploading"], self._taken())

    def of_sync(self, name, done, total):
        """The same in `sync`, with what is loaded of the library at its end."""
        self.progress(done, total)
        if done == total:
            self._note_modules("uploading")


def written(fd, baud, path, other):
    """The same of a program that only writes a certificate."""
    meter = _Meter(fd)
    from onemo import Modem

    modem = Modem(meter.uart, baud=baud)
    modem.start()
    modem.certs.write("other.pem", other, progress=meter.progress)
    meter.note("upload")
    return meter.found


def profile(path):
    """What `sync` is given: a CA and a context that verifies by it."""
    return {
        "objects": [{"name": "ca.pem", "kind": "cert", "source": path}],
        "contexts": [{"ssl_id": 1, "auth": "server", "ca": "ca.pem"}],
    }


def blocking(fd, baud, path, other):
    """Stage -> live bytes. `path`: the PEM that `sync` writes; `other`: one that is written by
    itself."""
    meter = _Meter(fd)
    from onemo import Modem

    meter.note("import")
    modem = Modem(meter.uart, baud=baud)
    modem.start()
    meter.note("start")
    modem.attach()
    modem.sync(profile(path), progress=meter.of_sync)
    meter.note("sync")
    modem.certs.write("other.pem", other, progress=meter.progress)
    meter.note("upload")
    stream = modem.connect(HOST, PORT, modem.tls(1))
    stream.write(b"ping")
    assert stream.read(4) == b"ping"
    meter.note("connect")
    stream.close()
    return meter.found


def asynchronous(fd, baud, path, other):
    """The same of the asyncio front."""
    import asyncio

    meter = _Meter(fd)
    from onemo.aio import Modem

    meter.note("import")

    async def main():
        modem = Modem(meter.uart, baud=baud)
        await modem.start()
        meter.note("start")
        await modem.attach()
        await modem.sync(profile(path), progress=meter.of_sync)
        meter.note("sync")
        await modem.certs.write("other.pem", other, progress=meter.progress)
        meter.note("upload")
        stream = await modem.connect(HOST, PORT, modem.tls(1))
        stream.write(b"ping")
        await stream.drain()
        assert await stream.readexactly(4) == b"ping"
        meter.note("connect")
        stream.close()
        await stream.wait_closed()

    asyncio.run(main())
    return meter.found
