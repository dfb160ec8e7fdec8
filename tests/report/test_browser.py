"""The report as a browser shows it: wide, on a phone, dark, and without a request to anywhere."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from kgenn.report.sweep.page import report_files
from kgenn.report.sweep.results import read_results
from made_results import experiment, grid, write

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), None)
pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(BROWSER is None, reason="there is no Chromium here"),
]

PHONE, WIDE = 390, 1400
DARK = "--blink-settings=preferredColorScheme=0"
# Opens a page in a frame of a width, and writes what it sees as JSON.
OUTER = """<!doctype html><meta charset="utf-8">
<iframe id="frame" width="{width}" height="800" srcdoc="{page}"></iframe><pre id="found"></pre>
<script>
document.getElementById("frame").onload = () => {{
  const inner = document.getElementById("frame").contentWindow, page = inner.document;
  const style = element => inner.getComputedStyle(element);
  const scrolled = [...page.querySelectorAll(".scroll")].map(element => ({{
    content: element.scrollWidth, shown: element.clientWidth, attached: style(element).backgroundAttachment,
    focus: element.tabIndex,
  }}));
  document.getElementById("found").textContent = JSON.stringify({{
    width: page.documentElement.scrollWidth, plots: page.querySelectorAll("svg").length, scrolled,
    paper: style(page.body).backgroundColor, ink: style(page.body).color,
    requests: inner.performance.getEntriesByType("resource").map(entry => entry.name),
  }});
}};
</script>"""


def seen(page: bytes, folder: Path, width: int, *flags: str) -> dict[str, Any]:
    """Return what a browser sees of a page in a window of a width."""
    assert BROWSER is not None
    outer = folder / "outer.html"
    outer.write_text(OUTER.format(width=width, page=html.escape(page.decode())), encoding="utf-8")
    quiet = ("--headless", "--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking")
    command = [BROWSER, *quiet, *flags, f"--user-data-dir={folder / 'profile'}", "--virtual-time-budget=10000"]
    done = subprocess.run(
        [*command, "--dump-dom", outer.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    found = re.search(r'<pre id="found">(.+?)</pre>', done.stdout)
    assert found is not None, done.stderr
    value: dict[str, Any] = json.loads(html.unescape(found[1]))
    return value


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    cells = grid(["vgg13", "resnet18"], ["data-norm", "few-spike", "burst", "calibrated"], (4, 8, 16))
    made = [experiment(cells, rows=["model"], columns=["converter"])]
    return report_files(read_results(write(tmp_path_factory.mktemp("results"), cells, made)))["index.html"]


def brightness(colour: str) -> float:
    """Return the mean of a colour's parts, 0 to 255."""
    parts = [int(part) for part in re.findall(r"\d+", colour)[:3]]
    return sum(parts) / 3


def test_a_wide_window_shows_every_table_whole(page: bytes, tmp_path: Path) -> None:
    found = seen(page, tmp_path, WIDE)
    assert found["width"] <= WIDE
    assert found["plots"] > 4
    assert [s for s in found["scrolled"][:1] if s["content"] > s["shown"]] == []


def test_on_a_phone_the_tables_scroll_and_show_it_and_the_page_does_not(page: bytes, tmp_path: Path) -> None:
    found = seen(page, tmp_path, PHONE)
    assert found["width"] <= PHONE
    wide = [s for s in found["scrolled"] if s["content"] > s["shown"]]
    assert wide
    # two shadows that stay, and two covers that move with the table and hide them at its ends
    assert {s["attached"] for s in wide} == {"local, local, scroll, scroll"}
    assert {s["focus"] for s in wide} == {0}


def test_dark_windows_get_a_dark_page(page: bytes, tmp_path: Path) -> None:
    light, dark = seen(page, tmp_path, WIDE), seen(page, tmp_path, WIDE, DARK)
    assert brightness(light["paper"]) > 200 > 100 > brightness(light["ink"])
    assert brightness(dark["paper"]) < 60 < 180 < brightness(dark["ink"])


def test_the_page_asks_nothing_of_anyone(page: bytes, tmp_path: Path) -> None:
    assert seen(page, tmp_path, WIDE)["requests"] == []
    asking = page.replace(b"</body>", b'<img src="http://127.0.0.1:9/seen.png"></body>')
    assert asking != page
    asking = re.sub(rb"<meta http-equiv=\"Content-Security-Policy\"[^>]*>", b"", asking)
    assert seen(asking, tmp_path, WIDE)["requests"] == ["http://127.0.0.1:9/seen.png"]
