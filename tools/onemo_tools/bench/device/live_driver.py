# SPDX-License-Identifier: MIT
#
# mypy: ignore-errors
# Heap that stays taken once the driver that a registry has is imported. Apart from live.py: its
# names would be interned beside onemo's, whose pool of them may have to grow for it.

import gc

import driver
from modules import BUILT_IN, load


def main():
    """Live bytes after the import."""
    load(BUILT_IN)
    driver.on_a_pc(None)
    before = _taken()
    driver.imported()
    return _taken() - before


def _taken():
    gc.collect()
    gc.collect()
    return gc.mem_alloc()
