# SPDX-License-Identifier: MIT
"""Says in one sentence whether this Python can run the tools; must run on any Python 3."""

import platform
import sys


def complaint(version, machine, system):
    """Why the MicroPython wheel cannot be installed here, or None."""
    if (3, 11) <= tuple(version)[:2] <= (3, 13) and machine == "x86_64" and system == "Linux":
        return None
    return (
        "onemo's tools need CPython 3.11, 3.12 or 3.13 on x86-64 Linux (MicroPython's wheel is built "
        "for these); this is Python %d.%d on %s %s. Name another one: make PYTHON=python3.11 ..."
        % (version[0], version[1], system, machine)
    )


if __name__ == "__main__":
    problem = complaint(sys.version_info, platform.machine(), platform.system())
    if problem:
        sys.exit(problem)
