# SPDX-License-Identifier: MIT
"""Conversations that are as they were: what the driver says on the line, what it tells the
application and how long it takes, of many scenes, kept in a JSON file beside the tests.

A change of behaviour changes the file: `python -m tests_host.talks` writes all of them anew, and
the difference is to be read like any other."""

import hashlib
import importlib
import itertools
import json
import re
from pathlib import Path

ROOT = Path(__file__).parent
ROOMS = ("driver.test_attach_talks", "identity.test_talks")


def shortened(commands):
    """Commands as text; one that comes again and again is written once, with a count."""
    found = []
    for command, same in itertools.groupby(commands):
        text = command.decode("latin-1")
        count = len(list(same))
        found.append(text if count == 1 else f"{count} x {text}")
    return found


def rounded(text):
    """A sentence whose times are in whole tenths of a second: a millisecond is no behaviour."""
    return re.sub(r"(\d{3,}) ms", lambda found: f"{round(int(found[1]), -2)} ms", text)


def outcome(work):
    """What `work()` gives or raises, as text."""
    try:
        return repr(work())
    except Exception as error:
        return f"{type(error).__name__}: {error}"


def md5(data):
    """Of bytes, as text."""
    return hashlib.md5(data).hexdigest()


def path_of(room):
    """Where the talks of a module of tests are."""
    folder, _, name = room.rpartition(".")
    return ROOT / folder / (name.removeprefix("test_") + ".json")


def kept(room):
    """Its talks by scene."""
    return json.loads(path_of(room).read_text())


def written(talks):
    """As JSON with a line for each part of a talk."""
    scenes = []
    for name, parts in talks.items():
        lines = ",\n".join("  " + json.dumps(part, ensure_ascii=False) for part in parts)
        scenes.append(f" {json.dumps(name)}: [\n{lines}\n ]")
    return "{\n" + ",\n".join(scenes) + "\n}\n"


if __name__ == "__main__":
    for room in ROOMS:
        module = importlib.import_module(f"tests_host.{room}")
        talks = {name: module.talk(*scene) for name, scene in module.SCENES.items()}
        path_of(room).write_text(written(talks))
