# What MN316 and MN326 forget in deep sleep (manual 3.1, note), brought back from its sources.

from .certs import CERT, KEY, PSK


def restore(modem):
    """Writes every certificate, key and PSK again where they are missing, and sends every
    context's settings again, from their sources: for MN316 and MN326, which lose them all in
    deep sleep (manual 3.1, note), with +MATREADY or without a word. Streams are read again
    from where they stood; ValueError names one that cannot be, once all else is back."""
    return modem.run_operation(_restoring(modem, modem.sources, modem.contexts))


def remember(modem, name, source, kind, size, base=None):
    # `base`: where a stream stood; None where it cannot be rewound.
    if isinstance(source, str):
        base = None
    modem.sources[name, kind] = (source, size, base)


def forget(modem, name):
    for kind in (CERT, KEY, PSK):
        modem.sources.pop((name, kind), None)


def _restoring(modem, sources, contexts):
    from .upload import form

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
        yield from form(modem).write(name, source, kind, size, False, None)
    for context in contexts.values():
        if context.configured():
            yield from context.applied(True)
    if lost:
        raise ValueError("%s: the source cannot be rewound, write it again" % ", ".join(lost))
    modem.channel.result = None
