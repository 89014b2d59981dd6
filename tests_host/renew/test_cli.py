# SPDX-License-Identifier: MIT
"""`onemo renew serve`, as a process of its own."""

import os
import re
import signal
import subprocess
import sys

import pytest
from onemo_tools.cli.main import app
from onemo_tools.factory import starting
from onemo_tools.proofs.renewal import ROOT
from onemo_tools.servers.pki import Authority
from typer.testing import CliRunner

LIMIT_S = 60
PASSPHRASE = "correct horse battery"


@pytest.fixture(scope="module")
def line(tmp_path_factory):
    """A folder with LINE.toml, a CA, and a server's certificate."""
    folder = tmp_path_factory.mktemp("line")
    starting.write(folder, "onemo test CA", PASSPHRASE.encode())
    Authority("servers", algorithm="ec").issue("renewal.example", server=True).write(folder)
    return folder


def command(line, *more):
    environment = {
        **os.environ,
        "ONEMO_CA_PASSPHRASE": PASSPHRASE,
        "PYTHONPATH": f"{ROOT / 'tools'}:{ROOT / 'lib'}",
        "PYTHONUNBUFFERED": "1",
    }
    arguments = ["--certificate", line / "chain.pem", "--key", line / "key.pem"]
    return subprocess.Popen(
        [
            *(sys.executable, "-m", "onemo_tools", "renew", "serve", line / "LINE.toml"),
            *arguments,
            *more,
        ],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def test_it_serves_until_it_is_told_to_end(line):
    served = command(line, "--listen", "127.0.0.1:0", "--grace-listen", "127.0.0.1:0")
    try:
        said = served.stdout.readline()
        assert re.fullmatch(r"renews at port \d+, and at port \d+ what has expired\n", said)
        served.send_signal(signal.SIGTERM)
        assert served.communicate(timeout=LIMIT_S)[0] == ""
        assert served.returncode == 0
    finally:
        served.kill()
        served.wait()
        served.stdout.close()


def test_what_makes_no_sense_is_said_in_a_sentence(line):
    files = ["--certificate", str(line / "chain.pem"), "--key", str(line / "key.pem")]
    for more, said in (
        (["--listen", "nowhere"], "renew: --listen is 'nowhere': ADDRESS:PORT"),
        (["--grace-listen", "x:70000"], "renew: --grace-listen is 'x:70000': ADDRESS:PORT"),
    ):
        done = CliRunner().invoke(app, ["renew", "serve", str(line / "LINE.toml"), *files, *more])
        assert (done.exit_code, done.stderr.strip()) == (2, said)
