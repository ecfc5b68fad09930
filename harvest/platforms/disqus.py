"""Disqus as static HTML: the fallback list that its WordPress plugin prints."""

from harvest.platforms.rules import Rules

RULES = (
    Rules(
        name="disqus",
        items=("[id^=dsq-comments] > li[id^=dsq-comment-]", "li[id^=dsq-comment-]"),
        author=("[id^=dsq-author-user-]", ".dsq-comment-cite", "cite"),
        date=("[id^=dsq-time-]", ".dsq-comment-header-time"),
        body=("[id^=dsq-comment-message-]", ".dsq-comment-message", "[id^=dsq-comment-body-]", ".dsq-comment-body"),
    ),
)
