"""The report: one inert file whose numbers are those of the archive, whatever the pages in it tried."""

import json
import re
import shlex
from pathlib import Path
from typing import Any

import pytest
from bs4 import BeautifulSoup, Tag

from cli.jobs.report import command_line
from cli.main import main
from cli.report.calls import Calls
from cli.report.census import Census
from cli.report.material import ReportRequest
from cli.report.page import REPLACED, clean, web_address
from cli.report.plots import percent, ticks
from cli.report.replies import reciprocity
from store.archive import Archive
from store.records import Label, LabelProbability, label_id
from store.tables import Tables

SCRIPT = "<script>alert(1)</script>"
ATTRIBUTE = '"><img src="https://evil.example/x.png" onerror="alert(2)">'
TURNED = "\u202egnp.exe\u202c bell\u0007 half\ud800 {{ 7 * 7 }}"

SENTENCES = (
    "Buy my new book at my shop today, my team and I worked hard on it.",
    "Thank you so much for sharing this, you explained it beautifully.",
    "Follower counts and branding say very little about a blog.",
    "The bridge opened in May and it rained.",
)


def comment(n: int, text: str, parent: int | None = None, **more: Any) -> dict[str, Any]:
    date = f"20{10 + n % 3}-12-05T09:14:00Z"
    return {
        "native_id": f"c{n}",
        "author": f"Author {n % 4}",
        "published": date,
        "text": text,
        "parent": parent,
        **more,
    }


def thread(n: int, title: str, comments: list[dict[str, Any]]) -> dict[str, Any]:
    post = {"native_id": "p", "author": "Ulla", "published": "2010-12-04", "text": f"Post {n}. Bread is made of rye."}
    url = f"https://site{n % 2}.example/{n}/"
    return {"url": url, "title": title, "platform": "wordpress", "post": post, "comments": comments}


def imported(folder: Path, threads: list[dict[str, Any]]) -> Path:
    (folder / "t.jsonl").write_text("\n".join(json.dumps(one) for one in threads))
    assert main(["import", str(folder / "t.jsonl"), "-a", str(folder / "a"), "--quiet"]) in (0, 3)
    return folder / "a"


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six threads, one of them of a page that wants to break out of the report; classified."""
    folder = tmp_path_factory.mktemp("report")
    threads = []
    for n in range(6):
        comments = [comment(k, SENTENCES[(n + k) % 4], parent=k - 1 if k % 2 else None) for k in range(6)]
        threads.append(thread(n, "Same title", comments))
    hostile = [
        comment(0, f"{SENTENCES[0]} {SCRIPT}", author=SCRIPT, url="javascript:alert(3)"),
        comment(1, f"Buy my book, my shop, my talk: {ATTRIBUTE}", author=ATTRIBUTE, url="https://user@evil.example/"),
        comment(2, f"Thank you all {TURNED}", author=TURNED),
        comment(3, "A secret that was deleted.", state="deleted"),
        *(comment(k, SENTENCES[0], author=SCRIPT) for k in range(4, 10)),
    ]
    threads.append({**thread(7, f"{SCRIPT}{ATTRIBUTE}{TURNED}", hostile), "platform": SCRIPT, "language": ATTRIBUTE})
    path = imported(folder, threads)
    assert main(["classify", "-a", str(path), "--quiet"]) == 0
    return path


@pytest.fixture(scope="module")
def page(archive: Path, tmp_path_factory: pytest.TempPathFactory) -> str:
    out = tmp_path_factory.mktemp("out") / "r.html"
    assert main(["report", "-a", str(archive), "--out", str(out), "--quiet", "--title", f"On {SCRIPT}"]) == 0
    return out.read_text(encoding="utf-8")


def read(html: str) -> BeautifulSoup:
    return BeautifulSoup(html, "html.parser")


def table(soup: BeautifulSoup, caption: str) -> list[list[str]]:
    found = [t for t in soup.find_all("table") if t.caption and t.caption.get_text() == caption]
    assert len(found) == 1, caption
    return [[cell.get_text().strip() for cell in row.find_all(["th", "td"])] for row in found[0].tbody.find_all("tr")]


def facts(soup: BeautifulSoup, caption: str) -> dict[str, str]:
    return {row[0]: row[1] for row in table(soup, caption)}


# -- what pages may not do -----------------------------------------------------------------------------------------


@pytest.mark.model
def test_nothing_that_a_page_brings_in_is_markup(page: str) -> None:
    soup = read(page)
    assert not soup.find_all(
        ["script", "img", "iframe", "object", "embed", "form", "base", "use", "image", "foreignobject"]
    )
    names = {name for tag in soup.find_all() for name in tag.attrs}
    assert not [name for name in names if name.startswith("on") or name in ("src", "srcset", "xlink:href", "action")]
    assert soup.title is not None
    assert soup.title.get_text() == f"On {SCRIPT}"
    text = soup.get_text()
    assert SCRIPT in text
    assert ATTRIBUTE in text
    assert "{{ 7 * 7 }}" in text
    assert REPLACED in text
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", page)
    assert "A secret that was deleted" not in text


@pytest.mark.model
def test_every_link_is_a_plain_web_address_that_tells_nothing(page: str) -> None:
    soup = read(page)
    away = [a for a in soup.find_all("a") if not str(a["href"]).startswith("#")]
    assert away
    for a in away:
        assert re.match(r"https?://[^@]+$", str(a["href"]))
        assert {"noopener", "nofollow"} <= set(a["rel"])
    inside = {str(a["href"])[1:] for a in soup.find_all("a") if str(a["href"]).startswith("#")}
    assert inside <= {tag["id"] for tag in soup.find_all(id=True)}
    assert len(inside) == 7
    assert "javascript:" not in {str(a["href"])[:11] for a in soup.find_all(href=True)}


@pytest.mark.model
def test_the_file_asks_for_nothing_and_is_well_formed(page: str) -> None:
    soup = read(page)
    policy = soup.find("meta", attrs={"http-equiv": "Content-Security-Policy"})
    assert isinstance(policy, Tag)
    assert policy["content"] == "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
    style = soup.style.get_text() if soup.style else ""
    assert "prefers-color-scheme: dark" in style
    assert "@media print" in style
    assert not re.search(r"url\(|@import", style)
    assert [link["href"] for link in soup.find_all("link")] == ["data:,"]
    ids = [tag["id"] for tag in soup.find_all(id=True)]
    assert len(ids) == len(set(ids))


@pytest.mark.model
def test_every_plot_is_named_and_has_its_table_behind_it(page: str) -> None:
    soup = read(page)
    drawings = soup.find_all("svg")
    assert len(drawings) >= 6
    for svg in drawings:
        assert svg["role"] == "img"
        named = str(svg["aria-labelledby"]).split()
        assert [svg.find(id=one).get_text().strip() != "" for one in named] == [True, True]
        assert svg.find_next(["svg", "table"]).name == "table"
        for mark in svg.find_all("g"):
            assert mark.title is not None
    for found in soup.find_all("table"):
        assert found.caption
        assert all(head.get("scope") for head in found.find_all("th"))
        assert len({len(row.find_all(["th", "td"])) for row in found.find_all("tr")}) == 1


@pytest.mark.browser
@pytest.mark.model
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_real_browser_shows_it_without_a_request_or_a_script(page: str, tmp_path: Path, scheme: Any) -> None:
    from playwright.sync_api import sync_playwright

    from harvest.browser import find_browser

    (tmp_path / "r.html").write_text(page, encoding="utf-8")
    asked: list[str] = []
    said: list[str] = []
    with sync_playwright() as player:
        browser = player.chromium.launch(executable_path=find_browser().path, args=["--no-sandbox"])
        shown = browser.new_page(color_scheme=scheme, viewport={"width": 1000, "height": 800})
        shown.on("request", lambda request: asked.append(request.url))
        shown.on("console", lambda message: said.append(message.text))
        shown.on("dialog", lambda dialog: said.append(dialog.message))
        shown.goto((tmp_path / "r.html").as_uri())
        width = shown.evaluate("document.documentElement.scrollWidth")
        paper = shown.evaluate("getComputedStyle(document.body).backgroundColor")
        browser.close()
    assert asked == [(tmp_path / "r.html").as_uri()]
    assert said == []
    assert width <= 1000
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")


@pytest.mark.parametrize(
    ("url", "good"),
    [
        ("https://a.example/?q=1&r=<b>", True),
        ("http://a.example", True),
        ("javascript:alert(1)", False),
        ("data:text/html,x", False),
        ("//a.example/", False),
        ("https://bank.example@evil.example/", False),
        ("https://a.example/\u202e", False),
        ("https://[bad", False),
        ("https://a.example/ b", False),
        (None, False),
    ],
)
def test_only_plain_web_addresses_are_linked(url: str | None, good: bool) -> None:
    assert web_address(url) == (url if good else None)


def test_what_is_no_text_is_replaced_and_what_is_stays() -> None:
    assert (
        clean("a\x00b\x1b[31m\u202ec\ud800\ufffe")
        == "a" + REPLACED + "b" + REPLACED + "[31m" + REPLACED + "c" + 2 * REPLACED
    )
    for text in ("naïve 日本語 עברית 👩‍🌾\n\tend", "plain"):
        assert clean(text) == text


def test_axes_end_at_round_numbers() -> None:
    assert ticks(0.93) == [0, 0.25, 0.5, 0.75, 1.0]
    assert ticks(0.031, 3) == [0, 0.02, 0.04]
    assert ticks(0) == [0, 1]
    assert all(ticks(top)[-1] >= top for top in (0.001, 0.3, 1.0, 7.7, 1234))


# -- whose numbers they are ----------------------------------------------------------------------------------------


def estimates(archive: Path, capsys: pytest.CaptureFixture[str], *by: str) -> list[dict[str, Any]]:
    capsys.readouterr()
    assert main(["estimate", "-a", str(archive), "--by", *by]) == 0
    return [json.loads(line) for line in capsys.readouterr().out.splitlines()]


@pytest.mark.model
def test_shares_are_those_of_estimate(archive: Path, page: str, capsys: pytest.CaptureFixture[str]) -> None:
    soup = read(page)
    overall = {row["label"]: row for row in estimates(archive, capsys, "archive")}
    for label, called, corrected, interval in table(soup, "Share of sentences by label, in numbers"):
        row = overall.pop(label)
        assert (called, corrected) == (percent(row["called"]), percent(row["estimate"]))
        assert interval == f"{100 * row['low']:.1f}–{percent(row['high'])}"
    assert not overall
    for by, caption in (("author", "By author, in numbers"), ("year", "Over time, in numbers")):
        shown = {row[0]: row for row in table(soup, caption)}
        for row in estimates(archive, capsys, by):
            if row[by] is None:
                continue  # the report says in a line how many do not say it
            name = f"{row['author']} ({row['site']})" if by == "author" else row[by]
            cells = shown[clean(name)]
            assert int(cells[1]) == row["sentences"]
            assert any(cell.split("\n")[0] == percent(row["estimate"]) for cell in cells[3:])
    sizes = [int(row[1]) for row in table(soup, "By thread, in numbers")]
    assert len(sizes) == 7  # of one title, but not one thread
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.model
def test_examples_carry_their_evidence(archive: Path, page: str) -> None:
    soup = read(page)
    quotes = soup.select("figure.quote")
    assert quotes
    for quote in quotes:
        found = re.search(r"(warc/\S+), offset (\d+), record (<urn:uuid:[\w-]+>)", quote.get_text())
        assert found
        assert (archive / found[1]).is_file()
        with (archive / found[1]).open("rb") as warc:
            warc.seek(int(found[2]))
            assert warc.read(2) == b"\x1f\x8b"  # a record begins there


@pytest.mark.model
def test_it_says_what_it_is_and_where_it_comes_from(archive: Path, page: str) -> None:
    soup = read(page)
    head = facts(soup, "The archive")
    assert head["Archive"] == "a"
    assert head["Threads"] == "7"
    assert head["Visible entries"].startswith("52: comment (45), post (7)")
    assert head["Published"] == "2010-12-04 to 2012-12-05"
    assert "must not be quoted" in soup.get_text()
    sure = facts(soup, "Errors and gaps")
    assert sure["Visible entries without a label"].startswith("0 of 52")
    assert "Meta-talk taken for self-promotion" in sure
    origin = facts(soup, "Where this comes from")
    assert origin["Model"].startswith("chorus-acts@")
    assert origin["Codebook's digest"].startswith("sha256:")
    assert origin["Command"].startswith("chorus report -a ")
    runs = table(soup, "Runs, the latest first")
    assert {run[1] for run in runs} == {"classify", "import"}  # may have started in the same second


@pytest.mark.model
def test_the_same_archive_gives_the_same_bytes(
    archive: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "0")
    assert main(["report", "-a", str(archive), "--out", str(tmp_path / "x.html"), "--quiet"]) == 0
    first = (tmp_path / "x.html").read_bytes()
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "86400")
    capfdbinary.readouterr()
    assert main(["report", "-a", str(archive), "--out", "-"]) == 0
    second = capfdbinary.readouterr().out
    differing = [(a, b) for a, b in zip(first.split(b"\n"), second.split(b"\n"), strict=True) if a != b]
    assert len(differing) == 1
    assert b"1970-01-01T00:00:00Z" in differing[0][0]
    assert b"1970-01-02T00:00:00Z" in differing[0][1]
    monkeypatch.setenv("SOURCE_DATE_EPOCH", "soon")
    assert main(["report", "-a", str(archive), "--out", "-"]) == 4


@pytest.mark.model
def test_coded_sentences_tell_the_errors_and_the_calibration(tmp_path: Path) -> None:
    small = imported(tmp_path, [thread(n, f"T{n}", [comment(n, SENTENCES[n])]) for n in range(2)])
    assert main(["classify", "-a", str(small), "--quiet"]) == 0
    labels = ("self-promotion", "community-sharing", "meta-talk", "neither")
    rows = [{"id": n, "text": text, "label": labels[n], "page": n} for n, text in enumerate(SENTENCES)]
    (tmp_path / "g.jsonl").write_text("\n".join(map(json.dumps, rows)))
    out = tmp_path / "r.html"
    arguments = ["--gold", str(tmp_path / "g.jsonl"), "--by", "site", "--out", str(out), "--quiet"]
    assert main(["report", "-a", str(small), *arguments]) == 0
    soup = read(out.read_text(encoding="utf-8"))
    judged = facts(soup, "Against the coded sentences")
    assert judged["Coded sentences"].startswith("4,")
    assert 0 <= float(judged["Expected calibration error of the winning probability"]) <= 1
    assert "no author has 5 sentences" in soup.get_text()
    assert {row[0] for row in table(soup, "By site, in numbers")} == {"site0.example", "site1.example"}
    heat = soup.select("table.heat tbody td")
    assert sum(int(cell.get_text().split()[0]) for cell in heat) == 4


# -- what is missing -----------------------------------------------------------------------------------------------


def test_without_labels_it_says_so_and_shows_the_rest(tmp_path: Path) -> None:
    path = imported(tmp_path, [thread(n, f"T{n}", [comment(0, SENTENCES[0])]) for n in range(2)])
    assert main(["report", "-a", str(path), "--out", str(tmp_path / "r.html"), "--quiet"]) == 0
    soup = read((tmp_path / "r.html").read_text(encoding="utf-8"))
    assert facts(soup, "The archive")["Threads"] == "2"
    missing = [p.get_text() for p in soup.select("p.missing")]
    assert sum("No label" in text or "chorus classify" in text for text in missing) == 4 + ("No labels" in missing[-1])


def test_an_archive_without_a_thread_is_exit_5_and_none_is_exit_4(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Archive.create_or_open(tmp_path / "a")
    out = tmp_path / "r.html"
    assert main(["report", "-a", str(tmp_path / "a"), "--out", str(out)]) == 5
    assert "no thread" in capsys.readouterr().err
    assert main(["report", "-a", str(tmp_path / "b"), "--out", str(out)]) == 4
    assert main(["report", "-a", str(tmp_path / "a"), "--by", "moon"]) == 2
    assert main(["report", "-a", str(tmp_path / "a"), "--out", str(tmp_path / "none" / "r.html")]) == 2
    assert not out.exists()


# -- counting, with labels put there by hand -----------------------------------------------------------------------

BY_HAND = ("give", "take", "rest")


def say(entry: Any, text: str, label: str, chance: float, *, abstain: bool = False) -> Label:
    chances = tuple(LabelProbability(label=one, probability=chance if one == label else 0.0) for one in BY_HAND)
    start = entry.text.index(text)
    place = (entry.revision_id, start, start + len(text))
    return Label(
        label_id=label_id(*place, "sentence", "hand", "book"), run_id="r", entry_id=entry.entry_id, thread_id=entry.thread_id,
        revision_id=place[0], start=place[1], end=place[2], unit="sentence", text=text, label=label, promo=None, share=None,
        meta=None, probabilities=chances, abstain=abstain, cues=(), model="hand", codebook="book",
    )  # fmt: skip


@pytest.fixture(scope="module")
def by_hand(tmp_path_factory: pytest.TempPathFactory) -> tuple[Census, Calls]:
    """Two threads with nested comments and a flat one. What gives has two answers, what only takes has none."""
    texts = ["I give. I take.", "I take.", "Answer one.", "Answer two.", "Unsure."]
    parents = [None, None, 0, 0, None]
    nested = [comment(n, text, parent) for n, (text, parent) in enumerate(zip(texts, parents, strict=True))]
    hidden = comment(5, "I give nothing.", 1, state="hidden")
    flat = [comment(0, "I give. ++"), comment(1, "I take.")]
    threads = [thread(0, "A", [*nested, hidden]), thread(1, "B", nested), thread(2, "C", flat)]
    archive = Archive.open(imported(tmp_path_factory.mktemp("hand"), threads))
    tables = Tables.open(archive)
    labels = []
    for number, document in enumerate(tables.documents()):
        for entry in document.comments:
            sure = 0.9 - number / 10
            given = {"I give.": "give", "I take.": "take", "Answer one.": "rest", "Answer two.": "rest", "++": "give"}
            labels += [say(entry, text, label, sure) for text, label in given.items() if text in entry.text]
            labels += [say(entry, text, "give", 0.99, abstain=True) for text in ("Unsure.",) if text in entry.text]
    tables.add_labels(labels)
    census = Census(archive)
    return census, Calls(census, BY_HAND, "hand", "book")


def test_counts_by_group_are_those_put_there(by_hand: tuple[Census, Calls]) -> None:
    census, calls = by_hand
    assert len(census) == 15  # three posts, five comments twice, two comments; the hidden one is not there
    assert calls.sizes("level") == {"first-level comment": 11, "reply": 4}
    assert sum(calls.sizes("thread").values()) == len(calls) == 15
    assert [list(map(int, part)) for part in calls.counts("level", ["reply"])["reply"]] == [[0, 0, 2], [0, 0, 2]]
    assert sum(part.sum() for part in calls.counts("archive", ["all"])["all"]) == 15
    assert len(calls.counts("archive", ["all"])["all"]) == 3
    assert calls.abstained.tolist() == [2, 0, 0]
    assert calls.labelled_entries == 12
    assert Calls(census, BY_HAND, "another", "book").sizes("thread") == {}


def test_answers_are_counted_where_comments_nest(by_hand: tuple[Census, Calls]) -> None:
    found = reciprocity(*by_hand)
    assert (found.threads, found.of) == (2, 3)
    assert [(r.label, r.comments, r.replies, r.answered, r.mean) for r in found.rows] == [
        ("give", 2, 4, 2, 2.0),  # also takes, but giving comes first; what the model abstained on does not count
        ("take", 2, 0, 0, 0.0),  # its only answer is hidden
        ("rest", 4, 0, 0, 0.0),
    ]
    assert found.difference == 2.0
    assert found.interval == (2.0, 2.0)


def test_examples_are_the_surest_of_each_thread_without_copies(by_hand: tuple[Census, Calls]) -> None:
    _, calls = by_hand
    [one] = calls.surest["give"].first(5)  # the same words in all threads: once
    assert one.text == "I give."
    assert one.probability == pytest.approx(0.9)
    rest = calls.surest["rest"].first(5)
    assert len({one.thread_id for one in rest}) == len({one.text for one in rest}) == len(rest) > 0
    assert calls.surest["take"].first(0) == []


def test_the_command_names_all_that_the_figures_hang_on() -> None:
    request = ReportRequest(
        gold="gold.jsonl", decided_by="ana", costs={"neither": 1.5, "meta-talk:self-promotion": 1.2}
    )
    words = shlex.split(command_line(Path("a b"), request))
    assert words[:4] == ["chorus", "report", "-a", "a b"]
    assert words[words.index("--decided-by") + 1] == "ana"
    assert [words[n + 1] for n, word in enumerate(words) if word == "--cost"] == [
        "meta-talk:self-promotion=1.2",
        "neither=1.5",
    ]
