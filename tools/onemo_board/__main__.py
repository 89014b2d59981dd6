# SPDX-License-Identifier: MIT
"""`python -m onemo_board`."""

from .cli import app

app()
