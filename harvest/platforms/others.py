"""Hacker News, LiveJournal, IntenseDebate, schema.org microdata and IndieWeb comments as static HTML."""

from harvest.platforms.rules import Rules

RULES = (
    Rules(
        name="hackernews",
        signs=("table.comment-tree",),
        items=("tr.athing.comtr",),
        author=(".hnuser",),
        date=(".age",),
        body=(".commtext",),
        permalink=(".age a",),
        drop=(".reply",),
    ),
    Rules(
        name="intensedebate",
        items=("div.idc-c",),
        author=(".idc-c-h-inner a", ".idc-name"),
        date=(".idc-time",),
        body=(".idc-c-t-inner", ".idc-c-t"),
    ),
    Rules(
        name="livejournal",
        signs=("[class*=b-leaf]", "[id^=ljcmt]"),
        items=("div.b-leaf", "[id^=ljcmt]"),
        author=(".ljuser b", ".b-leaf-username", ".ljuser"),
        date=(".b-leaf-createdtime", ".comment-datetimelink", "[title*=journal]"),
        body=(".b-leaf-article", ".comment-text", ".comment-body"),
    ),
    Rules(
        name="microdata",
        items=(
            "[itemprop=comment][itemscope]",
            "[itemtype*=schema.org/Comment]",
            "[itemtype*=schema.org/UserComments]",
        ),
        author=(
            "[itemprop=author] [itemprop=name]",
            "[itemprop=creator] [itemprop=name]",
            "[itemprop=author]",
            "[itemprop=creator]",
        ),
        date=("[itemprop=datePublished]", "[itemprop=dateCreated]", "[itemprop=commentTime]", "time[datetime]"),
        body=("[itemprop=text]", "[itemprop=commentText]", "[itemprop=articleBody]"),
    ),
    Rules(
        name="livefyre",
        items=("div.lf_comment_container",),
        author=(".lf_author a", ".lf_author_name", ".lf_author"),
        date=(".lf_date", ".lf_time"),
        body=(".lf_body", ".lf_comment_body"),
    ),
    Rules(
        name="lemmy",
        items=("article.comment-node[id^=comment-]", "article[id^=comment-]"),
        author=("a.person-listing", ".person-listing"),
        date=(".moment-time", "time[datetime]"),
        body=(".comment-content .md-div", ".md-div"),
        drop=(".comment-bottom-btns", ".btn-group"),
        signs=(".person-listing",),
    ),
    Rules(
        name="substack",
        signs=("[src*=substackcdn.com]", "[href*=substackcdn.com]", "link[href*=substack.com]"),
        items=("div.comment",),
        author=(".commenter-name", ".comment-meta a", ".account"),
        date=(".comment-meta [title]", ".comment-timestamp", "time[datetime]"),
        body=(".comment-body",),
        drop=(".comment-actions", ".comment-head-image"),
    ),
    Rules(
        name="indieweb",
        items=(".u-comment.h-cite", ".p-comment.h-entry", ".p-comment.h-cite"),
        author=(".p-author .p-name", ".p-author"),
        date=("time.dt-published", ".dt-published"),
        body=(".e-content", ".p-content"),
        permalink=("a.u-url",),
    ),
)
