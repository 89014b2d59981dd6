# SPDX-License-Identifier: MIT
"""The profile format: config.json's objects and contexts."""

import copy
import json
from pathlib import Path

import pytest
from onemo import profile

ROOT = Path(__file__).parents[2]

GOOD = {
    "objects": [
        {"name": "ca.pem", "kind": "cert", "source": "/certs/ca.pem"},
        {"name": "client.key", "kind": "key", "source": "/certs/client.key"},
        {"name": "device", "kind": "psk", "source": "/certs/psk"},
    ],
    "contexts": [
        {"ssl_id": 1, "auth": "server", "ca": "ca.pem", "negotime_s": 30},
        {"ssl_id": 0, "auth": "none", "pskid": "device"},
    ],
}


def test_the_projects_own_config_is_one():
    config = json.loads((ROOT / "config.json").read_text())
    found = profile.checked(config)
    assert found == {"objects": config["objects"], "contexts": config["contexts"]}
    assert profile.settings(config["contexts"][0]) == {
        "auth": 2,
        "ca": "ca.pem",
        "cert": "client.pem",
        "key": "client.key",
    }


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("objects",), None, "objects is missing; it must be a list"),
        (("objects", 0), "ca.pem", 'objects[0] is "ca.pem"; it must be an object with name'),
        (("objects", 0, "name"), 'a"b', "objects[0].name"),
        (("objects", 0, "name"), "n" * 65, "objects[0].name"),
        (
            ("objects", 0, "kind"),
            "pem",
            'objects[0].kind is "pem"; it must be "cert", "key" or "psk"',
        ),
        (("objects", 0, "kind"), ["cert"], "objects[0].kind is [...]"),
        (
            ("objects", 0, "source"),
            7,
            "objects[0].source is 7; it must be a string of 1 to 255 characters, the path",
        ),
        (("objects", 1, "name"), "ca.pem", "objects[1].name is ca.pem once more"),
        (("contexts",), {}, "contexts is {}"),
        (
            ("contexts", 0, "ssl_id"),
            6,
            "contexts[0].ssl_id is 6; it must be an integer from 0 to 5, each once",
        ),
        (("contexts", 0, "ssl_id"), True, "contexts[0].ssl_id is true"),
        (("contexts", 1, "ssl_id"), False, "contexts[1].ssl_id is false"),
        (("contexts", 1, "ssl_id"), 1, "contexts[1].ssl_id is 1; it must be 0 to 5, each once"),
        (("contexts", 0, "auth"), 1, "contexts[0].auth is 1"),
        (("contexts", 0, "auth"), "mutual", "contexts[0].cert is missing; it must be the name of"),
        (("contexts", 0, "ca"), None, "contexts[0].ca is missing"),
        (
            ("contexts", 0, "ca"),
            "client.key",
            'contexts[0].ca is "client.key"; it must be the name of a cert in objects, which',
        ),
        (("contexts", 0, "ca"), "other.pem", 'contexts[0].ca is "other.pem"'),
        (
            ("contexts", 1, "pskid"),
            "ca.pem",
            'contexts[1].pskid is "ca.pem"; it must be the name of a psk in objects',
        ),
        (
            ("contexts", 0, "cipher"),
            1,
            'contexts[0].cipher is not known ("cipher": did you mean "ciphersuite"?)',
        ),
        ((), [], "it is []; it must be an object with objects, contexts"),
    ],
)
def test_what_is_wrong_is_named(path, value, said):
    config = copy.deepcopy(GOOD)
    place = config
    for step in path[:-1]:
        place = place[step]
    if not path:
        config = value
    elif value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    with pytest.raises(ValueError) as caught:
        profile.checked(config)
    assert said in str(caught.value)


@pytest.mark.parametrize("more", [{"pskid": "meter"}, {"ignoreverify": True}])
def test_a_server_that_is_known_otherwise_needs_no_ca(more):
    given = {
        "objects": [{"name": "meter", "kind": "psk", "source": "/psk"}],
        "contexts": [{"ssl_id": 0, "auth": "server", **more}],
    }
    assert profile.checked(given)["contexts"][0]["auth"] == "server"
    given["contexts"][0]["auth"] = "mutual"
    with pytest.raises(ValueError, match="ca is missing"):
        profile.checked(given)
