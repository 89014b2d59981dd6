# SPDX-License-Identifier: MIT
#
# What MN316 and MN326 forget in deep sleep (manual 3.1, note), written again from its sources.

from ._port import const, unload
from .cert_psk import write_psk_op
from .cert_store import CERT, KEY, PSK, find_op
from .errors import ModemReset

TYPE_CHECKING = const(0)  # for type checkers, who take it for true
if TYPE_CHECKING:
    from typing import Any


class Methods:
    """Part of BaseModem, loaded when it is called."""

    if TYPE_CHECKING:  # what BaseModem has
        run_operation: Any

    def restore(self) -> None:
        """Write every certificate, key and PSK again that is missing, and send every context's
        settings again, from their sources: for MN316 and MN326, which lose them all in deep sleep
        (manual 3.1, note), with +MATREADY or without a word. Streams are read again from where
        they stood; ValueError names one that cannot be, once all else is back."""
        unload("cert_restore")
        return self.run_operation(restore_op(self))


def restore_op(modem):
    """Write again what the module lost: see BaseModem.restore."""
    yield from modem.resync_op()  # a module that said nothing when it woke up shows it here
    lost = []
    certs = None
    for (name, kind), (source, size, position) in list(modem.sources.items()):
        if kind == PSK:
            yield from write_psk_op(modem, name, source)
            continue
        if position is not None:
            source.seek(position)
        elif not isinstance(source, str):
            lost.append(name)
            continue
        certs = certs or modem.certs
        yield from certs.uploader().write_op(name, source, kind, size, False, None)
    for context in modem.contexts.values():
        if context.configured():
            yield from context.apply_op(True)
    if lost:
        raise ValueError("%s: the source cannot be rewound, write it again" % ", ".join(lost))
    modem.channel.set_result(None)


def restored_op(modem, settings):
    """Operation: the module started anew, perhaps from a deep sleep that took all. A model whose
    store is RAM loses it each time: all is written again then. True if that was done, the settings
    of all contexts included. `settings`: of one that is to be used; ModemReset if an object of its
    is gone for good."""
    names = settings["cert"] + (settings["psk"],)
    kinds = (CERT, CERT, KEY, PSK)
    for i in range(len(kinds)):
        if names[i] and (yield from find_op(modem.channel, names[i], kinds[i])) is None:
            if modem.require_model().ram_store and (names[i], kinds[i]) in modem.sources:
                yield from restore_op(modem)
                return True
            raise ModemReset(
                "the module started anew and has lost %s: call modem.restore()" % names[i]
            )
    return False
