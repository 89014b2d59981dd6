# SPDX-License-Identifier: MIT
"""deploy neither overwrites nor removes what it did not put on the board, unless it is told to."""

import json
import os

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onemo_board import VirtualBoard, images, mpremote
from onemo_tools.cli.main import app
from onemo_tools.deploy import deployment, manifest
from onemo_tools.deploy.manifest import Manifest
from onemo_tools.deploy.mpy import compile_mpy
from typer.testing import CliRunner

PLAIN = {
    "boot.py": b"# boot\n",
    "main.py": b"# main\n",
    "mqtt.py": b"# mqtt\n",
    "config.json": b'{"of": "the project"}\n',
}


class Desk:
    """A board, and a small checkout to deploy from."""

    def __init__(self, folder, board):
        self.folder, self.board = folder, board
        self.root = folder / "checkout"
        library = self.root / "lib" / "onemo"
        library.mkdir(parents=True)
        self.module("__init__", "VERSION = 1\n")
        self.module("part", "VALUE = 1\n")
        for name, content in PLAIN.items():
            (self.root / name).write_bytes(content)

    def module(self, name, source):
        (self.root / "lib" / "onemo" / f"{name}.py").write_text(source)

    def file(self, name, content):
        """A file of the PC."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return path

    def deploy(self, *words, status=0):
        words = [
            "deploy",
            "--board",
            self.board.port,
            "--root",
            self.root,
            "--json",
            "--no-lint",
            *words,
        ]
        done = CliRunner().invoke(app, [str(word) for word in words])
        assert done.exit_code == status, done.output
        return json.loads(done.stdout) if status in (0, 3) else done.stderr

    def put(self, **files):
        """Somebody else's files onto the board; `__` in a name is a slash."""
        for name, content in files.items():
            path = name.replace("__", "/")
            code = (
                "import os\n"
                "def put(p, c):\n"
                " at = ''\n"
                " for d in p.split('/')[:-1]:\n"
                "  at += d\n"
                "  try: os.mkdir(at)\n"
                "  except OSError: pass\n"
                "  at += '/'\n"
                " with open(p, 'wb') as f: f.write(c)\n"
                f"put({path!r}, {content!r})"
            )
            mpremote(self.board.port, "exec", code)

    def flash(self):
        found = images.read_files(self.board.flash)
        return {path[1:]: content for path, content in found.items()}

    def names(self):
        return set(self.flash()) - {manifest.PATH}


@pytest.fixture
def desk(tmp_path):
    with VirtualBoard(tmp_path / "flash.img") as board:
        yield Desk(tmp_path, board)


def test_a_config_given_once_stays(desk):
    mine = desk.file("mine.json", b'{"of": "mine"}')
    desk.deploy("--config", mine)
    plain = desk.deploy()
    assert list(plain["kept"]) == ["config.json"] and "--config" in plain["kept"]["config.json"]
    assert desk.flash()["config.json"] == b'{"of": "mine"}'
    desk.module("part", "VALUE = 2\n")
    (desk.root / "config.json").write_bytes(b'{"of": "a newer project"}')
    assert desk.deploy()["copied"] == ["lib/onemo/part.mpy"]
    assert desk.flash()["config.json"] == b'{"of": "mine"}'
    # Another one that is given is what is asked for, and so is the project's with --overwrite.
    other = desk.file("other.json", b'{"of": "others"}')
    assert desk.deploy("--config", other)["copied"] == ["config.json"]
    assert desk.flash()["config.json"] == b'{"of": "others"}'
    assert desk.deploy("--overwrite")["copied"] == ["config.json"]
    # What was never given goes on with the project.
    (desk.root / "config.json").write_bytes(PLAIN["config.json"])
    assert desk.deploy()["copied"] == ["config.json"]


@pytest.mark.parametrize("name", ["main.py", "boot.py", "config.json", "lib/onemo/part.mpy"])
def test_a_file_that_was_changed_on_the_board_stays(desk, name):
    desk.deploy()
    desk.put(**{name.replace("/", "__"): b"mine"})
    for path, content in PLAIN.items():
        (desk.root / path).write_bytes(content + b"\n")
    desk.module("part", "VALUE = 2\n")
    done = desk.deploy(status=3)
    assert done["kept"] == {name: "changed since deploy put it there"}
    assert name not in done["copied"] and len(done["copied"]) == 4
    assert desk.flash()[name] == b"mine"
    assert desk.deploy("--dry-run", "--overwrite")["copied"] == [name]
    assert desk.flash()[name] == b"mine"
    assert desk.deploy("--overwrite")["copied"] == [name]
    assert desk.flash()[name] != b"mine"
    assert desk.deploy()["kept"] == {}


def test_a_boards_own_files_stay_whatever_is_asked_for(desk):
    own = {
        "sensor.py": b"# mine\n",
        "lib/driver.py": b"# mine\n",
        "lib/onemo/mine.py": b"# mine\n",
        "lib/onemo/sub/deep.py": b"# mine\n",
        "certs/mine.key": b"mine",
        "notes.txt": b"mine",
    }
    desk.put(**{path.replace("/", "__"): content for path, content in own.items()})
    for words in ([], ["--source"], [], ["--prune", "--overwrite"]):
        done = desk.deploy(*words)
        assert done["kept"] == {}
        assert not set(done["removed"]) & set(own)
        assert {path: desk.flash().get(path) for path in own} == own


def test_a_board_without_records(desk):
    """One of an earlier version: what is as it would be now counts as deploy's own."""
    desk.put(**{"main.py": PLAIN["main.py"], "boot.py": b"mine", "lib__onemo__part.py": b"mine"})
    done = desk.deploy(status=3)
    assert done["unchanged"] == ["main.py"]
    assert set(done["kept"]) == {"boot.py", "lib/onemo/part.py"}
    assert done["kept"]["boot.py"] == "not put there by deploy"
    assert "in place of the library's own module" in done["kept"]["lib/onemo/part.py"]
    assert desk.flash()["boot.py"] == desk.flash()["lib/onemo/part.py"] == b"mine"
    (desk.root / "main.py").write_bytes(b"# newer\n")
    assert desk.deploy(status=3)["copied"] == ["main.py"]
    done = desk.deploy("--overwrite")
    assert (done["copied"], done["removed"]) == (["boot.py"], ["lib/onemo/part.py"])


@pytest.mark.parametrize("then", [[], ["--source"]])
def test_the_library_in_its_other_form_is_replaced(desk, then):
    """As mip installs it, which keeps no records: an old .py would win over a new .mpy."""
    source = (desk.root / "lib" / "onemo" / "part.py").read_bytes()
    compiled = compile_mpy(desk.root / "lib" / "onemo" / "part.py")
    name, content = ("part.mpy", compiled) if then else ("part.py", source)
    desk.put(**{f"lib__onemo__{name}": content})
    assert desk.deploy(*then)["removed"] == [f"lib/onemo/{name}"]
    back = desk.deploy(*([] if then else ["--source"]))
    assert len(back["removed"]) == len(back["copied"]) == 2


def test_what_is_no_longer_wanted_is_named_keys_first_and_removed_when_asked(desk):
    old, new = desk.folder / "old", desk.folder / "new"
    for name, content in (
        ("old/a-ca.pem", b"ca"),
        ("old/identity", b"-----BEGIN PRIVATE KEY-----\n"),
        ("old/z.key", b"key"),
        ("old/changed.pem", b"old"),
        ("new/ca.pem", b"ca"),
    ):
        desk.file(name, content)
    desk.deploy("--certs", old)
    desk.put(certs__own=b"mine", certs__changed=b"mine")
    desk.put(**{"certs__changed.pem": b"mine"})
    assert desk.deploy()["leftover"] == [], "without --certs nothing is said about certificates"
    named = ["certs/identity", "certs/z.key", "certs/a-ca.pem"]  # keys first
    assert desk.deploy("--certs", new)["leftover"] == [*named, "certs/changed.pem"]
    assert {*named, "certs/ca.pem"} <= desk.names()
    assert desk.deploy("--certs", new, "--prune", "--dry-run", status=3)["removed"] == named
    assert {*named, "certs/ca.pem"} <= desk.names()
    done = desk.deploy("--certs", new, "--prune", status=3)
    assert done["removed"] == named
    assert done["kept"] == {"certs/changed.pem": "changed since deploy put it there"}
    certs = {path for path in desk.names() if path.startswith("certs/")}
    assert certs == {"certs/ca.pem", "certs/own", "certs/changed", "certs/changed.pem"}


def test_a_new_config_says_what_is_no_longer_wanted(desk):
    certs = desk.file("certs/old.key", b"key").parent
    desk.file("certs/new.key", b"key")
    desk.deploy("--certs", certs)
    config = {"objects": [{"name": "k", "kind": "key", "source": "/certs/new.key"}]}
    done = desk.deploy("--config", desk.file("c.json", json.dumps(config).encode()))
    assert done["leftover"] == ["certs/old.key"]


def test_an_application_of_ones_own(desk):
    own = {"main.py": b"# mine\n", "sensors/bme.py": b"# mine\n", "lib/other.py": b"# mine\n"}
    folder = desk.folder / "app"
    for name, content in own.items():
        desk.file(f"app/{name}", content)
    for name in ("app/__pycache__/x.pyc", "app/.git/config", "app/.hidden", "app/main.py~"):
        desk.file(name, b"x")
    done = desk.deploy("--app", folder)
    library = {"lib/onemo/__init__.mpy", "lib/onemo/part.mpy"}
    assert set(done["copied"]) == {*own, *library}
    assert set(done["skipped"]) == {".git", ".hidden", "main.py~"}
    assert desk.deploy("--app", folder)["copied"] == []
    # The project's own application comes beside it, but in place of nothing.
    plain = desk.deploy()
    assert set(plain["copied"]) == {"boot.py", "mqtt.py", "config.json"}
    assert set(plain["kept"]) == {"main.py"}
    assert plain["leftover"] == []
    assert {path: desk.flash()[path] for path in own} == own
    (folder / "lib" / "other.py").unlink()
    done = desk.deploy("--app", folder, "--prune")
    assert done["removed"] == ["boot.py", "lib/other.py", "mqtt.py"]
    assert desk.names() == {"main.py", "sensors/bme.py", "config.json", *library}


@pytest.mark.parametrize(
    "name, said",
    [("app/lib/onemo/part.py", "lib/onemo is the library's own"), ("app/.x", "there is no file")],
)
def test_an_application_that_cannot_be(desk, name, said):
    desk.file(name, b"x")
    assert said in desk.deploy("--app", desk.folder / "app", status=1)
    assert desk.flash() == {}


def test_what_stays_behind_of_a_folder_is_named(desk):
    certs = desk.file("certs/ca.pem", b"ca").parent
    desk.file("certs/more/below.pem", b"below")
    for name in (".DS_Store", "ca.pem~", "ca.pem.bak", "a'b.pem", "a\nb.pem", "-rf"):
        desk.file(f"certs/{name}", b"x")
    os.mkfifo(certs / "pipe")  # who reads it waits for ever
    (certs / "nowhere").symlink_to(desk.folder / "none")
    (certs / "linked.pem").symlink_to(desk.file("elsewhere.pem", b"there"))
    done = desk.deploy("--certs", certs)
    assert {path for path in done["copied"] if path.startswith("certs/")} == {
        "certs/ca.pem",
        "certs/linked.pem",
    }
    names = {path.rpartition("/")[2] for path in done["skipped"]}
    assert names == {
        *("more", ".DS_Store", "ca.pem~", "ca.pem.bak", "a'b.pem", "-rf", "pipe", "nowhere"),
        "a\\nb.pem",
    }
    words = ["deploy", "--board", desk.board.port, "--root", desk.root, "--certs", certs]
    words.append("--no-lint")
    said = CliRunner().invoke(app, [str(word) for word in words]).stdout
    assert f"skipped  {certs}/more: a folder: only files" in said


@pytest.mark.parametrize(
    "on_board, said",
    [
        ({"main.py__x": b""}, "main.py on the board is a folder, but a file belongs there"),
        ({"lib": b""}, "lib on the board is a file, but a folder belongs there"),
    ],
)
def test_a_folder_in_the_place_of_a_file_is_told_before_anything_is_changed(desk, on_board, said):
    desk.put(**on_board)
    before = desk.flash()
    assert said in desk.deploy(status=1)
    assert desk.flash() == before


@pytest.mark.parametrize("steps", range(1, 12, 2))
def test_a_deploy_that_is_cut_off(desk, monkeypatch, steps):
    """Whatever was copied is known as deploy's own afterwards, and nothing else is."""
    desk.deploy()
    desk.module("part", "VALUE = 2\n")
    for name, content in PLAIN.items():
        (desk.root / name).write_bytes(content + b"# newer\n")

    def cut(port, *words, **options):
        if words[1:2] and words[0] == "exec" and "wanted" in words[1]:
            return mpremote(port, *words, **options)
        ends = [i for i, word in enumerate(words) if word == "+"]
        mpremote(port, *words[: ends[steps - 1]] if steps <= len(ends) else words, **options)
        raise OSError("cut off")

    with monkeypatch.context() as patch:
        patch.setattr(deployment, "mpremote", cut)
        assert "cut off" in desk.deploy(status=1)
    desk.put(**{"main.py": b"mine"})
    (desk.root / "mqtt.py").write_bytes(b"# newer still\n")
    done = desk.deploy(status=3)
    assert list(done["kept"]) == ["main.py"]
    found = desk.flash()
    assert found["main.py"] == b"mine"
    assert found["mqtt.py"] == b"# newer still\n"
    assert found["boot.py"] == PLAIN["boot.py"] + b"# newer\n"
    assert manifest.NEW not in found
    assert manifest.parse(found[manifest.PATH]).pending == {}


@pytest.mark.parametrize(
    "records",
    [b"", b"{", b"[]", b"\xff\xfe", b'{"version": 1, "files": {"main.py": 3}}', b"9" * 5000],
)
def test_records_that_make_no_sense_count_as_none(desk, records):
    desk.put(**{"onemo.manifest": records, "main.py": b"mine"})
    assert list(desk.deploy(status=3)["kept"]) == ["main.py"]
    assert desk.flash()["main.py"] == b"mine"
    assert set(manifest.parse(desk.flash()[manifest.PATH]).files) == desk.names() - {"main.py"}


paths = st.dictionaries(st.text(), st.text())


@given(paths, paths, st.sets(st.text()))
def test_records_are_read_as_written(files, pending, named):
    written = Manifest(files, pending, named)
    assert manifest.parse(written.text()) == written
    assert json.loads(written.text())["files"] == files


@given(
    st.binary()
    | st.recursive(
        st.none() | st.integers() | st.text(),
        lambda s: st.dictionaries(st.sampled_from(["version", "files", "pending", "given"]), s),
    ).map(lambda t: json.dumps(t).encode())
)
def test_any_records_can_be_read(text):
    assert isinstance(manifest.parse(text), Manifest)
