# SPDX-License-Identifier: MIT
"""ports: what is wrong with a serial port, by name and with what to do."""

import errno
import os
import stat

import pytest
from onemo_tools.deploy import ports
from onemo_tools.deploy.ports import PortError
from onemo_tools.store.serial import PcUart
from serial import SerialException  # type: ignore[import-untyped]


@pytest.fixture
def terminal():
    """A terminal: its master's file descriptor, its path."""
    master, slave = os.openpty()
    path = os.ttyname(slave)
    os.close(slave)
    yield master, path
    os.close(master)


@pytest.mark.parametrize(
    "port", ["auto", "id:334c33573034", "port:2-1", "socket://127.0.0.1:1", "rfc2217://x:1"]
)
def test_what_is_no_path_passes(port):
    ports.check(port)


def test_a_terminal_passes_by_its_name_and_by_a_link(terminal, tmp_path):
    ports.check(terminal[1])
    (tmp_path / "link").symlink_to(terminal[1])
    ports.check(str(tmp_path / "link"))


def test_what_cannot_be_a_port_is_named(tmp_path):
    (tmp_path / "file").write_text("")
    (tmp_path / "dangling").symlink_to(tmp_path / "none")
    for port, said in (
        (str(tmp_path / "none"), "there is no port .*none: plug it in"),
        (str(tmp_path / "dangling"), "there is no port .*dangling: plug it in"),
        ("", "there is no port '': plug it in"),
        (str(tmp_path), " is a folder, no serial port: give one such as"),
        (str(tmp_path / "file"), "file is a file, no serial port: give one such as"),
    ):
        with pytest.raises(PortError, match=said):
            ports.check(port)


def test_a_missing_port_is_told_those_that_there_are(monkeypatch, tmp_path):
    class Found:
        device = "/dev/ttyUSB7"

    monkeypatch.setattr(ports.list_ports, "comports", lambda: [Found()])
    with pytest.raises(PortError, match=r"ports here: /dev/ttyUSB7$"):
        ports.check(str(tmp_path / "none"))
    monkeypatch.setattr(ports.list_ports, "comports", list)
    with pytest.raises(PortError, match=r"ports here: none$"):
        ports.check(str(tmp_path / "none"))


@pytest.mark.parametrize(
    ("group", "mode", "remedy"),
    [
        ("dialout", 0o660, "`sudo usermod -aG dialout $USER` and log in once more"),
        ("dialout", 0o600, "`sudo chmod a+rw` it"),
        ("", 0o660, "`sudo chmod a+rw` it"),
        (None, 0o660, "`sudo chmod a+rw` it"),  # root's own
    ],
)
def test_a_port_that_one_may_not_use(monkeypatch, terminal, group, mode, remedy):
    def name(path):
        if not group:
            raise KeyError(group)
        return group

    facts = os.stat_result((stat.S_IFCHR | mode, 0, 0, 1, 0, 0 if group is None else 20, *[0] * 4))
    monkeypatch.setattr(ports.os, "access", lambda path, mode: False)
    monkeypatch.setattr(ports.Path, "stat", lambda path, **_: facts)
    monkeypatch.setattr(ports.Path, "group", name)
    for tried in (ports.check, lambda port: ports.opening(port, SerialException(13, "could"))):
        try:
            found = tried(terminal[1])
        except PortError as error:
            found = error
        assert str(found) == f"you may not use {terminal[1]}: {remedy}"


def test_a_port_that_another_program_has(terminal):
    first = PcUart(terminal[1], 115200)
    try:
        with pytest.raises(PortError, match=f"{terminal[1]} is in use: close the other program"):
            PcUart(terminal[1], 115200)
    finally:
        first.close()


def test_a_device_that_is_no_port():
    with pytest.raises(PortError, match=r"^/dev/null is no serial port: give one such as"):
        PcUart("/dev/null", 115200)


def test_a_port_that_fails_meanwhile_is_named():
    master, slave = os.openpty()
    path = os.ttyname(slave)
    os.close(slave)
    uart = PcUart(path, 115200)
    os.close(master)  # as if it had been unplugged
    try:
        for work in (uart.any, lambda: uart.readinto(bytearray(8)), lambda: uart.write(b"AT\r")):
            with pytest.raises(PortError, match=f"^{path} fails: is it still plugged in[?]") as e:
                work()
            assert "Errno" not in str(e.value)
    finally:
        uart.close()


def test_other_causes_are_told_once_and_without_numbers():
    for error, said in (
        (
            SerialException(errno.ENXIO, "could not open port /dev/x: [Errno 6] No such device"),
            "/dev/x cannot be opened: No such device",
        ),
        (ValueError("invalid URL"), "/dev/x cannot be opened: invalid URL"),
    ):
        assert str(ports.opening("/dev/x", error)) == said
