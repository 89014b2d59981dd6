# SPDX-License-Identifier: MIT
#
# What an entry of the journal says: how far a rotation is, which profile is in force by it, what
# was proven, and what is left over. Loaded if there is an entry.
#
# What is in force is told by names and digests, context by context: a context of the profile that
# names what a rotation has replaced gets the names of what has been proven instead; its other
# settings, and further objects, are the profile's. So the application may go on giving the old
# profile, edited or not, or give the new one. A context that names something else altogether is
# followed, and what was proven stays in the module. Nothing that was proven is ever removed or
# rewritten by `sync`: that takes another rotation, or `certs.remove` with its name.

from .at_syntax import check_text
from .profile import checked

_STATES = ("add", "drop", "done")
_CREDENTIALS = ("cert", "key", "pskid")  # what a context proves who it is with
_NAMES = ("ca",) + _CREDENTIALS


def checked_entry(entry):
    """`entry`, what a journal's file holds, with all that it must have. ValueError, KeyError,
    TypeError or AttributeError if it is no entry."""
    if entry["state"] not in _STATES:
        raise ValueError("state is %r" % (entry["state"],))
    found = {"state": entry["state"], "new": checked(entry["new"], True)}
    if entry["state"] != "done":
        found["old"] = checked(entry["old"], True)
    for name in ("replaced", "old_replaced", "kept"):
        names = entry.get(name)  # of a journal of 0.1.0 nothing is known of what came before
        for item in names or ():
            check_text(item, name)
        found[name] = None if names is None else list(names)
    found["digests"] = {}
    for name, digest in (entry.get("digests") or {}).items():
        check_text(name, "name")
        check_text(digest, "digest", 32)
        found["digests"][name] = digest
    found["old_proven"] = entry.get("old_proven") is True
    for name in ("since", "old_since"):
        since = entry.get(name)
        if since is not None:
            check_text(since, name)
        found[name] = since
    return found


def in_force(entry):
    """The profile that is in force by `entry`; None where that is None."""
    return entry and entry["old" if entry["state"] == "add" else "new"]


def is_proven(entry):
    """True if a trial has decided for what is in force."""
    return bool(entry) and (entry["state"] != "add" or entry["old_proven"])


def _credentials(context):
    # The names by which a context tells who it is; of one that does not, whom it trusts.
    names = [context[name] for name in _CREDENTIALS if context.get(name)]
    return names or [context.get("ca")]


def credential_names(profile):
    """The names by which the profile's contexts tell who they are."""
    found = []
    for context in profile["contexts"]:
        found += [name for name in _credentials(context) if name and name not in found]
    return found


def _by_id(profile, ssl_id):
    for context in profile["contexts"]:
        if context["ssl_id"] == ssl_id:
            return context
    return None


def active_profile(profile, entry):
    """The profile that the module must have while the application gives `profile`: that one, with
    the names of what was proven in place of what it replaced."""
    base = in_force(entry)
    if not is_proven(entry):
        return profile
    replaced = entry["old_replaced" if entry["state"] == "add" else "replaced"]
    contexts = []
    dropped = []
    for given in profile["contexts"]:
        proven = _by_id(base, given["ssl_id"])
        names = _credentials(given)
        if proven is None or names == _credentials(proven):
            contexts.append(given)
            continue
        if replaced is not None and not [name for name in names if name in replaced]:
            contexts.append(given)  # another one altogether
            continue
        context = {name: given[name] for name in given if name not in _NAMES}
        for name in _NAMES + ("auth",):
            if name in proven:
                context[name] = proven[name]
        dropped += [given.get(name) for name in _NAMES]
        contexts.append(context)
    if not dropped:
        return profile
    needed = [context.get(name) for context in contexts for name in _NAMES]
    objects = [
        item
        for item in profile["objects"]
        if item["name"] in needed or item["name"] not in dropped
    ]
    names = [item["name"] for item in objects]
    objects += [item for item in base["objects"] if item["name"] not in names]
    return {"objects": objects, "contexts": contexts}


def proven_names(entry):
    """The names of what was proven."""
    return [item["name"] for item in in_force(entry)["objects"]] if is_proven(entry) else []


def proven_digests(entry):
    """The digests of what was proven, and the names that no changed file replaces: those by which
    a context tells who it is."""
    if not is_proven(entry):
        return {}, ()
    return entry["digests"], credential_names(in_force(entry))


def leftovers(entry, wanted):
    """The names of what a rotation gave up, and that are not `wanted`."""
    if entry is None or entry["state"] == "done":
        return []
    gone, stays = ("new", "old") if entry["state"] == "add" else ("old", "new")
    keep = [item["name"] for item in wanted["objects"]]
    keep += [item["name"] for item in entry[stays]["objects"]] + (entry["kept"] or [])
    return [item["name"] for item in entry[gone]["objects"] if item["name"] not in keep]


def tell_what_differs(modem, profile, wanted, entry):
    """Tell the modem's on_event handler where what is in force is not what `profile` names."""
    if wanted is not profile:
        modem.tell(
            "identity",
            "%s is in force, proven by a rotation, and stays so, though the profile names %s; "
            "call rotate() to go over to that"
            % (", ".join(credential_names(wanted)), ", ".join(credential_names(profile))),
        )
    elif is_proven(entry):
        needed = [item["name"] for item in wanted["objects"]]
        kept = [name for name in proven_names(entry) if name not in needed]
        if kept:
            modem.tell(
                "identity",
                "%s was proven by a rotation and stays in the module, though the profile does not "
                "name it; certs.remove() removes it" % ", ".join(kept),
            )


def finished(entry):
    """The entry that follows once nothing is under way any more; None if there is none, for what
    is in force was not proven."""
    if entry["state"] == "drop":
        return _done_entry(entry, "new", "since", "replaced")
    if is_proven(entry):  # taken back, to one that had been proven before
        return _done_entry(entry, "old", "old_since", "old_replaced")
    return None


def _done_entry(entry, profile, since, replaced):
    return {
        "state": "done",
        "new": entry[profile],
        "since": entry[since],
        "replaced": entry[replaced],
        "digests": entry["digests"],
    }
