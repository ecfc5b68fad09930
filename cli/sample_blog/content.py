"""The sample blog's text as typed values, read from content.toml."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Comment:
    """One comment; ``to`` is the id of the comment it answers, ``user`` the writer's login name if they have one."""

    id: int
    author: str
    date: datetime
    text: str
    url: str | None = None
    to: int | None = None
    user: str | None = None
    kind: str = "comment"
    state: str = "visible"


@dataclass(frozen=True, slots=True)
class Post:
    """One post with its comments, in the order in which they were written."""

    id: int
    slug: str
    title: str
    author: str
    user: str
    published: datetime
    theme: str
    categories: tuple[str, ...]
    text: str
    comments: tuple[Comment, ...]

    @property
    def path(self) -> str:
        """Where the post lies on the site."""
        return f"/{self.published:%Y/%m}/{self.slug}/"


@dataclass(frozen=True, slots=True)
class Blog:
    """The whole blog."""

    title: str
    tagline: str
    posts: tuple[Post, ...]


@cache
def load() -> Blog:
    """Read content.toml."""
    data = tomllib.loads(files("cli.sample_blog").joinpath("content.toml").read_text(encoding="utf-8"))
    return Blog(data["title"], data["tagline"], tuple(_post(row) for row in data["post"]))


def _post(row: dict[str, object]) -> Post:
    comments = tuple(_comment(comment) for comment in row.pop("comment", []))  # type: ignore[attr-defined]
    published = datetime.fromisoformat(str(row.pop("published")))
    categories = tuple(str(name) for name in row.pop("categories"))  # type: ignore[attr-defined]
    return Post(**row, published=published, categories=categories, comments=comments)  # type: ignore[arg-type]


def _comment(row: dict[str, object]) -> Comment:
    date = datetime.fromisoformat(str(row.pop("date")))
    text = str(row.pop("text")).strip()
    return Comment(**row, date=date, text=text)  # type: ignore[arg-type]


def ordered(post: Post) -> list[tuple[Comment, int]]:
    """Comments as a threaded page shows them - each followed by its replies - with their depth, from 1."""
    children: dict[int | None, list[Comment]] = {}
    for comment in post.comments:
        children.setdefault(comment.to, []).append(comment)
    out: list[tuple[Comment, int]] = []

    def add(parent: int | None, depth: int) -> None:
        for comment in children.get(parent, []):
            out.append((comment, depth))
            add(comment.id, depth + 1)

    add(None, 1)
    return out
