"""The studio's files: small, ours, and whole. What they do is tested in a browser."""

import re

import pytest

from swaplab.studio.assets import assets

ASSETS = assets()
TEXT = {path: asset.body.decode() for path, asset in ASSETS.items()}
PAGES = {path: text for path, text in TEXT.items() if not path.startswith("/static/")}
MODULES = {path: text for path, text in TEXT.items() if path.endswith(".js")}
IMPORT = re.compile(r"""(?:\bfrom|\bimport)\s*\(?\s*["']([^"']+)["']""")

READS_MARKUP = ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "srcdoc"]
"""By which text of strangers could become more than text."""


def test_there_are_three_pages() -> None:
    assert set(PAGES) == {"/", "/chain", "/script"}


def test_all_of_them_together_are_small() -> None:
    assert sum(len(asset.body) for asset in ASSETS.values()) < 150 * 1024


@pytest.mark.parametrize("path", MODULES)
def test_a_module_fits_a_glance_and_says_what_it_is(path: str) -> None:
    assert MODULES[path].count("\n") <= 250
    assert MODULES[path].startswith("/**")


@pytest.mark.parametrize("path", TEXT)
def test_no_file_reads_markup_or_names_another_place(path: str) -> None:
    assert [word for word in READS_MARKUP if word in TEXT[path]] == []
    assert set(re.findall(r"https?://[^\s\"'<>)]*", TEXT[path])) <= {"http://www.w3.org/2000/svg"}
    assert not re.search(r"""["'(]//\w""", TEXT[path])


@pytest.mark.parametrize("path", PAGES)
def test_a_page_has_neither_script_nor_style_in_it(path: str) -> None:
    assert re.findall(r"<script[^>]*>\s*[^<\s]", PAGES[path]) == []
    assert re.findall(r"<style|\sstyle=|\son\w+=|javascript:", PAGES[path]) == []


def reached(path: str) -> set[str]:
    """What a file asks for, by path."""
    if path in PAGES:
        return {name for name in re.findall(r"""(?:href|src)="([^"#]*)""", PAGES[path]) if name.startswith("/static/")}
    return {f"/static/{name.removeprefix('./')}" for name in IMPORT.findall(MODULES.get(path, ""))}


def test_whatever_is_asked_for_is_there_and_whatever_is_there_is_asked_for() -> None:
    found, ahead = set[str](), set(PAGES)
    while ahead:
        found |= ahead
        assert found <= set(ASSETS)
        ahead = set[str]().union(*map(reached, ahead)) - found
    assert found == set(ASSETS)


@pytest.mark.parametrize("path", PAGES)
def test_a_page_fetches_beforehand_what_its_modules_import(path: str) -> None:
    ahead = set(re.findall(r'<link rel="modulepreload" href="([^"]*)"', PAGES[path]))
    (entry,) = re.findall(r'<script type="module" src="([^"]*)"></script>', PAGES[path])
    needed, new = set[str](), reached(entry)
    while new:
        needed |= new
        new = set[str]().union(*map(reached, new)) - needed
    assert ahead == needed


@pytest.mark.parametrize("path", PAGES)
def test_a_page_can_be_read_without_its_script(path: str) -> None:
    text = PAGES[path]
    assert '<html lang="en">' in text and '<meta name="viewport"' in text
    assert text.count("<h1>") == text.count('<main id="main">') == text.count("<noscript>") == 1
    assert text.count('aria-current="page"') == 1
    for other in ("/", "/chain", "/script", "/docs"):
        assert f'href="{other}"' in text
