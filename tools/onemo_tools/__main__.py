# SPDX-License-Identifier: MIT
"""`python -m onemo_tools`, the same as `onemo`."""

from onemo_tools.cli.main import run

if __name__ == "__main__":
    run()
