# SPDX-License-Identifier: MIT
"""The commands of README and docs are run, page by page, as they stand there."""

import importlib.util
import json
import re
import shlex
import subprocess

import pytest
import typer
from onemo_tools.cli.main import app
from onemo_tools.deploy.packages import ROOT
from typer.testing import CliRunner

from tests_host.docs.blocks import blocks, mentioned, pages
from tests_host.docs.place import made

ENGLISH = [page for page in pages() if not page.name.endswith((".zh.md", ".zh-CN.md"))]

# Where a page's reader sits: beside the checkout, in it, or in a product's folder.
BESIDE = ("README.md", "docs/first-hour.md", "docs/command-line.md")
IN_CHECKOUT = ("examples/README.md", "docs/examples.md", "docs/probe.md", "docs/config.md")

# What is not run here, and why.
NOT_HERE = {
    r"make (demo|test)$": "CI runs it itself",
    r"(pipx install|pip install .*tools/)": "tests_host/install builds and installs these wheels",
    r"(git clone|python3 -m venv|\. env/|pip install|pytest)": "test_first_commands.py runs these",
    r"\./onemo probe .*--server": "it needs a server of that name; tests_host/probe has one",
    r"(\./onemo renew serve| +--listen)": "it serves devices; tests_host/renew has one",
    r"openssl s_client": "it asks the reader's own server",
}
# What takes long: `make doc-commands`.
_LONG = ("test-device", "probe (?!.*--read-only)")
LONG = rf"\./onemo ({'|'.join(_LONG)})|.*mpremote .* mip install"
# What looks at a port only: in `make test` once, whichever page has it first.
ONCE = r"(\./)?onemo (doctor|certs ls) --(board|serial) /dev/"

# What does not end with 0 here, and why.
STATUS = {
    "./onemo certs ls --board /tmp/board": (5, "README: TX is wired to RX there"),
    "./onemo doctor --board /tmp/board": (1, "the same, which is what it says"),
    "onemo doctor --board /tmp/board": (1, "nobody answers at mqtt.example"),
}


def commands(page):
    return [line for block in blocks(page) if block.kind == "sh" for line in block.commands]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    with made(tmp_path_factory.mktemp("place")) as place:
        yield place


@pytest.fixture(scope="module")
def seen():
    return set()


def check(place, page, seen, *, long):
    """Runs the commands of a page in their order; `long`: those that take long, too."""
    name = str(page.relative_to(ROOT))
    where = "." if name in BESIDE else "onemo" if name in IN_CHECKOUT else "product"
    place.begin(where, deployed=not long)
    try:
        for command in commands(page):
            if any(re.match(pattern, command) for pattern in NOT_HERE):
                continue
            if not long and (re.match(LONG, command) or command in seen):
                continue
            if re.match(ONCE, command):
                seen.add(command)
            done = place.run(command)
            status, why = STATUS.get(command, (0, ""))
            assert done.status == status, f"{name}: {command} ({why})\n{done.output}"
    finally:
        place.end()


@pytest.mark.parametrize("page", ENGLISH, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_of_a_page(place, seen, page):
    check(place, page, seen, long=False)


@pytest.mark.commands
@pytest.mark.timeout(1200)
@pytest.mark.parametrize(
    "page",
    [page for page in ENGLISH if any(re.match(LONG, command) for command in commands(page))],
    ids=lambda page: str(page.relative_to(ROOT)),
)
def test_all_commands_of_a_page_with_long_ones(place, page):
    check(place, page, set(), long=True)


def test_nothing_is_left_out_for_no_reason():
    every = {command for page in ENGLISH for command in commands(page)}
    for pattern in [*NOT_HERE, LONG, ONCE]:
        assert [command for command in every if re.match(pattern, command)], pattern
    assert set(STATUS) <= every
    assert len(every) > 50


def test_an_errors_object_is_as_the_page_shows_it():
    page = ROOT / "docs" / "command-line.md"
    [shown] = [json.loads(block.text)["error"] for block in blocks(page) if block.kind == "json"]
    done = CliRunner().invoke(app, ["certs", "ls", "--serial", "/dev/ttyUSB9", "--json"])
    told = json.loads(done.stdout)["error"]
    for error in (shown, told):
        error["message"] = error["message"].partition("ports here")[0]
    assert told == shown
    assert done.exit_code == shown["status"]


# In the middle of sentences

SPANS = sorted({span for page in pages() for span in mentioned(page)})


@pytest.mark.parametrize("span", [s for s in SPANS if s.startswith("make ")])
def test_make_has_the_target(span):
    done = subprocess.run(
        ["make", "-n", "PORT=x", *shlex.split(span.removeprefix("make "))],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr


@pytest.mark.parametrize("span", [s for s in SPANS if re.match(r"(\./)?onemo ", s)])
def test_onemo_has_the_command_and_its_options(span):
    words = shlex.split(span)[1:]
    command = typer.main.get_command(app)
    while words and not words[0].startswith("-") and hasattr(command, "commands"):
        assert words[0] in command.commands, span
        command = command.commands[words.pop(0)]
    known = {name for one in command.params for name in (*one.opts, *one.secondary_opts)}
    known |= {"--help", "--install-completion"}
    assert {word for word in words if word.startswith("--")} <= known, span


@pytest.mark.parametrize("span", [s for s in SPANS if s.startswith("python -m ")])
def test_python_has_the_module(span):
    assert importlib.util.find_spec(span.split()[2]), span


def test_sentences_have_commands():
    assert len(SPANS) > 30
