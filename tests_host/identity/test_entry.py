# SPDX-License-Identifier: MIT
"""What an entry of the journal says: which profile is in force, and what is left over."""

import copy

import pytest
from onemo import provisioning_entry as entries


def identity(tag, ca="ca"):
    """A profile of three objects and one context."""
    names = {"ca": ca, "cert": f"{tag}.pem", "key": f"{tag}.key"}
    kinds = {"ca": "cert", "cert": "cert", "key": "key"}
    return {
        "objects": [{"name": name, "kind": kinds[what]} for what, name in names.items()],
        "contexts": [{"ssl_id": 1, "auth": "mutual", **names}],
    }


A, B, C, D = (identity(tag) for tag in "ABCD")
OF_A, OF_B = ["A.pem", "A.key"], ["B.pem", "B.key"]


def entry(state, **parts):
    """Over from B, which had replaced A, to C."""
    whole = {
        "state": state,
        "old": B,
        "new": C,
        "replaced": OF_A + OF_B,
        "old_replaced": OF_A,
        "old_proven": True,
        "kept": None,
        "digests": {"B.key": "0" * 32},
        "since": "new since",
        "old_since": "old since",
    }
    return whole | parts


STATES = ["add", "drop", "done"]


@pytest.mark.parametrize("state", STATES)
def test_what_is_in_force(state):
    it = entry(state)
    base = B if state == "add" else C
    assert entries.in_force(it) is base
    assert entries.is_proven(it) is True
    assert entries.proven_names(it) == [item["name"] for item in base["objects"]]
    assert entries.proven_digests(it) == (it["digests"], entries.credential_names(base))


@pytest.mark.parametrize("state", STATES)
def test_what_a_journal_holds_needs_no_sources(state):
    found = entries.checked_entry(entry(state))
    assert found["new"]["contexts"][0]["key"] == "C.key"
    assert ("old" in found) is (state != "done")
    assert found["replaced"] == OF_A + OF_B and found["old_replaced"] == OF_A
    assert found["since"] == "new since" and found["old_since"] == "old since"
    assert found["digests"] == {"B.key": "0" * 32}
    assert found["old_proven"] is True and found["kept"] is None


@pytest.mark.parametrize(
    ("state", "parts"),
    [
        ("add", {"state": "almost"}),
        ("add", {"old": None}),
        ("drop", {"new": {"objects": 5}}),
        ("done", {"replaced": ['a"b']}),
        ("done", {"kept": [5]}),
        ("done", {"digests": {"a": "0" * 33}}),
        ("done", {"digests": {'a"': "0"}}),
        ("done", {"since": 5}),
        ("done", {"old_since": 'a"b'}),
    ],
)
def test_what_is_no_entry(state, parts):
    with pytest.raises((ValueError, KeyError, TypeError, AttributeError)):
        entries.checked_entry(entry(state, **parts))


def test_what_was_not_proven_protects_nothing():
    it = entry("add", old_proven=False)
    assert entries.is_proven(it) is False
    assert entries.proven_names(it) == []
    assert entries.proven_digests(it) == ({}, ())
    assert entries.active_profile(A, it) is A
    assert entries.finished(it) is None
    assert entries.is_proven(None) is False and entries.in_force(None) is None


@pytest.mark.parametrize("state", STATES)
def test_what_has_been_replaced_gets_the_names_of_what_was_proven(state):
    it = entry(state)
    base = B if state == "add" else C
    given = copy.deepcopy(A)
    given["contexts"][0]["negotime_s"] = 60
    given["contexts"].append({"ssl_id": 2, "auth": "none"})
    given["objects"].append({"name": "more.pem", "kind": "cert"})
    active = entries.active_profile(given, it)
    assert active["contexts"][0] == {**base["contexts"][0], "negotime_s": 60}
    assert active["contexts"][1] is given["contexts"][1]
    names = [item["name"] for item in active["objects"]]
    assert sorted(names) == sorted(["more.pem", *(item["name"] for item in base["objects"])])
    assert entries.active_profile(base, it) is base


def test_what_was_replaced_depends_on_how_far_it_is():
    # Until C is proven, B has replaced A alone; a profile that names B's own is B's.
    given = identity("other")
    given["contexts"][0].update(cert="C.pem", key="late.key")
    it = entry("add", replaced=["late.key"], old_replaced=OF_A)
    assert entries.active_profile(given, it) is given  # another one altogether
    it = entry("done", replaced=["late.key"], old_replaced=[])
    assert entries.active_profile(given, it)["contexts"] == C["contexts"]


def test_another_one_altogether_is_followed():
    for state in STATES:
        assert entries.active_profile(D, entry(state)) is D
    # of a journal of 0.1.0 nobody knows what was replaced
    assert entries.active_profile(D, entry("done", replaced=None))["contexts"] == C["contexts"]


def test_names_that_tell_who_a_context_is():
    assert entries.credential_names(A) == OF_A
    lax = {"contexts": [{"ssl_id": 0, "ca": "one"}, {"ssl_id": 1, "ca": "one"}, {"ssl_id": 2}]}
    assert entries.credential_names(lax) == ["one"]
    psk = {"contexts": [{"ssl_id": 0, "ca": "one", "pskid": "id"}]}
    assert entries.credential_names(psk) == ["id"]


@pytest.mark.parametrize(
    ("state", "wanted", "kept", "gone"),
    [
        ("add", B, None, ["C.pem", "C.key"]),
        ("add", B, ["C.key"], ["C.pem"]),
        ("add", C, None, []),
        ("drop", C, None, OF_B),
        ("drop", C, ["B.pem"], ["B.key"]),
        ("drop", B, None, []),
        ("done", C, None, []),
    ],
)
def test_leftovers(state, wanted, kept, gone):
    assert entries.leftovers(entry(state, kept=kept), wanted) == gone
    assert entries.leftovers(None, wanted) == []


def test_what_follows():
    done = {"state": "done", "digests": entry("add")["digests"]}
    assert entries.finished(entry("drop")) == {
        **done,
        "new": C,
        "since": "new since",
        "replaced": OF_A + OF_B,
    }
    assert entries.finished(entry("add")) == {
        **done,
        "new": B,
        "since": "old since",
        "replaced": OF_A,
    }


class Modem:
    def __init__(self):
        self.told = []

    def tell(self, kind, text):
        self.told.append((kind, text))


def test_what_differs_is_told():
    modem = Modem()
    entries.tell_what_differs(modem, A, C, entry("done"))
    assert modem.told == [
        (
            "identity",
            "C.pem, C.key is in force, proven by a rotation, and stays so, though the profile "
            "names A.pem, A.key; call rotate() to go over to that",
        )
    ]
    modem.told.clear()
    entries.tell_what_differs(modem, D, D, entry("done"))
    assert modem.told == [
        (
            "identity",
            "C.pem, C.key was proven by a rotation and stays in the module, though the profile "
            "does not name it; certs.remove() removes it",
        )
    ]
    modem.told.clear()
    entries.tell_what_differs(modem, C, C, entry("done"))
    entries.tell_what_differs(modem, D, D, entry("add", old_proven=False))
    assert modem.told == []
