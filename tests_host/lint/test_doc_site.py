# SPDX-License-Identifier: MIT
"""What `make docs` finds in the built pages, and how docstrings become Markdown."""

import importlib.util
import sys
from types import SimpleNamespace

import pytest
from onemo_tools.lint import doc_site

GOOD = """<html><head><link rel="stylesheet" href="a.css"><link rel="canonical" href="http://x/">
</head><body id="top"><a href="sub/other.html#there">x</a><a href="http://elsewhere/">y</a>
<a href="#top">z</a><img src="a.css"><script src="sub/s.js"></script></body></html>"""
OTHER = '<a id="there"></a><a href="../index.html">back</a>'


@pytest.fixture
def site(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "index.html").write_text(GOOD)
    (tmp_path / "sub" / "other.html").write_text(OTHER)
    (tmp_path / "a.css").touch()
    (tmp_path / "sub" / "s.js").touch()
    return tmp_path


def test_good_pages_are_good(site, capsys):
    assert doc_site.main(str(site)) == 0
    assert "every link leads somewhere" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("#there", "#where", "sub/other.html#where has no such anchor"),
        ("#top", "#bottom", "#bottom has no such anchor"),
        ("sub/other.html#", "sub/another.html#", "leads nowhere"),
        ("sub/other.html#there", "sub/", "leads nowhere"),
        ("sub/other.html", "/sub/other.html", "a path of the server's"),
        ('src="a.css"', 'src="https://x/a.png"', "loads https://x/a.png, which is elsewhere"),
        ('href="a.css"', 'href="//x/a.css"', "loads //x/a.css, which is elsewhere"),
        ('src="sub/s.js"', 'src="http://x/s.js"', "loads http://x/s.js, which is elsewhere"),
    ],
)
def test_what_is_wrong_is_found(site, capsys, before, after, said):
    assert before in GOOD
    (site / "index.html").write_text(GOOD.replace(before, after))
    assert doc_site.main(str(site)) == 1
    assert said in capsys.readouterr().out


def test_an_empty_folder_is_no_site(tmp_path):
    assert list(doc_site.faults(tmp_path)) == [f"there are no pages in {tmp_path}"]


def test_parameters_of_a_docstring_become_a_list(monkeypatch):
    if importlib.util.find_spec("griffe") is None:  # which only make docs installs
        monkeypatch.setitem(sys.modules, "griffe", SimpleNamespace(Extension=object))
    from onemo_tools.lint.docstrings import as_markdown

    text = "Does it.\n\n`uart`: any() and\nmore.\n`a`, `b`: both.\n`f(x)`: called.\n\nValueError."
    assert as_markdown(text).splitlines() == [
        "Does it.",
        "",
        "",
        "- `uart`: any() and",
        "  more.",
        "- `a`, `b`: both.",
        "- `f(x)`: called.",
        "",
        "ValueError.",
    ]
