"""Blogger: threaded comments, and the older flat list (``dl#comments-block`` is put in shape by ``extract.flat``)."""

from harvest.platforms.rules import Rules

RULES = (
    Rules(
        name="blogger",
        items=("#comments li.comment[id^=c]", ".comment-thread li.comment"),
        signs=(".comment-thread", ".comments-content"),
        author=("cite.user", ".user"),
        date=(".datetime",),
        body=(".comment-content",),
        permalink=(".datetime a",),
        drop=(".comment-actions", ".secondary-text"),
        deleted=("deleted-comment",),
        own=("blog-author",),
    ),
)
