"""TypePad and Movable Type: one element a comment; their older flat runs are put in shape by ``extract.flat``."""

from harvest.platforms.rules import Rules

RULES = (
    Rules(
        name="typepad",
        items=("div.comment[id^=comment-6a],li.comment[id^=comment-6a]",),
        author=(".comment-author-name", ".vcard .fn", ".comment-footer a", ".byline a"),
        body=(".comment-content", ".comment-body"),
        date=(".comment-timestamp", ".comment-footer", ".byline"),
    ),
    Rules(
        name="movabletype",
        items=("div.comment-odd[id^=comment-],div.comment-even[id^=comment-]",),
        body=(".comment-content",),
        date=(".comment-footer", ".byline"),
    ),
)
