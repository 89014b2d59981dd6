# SPDX-License-Identifier: MIT
"""The production line: many boards side by side, one record of who they are.

From the ground up: `chain` (hashes of events), `tables`, `database` (opening one), `records` (what
is done with them), `claims` and `rework` (which unit is whose); `authority` (who signs), `keys`;
`device` (one board), `proving` (the line's own server), `slot` (the order of steps for one board),
`settings` (LINE.toml), `line` (slots side by side), `screen`, `page`, `exports`, `audit`, `cli`.
"""
