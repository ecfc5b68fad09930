"""Drupal 6 to 8: replies stand in ``div.indented`` beside the comment they answer."""

from harvest.platforms.rules import Rules

RULES = (
    Rules(
        name="drupal",
        signs=(
            "#comments div.indented",
            "[class*=field-comment-body]",
            "[class*=field--name-comment-body]",
            "a[href*=/comment/reply/]",
        ),
        items=("article.comment", "#comments div.comment", "div.comment", "article[id^=comment-]"),
        author=(".username", ".author", ".comment_author_name", ".user"),
        date=(".submitted", ".comment-date", ".date", ".time"),
        body=(
            "[class*=field--type-text]",
            "[class*=field-name-comment-body]",
            "[class*=field-comment-body]",
            ".comment-body",
        ),
    ),
)
