"""The page of a report in a headless browser: it needs nothing else, is whole in a narrow window, and sorts."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
from html.parser import HTMLParser

import pytest

from experiments.report import report
from tests.helpers.studies import FAULT, break_sweep, leave_sweep

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no chromium here (Debian: apt-get install chromium)")

LOOK = """
<script>
window.addEventListener("load", () => {
  const table = document.querySelector("section:not(.warn) table");
  const column = (name) => [...table.tHead.rows[0].cells].findIndex((cell) => cell.textContent === name);
  const values = (place) => [...table.tBodies[0].rows].map((row) => row.cells[place].dataset.value ?? "-").join(" ");
  const click = (place) => { table.tHead.rows[0].cells[place].querySelector("button").click(); return values(place); };
  const pictures = [...document.images];
  const seen = {
    pictures: pictures.length,
    shown: pictures.filter((each) => each.complete && each.naturalWidth > 100).length,
    wider: document.documentElement.scrollWidth > window.innerWidth,
    up: click(column("regret, best fixed [U]")),
    down: click(column("regret, best fixed [U]")),
    text: click(column("twin")),
    bold: document.querySelectorAll("td b").length,
  };
  document.body.innerHTML = "";
  document.body.textContent = JSON.stringify(seen);
});
</script>
"""


@pytest.fixture(scope="module")
def page(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "runs"
    break_sweep(leave_sweep(folder))
    return report(folder).html()


class _Tags(HTMLParser):
    """Open and closed tags, and all that a page refers to."""

    def __init__(self):
        super().__init__()
        self.open, self.references, self.text = [], [], []

    def handle_starttag(self, tag, attributes):
        if tag not in ("meta", "img", "source", "br", "link"):
            self.open.append(tag)
        self.references += [value for name, value in attributes if name in ("src", "srcset", "href", "action")]

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_it_is_whole_and_refers_to_nothing_outside(page):
    tags = _Tags()
    tags.feed(page)
    assert tags.open == []
    assert len(tags.references) == 10  # five pictures, for light and for dark paper
    assert all(each.startswith("data:image/png;base64,") for each in tags.references)
    assert "url(" not in page
    assert "import" not in re.findall(r"(?s)<script>(.*?)</script>", page)[0]
    assert any(FAULT in text for text in tags.text)  # as text, not as tags
    text = " ".join(tags.text)
    for said in ("Traceback <lines>", "6 runs are not done", "0 of 3", "learning_rate: 0.001", "Agarwal et al."):
        assert said in text
    assert "python -m experiments.train -m +experiment=debug agent.learning_rate=0.01,0.001,0.0001" in text
    assert "python -m experiments.report" in text


@needs_browser
@pytest.mark.parametrize("width", [1400, 500])
def test_a_browser_shows_and_sorts_it_without_a_network(page, width, tmp_path):
    path = tmp_path / "report.html"
    path.write_text(page.replace("</body>", LOOK + "</body>"))
    arguments = ["--headless=new", "--no-sandbox", "--disable-gpu", f"--user-data-dir={tmp_path / 'profile'}"]
    arguments += [f"--window-size={width},900", "--host-resolver-rules=MAP * ~NOTFOUND", "--virtual-time-budget=5000"]
    done = subprocess.run(
        [BROWSER, *arguments, "--dump-dom", path.as_uri()], capture_output=True, text=True, timeout=120, check=True
    )
    (found,) = re.findall(r"\{&?.*\}", re.sub(r"(?s)<(script|style)>.*?</\1>", "", done.stdout))
    seen = json.loads(found.replace("&quot;", '"'))
    assert seen["pictures"] == seen["shown"] == 5
    assert not seen["wider"]
    assert seen["bold"] == 0
    up, down = (seen[name].split() for name in ("up", "down"))
    numbers = [float(each) for each in up[:4]]
    assert numbers == sorted(numbers)
    assert down[:4] == up[:4][::-1]
    assert up[4:] == down[4:] == ["-", "-"]  # what is not known stays last
