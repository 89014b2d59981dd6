"""`python -m onemo_tools.board`."""

from .cli import app

app()
