# SPDX-License-Identifier: MIT
"""`python -m onemo_tools`, the same as `onemo`."""

from onemo_tools.cli.main import app

if __name__ == "__main__":
    app(prog_name="onemo")
