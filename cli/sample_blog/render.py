"""Pages of the sample blog, in the markup that WordPress prints: a classic theme of 2011 and a block theme of 2022."""

from __future__ import annotations

from datetime import datetime
from html import escape
from typing import Any

from cli.sample_blog.content import Blog, Comment, Post, load, ordered
from cli.sample_blog.markup import blocks, plain

#: WordPress shows the avatar of a hash of the writer's mail address; a picture of our own stands in for it.
AVATAR = '<img alt="" src="/avatar.png" class="avatar avatar-48 photo" height="48" width="48" />'


def clock(moment: datetime, link: str = " at ") -> str:
    """A date as WordPress prints it: ``December 5, 2012 at 9:14 am``."""
    hour = moment.hour % 12 or 12
    half = "am" if moment.hour < 12 else "pm"
    return f"{moment:%B} {moment.day}, {moment.year}{link}{hour}:{moment:%M} {half}"


def day(moment: datetime) -> str:
    """``December 5, 2012``."""
    return f"{moment:%B} {moment.day}, {moment.year}"


# -- the whole page --------------------------------------------------------------------------------------------------


def post_page(post: Post, base: str) -> str:
    """The page of one post with its comments."""
    return (_classic_page if post.theme == "classic" else _block_page)(load(), post, base)


def _head(blog: Blog, title: str, url: str, base: str, version: str, extra: str = "") -> str:
    return f"""<!DOCTYPE html>
<html lang="en-US">
<head>
<meta charset="UTF-8" />
<meta name="generator" content="WordPress {version}" />
<meta name="viewport" content="width=device-width, initial-scale=1" />
<title>{escape(title)} | {escape(blog.title)}</title>
<link rel="canonical" href="{url}" />
<link rel="stylesheet" href="/style.css" type="text/css" media="all" />
<link rel="alternate" type="application/rss+xml" title="{escape(blog.title)} &raquo; Feed" href="{base}/feed/" />
{extra}</head>
"""


def _classic_page(blog: Blog, post: Post, base: str) -> str:
    url = base + post.path
    head = _head(blog, post.title, url, base, "3.4.2")
    return f"""{head}<body class="single single-post postid-{post.id}">
<div id="page" class="hfeed">
<div id="header"><h1 id="site-title"><a href="/" rel="home">{escape(blog.title)}</a></h1>
<div id="site-description">{escape(blog.tagline)}</div></div>
<div id="main"><div id="primary"><div id="content" role="main">
<div id="post-{post.id}" class="post-{post.id} post type-post status-publish format-standard hentry">
<h1 class="entry-title">{escape(post.title)}</h1>
<div class="entry-meta"><span class="meta-prep meta-prep-author">Posted on</span>
<a href="{url}" title="{clock(post.published, "")}" rel="bookmark"><span class="entry-date">{day(post.published)}</span></a>
<span class="meta-sep">by</span> <span class="author vcard"><a class="url fn n" href="{base}/author/{post.user}/">{escape(post.author)}</a></span></div>
<div class="entry-content">
{blocks(post.text)}
</div>
<div class="sharedaddy sd-sharing-enabled"><h3 class="sd-title">Share this:</h3>
<ul><li class="share-twitter"><a href="#">Twitter</a></li><li class="share-facebook"><a href="#">Facebook</a></li></ul></div>
<div class="entry-utility">This entry was posted in {", ".join(map(escape, post.categories))}.
Bookmark the <a href="{url}" rel="bookmark">permalink</a>.</div>
</div>
<div id="nav-below" class="navigation"><div class="nav-previous"><a href="/" rel="prev">&larr; All posts</a></div></div>
{_classic_comments(post, url)}
</div></div>
{_sidebar(blog)}
</div>
<div id="footer"><div id="site-info"><a href="/">{escape(blog.title)}</a> &middot; Proudly powered by WordPress.</div></div>
</div></body></html>
"""


def _sidebar(blog: Blog) -> str:
    """Widgets whose "recent comments" are no comments of the page."""
    recent = [(post, post.comments[-1]) for post in blog.posts]
    items = "\n".join(
        f'<li class="recentcomments">{escape(comment.author)} on '
        f'<a href="{post.path}#comment-{comment.id}">{escape(post.title)}</a></li>'
        for post, comment in recent
    )
    return f"""<div id="secondary" class="widget-area" role="complementary"><ul class="xoxo">
<li id="search-2" class="widget-container widget_search"><form role="search" action="/"><input type="text" name="s" /></form></li>
<li id="recent-comments-2" class="widget-container widget_recent_comments"><h3 class="widget-title">Recent Comments</h3>
<ul id="recentcomments">
{items}
</ul></li></ul></div>"""


def _respond() -> str:
    return """<div id="respond" class="comment-respond"><h3 id="reply-title" class="comment-reply-title">Leave a Reply</h3>
<form action="/wp-comments-post.php" method="post" id="commentform"><p class="comment-notes">Your email address will not be
published.</p><p><textarea name="comment" cols="45" rows="4"></textarea></p><p><input type="submit" value="Post Comment" /></p>
</form></div>"""


# -- classic comments ------------------------------------------------------------------------------------------------


def _classic_comments(post: Post, url: str) -> str:
    count = len(post.comments)
    return f"""<div id="comments">
<h3 id="comments-title">{count} Responses to <em>{escape(post.title)}</em></h3>
<ol class="commentlist">
{_classic_list(post, url, None, 1)}
</ol>
{_respond()}
</div>"""


def _classic_list(post: Post, url: str, parent: int | None, depth: int) -> str:
    return "\n".join(_classic_item(post, url, c, depth) for c in post.comments if c.to == parent)


def _classic_item(post: Post, url: str, comment: Comment, depth: int) -> str:
    if comment.kind == "pingback":
        return f"""<li class="post pingback"><p>Pingback: <a href="{comment.url}" rel="external nofollow" class="url">{escape(comment.author)}</a></p></li>"""
    replies = _classic_list(post, url, comment.id, depth + 1)
    children = f'<ul class="children">\n{replies}\n</ul>' if replies else ""
    return f"""<li class="{_classes(post, comment, depth)}" id="li-comment-{comment.id}">
<div id="comment-{comment.id}">
<div class="comment-author vcard">{AVATAR} {_fn(comment)} <span class="says">says:</span></div>
<div class="comment-meta commentmetadata"><a href="{url}#comment-{comment.id}">{clock(comment.date)}</a></div>
<div class="comment-body">{blocks(comment.text)}</div>
<div class="reply"><a class="comment-reply-link" href="{url}?replytocom={comment.id}#respond">Reply</a></div>
</div>
{children}</li>"""


def _classes(post: Post, comment: Comment, depth: int) -> str:
    names = ["comment", "even" if comment.id % 2 else "odd", f"depth-{depth}"]
    if comment.user:
        names += ["byuser", f"comment-author-{comment.user}"]
    if comment.user == post.user:
        names.append("bypostauthor")
    return " ".join(names)


def _fn(comment: Comment) -> str:
    name = escape(comment.author)
    if comment.url:
        name = f'<a href="{comment.url}" rel="external nofollow" class="url">{name}</a>'
    return f'<cite class="fn">{name}</cite>'


# -- block theme -----------------------------------------------------------------------------------------------------


def _block_page(blog: Blog, post: Post, base: str) -> str:
    url = base + post.path
    head = _head(blog, post.title, url, base, "6.5", '<link rel="https://api.w.org/" href="/wp-json/" />\n')
    return f"""{head}<body class="post-template-default single single-post postid-{post.id} wp-embed-responsive">
<div class="wp-site-blocks"><header class="wp-block-template-part"><p class="wp-block-site-title"><a href="/" rel="home">
{escape(blog.title)}</a></p><p class="wp-block-site-tagline">{escape(blog.tagline)}</p></header>
<main class="wp-block-group" id="wp--skip-link--target">
<h1 class="wp-block-post-title">{escape(post.title)}</h1>
<div class="wp-block-template-part"><div class="wp-block-post-date"><time datetime="{post.published.isoformat()}">{day(post.published)}</time></div>
<div class="wp-block-post-author"><p class="wp-block-post-author__name">{escape(post.author)}</p></div>
<div class="taxonomy-category wp-block-post-terms">{", ".join(map(escape, post.categories))}</div></div>
<div class="entry-content wp-block-post-content">
{blocks(post.text)}
</div>
<div class="wp-block-comments">
<h2 id="comments" class="wp-block-comments-title">{len(post.comments)} responses to &#8220;{escape(post.title)}&#8221;</h2>
<ol class="wp-block-comment-template">
{_block_list(post, url, None, 1)}
</ol>
{_respond()}
</div>
</main>
<footer class="wp-block-template-part"><p>{escape(blog.title)}</p></footer></div>
</body></html>
"""


def _block_list(post: Post, url: str, parent: int | None, depth: int) -> str:
    return "\n".join(_block_item(post, url, c, depth) for c in post.comments if c.to == parent)


def _block_item(post: Post, url: str, comment: Comment, depth: int) -> str:
    replies = _block_list(post, url, comment.id, depth + 1)
    children = f"<ol>\n{replies}\n</ol>" if replies else ""
    name = escape(comment.author)
    if comment.url:
        name = f'<a rel="external nofollow ugc" href="{comment.url}" target="_self">{name}</a>'
    classes = _classes(post, comment, depth).replace("comment", comment.kind, 1)
    link = f"{url}#comment-{comment.id}"
    return f"""<li id="comment-{comment.id}" class="{classes}">
<div class="wp-block-columns"><div class="wp-block-column"><div class="wp-block-avatar">{AVATAR}</div></div>
<div class="wp-block-column"><div class="wp-block-comment-author-name">{name}</div>
<div class="wp-block-group"><div class="wp-block-comment-date"><time datetime="{comment.date.isoformat()}"><a href="{link}">{clock(comment.date)}</a></time></div></div>
<div class="wp-block-comment-content">{blocks(comment.text)}</div>
<div class="wp-block-comment-reply-link"><a rel="nofollow" class="comment-reply-link" href="{url}?replytocom={comment.id}#respond">Reply</a></div>
</div></div>
{children}</li>"""


# -- other pages -----------------------------------------------------------------------------------------------------


def index_page(base: str) -> str:
    """The front page: excerpts, newest first."""
    blog = load()
    items = "\n".join(
        f'<div class="post hentry"><h2 class="entry-title"><a href="{post.path}" rel="bookmark">{escape(post.title)}</a></h2>'
        f'<div class="entry-summary"><p>{escape(plain(post.text)[:200])}&hellip;</p></div>'
        f'<a href="{post.path}#comments">{len(post.comments)} Comments</a></div>'
        for post in reversed(blog.posts)
    )
    return f'{_head(blog, "Home", base + "/", base, "6.5")}<body class="home blog"><div id="page"><h1>{escape(blog.title)}</h1>\n{items}\n</div></body></html>\n'


def feed(base: str) -> str:
    """The RSS feed."""
    blog = load()
    items = "\n".join(
        f"<item><title>{escape(post.title)}</title><link>{base}{post.path}</link>"
        f"<pubDate>{post.published:%a, %d %b %Y %H:%M:%S %z}</pubDate>"
        f"<description>{escape(plain(post.text)[:200])}</description></item>"
        for post in reversed(blog.posts)
    )
    return f'<?xml version="1.0" encoding="UTF-8"?>\n<rss version="2.0"><channel><title>{escape(blog.title)}</title><link>{base}/</link>\n{items}\n</channel></rss>\n'


# -- what must come out ----------------------------------------------------------------------------------------------


def expected_threads(base: str) -> list[dict[str, Any]]:
    """The truth about each post and its comments, in page order, for tests."""
    base = base.rstrip("/")
    return [_expected(post, base) for post in load().posts]


def _expected(post: Post, base: str) -> dict[str, Any]:
    places = {comment.id: n for n, (comment, _) in enumerate(ordered(post))}
    url = base + post.path
    return {
        "url": url,
        "title": post.title,
        "author": post.author,
        "published": post.published,
        "text": plain(post.text),
        "comments": [
            {
                "native_id": None if c.kind == "pingback" and post.theme == "classic" else f"comment-{c.id}",
                "author": c.author,
                "author_url": c.url,
                "published": None if c.kind == "pingback" and post.theme == "classic" else c.date,
                "parent": None if c.to is None else places[c.to],
                "depth": depth,
                "kind": c.kind,
                "state": c.state,
                "is_post_author": c.user == post.user,
                "text": plain(c.text),
            }
            for c, depth in ordered(post)
        ],
    }
