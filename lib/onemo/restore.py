# What MN316 and MN326 forget in deep sleep (manual 3.1, note), brought back from its sources.

from .certs import PSK
from .upload import upload


def restore(modem):
    """Writes every certificate, key and PSK again where they are missing, and sends every
    context's settings again, from their sources: for MN316 and MN326, which lose them all in
    deep sleep (manual 3.1, note), with +MATREADY or without a word. Streams are read again
    from where they stood; ValueError names one that cannot be, once all else is back."""
    return modem.run_operation(_restoring(modem, modem._sources, modem._contexts))


def _restoring(modem, sources, contexts):
    yield from modem.recovery()  # a module that said nothing when it woke up shows it here
    lost = []
    for (name, kind), (source, size, base) in list(sources.items()):
        if kind == PSK:
            from .psk import writing

            yield from writing(modem, name, source)
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
