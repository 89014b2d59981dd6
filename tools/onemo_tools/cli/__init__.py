"""The `onemo` command."""
