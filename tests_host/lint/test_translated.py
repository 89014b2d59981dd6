# SPDX-License-Identifier: MIT
"""The Chinese README is in step with the English one."""

import re

import pytest
from onemo_tools.lint import translated

ORIGINAL = translated.ORIGINAL.read_text(encoding="utf-8")
TRANSLATION = translated.TRANSLATION.read_text(encoding="utf-8")


def test_headings_code_and_made_parts_are_the_same():
    assert translated.differences(ORIGINAL, TRANSLATION) == []


def test_links_lead_somewhere():
    for text in (ORIGINAL, TRANSLATION):
        for target in re.findall(r"\]\(([^)#]+)\)", text):
            if not target.startswith("http"):
                assert (translated.ROOT / target).exists(), target


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("## ", "### ", "headings"),
        ("make demo  ", "make all  ", "code"),
        ("modem.start()", "modem.begin()", "code"),
        ("| `urequests` |", "| `requests2` |", "made parts"),
        ("    make test ", "make test ", "code"),
    ],
)
def test_a_difference_is_found(before, after, what):
    assert before in TRANSLATION
    changed = TRANSLATION.replace(before, after, 1)
    assert any(found.startswith(what) for found in translated.differences(ORIGINAL, changed))


def test_a_missing_part_is_named():
    changed = TRANSLATION.replace("<!-- bench:begin -->", "", 1)
    with pytest.raises(ValueError, match="bench"):
        translated.differences(ORIGINAL, changed)
