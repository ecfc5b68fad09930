"""Harvests at length: whole blogs found and fetched, politely, in any weather, again and again. Real browser, real servers."""

import itertools
import json
import os
import random
import signal
import subprocess
import sys
import time
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.blogs import Blog, Comment, make_blog
from tests.blogs.words import make_comment

pytestmark = [pytest.mark.browser, pytest.mark.model]

FAST = ("--allow-private", "--delay", "0", "--no-behaviours", "--no-screenshots", "--quiet")


def run(*arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-m", "cli", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, check=False, timeout=300, env={**os.environ, **environment})


def chorus(*arguments: str | Path, code: int = 0) -> list[dict[str, Any]]:
    result = run(*arguments)
    assert result.returncode == code, result.stderr.decode()
    return [json.loads(line) for line in result.stdout.splitlines()]


def captured(rows: list[dict[str, Any]]) -> list[str]:
    return sorted(row["url"] for row in rows if row["outcome"] == "captured")


@pytest.mark.parametrize("source", ["feed", "sitemap", "index"])
def test_a_blogs_posts_and_only_its_posts_are_planned(source: str, tmp_path: Path) -> None:
    with make_blog("hill", 34) as blog:
        blog.has_feed, blog.has_sitemap = source == "feed", source == "sitemap"
        blog.has_index = source == "index"
        rows = chorus("harvest", blog.url, "--site", "--dry-run", "-a", tmp_path / "a", *FAST)
        assert sorted(row["url"] for row in rows if row["action"] == "visit") == sorted(blog.post_urls)
        reasons = {row["url"].removeprefix(blog.url): row["reason"] for row in rows if row["action"] == "skip"}
        assert "calendar" in reasons["calendar/2026/11/"]
        assert "beside the posts" in reasons["about/"]
        assert reasons["wp-login.php"]
        assert "search" in reasons["?s=shed"]
        assert not (tmp_path / "a").exists()
        assert len(blog.log) < 60  # the calendar has no end


def test_bounds_on_what_is_planned(tmp_path: Path) -> None:
    with make_blog("hill", 34) as blog:
        rows = chorus(
            "harvest", blog.url, "--site", "--dry-run", "--since", "2008-02", "--include", "shed|radios|fair", *FAST
        )
        wanted = [u for p, u in zip(blog.posts, blog.post_urls, strict=True)
                  if p.date >= "2008-02" and any(w in u for w in ("shed", "radios", "fair"))]  # fmt: skip
        assert sorted(row["url"] for row in rows if row["action"] == "visit") == sorted(wanted)
        skipped = {row["reason"] for row in rows if row["action"] == "skip"}
        assert {"before --since", "does not match --include"} <= skipped
        assert run("harvest", blog.url, "--site", "--include", "(", *FAST).returncode == 2
        assert run("harvest", blog.url, "--site", "--since", "soon", *FAST).returncode == 2


def test_bad_weather_on_several_hosts(tmp_path: Path) -> None:
    """Delays, 429, 503, 500, hangs, a dead robots.txt and an echoing host: all that can be had is, once, and no sooner."""
    with ExitStack() as stack:
        blogs = [stack.enter_context(make_blog(f"blog{n}", 3, comments=2)) for n in range(4)]
        slow, busy, broken, closed = blogs
        slow.robots = "User-agent: *\nCrawl-delay: 1.5\n"
        busy.troubles = {busy.posts[0].path: [429], busy.posts[1].path: [503, 503]}
        broken.troubles = {broken.posts[1].path: [500] * 9, broken.posts[2].path: [0]}
        broken.hang_seconds = 4.0
        closed.robots_status = 503
        urls = [url for blog in blogs for url in blog.post_urls]
        seeds = tmp_path / "urls.txt"
        seeds.write_text("\n".join(urls))
        log = tmp_path / "log.jsonl"
        rows = chorus("harvest", "--from", seeds, "-a", tmp_path / "a", *FAST, "--workers", "3", "--timeout", "2",
                      "--log", log, code=3)  # fmt: skip
        outcome = {row["url"]: row["outcome"] for row in rows}
        well = [*slow.post_urls, *busy.post_urls, broken.post_urls[0], broken.post_urls[2]]
        assert captured(rows) == sorted(well)
        assert outcome[broken.post_urls[1]] == "failed"
        assert all(outcome[url] in ("failed", "waiting") for url in closed.post_urls)
        for blog in blogs:
            served = [one.path for one in blog.asked_posts()]
            assert len(served) == len(set(served))
        assert not closed.asked_posts()
        times = slow.page_times()
        assert min(b - a for a, b in itertools.pairwise(times)) >= 1.5
        refused = [one.at for one in busy.log if one.status in (429, 503)]
        after = [min(t for t in busy.page_times() if t > at) for at in refused]
        assert all(b - a >= 0.95 for a, b in zip(refused, after, strict=True))
        events = [json.loads(line) for line in log.read_text().splitlines()]
        assert {"start", "page", "again", "end"} <= {event["event"] for event in events}
        status = {row["what"]: row["value"] for row in chorus("status", "-a", tmp_path / "a")}
        assert status["pages waiting or failed"] == 1 + len(closed.posts)


def test_a_host_that_answers_everything_with_its_home_page_gives_no_threads(tmp_path: Path) -> None:
    with make_blog("echo", 2) as blog:
        blog.answers_home = True
        urls = [blog.url, blog.url + "2011/05/gone/", blog.url + "2011/06/gone-too/"]
        rows = chorus("harvest", *urls, "-a", tmp_path / "a", *FAST, code=3)
        errors = {row["url"]: row["error"] for row in rows}
        assert errors[urls[0]] is None
        assert "the same page" in errors[urls[1]]
        assert "the same page" in errors[urls[2]]


def test_a_nearly_full_disk_ends_the_run_in_good_order(tmp_path: Path) -> None:
    with make_blog("hill", 2) as blog:
        result = run("harvest", *blog.post_urls, "-a", tmp_path / "a", *FAST[:-1], CHORUS_MIN_FREE="86000")
        if b"disk is nearly full" not in result.stderr:
            pytest.skip("this machine has more than 86 GB free")
        assert result.returncode == 3
        assert result.stderr.count(b"disk is nearly full") == 1
        assert captured(chorus("harvest", *blog.post_urls, "-a", tmp_path / "a", *FAST)) == sorted(blog.post_urls)


def test_kills_at_any_moment_lose_and_repeat_nothing(tmp_path: Path) -> None:
    with ExitStack() as stack:
        blogs = [stack.enter_context(make_blog(f"blog{n}", 5, comments=2)) for n in range(2)]
        urls = [url for blog in blogs for url in blog.post_urls]
        chance = random.Random(7)
        command = [sys.executable, "-m", "cli", "harvest", *urls, "-a", str(tmp_path / "a"), *FAST, "--workers", "2"]
        kills = 0
        for _ in range(4):
            process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(chance.uniform(3.0, 7.0))
            kills += process.poll() is None
            process.kill()
            process.wait()
            subprocess.run(["pkill", "-9", "-P", str(process.pid)], check=False)
        assert kills
        result = run(*command[3:])
        assert result.returncode == 0, result.stderr.decode()
        assert {url for url in urls if run("show", url, "-a", tmp_path / "a").returncode == 0} == set(urls)
        served = [one.path for blog in blogs for one in blog.asked_posts()]
        assert len(served) <= len(urls) + 2 * kills  # at most the pages in hand again
        assert run("verify", "-a", tmp_path / "a", "--quiet").returncode == 0


def test_ctrl_c_finishes_the_page_in_hand(tmp_path: Path) -> None:
    with make_blog("hill", 6) as blog:
        blog.robots = "User-agent: *\nCrawl-delay: 2\n"
        command = [sys.executable, "-m", "cli", "harvest", *blog.post_urls, "-a", str(tmp_path / "a"), *FAST]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        while not blog.asked_posts():
            time.sleep(0.05)
        second = run("harvest", blog.post_urls[-1], "-a", tmp_path / "a", *FAST)
        assert second.returncode == 4
        assert b"`chorus harvest`" in second.stderr  # who has the archive
        process.send_signal(signal.SIGINT)
        process.communicate(timeout=60)
        assert process.returncode == 130
        done = len(blog.asked_posts())
        assert 1 <= done < 6
        rows = chorus(*command[3:])
        assert sum(row["outcome"] == "skipped" for row in rows) == done
        assert len(captured(rows)) == 6 - done


def edit(blog: Blog, chance: random.Random, number: int) -> dict[str, set[tuple[str, int]]]:
    """Change a blog's comments; what was done, as (path, comment) by kind."""
    done: dict[str, set[tuple[str, int]]] = {"added": set(), "edited": set(), "removed": set(), "re-parented": set()}
    for post in blog.posts:
        for comment in list(post.comments):
            answered = any(c.parent == comment.number for c in post.comments)
            choice = chance.random()
            if choice < 0.15 and not answered:
                post.comments.remove(comment)
                done["removed"].add((post.path, comment.number))
            elif choice < 0.4:
                comment.text = comment.text.replace("notebook", "diary") + f" Edit {number}: I was wrong."
                done["edited"].add((post.path, comment.number))
            elif choice < 0.5 and comment.parent is not None:
                comment.parent = None
                done["re-parented"].add((post.path, comment.number))
        if chance.random() < 0.6:
            fresh = make_comment(chance, post.number * 1000 + 100 * number, None)
            post.comments.append(fresh)
            done["added"].add((post.path, fresh.number))
    return done


def test_updates_tell_exactly_what_changed(tmp_path: Path) -> None:
    chance = random.Random(11)
    with make_blog("hill", 5, comments=5) as blog:
        for post in blog.posts:
            post.comments.append(
                Comment(post.number * 1000 + 99, "Nils", f"I was here first, said post {post.number}.", None)
            )
        assert len(captured(chorus("harvest", blog.url, "--site", "-a", tmp_path / "a", *FAST))) == 5
        assert not chorus("harvest", "--update", "-a", tmp_path / "a", *FAST)  # nothing is due yet, nothing is sent
        for number in (1, 2, 3):
            time.sleep(1.1)  # dates in WARC files have whole seconds
            moment = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            done = edit(blog, chance, number)
            rows = chorus("harvest", "--update", "--all", "-a", tmp_path / "a", *FAST)
            assert len(captured(rows)) == 5
            told: dict[str, set[tuple[str, int]]] = {kind: set() for kind in done}
            for post in blog.posts:
                result = run("diff", blog.address(post), "--since", moment, "-a", tmp_path / "a", "--format", "jsonl")
                for change in map(json.loads, result.stdout.splitlines()):
                    side = change["after"] or change["before"]
                    assert side["evidence"]["record_id"]
                    told[change["change"]].add((post.path, int(side["url"].rpartition("-")[2])))
            assert told == done
        before = table_rows(tmp_path / "a")
        report = chorus("rebuild", "-a", tmp_path / "a", "--quiet")
        assert table_rows(tmp_path / "a") == before
        assert all(row["before"] == row["after"] for row in report)
        assert run("verify", "-a", tmp_path / "a", "--quiet").returncode == 0


def test_bodies_that_did_not_change_lean_on_a_file_that_is_named(tmp_path: Path) -> None:
    from warcio.archiveiterator import ArchiveIterator

    with make_blog("hill", 1) as blog:
        blog.posts[0].paragraphs.append("A long paragraph that stays as it is. " * 40)
        for _ in range(2):
            assert captured(chorus("harvest", *blog.post_urls, "--update", "-a", tmp_path / "a", *FAST))
        files = {f.name for f in (tmp_path / "a" / "warc").glob("*.warc.gz")}
        named, declared = set(), b""
        for file in files:
            with (tmp_path / "a" / "warc" / file).open("rb") as stream:
                for record in ArchiveIterator(stream):
                    if record.rec_type == "revisit" and record.rec_headers["WARC-Refers-To-Filename"]:
                        named.add(record.rec_headers["WARC-Refers-To-Filename"])
                    if record.rec_type == "metadata":
                        declared += record.content_stream().read()
        assert named
        assert named <= files
        assert all(f"depends-on: {name}".encode() in declared for name in named)
        assert run("verify", "-a", tmp_path / "a", "--quiet").returncode == 0


def table_rows(path: Path) -> dict[str, list[str]]:
    import lancedb

    database = lancedb.connect(path / "tables")
    return {
        n: sorted(map(str, database.open_table(n).to_arrow().to_pylist())) for n in ("visits", "threads", "entries")
    }


def test_seeds_from_csv_opml_and_the_archives_own_file(tmp_path: Path) -> None:
    with make_blog("hill", 2) as blog:
        table = tmp_path / "list.csv"
        table.write_text(f'name,link\n"Hill, the",{blog.post_urls[0]}\n')
        rows = chorus("harvest", "--from", table, "--dry-run", *FAST)
        assert [row["url"] for row in rows] == [blog.post_urls[0]]
        assert run("harvest", "--from", table, "--column", "nope", "--dry-run").returncode == 2
        opml = tmp_path / "list.opml"
        opml.write_text(f'<?xml version="1.0"?><opml version="2.0"><body><outline htmlUrl="{blog.url}"/></body></opml>')
        rows = chorus("harvest", "--from", opml, "--site", "-a", tmp_path / "a", "--max-pages", "1", *FAST)
        assert len(captured(rows)) == 1
        with (tmp_path / "a" / "chorus.toml").open("a") as handle:
            handle.write(f'\n[[seeds]]\nurl = "{blog.url}"\nsite = true\ndelay = 0.1\nexclude = ["nothing"]\n')
        rows = chorus("harvest", "-a", tmp_path / "a", *FAST)
        assert len(captured(rows)) == 1
        assert len(blog.asked_posts()) == 2
