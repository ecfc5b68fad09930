"""What the test blogs hold: posts with comments in the shapes that make threads hard. Keys name parents; order is time order."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

Comment = dict[str, Any]

#: Texts as people type them into a WordPress form; what WordPress makes of them is its own affair.
ODD_TEXTS = (
    "Plain words, \"double\" and 'single' quotes -- and a dash... 5 < 6 &amp; 7 > 2.",
    "<blockquote>The frost came early this year.</blockquote>\n\nIt did here too, on the <em>ninth</em>.",
    "Run this:\n\n<code>for bed in beds:\n    bed.dig()</code>\n\nand you are <strong>done</strong>.",
    'See <a href="https://seeds.example/list?a=1&amp;b=2">the list</a> or https://garden.example/notes for more.',
    "Lovely 🌱🥕 — naïve café, 日本語, עברית, и русский :) ;-)",
    "My list:\n\n<ul>\n<li>spade</li>\n<li>fork</li>\n</ul>\n\nThat is all.",
    "One line\nand the next line\nand a third.\n\nA new paragraph.",
    "Reply to this if you can. Posted by nobody on December 1, 2011 at 8:00 am, as they say.",
    "<del>wrong</del> right, x<sup>2</sup> is not allowed, but 1/2 and (c) are just text.",
    "1. Dig.\n2. Sow.\n3. Wait.\n\n- and a bullet\n- and another",
    "Agreed!",
    "https://only-a-link.example/",
    "He said: &lt;b&gt;not bold&lt;/b&gt; and I wrote [gallery] and [caption]text[/caption].",
    "Wordpress is spelt WordPress; e-mail me at someone@mail.example please.",
)

AUTHORS = (
    ("Ann Archer", "https://ann.example/"),
    ("bob", ""),
    ("Çelik Öztürk", ""),
    ("Dr. O'Neil & Sons", "https://oneil.example/?a=1&b=2"),
    ("admin", ""),
    ("王小明", "https://wang.example/blog"),
    ("May", ""),
    ("J. 🌻", ""),
)

START = datetime(2012, 12, 5, 9, 14, 7)


def _comment(n: int, parent: str | None, text: str, **more: Any) -> Comment:
    author, url = AUTHORS[n % len(AUTHORS)]
    # uneven steps, over daylight saving's end and start
    date = START + timedelta(minutes=37 * n + n % 7, days=3 * n, seconds=n)
    return {
        "key": f"c{n}",
        "parent": parent,
        "author": author,
        "url": url,
        "date": date.isoformat(),
        "content": text,
    } | more


def deep_thread() -> list[Comment]:
    """Chains of ten replies (the theme shows five), siblings at each level, odd texts, pings, and what must stay unseen."""
    found: list[Comment] = []

    def add(parent: str | None, text: str, **more: Any) -> str:
        found.append(_comment(len(found), parent, text, **more))
        return str(found[-1]["key"])

    tops = [add(None, text) for text in ODD_TEXTS]
    chain = tops[0]
    for level in range(2, 11):
        before, chain = chain, add(chain, f"Level {level}, down the chain.")
        if level in (4, 7, 9):
            add(before, f"Beside level {level}.")
    add(tops[1], "Keeper here: thank you.", registered=True)
    add(tops[1], "A second answer to the same.")
    add(
        None,
        "[…] noted in our weekly round-up […]",
        type="pingback",
        author="Weekly round-up",
        url="https://weekly.example/50/",
    )
    add(
        None,
        "<strong>Frost lore</strong>\n\nAn excerpt of our post.",
        type="trackback",
        author="Frost lore",
        url="https://lore.example/f",
    )
    add(tops[2], "This one waits for the keeper.", status="hold")
    add(tops[2], "Buy watches now", status="spam")
    add(tops[3], "Gone to the compost.", status="trash")
    hidden = add(tops[4], "Held back, but answered below.", status="hold")
    add(hidden, "An answer to something that nobody sees.")
    add(None, "The last word.")
    return found


def long_thread(tops: int = 47) -> list[Comment]:
    """Many comments over several pages: every third is answered, every sixth twice, and pings stand among them."""
    found: list[Comment] = []
    for n in range(tops):
        found.append(_comment(len(found), None, f"Comment number {n} of a long thread."))
        top = found[-1]["key"]
        if n % 3 == 0:
            found.append(_comment(len(found), top, f"An answer to number {n}."))
        if n % 6 == 0:
            found.append(_comment(len(found), found[-1]["key"], f"And back to the answer to {n}."))
        if n % 20 == 5:
            ping = {"type": "pingback", "author": f"Page {n} elsewhere", "url": f"https://page{n}.example/"}
            found.append(_comment(len(found), None, f"[…] cited number {n} […]", **ping))
    return found


POST = {
    "post_title": "Frost in the allotment",
    "post_name": "frost",
    "post_date": "2012-12-05 08:00:00",
    "post_content": "<p>The frost came in the night and took the last of the beans, and it was only the fifth of the month.</p>\n"
    "<p>What did you lose, and what did you save? Tell us below; the ground is hard, the kettle is on, and there is time.</p>",
}

#: Texts as Isso's form takes them: Markdown.
MARKDOWN = (
    "Plain words, \"double\" and 'single' quotes -- and a dash... 5 < 6 & 7 > 2.",
    "> The frost came early this year.\n\nIt did here too, on the *ninth*.",
    "Run this:\n\n    for bed in beds:\n        bed.dig()\n\nand you are **done**.",
    "See [the list](https://seeds.example/list?a=1&b=2) for more.",
    "Lovely 🌱🥕 — naïve café, 日本語, עברית, и русский :)",
    "My list:\n\n- spade\n- fork\n\nThat is all.",
    "One line\nand the next line\n\nA new paragraph.",
    "He said: <b>not bold</b> <script>alert(1)</script> and went.",
)
