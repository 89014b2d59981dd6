# What MN316 and MN326 forget in deep sleep (manual 3.1, note), brought back from its sources.

from .certs import PSK
from .upload import upload


def restoring(modem, sources, contexts):
    """Operation of `Modem.restore`."""
    yield from modem.recovery()  # a module that said nothing when it woke up shows it here
    lost = []
    for (name, kind), (source, size, base) in list(sources.items()):
        if kind == PSK:
            yield from modem.certs.psk_writing(name, source)
            continue
        if base is not None:
            source.seek(base)
        elif not isinstance(source, str):
            lost.append(name)
            continue
        yield from upload(modem, name, source, kind, size, False, None)
    for context in contexts.values():
        if context.configured():
            yield from context.applied(True)
    if lost:
        raise ValueError("%s: the source cannot be rewound, write it again" % ", ".join(lost))
    modem.channel.result = None
