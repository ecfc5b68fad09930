"""Isso: drawn by its script; replies stand in the comment they answer. The form's preview is a comment without an id."""

from harvest.platforms.rules import Rules

RULES = (
    Rules(
        name="isso",
        items=("div.isso-comment[id^=isso-]",),
        author=(".isso-author",),
        date=("time[datetime]",),
        body=(".isso-text",),
        permalink=("a.isso-permalink",),
        drop=(".isso-comment-footer", ".isso-avatar", ".isso-page-author-suffix"),
        own=("isso-is-page-author",),
    ),
)
