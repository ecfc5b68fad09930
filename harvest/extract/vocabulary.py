"""The words that mark comments, their parts and their traps, in several languages: data, not code."""

from __future__ import annotations

import re


def _pattern(words: str) -> re.Pattern[str]:
    return re.compile("|".join(words.split()), re.I)


#: Ids and classes of single comments.
COMMENT = _pattern(
    r"comment(?!ator) komment commentaire comentari coment[aá] comment[io]\b reactie reaction respons reply replies antwort respuesta risposta"  # noqa: E501
    r" reponse opinion cmt\b cmt[-_] feedback discussion-?post kommentar"
)
#: Ids and classes of single posts in a discussion.
POST = _pattern(r"post msg message beitrag posting nachricht kmsg\b crawler-post entry thread-?item")
#: Parts of a comment, or the region around all of them, by a word in the same token.
PART = _pattern(
    r"form respond link count number author meta body content text header footer avatar list wrap container area section date"
    r" title links nav reply- tool action button count block head foot info image pic photo vote rating input field label box"
)
#: Regions that list comments of other pages, or things that are no comments.
ASIDE = _pattern(
    r"recent latest neueste letzte dernier ultimos [úu]ltim related similar popular most- mostcomm top-?comment sidebar widget"
    r" footer-?widget blogroll archive recommended highlights? teaser promo trending featured-comment navigation breadcrumb"
)
#: Class words of a comment's author, best first.
AUTHOR = tuple(
    re.compile(words, re.I)
    for words in (
        r"(?:^|[\s_-])(?:fn|n|nickname|nick|screen_?name|display-?name)(?:$|[\s_-])",
        r"(?:author|user|poster|commenter|commentator|member|autor|auteur)[-_]?(?:name|link|title|nick)",
        r"(?:comment|cmt|reply|post)[-_]?(?:author|user|poster|name|by|autor|auteur)(?!.*(?:img|pic|avatar|photo))",
        r"(?:^|[\s_-])(?:author|username|user|poster|postedby|posted-by|name|commenter|bigusername|creator|who|autor|auteur|by|byline)(?:$|[\s_-])",
    )
)
AUTHOR_NOT = re.compile(
    r"avatar|img|image|photo|pic|count|rank|title|role|badge|level|status|info|stats|online|signature|box|says", re.I
)
#: Class words of a comment's date.
DATE = re.compile(r"date|time|publish|posted|stamp|\bago\b|datum|when|meta|fecha|created|\bage\b", re.I)
#: Class words of a comment's body, best first.
BODY = tuple(
    re.compile(words, re.I)
    for words in (
        r"(?:comment|cmt|reply|post|message|msg|user|posting)[-_]?(?:text|content|message|copy|main-?text|html|entry)(?!.*(?:wrap|head|foot|meta))",
        r"(?:^|[\s_-])(?:text|content|message|msg|body|copy|postbody|entry-content|inhalt|texte|message-?text|quote-?content)(?:$|[\s_-])",
        r"(?:comment|cmt|reply|post|message|msg)[-_]?body",
    )
)
#: Controls inside a comment; their text is never part of it.
ACTION = re.compile(
    r"(?:^|[\s_-])(?:reply|replies|actions?|toolbar|tools?|vote|votes|voting|rating|like|likes|share|sharing|report|flag|avatar|userpic|edit|edit-link"
    r"|permalink|hidden|hide|screen-reader-text|sr-only|visually-hidden|signature|sig|reply-link|karma|thumbs|userinfo|user_info|postprofile"
    r"|says|buttons?|controls|postsignature|jump)(?:$|[\s_-])",
    re.I,
)
#: A list of replies beside or in the comment they answer.
NEST = re.compile(
    r"(?:^|[\s_-])(?:children|indented|replies|nested|sub-?comments?|child|responses|answers|kids|comment_children)(?:$|[\s_-])",
    re.I,
)
LEVEL = re.compile(r"(?:depth|level|lvl|indent|ebene|niveau)[-_]?(\d{1,2})\b", re.I)

#: Words that a comment's header or footer is made of, besides its author and date.
_META_WORDS_LIST = """
    a at on in by the of said says say wrote writes wrote: posted comment comments commented from via permalink link
    reply replied quote edit report flag this share like likes am pm uhr um on: sagt sagte schrieb schreibt meint von
    vom kommentar kommentiert geschrieben antworten antwort zitieren melden bearbeiten le la dit écrit à par répondre
    signaler lien dice dijo el las responder enviado de por scrive ha scritto il alle rispondi posté re to delete up
    down vote votes rate anonymous guest gast permanent permalien abuse abusive inappropriate offensive recommend
    recommended parent top monday tuesday wednesday thursday friday saturday sunday mon tue wed thu fri sat sun montag
    dienstag mittwoch donnerstag freitag samstag sonntag mo di mi do fr sa so lundi mardi mercredi jeudi vendredi
    samedi dimanche utc gmt est edt pst pdt cst cdt et pt h hrs ago is it no score points point helpful ok soumis join
    joined member new user profile view visit website web homepage author autor auteur login log register or and und
    oder comments: # pingback trackback thread date time email print hide show all more your hours days minutes post
"""
META_WORDS = frozenset(_META_WORDS_LIST.split())

_COMMENTS = (
    r"comments?|responses?|replies|reply|thoughts?|reactions?|kommentare?n?|antworten?|meinung(?:en)?|commentaires?|réactions?|réponses?|comentarios?|"
    r"respuestas?|comentários?|commenti|risposte|reacties|kommentarer|comment\(s\)|discussion|feedback|opinions?|beiträge|trackbacks?"
)
#: "12 comments", "One Response to …", "Comments (12)".
ANNOUNCED = (
    re.compile(
        rf"\b(?P<n>\d{{1,3}}(?:[.,]\d{{3}})+|\d+|one|an?|ein|eine|un|uno|no|zero|keine?|aucun)\s+(?:\w+\s+)?(?:{_COMMENTS})\b",
        re.I,
    ),
    re.compile(rf"\b(?:{_COMMENTS})\s*[:(\[]\s*(?P<n>\d+)\s*[)\]]?", re.I),
)
COUNT_WORDS = {
    "one": 1,
    "a": 1,
    "an": 1,
    "ein": 1,
    "eine": 1,
    "un": 1,
    "uno": 1,
    "no": 0,
    "zero": 0,
    "kein": 0,
    "keine": 0,
    "aucun": 0,
}
#: Body texts that stand for a comment that is gone, or not yet there.
DELETED = re.compile(
    r"^\W*(?:this (?:comment|post) (?:has been|was) (?:removed|deleted)[^.]{0,60}|(?:comment|post) (?:deleted|removed)[^.]{0,40}|deleted|removed"  # noqa: E501
    r"|dieser kommentar wurde (?:gelöscht|entfernt|vom autor entfernt)[^.]{0,40}|ce commentaire a été supprimé[^.]{0,60}"
    r"|este (?:comentario|blog) ha sido eliminado[^.]{0,40})\W*$",
    re.I,
)
#: A line that says that the comment was changed after it was posted.
EDITED = re.compile(
    r"^\W*(?:last |zuletzt )?(?:edited|modified|updated|bearbeitet|geändert|modifié|édité|editado|modificato|bewerkt)\b.{0,20}"
    r"(?:\bby\b|\bon\b|\bat\b|\bvon\b|\bam\b|\bpar\b|\ble\b|\bpor\b|:|\d)|^\W*\(?edited\)?\W*$",
    re.I,
)
HIDDEN = re.compile(r"^\W*this comment (?:is|has been) (?:hidden|collapsed|flagged)[^.]{0,60}\W*$", re.I)
PENDING = re.compile(
    r"awaiting moderation|wartet auf (?:freischaltung|moderation)|en attente de modération|pendiente de moderación",
    re.I,
)
