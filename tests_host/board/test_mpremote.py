# SPDX-License-Identifier: MIT
"""The real mpremote at the virtual board: what a developer does at a desk."""

import hashlib
import json

import pytest
from onemo_board import MpremoteError, MpremoteTimeout, NoBoard, mpremote


@pytest.fixture(params=["flash.img", "folder"])
def board(request, start, tmp_path):
    if request.param == "folder":
        (tmp_path / "folder").mkdir()
    return start(request.param)


def test_files(board, at, tmp_path):
    run = at(board)
    content = bytes(range(256)) * 20
    source = tmp_path / "data.bin"
    source.write_bytes(content)
    tree = tmp_path / "lib"
    (tree / "pkg").mkdir(parents=True)
    (tree / "pkg" / "a.py").write_text("A = 1\n")
    (tree / "b.py").write_text("B = 2\n")
    # several commands in one call, as the tool allows: it is quicker
    run("fs", "mkdir", ":certs", "+", "fs", "cp", source, ":certs/data.bin")
    run("fs", "cp", "-r", tree, ":")
    assert "data.bin" in run("fs", "ls", ":certs").stdout
    assert hashlib.sha256(content).hexdigest() in run("fs", "sha256sum", ":certs/data.bin").stdout
    back = tmp_path / "back.bin"
    run("fs", "cp", ":certs/data.bin", back)
    assert back.read_bytes() == content
    assert run("fs", "cat", ":lib/pkg/a.py").stdout.splitlines() == ["A = 1"]
    assert run.exec("import b; from pkg import a; print(a.A + b.B)").strip() == "3"
    run("fs", "rm", ":certs/data.bin", "+", "fs", "rmdir", ":certs")
    assert "certs" not in run("fs", "ls").stdout
    run("fs", "rm", "-r", ":lib")
    assert "lib" not in run("fs", "ls").stdout


def test_exec_eval_run_and_errors(board, at, tmp_path):
    run = at(board)
    assert run("eval", "6 * 7").stdout.strip() == "42"
    script = tmp_path / "script.py"
    script.write_text("import sys\nfor i in range(3): print(sys.platform, i)\n")
    assert run("run", script).stdout.split() == ["esp32", "0", "esp32", "1", "esp32", "2"]
    with pytest.raises(MpremoteError, match="ValueError: no good") as caught:
        run.exec("raise ValueError('no good')")
    assert caught.value.status == 1
    assert 'File "<stdin>", line 1' in caught.value.stdout + caught.value.stderr


def test_mount_serves_the_pcs_files(board, at, tmp_path):
    (tmp_path / "src").mkdir()
    content = bytes(range(256)) * 8
    (tmp_path / "src" / "blob.bin").write_bytes(content)
    (tmp_path / "src" / "mod.py").write_text(
        "import hashlib, binascii\n"
        "def digest():\n"
        "    with open('blob.bin', 'rb') as f:\n"
        "        return binascii.hexlify(hashlib.sha256(f.read()).digest()).decode()\n"
    )
    out = at(board)("mount", tmp_path / "src", "exec", "import mod; print(mod.digest())").stdout
    assert hashlib.sha256(content).hexdigest() in out


def test_mip_installs_a_local_package(board, at, tmp_path):
    package = tmp_path / "package"
    (package / "demo").mkdir(parents=True)
    (package / "demo" / "__init__.py").write_text("NAME = 'demo'\n")
    urls = [["demo/__init__.py", "demo/__init__.py"]]
    (package / "package.json").write_text(json.dumps({"urls": urls, "version": "1.0"}))
    run = at(board)
    run("mip", "install", package / "package.json")
    assert run.exec("import demo; print(demo.NAME, demo.__file__)").split() == [
        "demo",
        "/lib/demo/__init__.py",
    ]


def test_df_shows_the_flash(start, at):
    out = at(start(size=512 * 1024))("df").stdout
    assert "524288" in out


def test_soft_reset_and_reset(board, at):
    run = at(board)
    run.exec("open('main.py', 'w').write('print(\"main runs\")')")
    # mpremote's own soft reset goes to the raw REPL, where main.py does not run
    mark = board.output.mark()
    run("soft-reset")
    boot = board.history[-1]
    assert boot.cause == "soft"
    before = board.boots
    run("reset")
    board.wait_boot(before + 1)
    board.output.wait_for("main runs", since=mark)
    assert board.history[-1].cause == "hard"


def test_raw_repl_after_a_soft_reset_does_not_run_main(start, at):
    board = start()
    run = at(board)
    run.exec("open('main.py', 'w').write('print(\"main runs\")')")
    mark = board.output.mark()
    assert run("exec", "print('only this')").stdout.split() == ["only", "this"]
    assert board.history[-1].raw
    assert "main runs" not in board.output.since(mark)


def test_resume_keeps_the_state(start, at):
    board = start()
    run = at(board)
    run.exec("x = 17")
    assert run("exec", "print(x)", resume=True).stdout.strip() == "17"


def test_ctrl_c_of_mpremote_gets_through_a_busy_program(start, at):
    board = start()
    board_loop = (
        "import gc\nwhile True:\n    x = [bytearray(100) for _ in range(20)]; gc.collect()"
    )
    run = at(board)
    run("run", "--no-follow", "/dev/stdin", stdin=board_loop)
    assert run.exec("print('in')").strip() == "in"


def test_a_time_limit_is_kept(start):
    board = start()
    with pytest.raises(MpremoteTimeout) as caught:
        mpremote(board.port, "exec", "print('begun')\nwhile True: pass", timeout=2)
    assert "did not finish in 2 s" in str(caught.value)
    assert caught.value.stdout.strip() == "begun"
    assert mpremote(board.port, "eval", "1").stdout.strip() == "1"  # the board is fine


def test_no_board(tmp_path, start):
    with pytest.raises(NoBoard):
        mpremote(str(tmp_path / "nothing"), "eval", "1")
    # through a link mpremote keeps time itself: it gives up after 10 s
    board = start(link=tmp_path / "link")
    assert mpremote(board.port, "eval", "1").stdout.strip() == "1"
    board.power_cut()
    with pytest.raises(NoBoard):
        mpremote(board.port, "eval", "1", timeout=40)
