# SPDX-License-Identifier: MIT
#
# Heap that stays taken after imports: what is live once the collector has run.

import gc

from modules import BUILT_IN, PROVISIONING, front, load


def _taken():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()


def main():
    """Live bytes after `from onemo import Modem`, and with all that provisioning loads and with
    the module identified."""
    load(BUILT_IN)
    found = {"import": 0, "loaded": 0}
    before = _taken()
    front()
    found["import"] = _taken() - before
    load(PROVISIONING)
    model = _identified()
    found["loaded"] = _taken() - before
    return found if model else None


def _identified():
    # As `start` leaves it: what the model can do is kept, the table of all models is not.
    from onemo import _port
    from onemo.models import identify

    model = identify("ML307R")[1]
    _port.unload("models")
    return model


def in_place(path):
    """The same with the library in the ROMFS image `path`, which is not counted: on a board it
    lies in flash, and code runs there."""
    import sys

    import vfs

    with open(path, "rb") as file:
        image = file.read()
    vfs.mount(vfs.VfsRom(image), "/library")
    sys.path.insert(0, "/library")
    found = main()
    assert sys.modules["onemo"].__file__.startswith("/library"), sys.path
    return found


def uncounted(size, path, digest):
    """The modules that a write loads and `main` does not count."""
    import sys

    from common import NAME, scripted, started, store
    from onemo import _port

    _port.unload = _keep
    front()
    uart = scripted()
    modem = started(uart)
    load(PROVISIONING)
    counted = set(sys.modules)
    store(uart, path, size, digest)
    modem.certs.write(NAME, path)
    return [name for name in sys.modules if name.startswith("onemo") and name not in counted]


def _keep(*names):
    pass
