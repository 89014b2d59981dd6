# SPDX-License-Identifier: MIT
"""The built pages: each link leads to a file and an anchor, and nothing is loaded from elsewhere.

python -m onemo_tools.lint.doc_site build/docs
"""

import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

_LOADED = {"script": "src", "img": "src", "iframe": "src", "link": "href", "source": "src"}
# Of <link>, what a browser fetches by itself.
_FETCHED = {"stylesheet", "icon", "preload", "prefetch", "preconnect", "modulepreload"}


@dataclass
class Page(HTMLParser):
    """What a page links to, what it loads, and its anchors."""

    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    anchors: set[str] = field(default_factory=set)

    def __post_init__(self) -> None:
        super().__init__()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        for name in ("id", "name"):
            if given.get(name):
                self.anchors.add(str(given[name]))
        if tag == "a" and given.get("href"):
            self.links.append(str(given["href"]))
        target = given.get(_LOADED.get(tag, ""))
        if target and (tag != "link" or _FETCHED & set(str(given.get("rel")).split())):
            self.loaded.append(target)


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with the pages in a folder, in words."""
    pages = {path.resolve(): read(path) for path in sorted(folder.rglob("*.html"))}
    if not pages:
        yield f"there are no pages in {folder}"
    for path, page in pages.items():
        name = path.relative_to(folder.resolve())
        for target in page.loaded:
            if urlsplit(target).scheme or target.startswith("//"):
                yield f"{name}: loads {target}, which is elsewhere"
        for target in [*page.links, *page.loaded]:
            parts = urlsplit(target)
            if parts.scheme or parts.netloc or path.name == "404.html":
                continue
            there = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if parts.path.startswith("/"):
                yield f"{name}: {target} is a path of the server's, not of these pages"
            elif there.is_dir() or not there.exists():
                yield f"{name}: {target} leads nowhere"
            elif there in pages and unquote(parts.fragment) not in pages[there].anchors | {""}:
                yield f"{name}: {target} has no such anchor"


def read(path: Path) -> Page:
    """A page, parsed."""
    page = Page()
    page.feed(path.read_text(encoding="utf-8"))
    return page


def main(folder: str) -> int:
    """Prints what is wrong; 1 if something is."""
    found = list(faults(Path(folder)))
    print("\n".join(found) if found else f"{folder}: every link leads somewhere")
    return bool(found)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m onemo_tools.lint.doc_site FOLDER")
    sys.exit(main(sys.argv[1]))
