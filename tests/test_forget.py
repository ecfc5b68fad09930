"""Erasure: words, names and addresses are found in whatever they are wrapped in, and nothing of them is left in an archive."""

import gzip
import html
import io
import json
import re
import shutil
from pathlib import Path
from typing import Any
from unicodedata import normalize

import pytest

from cli.jobs.forget import ForgetRequest, forget, plan_forget
from cli.main import main
from harvest.capture import PageCapture, captures_from_warc, write_visit
from harvest.extract import extract
from harvest.redact import MARK, Erasure, Words, avatar_hashes, decoded, encoded
from harvest.rewrite import REDACTED, Course
from harvest.warc import HttpMessage, WarcWriter, check_file, read_records
from store.annotations import current_codings
from store.archive import Archive
from store.records import ArchiveError, NothingFound, UsageError
from store.tables import Tables

TEXT = "I’ve kept “the same” goats for nine years & never once made a cheese\nthat anybody asked for twice."
JO = Words(TEXT, "Jo Brandvold")
NOW = "2026-11-30T10:00:00Z"


def without(raw: str, *words: Words, **more: Any) -> str:
    return Erasure(words=words or (JO,), **more).apply(raw)[0]


def as_html(text: str) -> str:
    return "".join(f"<p>{html.escape(line)}</p>" for line in text.split("\n"))


@pytest.mark.parametrize(
    "raw",
    [
        as_html(TEXT),
        as_html(TEXT).replace("’", "&#8217;").replace("“", "&ldquo;").replace(" ", "\n   "),
        as_html(TEXT).replace("goats", "<b>go</b>ats").replace("nine", '<a title="x > y" href="/9">nine</a>'),
        json.dumps({"content": {"rendered": as_html(TEXT)}}),
        json.dumps({"text": TEXT}, ensure_ascii=False),
        f"<item><content:encoded>{html.escape(as_html(TEXT))}</content:encoded></item>",
        f"<item><description><![CDATA[{as_html(TEXT)}]]></description></item>",
        f"<script>window.state = {json.dumps(json.dumps({'a': TEXT}))}</script>",
        TEXT,
    ],
)
def test_a_text_is_found_in_every_wrapping_and_the_wrapping_stays(raw: str) -> None:
    before, after = "<header>if (a<b) {say(1)}</header>", "<footer>Others&nbsp;wrote</footer>"
    less = without(before + raw + after)
    assert MARK in less
    assert not re.search(r"goats|cheese|anybody|twice|nine years", less)
    assert less.startswith(before) and less.endswith(after)
    assert less.count("<p>") == (before + raw).count("<p>")
    if raw.startswith("{"):
        json.loads(less.removeprefix(before).removesuffix(after))


@pytest.mark.parametrize(
    "raw",
    [
        f'<meta name="description" content="{html.escape(TEXT)}"><p>x</p>',
        f"<a title='{html.escape(TEXT)[:70]}…'>x</a>",
        f"<!-- {TEXT} --><p>y</p>",
        json.dumps({"html": f'<img alt="{html.escape(TEXT)}">'}),
        html.escape(f'<img alt="{html.escape(TEXT)}">'),
    ],
)
def test_a_text_in_a_tag_or_a_comment_goes_and_the_tag_stays(raw: str) -> None:
    less = without(f"<p>Others wrote</p>{raw}<p>this.</p>")
    assert not re.search(r"goats|for nine", less)
    assert MARK in less and less.startswith("<p>Others wrote</p>") and less.endswith("<p>this.</p>")
    assert sorted(re.findall("[<>=]|&[lg]t;", less)) == sorted(re.findall("[<>=]|&[lg]t;", f"<p></p>{raw}<p></p>"))


def test_letters_with_their_accents_apart_are_the_same_letters() -> None:
    text = "Déjà vu: the señor’s jalapeños were naïve, and so was my résumé."
    assert without(f"<p>{normalize('NFD', text)}</p>", Words(text)) == f"<p>{MARK}</p>"
    assert without(f"<p>{text}</p>", Words(normalize("NFD", text))) == f"<p>{MARK}</p>"
    assert Erasure(names=("André",)).apply(f"<b>{normalize('NFD', 'André')}</b>")[0] == "<b></b>"


def test_an_excerpt_goes_and_a_common_phrase_stays() -> None:
    excerpt = "<li>Jo Brandvold on Goats: " + TEXT[:52] + "…</li>"
    assert "goats for nine" not in without(excerpt)
    assert "Jo Brandvold" not in without(excerpt)
    stays = "<p>Nobody has kept the same goats. For nine years I made cheese.</p>"
    assert without(stays) == stays


def test_a_short_text_goes_only_beside_its_authors_name() -> None:
    short = Words("Great post!", "Jo")
    theirs, others = "<cite>Jo</cite> <p>Great post!</p>", "<cite>Mo</cite> <p>Great post!</p>"
    page = theirs + "<hr>" * 100 + "x" * 300 + others
    assert without(page, short) == page.replace(theirs, f"<cite></cite> <p>{MARK}</p>")
    assert without(others, Words("Great post!", None)) == others


def test_a_name_goes_wherever_it_stands_but_not_inside_other_names() -> None:
    erase = Erasure(names=("Jo Brandvold", "Tom"))
    assert (
        erase.apply("<cite>Jo Brandvold</cite> wrote to Jo&nbsp;Brandvold’s son")[0]
        == f"<cite></cite> wrote to {MARK}’s son"
    )
    assert erase.apply('{"author_name":"Jo Brandvold"}')[0] == '{"author_name":""}'
    assert erase.apply('<a aria-label="Reply to Tom">x</a>')[0] == f'<a aria-label="Reply to {MARK}">x</a>'
    stays = "<p>Tom Barrett met the Tomcat, and Tom said no more than any tom</p>"
    assert erase.apply(stays)[0] == stays


def test_what_others_wrote_stays_where_a_short_text_or_a_name_is_part_of_it() -> None:
    page = "<cite>Jo</cite><p>No</p><cite>Ada</cite><p>Nobody knows, Nora, no: No 5</p>"
    assert (
        without(page, Words("No", "Jo"))
        == f"<cite></cite><p>{MARK}</p><cite>Ada</cite><p>Nobody knows, Nora, no: No 5</p>"
    )
    own = '{"url": "https://blog.example/", "id": "1"}'
    for name in ("url", "id", "1"):
        assert Erasure(names=(name,)).apply(own)[0] == (own if name != "1" else own.replace('"1"', '""'))
    quoted = "Goats are patient, whatever anyone tells you, and this is a post."
    jo = Words(f"You say: {quoted} I say they are not, not mine at least.", "Jo", (quoted,))
    assert without(f"<p>{quoted}</p><p>{jo.text}</p>", jo) == f"<p>{quoted}</p><p>{MARK}</p>"
    assert Erasure(names=("André O’Hara",)).apply("<b>Andr&eacute; O&#039;Hara</b>")[0] == "<b></b>"
    assert Erasure(urls=("https://x.example/al",)).apply('"https://x.example/alice"')[0] == '"https://x.example/alice"'


def test_addresses_of_the_author_go_with_all_below_and_those_of_a_page_alone() -> None:
    erase = Erasure(urls=("https://jo.example/",), pages=("https://blog.example/2012/goats/",))
    raw = (
        '<a href="https://jo.example/about?x=1">x</a> {"u":"https:\\/\\/jo.example\\/"} '
        '<a href="/2012/goats/#c9">y</a> <a href="https://blog.example/2012/goats/more/">z</a>'
    )
    assert (
        erase.apply(raw)[0]
        == '<a href="">x</a> {"u":""} <a href="">y</a> <a href="https://blog.example/2012/goats/more/">z</a>'
    )


def test_the_hash_of_the_mail_address_is_found_beside_the_words() -> None:
    one, other = "0" * 31 + "a", "0" * 31 + "b"
    page = "".join(
        f'<li><img src="https://secure.gravatar.com/avatar/{key}?s=48"><p>{text}</p></li>'
        for key, text in ((one, "Somebody else wrote this before."), (other, html.escape(TEXT)))
    )
    assert avatar_hashes(f"<ol>{page}</ol>", JO) == {other}
    rows = [
        {"content": {"rendered": as_html(text)}, "author_avatar_urls": {"24": f"https://x/avatar/{key}?s=24"}}
        for key, text in ((one, "Somebody else."), (other, TEXT))
    ]
    assert avatar_hashes(json.dumps(rows), JO) == {other}
    assert Erasure(hashes=(other,)).apply(f"avatar/{other} avatar/{one}")[0] == f"avatar/{'0' * 32} avatar/{one}"


@pytest.mark.parametrize(
    ("data", "declared", "text"),
    [
        ("Füße".encode(), None, "Füße"),
        ("Füße".encode("latin-1"), None, "Füße"),
        (b"\xff\xfe" + "Füße".encode("utf-16-le"), None, "\ufeffFüße"),
        ("Привет".encode("cp1251"), "windows-1251", "Привет"),
        ('<meta charset="koi8-r">Привет'.encode("koi8-r"), None, '<meta charset="koi8-r">Привет'),
        ("日本語".encode("shift_jis"), "Shift_JIS", "日本語"),
        ("Füße, größer".encode() + b"\xff", "utf-8", "Füße, größer\udcff"),
        ("Füße".encode("latin-1"), "no-such-encoding", "Füße"),
        (bytes(range(256)), None, bytes(range(256)).decode("latin-1")),
    ],
)
def test_payloads_in_any_encoding_come_back_as_they_were(data: bytes, declared: str | None, text: str) -> None:
    assert decoded(data, declared)[0] == text
    assert encoded(*decoded(data, declared)) == data


def test_the_words_of_others_are_never_lost_to_chance() -> None:
    """What is not the entry's stays to the letter, on a page that repeats parts of it."""
    page = "<div>" + "".join(f"<p>{n}: goats for nine years, cheese; {TEXT[:20]}</p>" for n in range(50)) + "</div>"
    less = without(page + as_html(TEXT) + page)
    assert (
        less
        == page + as_html(TEXT).replace(html.escape(TEXT.split("\n")[0]), MARK).replace(TEXT.split("\n")[1], "") + page
    )


# -- WARC files ------------------------------------------------------------------------------------------------


PAGE = f"""<html><head><title>Goats</title></head><body><article><h1>Goats</h1><p>Goats are patient, whatever anyone
tells you, and this is a post about them that has enough words to be one.</p></article><ol class="commentlist">
<li class="comment" id="comment-1"><cite class="fn">Jo Brandvold</cite><div class="comment-content">{as_html(TEXT)}</div></li>
<li class="comment" id="comment-2"><cite class="fn">Ada</cite><div class="comment-content"><p>Mine made one, once, and it was
eaten by the dog before I could photograph it.</p></div></li></ol></body></html>"""


@pytest.fixture
def warc(tmp_path: Path) -> Path:
    """A page, an answer that was had twice, a picture, and the visit that speaks of them."""
    writer = WarcWriter(tmp_path, {"software": "test"})
    writer.begin_page()
    url = "https://blog.example/goats/"

    def got(address: str, body: bytes, kind: str) -> Any:
        headers = [("Content-Type", kind), ("Content-Length", str(len(body)))]
        return writer.exchange(
            address,
            HttpMessage("HTTP/1.1 200 OK", headers, io.BytesIO(body)),
            HttpMessage("GET / HTTP/1.1", [("Host", "blog.example")]),
            date=NOW,
        )

    picture = got("https://blog.example/goat.png", b"\x89PNG" + bytes(400), "image/png")
    response = got(url, PAGE.encode(), "text/html; charset=utf-8")
    got("https://blog.example/goats/amp/", PAGE.encode(), "text/html; charset=utf-8")  # a revisit
    dom = writer.resource(f"urn:chorus:dom:{url}", "text/html; charset=utf-8", PAGE.encode(), date=NOW)
    shot = writer.resource(f"urn:chorus:screenshot:{url}", "image/png", b"\x89PNG" + bytes(90), date=NOW)
    write_visit(
        writer,
        PageCapture(
            url=url, captured_at=NOW, status=200, media_type="text/html", response=response, dom=dom, screenshot=shot
        ),
    )
    assert picture.offset < dom.offset
    writer.close()
    return next(tmp_path.glob("*.warc.gz"))


def test_a_file_is_written_again_without_it_and_is_still_sound(warc: Path) -> None:
    target = warc.with_name("again.warc.gz")
    course = Course("r1", Erasure(words=(JO,)))
    changes = course.without(warc, target)
    assert {(c.what, c.digest_after is None) for c in changes} == {
        ("redacted", False),
        ("removed", True),
        ("moved", False),
    }
    target.replace(warc)
    check = check_file(warc)
    assert check.problems == []
    assert all((url, digest) in check.payloads for _, url, digest in check.revisits) and check.revisits
    data = gzip.decompress(warc.read_bytes())
    assert b"cheese" not in data and b"Brandvold" not in data and b"eaten by the dog" in data
    assert data.count(f"{REDACTED}: r1".encode()) == 2
    (capture,) = captures_from_warc(warc)
    assert capture.screenshot is None and capture.html and MARK in capture.html
    thread = extract(capture.html, url="https://blog.example/goats/", captured_at=NOW)
    assert [(c.author, c.state) for c in thread.comments] == [(None, "deleted"), ("Ada", "visible")]


def test_a_record_in_another_encoding_is_read_in_it(tmp_path: Path) -> None:
    text = "Наши козы очень терпеливы, что бы ни говорили о них соседи."
    writer = WarcWriter(tmp_path, {"software": "test"})
    writer.begin_page()
    body = f"<p>{text}</p><p>ещё</p>".encode("cp1251")
    headers = [("Content-Type", "text/html; charset=windows-1251"), ("Content-Length", str(len(body)))]
    writer.exchange(
        "https://blog.example/",
        HttpMessage("HTTP/1.1 200 OK", headers, io.BytesIO(body)),
        HttpMessage("GET / HTTP/1.1", [("Host", "blog.example")]),
        date=NOW,
    )
    writer.close()
    target = tmp_path / "again.warc.gz"
    assert Course("r1", Erasure(words=(Words(text),))).without(next(tmp_path.glob("chorus*.gz")), target)
    [response] = read_records(target, frozenset({"response"}))
    assert response.payload == f"<p>{MARK}</p><p>ещё</p>".encode("cp1251")


def test_what_is_not_concerned_stays_byte_for_byte(warc: Path) -> None:
    target = warc.with_name("again.warc.gz")
    assert (
        Course("r1", Erasure(words=(Words("Nobody ever wrote these words here, not one of them."),))).without(
            warc, target
        )
        == []
    )
    assert not target.exists()
    before = {r.record_id: (r.uri or "", r.payload) for r in read_records(warc)}
    Course("r1", Erasure(words=(JO,))).without(warc, target)
    after = {r.record_id: r.payload for r in read_records(target)}
    changed = [uri for key, (uri, payload) in before.items() if key in after and payload != after[key]]
    page = "https://blog.example/goats/"
    assert changed == [page, f"urn:chorus:dom:{page}", f"urn:chorus:visit:{page}"]


def test_a_file_that_cannot_be_read_to_its_end_is_left_alone(warc: Path) -> None:
    data = bytearray(warc.read_bytes())
    data[len(data) // 2] ^= 0xFF
    warc.write_bytes(data)
    with pytest.raises(ArchiveError):
        Course("r1", Erasure(words=(JO,))).without(warc, warc.with_name("again.warc.gz"))
    assert warc.read_bytes() == data and not warc.with_name("again.warc.gz").exists()


def test_a_page_goes_whole_with_what_refers_to_it(warc: Path) -> None:
    target = warc.with_name("again.warc.gz")
    page = "https://blog.example/goats/"
    changes = Course("r1", Erasure(), addresses=frozenset({page})).without(warc, target)
    assert {c.what for c in changes} == {"removed"}
    left = [r.uri for r in read_records(target) if r.uri]
    assert left == ["https://blog.example/goat.png"] * 2
    assert check_file(target).problems == []


# -- an archive ------------------------------------------------------------------------------------------------


@pytest.fixture
def archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A page imported, a coding, an export that lies in the archive."""
    monkeypatch.setenv("CHORUS_CACHE", str(tmp_path / "cache"))
    page, place = tmp_path / "page.html", tmp_path / "archive"
    page.write_text(PAGE, encoding="utf-8")
    assert main(["import", str(page), "--url", "https://blog.example/goats/", "-a", str(place), "-q"]) == 0
    jo = entry_of(place, "Jo Brandvold")
    coding = {"id": "1", "label": "neither", "entry_id": jo.entry_id, "text": TEXT, "context": None}
    other = {
        "id": "2",
        "label": "neither",
        "entry_id": "x",
        "text": "Mine made one",
        "context": "that anybody asked for twice.",
    }
    lines = "".join(json.dumps(row) + "\n" for row in (coding, other))
    (place / "annotations" / "kim.jsonl").write_text(lines, encoding="utf-8")
    (place / "threads.jsonl").write_text(json.dumps({"text": TEXT}), encoding="utf-8")
    (place / "notes.txt").write_text("mine", encoding="utf-8")
    return place


def entry_of(place: Path, author: str) -> Any:
    return next(e for e in Tables.open(Archive.open(place)).iter_entries() if e.author == author)


def everything(place: Path) -> bytes:
    """Every byte of the archive, WARC records unpacked."""
    files = [path for path in place.rglob("*") if path.is_file()]
    return b"".join(gzip.decompress(p.read_bytes()) if p.name.endswith(".warc.gz") else p.read_bytes() for p in files)


@pytest.mark.model
def test_an_author_is_gone_from_every_file_of_the_archive(archive: Path) -> None:
    assert b"cheese" in everything(archive)
    main(["forget", "--author", "Jo Brandvold", "--yes", "-a", str(archive), "-q"])
    left = everything(archive)
    assert not re.search(rb"cheese|goats for nine|Brandvold|anybody asked", left)
    assert b"eaten by the dog" in left
    assert (archive / "notes.txt").exists() and not (archive / "threads.jsonl").exists()
    assert [(row["id"], row["text"], row["context"]) for row in current_codings(Archive.open(archive))] == [
        ("1", None, None),
        ("2", "Mine made one", None),
    ]
    assert main(["verify", "-a", str(archive), "-q"]) in (0, 3)


@pytest.mark.model
def test_the_log_tells_what_was_done_and_not_to_whom(archive: Path) -> None:
    jo = entry_of(archive, "Jo Brandvold")
    rows = {
        row["what"]: row["count"]
        for row in forget(archive, ForgetRequest(author="Jo Brandvold", reason="asked"), quiet=True)
    }
    assert rows["entries"] == 1 and rows["WARC records redacted"] >= 1
    (line,) = (archive / "redactions.jsonl").read_text().splitlines()
    row = json.loads(line)
    assert row["entries"] == [jo.entry_id] and row["reason"] == "asked" and row["selector"].startswith("hmac-sha256:")
    assert all(record["before"] != record["after"] for record in row["records"])
    assert "Brandvold" not in line


@pytest.mark.model
def test_what_comes_back_is_told_and_erased_again(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forget(archive, ForgetRequest(author="Jo Brandvold"), quiet=True)
    with pytest.raises(NothingFound):
        plan_forget(archive, ForgetRequest(again=True))
    main(["import", str(tmp_path / "page.html"), "--url", "https://blog.example/goats/", "-a", str(archive)])
    assert "1 entries that were erased are in the archive again" in capsys.readouterr().err
    assert b"cheese" in everything(archive)
    assert len(plan_forget(archive, ForgetRequest(again=True)).entry_ids) == 1
    forget(archive, ForgetRequest(again=True), quiet=True)
    assert b"cheese" not in everything(archive)


@pytest.mark.model
def test_a_page_is_gone_with_its_thread(archive: Path) -> None:
    assert main(["forget", "--url", "https://blog.example/goats/", "--yes", "-a", str(archive), "-q"]) == 0
    assert not re.search(rb"cheese|eaten by the dog|patient|Ada", everything(archive))
    assert Tables.open(Archive.open(archive)).threads() == []
    assert main(["forget", "--url", "https://blog.example/goats/", "--yes", "-a", str(archive), "-q"]) == 5


@pytest.mark.model
def test_a_page_that_comes_back_is_erased_again(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    forget(archive, ForgetRequest(url="https://blog.example/goats/"), quiet=True)
    main(["import", str(tmp_path / "page.html"), "--url", "https://blog.example/goats/", "-a", str(archive)])
    assert "3 entries and 1 pages that were erased are in the archive again" in capsys.readouterr().err
    forget(archive, ForgetRequest(again=True), quiet=True)
    assert not re.search(rb"cheese|eaten by the dog|patient|blog.example/goats", everything(archive))


@pytest.mark.model
def test_a_stop_between_the_files_is_made_up_for(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every step at which files or directories change places, stopped before it."""
    real, linked = Path.replace, archive.parent / "elsewhere"
    linked.mkdir()
    (warc,) = Archive.open(archive).warcs()
    warc.rename(linked / warc.name)
    warc.symlink_to(linked / warc.name)
    stops = 0
    for move, step in (("replace", ".redacted"), ("rename", "tables"), ("rename", "tables.new")):
        original = getattr(Path, move)

        def stop(self: Path, target: Any, *, step: str = step, original: Any = original) -> Any:
            if self.name == step or (self.name.endswith(step) and step.startswith(".")):
                raise KeyboardInterrupt
            return original(self, target)

        with monkeypatch.context() as patch:
            patch.setattr(Path, move, stop)
            with pytest.raises(KeyboardInterrupt):
                forget(archive, ForgetRequest(author="Jo Brandvold"), quiet=True)
        stops += 1
    assert stops == 3 and Path.replace is real
    assert Tables.open(Archive.open(archive)).threads()
    assert main(["forget", "--author", "Jo Brandvold", "--yes", "-a", str(archive), "-q"]) in (0, 5)
    assert not re.search(rb"cheese|Brandvold", everything(archive) + gzip.decompress((linked / warc.name).read_bytes()))
    assert warc.is_symlink()
    assert {path.name for path in archive.iterdir()} >= {"tables", "redactions.jsonl"}
    assert not any((archive / name).exists() for name in ("tables.old", "tables.new", "redaction.ready.json"))
    rows = [json.loads(line) for line in (archive / "redactions.jsonl").read_text().splitlines()]
    assert rows[0]["records"]
    assert [e.author for e in Tables.open(Archive.open(archive)).iter_entries()] == [None, None, "Ada"]


@pytest.mark.model
def test_an_interrupted_erasure_is_finished_by_the_same_command(archive: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import cli.jobs.rebuild

    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(cli.jobs.rebuild, "replace_tables", stop)
        with pytest.raises(KeyboardInterrupt):
            forget(archive, ForgetRequest(author="Jo Brandvold"), quiet=True)
    (warc,) = Archive.open(archive).warcs()
    whole = warc.read_bytes()
    assert Archive.open(archive).warcs_to_ingest() == [(warc, 0)]  # read anew, nothing cut off
    forget(archive, ForgetRequest(author="Jo Brandvold"), quiet=True)
    assert warc.read_bytes() == whole
    assert not re.search(rb"cheese|Brandvold", everything(archive))


@pytest.mark.model
def test_nothing_is_touched_by_a_plan_or_a_mistake(
    archive: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(archive, copy)
    assert main(["forget", "--author", "Jo Brandvold", "--dry-run", "-a", str(archive)]) == 0
    assert json.loads(capsys.readouterr().out)["entries"] == 1
    assert main(["forget", "--author", "Jo Brandvold", "-a", str(archive)]) == 2  # no one to ask
    assert main(["forget", "--author", "brandvold", "-y", "-a", str(archive)]) == 5
    assert "Jo Brandvold" in capsys.readouterr().err
    for request in (ForgetRequest(), ForgetRequest(author="a", url="b")):
        with pytest.raises(UsageError):
            plan_forget(archive, request)
    for path in (p for p in copy.rglob("*") if p.is_file()):
        assert (archive / path.relative_to(copy)).read_bytes() == path.read_bytes()
