# SPDX-License-Identifier: MIT
#
# In step with the module again: what a recovery finds out, and what has to be done then. Loaded
# when something went wrong, and let go of.

from ._port import unload


def recover_op(modem, timeout_ms):
    """Operation: see BaseModem.resync_op."""
    ch = modem.channel
    if ch.may_sleep():
        from .power_sleep import wake_op

        if (yield from wake_op(modem)):
            return
    from .at_resync import resync_op

    started_anew = yield from resync_op(ch, timeout_ms)
    unload("at_resync", "at_retry")
    if started_anew:
        modem.epoch += 1
    if started_anew is True or (started_anew and not modem.boot_count):
        modem.boot_count += 1
        if modem.boot_count > 1:
            modem.tell(
                "reboot",
                "the module rebooted; its connections are gone, its settings are "
                "sent again before they are next used",
            )
    name = modem.partial_upload
    if name is not None:
        from .cert_store import discard_op

        yield from discard_op(modem, name)
        modem.partial_upload = None
    model = modem.capabilities
    if started_anew and model and (modem.rts or modem.cts or modem.keep_awake or model.sleeps):
        from .start import settings_op

        unload("start")
        yield from settings_op(modem)
