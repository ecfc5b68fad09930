"""Filling a blog with posts and comments: deterministic for a seed, no two texts alike."""

from __future__ import annotations

import random

from tests.blogs.blog import Blog, Comment, Post

_SUBJECTS = (
    "the shed",
    "our choir",
    "a leaking roof",
    "night buses",
    "sourdough",
    "old radios",
    "swimming",
    "the fair",
)
_PEOPLE = ("Ines", "Bartek", "Oona", "Mr Pell", "Devi", "Graham K", "tall_paul", "Aunt Rosa", "Nils", "Fen")
_OPENINGS = ("Well,", "I doubt it:", "Yes -", "Last spring", "Somebody told me that", "No idea why but", "Funny,", "")
_MIDDLES = (
    "we tried that in May and the neighbours helped",
    "it took three weekends and a borrowed ladder",
    "nobody at the meeting could say what it costs",
    "the council answered after two letters",
    "my brother keeps the spare parts in a biscuit tin",
    "there is a better one behind the station",
    "I would not do it again without gloves",
)


def make_blog(name: str, posts: int, *, comments: int = 4, seed: int = 0) -> Blog:
    """A blog of ``posts`` posts with up to ``comments`` comments each."""
    chance = random.Random(f"{name}{seed}")
    blog = Blog(name)
    for number in range(1, posts + 1):
        blog.posts.append(_post(chance, number, comments))
    return blog


def _post(chance: random.Random, number: int, comments: int) -> Post:
    subject = chance.choice(_SUBJECTS)
    day, month, year = 1 + number % 28, 1 + number // 28 % 12, 2008 + number // 336
    post = Post(
        number=number,
        slug=f"{subject.split()[-1]}-{number}",
        title=f"{subject.capitalize()}, part {number}",
        date=f"{year}-{month:02}-{day:02}T09:00:00+00:00",
        paragraphs=[f"{sentence(chance, number * 10 + k)} {sentence(chance, number * 10 + k + 5)}" for k in range(3)],
    )
    for k in range(chance.randint(0, comments)):
        earlier = [c.number for c in post.comments]
        parent = chance.choice([None, *earlier]) if earlier else None
        post.comments.append(make_comment(chance, number * 1000 + k, parent))
    return post


def make_comment(chance: random.Random, number: int, parent: int | None) -> Comment:
    """A comment by one of the regulars."""
    return Comment(number, chance.choice(_PEOPLE), sentence(chance, number), parent)


def sentence(chance: random.Random, number: int) -> str:
    """One line of talk; ``number`` makes it the only one of its kind."""
    return f"{chance.choice(_OPENINGS)} {chance.choice(_MIDDLES)}, as I wrote in my notebook on page {number}."
