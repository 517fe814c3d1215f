"""The HTML page: complete, self-contained, and alive in a browser where there is one."""

import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest
from weft.fleet import Scenario
from weft.fleet.report import build_report, svg

CHROMIUM = shutil.which("chromium")
FLAGS = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-sync "
    "--disable-background-networking --disable-component-update --virtual-time-budget=2000"
).split()


@pytest.fixture(scope="module")
def result():
    return Scenario.load("prometheus").run(draws=300)


@pytest.fixture(scope="module")
def html(result):
    return build_report(result)


class Checker(HTMLParser):
    """Balance of tags, and everything that could load something."""

    VOID = frozenset({"meta", "input", "br"})

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.loads: list[str] = []
        self.seen: dict[str, int] = {}

    def handle_starttag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.loads += [v for k, v in attrs if k in ("src", "href", "srcset", "action")]
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen[tag] = self.seen.get(tag, 0) + 1
        self.loads += [v for k, v in attrs if k in ("src", "href", "srcset", "action")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_page_is_whole_and_loads_nothing(html, result):
    """An unclosed tag, a link to a network, or a section that is missing."""
    page = Checker()
    page.feed(html)
    assert page.open == []
    assert page.loads == []
    assert "@import" not in html
    assert "url(" not in html
    assert "fetch(" not in html
    for title in (
        "four views",
        "What the answer hangs on",
        "Where weft_fleet loses",
        "From peak to delivered work",
        "Power and cost",
        "Public facts",
        "Provenance",
    ):
        assert title in html, title
    assert page.seen["svg"] >= 10
    rows = html[html.index('id="provenance">') :]
    assert rows.count("<tr>") == len(result.provenance) + 1
    for record in result.provenance:
        assert str(record["key"]) in rows


def test_script_runs_in_a_browser_or_is_sound(html, tmp_path):
    """A page whose tabs, filter or tooltips are dead."""
    path = tmp_path / "page.html"
    path.write_text(html, encoding="utf-8")
    if CHROMIUM is None:
        assert html.count("<script>") == html.count("</script>") == 1
        assert "data-ready" not in html
        assert "dataset.ready = 'yes'" in html
        return
    done = subprocess.run(
        [CHROMIUM, *FLAGS, f"--user-data-dir={tmp_path / 'profile'}", "--dump-dom", path.as_uri()],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert 'data-ready="yes"' in done.stdout
    assert 'data-show="training" aria-pressed="true"' in done.stdout
    assert re.search(r'data-work="serving" hidden', done.stdout)
    assert re.search(r'id="count">\d+ of \d+<', done.stdout)


def test_waterfall_ends_at_delivered():
    """Bars that do not meet: a loss drawn from the wrong place."""
    text = svg.waterfall([("a", 0.3), ("b", 0.2), ("delivered", 0.5)], "built", str, "w")
    bars = re.findall(r'<rect class="([^"]+)" x="([\d.]+)" y="\d+" width="([\d.]+)"', text)
    left = float(bars[0][1])
    ends = [(kind, float(x), float(x) + float(w)) for kind, x, w in bars]
    assert ends[1][2] == pytest.approx(ends[0][2], abs=0.2)
    assert ends[2][2] == pytest.approx(ends[1][1], abs=0.2)
    assert ends[3][1:] == pytest.approx((left, ends[2][1]), abs=0.2)


def test_text_is_escaped():
    """A name from a file that becomes markup."""
    text = svg.stacked([("<b>", {"<i>": 1.0})], lambda v: f"{v:g}", "<script>")
    assert "<b>" not in text
    assert "<i>" not in text
    assert "&lt;script&gt;" in text
