# SPDX-License-Identifier: MIT
"""The README's table of options is the dataclass, neither more nor less."""

from __future__ import annotations

import re
from dataclasses import fields
from pathlib import Path

import onemo_simulator
import pytest
from onemo_simulator import Module, Quirks

README = Path(onemo_simulator.__file__).with_name("README.md")


def test_every_option_is_in_the_table_with_its_default():
    rows = re.findall(r"^\| `(\w+)` \| `(.*?)` \| (.+) \|$", README.read_text(), re.MULTILINE)
    assert [row[0] for row in rows] == Quirks.names()
    for (name, default, _), field in zip(rows, fields(Quirks), strict=True):
        assert default == repr(field.default), name


def test_options_that_do_not_exist():
    with pytest.raises(TypeError, match="colour"):
        Module(colour="blue")
    with pytest.raises(ValueError, match="same_name is one of replace, 763"):
        Module(same_name="append")
    with pytest.raises(ValueError, match="close_free is one of 551"):
        Module(close_free=551)
    with pytest.raises(ValueError, match="date is one of unset"):
        Module(date="2026-01-01")
