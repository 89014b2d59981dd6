# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# Heap still taken after importing the published driver. Not in live.py: its names would be
# interned with onemo's and might make their pool grow.

import gc

import published
from modules import BUILT_IN, load


def main():
    """Live bytes after the import."""
    load(BUILT_IN)
    published.on_a_pc(None)
    before = _taken()
    published.imported()
    return _taken() - before


def _taken():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()
