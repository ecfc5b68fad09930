"""WordPress: classic lists (XHTML and HTML5), block themes, callback themes, wpDiscuz; structure read in core's walkers."""

from harvest.platforms.rules import Rules

_AUTHOR = (
    ".wp-block-comment-author-name",
    ".comment-author .fn",
    ".fn",
    ".comment-author-name",
    "cite",
    ".comment-author",
)
_DATE = (
    "time[datetime]",
    ".wp-block-comment-date",
    ".comment-metadata",
    ".commentmetadata",
    ".comment-date",
    ".comment-meta",
    ".comment-time",
)
_BODY = (
    ".wp-block-comment-content",
    "div.comment-content",
    "section.comment-content",
    ".comment-text",
    ".comment_text",
    ".commenttext",
    ".comment-entry",
    ".commententry",
)
_PERMALINK = (".comment-metadata a[href*=#]", ".commentmetadata a[href*=#]", ".wp-block-comment-date a")
_DROP = (
    ".reply",
    ".comment-reply-link",
    ".comment-edit-link",
    ".says",
    ".wp-block-comment-reply-link",
    ".comment-awaiting-moderation",
)

RULES = (
    Rules(
        name="wordpress",
        signs=(".wp-block-comment-template",),
        items=(".wp-block-comment-template > li",),
        author=_AUTHOR,
        date=_DATE,
        body=_BODY,
        permalink=_PERMALINK,
        drop=_DROP,
    ),
    Rules(
        name="wordpress",
        items=("div.wc-comment", "div.wpd-comment"),
        author=(".wc-comment-author", ".wpd-comment-author"),
        date=(".wc-comment-date", ".wpd-comment-date"),
        body=(".wc-comment-text", ".wpd-comment-text"),
    ),
    Rules(
        name="wordpress",
        items=(
            "li.comment,li.pingback,li.trackback",
            "li[id^=li-comment-]",
            "ol.commentlist > li",
            "li[id^=comment-]",
            "div.comment.depth-1,div.comment.depth-2,div.comment.depth-3,div.comment.depth-4,div.comment.depth-5,div.pingback.depth-1,div.trackback.depth-1",
            "dd.comment,dd.pingback,dd.trackback",
            "article.comment[id^=comment-]",
            "div.comment[id^=comment-]",
            "div[id^=div-comment-]",
        ),
        author=_AUTHOR,
        date=_DATE,
        body=_BODY,
        permalink=_PERMALINK,
        drop=_DROP,
    ),
)
