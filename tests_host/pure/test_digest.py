# SPDX-License-Identifier: MIT
"""MD5 where the port's hashlib has none."""

import hashlib
import importlib

import pytest
from onemo import md5
from onemo.errors import Unsupported


def test_a_port_that_has_neither_is_told_so(monkeypatch):
    """CPython knows no viper: the file cannot be imported here."""
    monkeypatch.delattr(hashlib, "md5")
    try:
        importlib.reload(md5)
        with pytest.raises(Unsupported, match="MD5"):
            md5.md5()
    finally:
        monkeypatch.undo()
        importlib.reload(md5)
