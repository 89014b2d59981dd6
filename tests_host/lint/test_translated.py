# SPDX-License-Identifier: MIT
"""The Chinese pages are in step with the English ones, and what is made is as it must be."""

import re

import pytest
from onemo_tools.lint import doc_pages, made_zh, translated

ORIGINAL = translated.ORIGINAL.read_text(encoding="utf-8")
TRANSLATION = translated.TRANSLATION.read_text(encoding="utf-8")
PAIRS = translated.pairs()


@pytest.mark.parametrize("page", PAIRS, ids=lambda page: page.name)
def test_headings_code_links_and_made_parts_are_the_same(page):
    assert PAIRS[page].exists(), f"write {PAIRS[page].name}"
    original, translation = (path.read_text(encoding="utf-8") for path in (page, PAIRS[page]))
    assert translated.differences(original, translation) == []
    assert re.search("[\u4e00-\u9fff]", translation)


def test_no_translation_is_of_a_page_that_is_gone():
    chinese = {page for page in doc_pages.pages() if page.name.endswith(".zh.md")}
    assert chinese == set(PAIRS.values()) - {translated.TRANSLATION}


@pytest.mark.parametrize("page", PAIRS, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    for path in (page, PAIRS[page]):
        for target in re.findall(r"\]\(([^)#\s]+)", path.read_text(encoding="utf-8")):
            if not target.startswith("http"):
                assert (path.parent / target).exists(), target


@pytest.mark.parametrize("page", PAIRS, ids=lambda page: page.name)
def test_chinese_pages_lead_to_chinese_ones(page):
    text = PAIRS[page].read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#\s]+\.md)", text):
        if target != "README.md" and page != translated.ORIGINAL:
            assert target.endswith(".zh.md"), target


def test_what_is_made_is_up_to_date():
    assert list(doc_pages.stale()) == [], "run: python -m onemo_tools.lint.doc_pages"


def test_every_example_is_on_a_page():
    names = {name for name in doc_pages.made() if name.startswith("example_")}
    text = "".join(page.read_text(encoding="utf-8") for page in PAIRS)
    assert {name for name in names if f"<!-- {name}:begin -->" in text} == names


@pytest.mark.parametrize(
    ("before", "after", "what"),
    [
        ("## ", "### ", "headings"),
        ("make demo  ", "make all  ", "code"),
        ("modem.start()", "modem.begin()", "code"),
        ("| `urequests` |", "| `requests2` |", "made parts"),
        ("    make test ", "make test ", "code"),
        ("](docs/models", "](docs/model", "links"),
        ("| GND | GND | |\n", "", "rows"),
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


def test_a_part_that_is_made_is_filled_in_its_language():
    text = "a\n<!-- codes:begin -->\nold\n<!-- codes:end -->\nb <!-- x:begin -->\n<!-- x:end -->"
    english, chinese = doc_pages.filled(text, "en"), doc_pages.filled(text, "zh")
    assert "| 752 | the server's certificate failed verification |" in english
    assert "| 752 | 服务器证书校验失败 |" in chinese
    for filled in (english, chinese):
        assert "\nold\n" not in filled and filled.endswith("b <!-- x:begin -->\n<!-- x:end -->")


def test_made_tables_and_sentences_are_chinese_as_far_as_they_are_known():
    part = (
        "\n## What it costs\n\nLimit: what no driver could go below. Something\nnew. `x`.\n\n"
        "| series | figure |\n|---|---:|\n| later manuals, field | 3 (not reached) |\n"
        "| a new row | 1,000 |\n"
    )
    assert made_zh.chinese(part) == (
        "\n## 开销\n\n极限：任何驱动都不可能更低。Something new. `x`.\n\n"
        "| 系列 | 指标 |\n|---|---:|\n| 较新的手册，现场 | 3（未达到） |\n| a new row | 1,000 |\n"
    )
    assert list(made_zh.unknown(part)) == ["a new row"]
    for name in ("models", "libraries", "bench"):
        assert re.search("[一-鿿]", dict(translated._MADE.findall(TRANSLATION))[name])
