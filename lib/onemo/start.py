# SPDX-License-Identifier: MIT
#
# From a module of which nothing is known to one that can be worked with: found, identified, asked
# what its name does not tell. Loaded for that, and let go of.

import gc

from . import _port
from ._port import const
from .model import Model

# Series that differ in nothing from class Model: whoever names one of these needs no table.
_PLAIN = const("ML307R ML307A ML307G ML302A ML305A")


def plain(name):
    """The Model for a series or sub-model by name if the table has nothing to say about it that
    the class does not; else None."""
    series = name.upper().split("-")[0]
    return Model(series, series, {}) if series in _PLAIN.split(" ") else None


def start_op(modem, timeout_ms):
    """Get in step with a module of which nothing is known, and identify it: see
    BaseModem.start."""
    end = _port.ticks_add(_port.ticks_ms(), timeout_ms)
    modem.channel.forget()
    yield from modem.resync_op(timeout_ms)
    if modem.capabilities is None:
        gc.collect()  # what stays of the following is not to stand in the middle of the free heap
        from .model_find import identify_op

        yield from identify_op(modem, end)
        _port.unload("model_find")
        _port.unload("models")
        _port.unload("at_resync")
    if not modem.capabilities.certain:
        from .model_probe import probe_op

        yield from probe_op(modem, end)
        _port.unload("model_probe")
    modem.channel.set_result(None)
