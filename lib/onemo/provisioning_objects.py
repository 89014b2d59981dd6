# SPDX-License-Identifier: MIT
#
# What `sync` and `rotate` do to the objects in the module: compare them with their sources, write,
# remove and confirm them.

from ._port import const, unload
from .at_channel import DONE, REPLY_MS, RESYNC_MS
from .at_syntax import PAYLOAD_MAX
from .cert_digest import find_digest_op
from .cert_store import CERT, KEY, PSK, discard_op, find_op, remove_op
from .errors import CommandError, ModemError, VerifyError
from .profile import KIND

_MISSING_FILE = const(2)  # errno
_SERIES_OPEN = const(765)  # the code of a write while another object is being written (manual 5.2)

_LOADED = const(
    "provisioning provisioning_entry provisioning_identity provisioning_journal "
    "provisioning_objects provisioning_rotate profile cert_digest cert_store cert_psk certs "
    "md5 reboot at_retry"
)


def once_op(modem, operation):
    """Operation: one that is not repeated soon. What it loaded is let go of at its end."""
    try:
        return (yield from operation)
    finally:
        modem.store = None
        unload(*_LOADED.split(" "))


def _uploader(modem):
    # One for all objects.
    if modem.store is None:
        modem.store = modem.certs
    return modem.store.uploader()


def list_all_op(modem):
    """Operation: [(name, kind, size), ...] of all that the module has."""
    from .cert_list import list_op

    unload("cert_list")  # an upload that comes next needs the room
    found = []
    for kind in (CERT, KEY, PSK) if modem.require_model().psk else (CERT, KEY):
        listed = yield from list_op(modem, kind)
        found += [(name, kind, size) for name, size in listed]
    return found


def confirm_op(modem, wanted, before, digests, fixed):
    """Operation: the end of a sync or a rotation. The module has all that is wanted, as it was
    written, and nothing that was not there before. VerifyError."""
    for item in wanted["objects"]:
        if hasattr(item.get("source"), "readinto") and _position(item["source"]) is None:
            same = yield from is_stored_op(modem, item, None)  # the stream is spent
        else:
            same = yield from holds_op(modem, item, digests, fixed)
        if not same and item["kind"] == "psk":  # some modules give no check code for one
            same = (yield from module_digest_op(modem, item)) is None
        if not same:
            raise VerifyError(
                "%s is not in the module as it was written a moment ago; call sync() again"
                % item["name"]
            )
    if before is None:  # nothing was written
        return
    known = [name for name, _, _ in before] + [item["name"] for item in wanted["objects"]]
    strays = [item for item in (yield from list_all_op(modem)) if item[0] not in known]
    for name, _, size in strays and (yield from list_all_op(modem)):
        if name in [item[0] for item in strays]:
            modem.tell(
                "stray",
                "%s, %s bytes, is in the module, and nobody wrote it: a name may have been "
                "damaged on the line; certs.remove() removes it" % (name, size),
            )


def module_digest_op(modem, item):
    """Operation: the module's check code of an object; None if it gives none for a PSK."""
    try:
        return (yield from find_digest_op(modem.channel, item["name"]))
    except CommandError:
        if KIND[item["kind"]] != PSK:
            raise
        return None


def is_stored_op(modem, item, digest):
    """Operation: True if the module has the object, with this digest if one is known."""
    if (yield from find_op(modem.channel, item["name"], KIND[item["kind"]])) is None:
        return False
    digest = item.get("md5") or digest
    if digest is None:
        return True
    return (yield from module_digest_op(modem, item)) in (digest.lower(), None)


def holds_op(modem, item, digests, fixed):
    """Operation: True if the module has what is wanted: what the source holds, or, for the names
    in `fixed`, what was proven."""
    proven = digests.get(item["name"])
    same = yield from compare_op(modem, item, proven)
    if same is False and proven and item["name"] in fixed:
        same = yield from is_stored_op(modem, item, proven)
        if same:
            modem.tell(
                "identity",
                "%s stays as it was proven by a rotation, though %s holds something else; give "
                "that another name and call rotate()" % (item["name"], item["source"]),
            )
    return same is True


def compare_op(modem, item, proven=None):
    """Operation: True if the module holds the object as its source is, None if it has none of
    that name. `proven`: the digest that stands in for a source that is gone. VerifyError."""
    name = item["name"]
    kind = KIND[item["kind"]]
    source = item.get("source")
    try:
        if source is None:
            raise OSError(_MISSING_FILE, "%s has no source" % name)
        if kind == PSK:
            from .cert_psk import compare_psk_op

            return (yield from compare_psk_op(modem, name, _read_psk(item)))
        uploader = _uploader(modem)
        position = _position(source)
        try:
            uploader.prepare(name, source, kind, item.get("size"))
            while uploader.read_on():
                yield
            stored = yield from uploader.compare_op()
        finally:
            uploader.close()
            if position is not None:
                source.seek(position)
        if stored is True:
            uploader.remember(source)
        return None if stored is None else stored is True
    except OSError as error:
        if isinstance(error, ModemError) or error.args[0] != _MISSING_FILE:
            raise
        # Products remove a key's file once the module has it: then what is there is right.
        if (yield from is_stored_op(modem, item, proven)):
            return True
        if (yield from find_op(modem.channel, name, kind)) is not None:
            raise VerifyError(
                "%s is in the module with another digest than expected, and its source is gone; "
                "give it a source, or remove it" % name
            )
        raise error


def write_object_op(modem, item, progress, journal):
    """Operation: write one object. Its name is remembered over a reset of the host, which may cut
    the upload off: without it nothing but a reboot of the module ends that upload."""
    broken_off = journal.open_series()
    if broken_off != item["name"]:
        journal.begin_series(item["name"])
    for attempt in range(3):
        try:
            yield from _write_once_op(modem, item, progress)
            return
        except CommandError as error:
            if error.code != _SERIES_OPEN or attempt == 2:
                raise
        if attempt == 0 and broken_off:
            yield from discard_op(modem, broken_off)
        else:
            from .reboot import reboot_op

            modem.tell(
                "reboot",
                "the module is rebooted once: it still waits for the rest of an object that was "
                "cut off (765), and nobody knows its name",
            )
            yield from reboot_op(modem, RESYNC_MS)


def _write_once_op(modem, item, progress):
    name = item["name"]
    kind = KIND[item["kind"]]
    if kind == PSK:
        from .cert_psk import write_psk_op

        yield from write_psk_op(modem, name, _read_psk(item))
        return
    report = None
    if progress:

        def report(done, total):
            progress(name, done, total)

    source = item["source"]
    position = _position(source)
    size = item.get("size")
    yield from _uploader(modem).write_op(name, source, kind, size, False, report)
    if position is not None:
        source.seek(position)


def _position(source):
    # Where a stream stands, so that it can be read again; None for a path, or if it cannot.
    try:
        position = source.tell()
        source.seek(position)
        return position
    except (AttributeError, OSError):
        return None


def _read_psk(item):
    source = item["source"]
    if not isinstance(source, str):
        source.seek(0)
        return source.read(PAYLOAD_MAX + 2).rstrip(b"\r\n")
    with open(source, "rb") as file:
        return file.read(PAYLOAD_MAX + 2).rstrip(b"\r\n")


def remove_object_op(modem, name):
    """Operation: remove one object, also if a connection of before the host's reset uses it."""
    ch = modem.channel
    try:
        yield from remove_op(modem, name, True, True)
    except CommandError:
        # Not while a connection uses it (manual 3.6): one of before the host's reset may.
        if modem.connections:
            raise
        for number in range(modem.require_model().connections):
            ch.command(b"+MIPCLOSE=").number(number).send(REPLY_MS)
            try:
                while ch.poll() != DONE:
                    yield
            except CommandError:
                pass  # it was closed
        yield from remove_op(modem, name, True, True)
