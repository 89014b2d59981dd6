# SPDX-License-Identifier: MIT
#
# What MN316 and MN326 forget in deep sleep (manual 3.1, note), written again from its sources.

from .cert_psk import write_psk_op
from .cert_store import PSK


def restore_op(modem):
    """Write again what the module lost: see BaseModem.restore."""
    yield from modem.resync_op()  # a module that said nothing when it woke up shows it here
    lost = []
    for (name, kind), (source, size, position) in list(modem.sources.items()):
        if kind == PSK:
            yield from write_psk_op(modem, name, source)
            continue
        if position is not None:
            source.seek(position)
        elif not isinstance(source, str):
            lost.append(name)
            continue
        yield from modem.certs.uploader().write_op(name, source, kind, size, False, None)
    for context in modem.contexts.values():
        if context.configured():
            yield from context.apply_op(True)
    if lost:
        raise ValueError("%s: the source cannot be rewound, write it again" % ", ".join(lost))
    modem.channel.set_result(None)
