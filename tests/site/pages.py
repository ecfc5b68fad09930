"""The pages of the hard site: path -> (status, headers, body)."""

# ruff: noqa: E501, UP031 - page sources keep their own lines and braces

from __future__ import annotations

import gzip

PAGE = "<!doctype html><html><head><meta charset=utf-8><title>{title}</title></head><body><h1>{title}</h1>{body}</body></html>"


def page(title: str, body: str = "") -> bytes:
    return PAGE.format(title=title, body=body).encode()


def comments(first: int, last: int) -> str:
    return "".join(
        f'<li class="comment" id="comment-{n}"><cite class="fn">Writer {n}</cite>'
        f"<p>Comment number {n} says that the bread of the {n}th day is the best.</p></li>"
        for n in range(first, last + 1)
    )


#: A valid, very small PDF.
PDF = (
    b"%PDF-1.1\n1 0 obj<</Type/Catalog/Pages 2 0 R>>endobj 2 0 obj<</Type/Pages/Kids[]/Count 0>>endobj\n"
    b"trailer<</Root 1 0 R>>"
)

#: One transparent pixel.
GIF = bytes.fromhex("47494638396101000100800000000000ffffff21f90401000000002c00000000010001000002024401003b")

#: A quarter of a second of silence.
WAV = (
    b"RIFF"
    + (36 + 2000).to_bytes(4, "little")
    + b"WAVEfmt "
    + bytes.fromhex("10000000010001004000000040000000" + "01000800")
    + b"data"
    + (2000).to_bytes(4, "little")
    + b"\x80" * 2000
)

SCRIPT = """<script>
fetch('/api', {method: 'POST', headers: {'Content-Type': 'application/json'}, body: '{"page": 2}'});
fetch('/no-content'); fetch('/gz.json'); fetch('/chunked');
new EventSource('/events');
</script><iframe src="/inner"></iframe><img src="/missing.png">"""

SHADOW = """<div id="host"></div><script>
document.getElementById('host').attachShadow({mode: 'open'}).innerHTML = '<p>inside the shadow</p>';
</script>"""

CLOSED_SHADOW = """<div id="host"></div><script>
const root = document.getElementById('host').attachShadow({mode: 'closed'});
root.innerHTML = '<p>behind the closed door</p><div id=deep></div>';
root.getElementById('deep').attachShadow({mode: 'open'}).innerHTML = '<p>and one room further</p>';
</script>"""

NUISANCE = """<script>alert('hello'); confirm('really?'); window.open('/inner'); onbeforeunload = () => 'stay';
navigator.geolocation.getCurrentPosition(() => {}); window.print();</script><p>still here</p>"""

POPUPS = """<p>a quiet text</p><script>
for (let n = 0; n < 15; n++) { window.open('/popup?' + n); }
for (let n = 0; n < 15; n++) { const a = document.createElement('a'); a.href = '/download?' + n; a.download = '../../evil-' + n; a.click(); }
</script>"""

ENDLESS = """<div id=feed></div><script>
let n = 0;
const more = () => { for (let i = 0; i < 5; i++) { const p = document.createElement('p'); p.textContent = 'row ' + n++;
  p.style.height = '400px'; document.getElementById('feed').append(p); } };
more(); addEventListener('scroll', () => { if (scrollY + innerHeight > document.body.scrollHeight - 300) more(); });
</script>"""

MORE_WITHOUT_END = """<div id="comments"><ol id=list>%s</ol><button type=button id=more>Load more comments</button></div><script>
let n = 3; document.getElementById('more').onclick = () => { n++;
document.getElementById('list').insertAdjacentHTML('beforeend', '<li class="comment" id="comment-' + n + '"><p>one more ' + n + '</p></li>'); };
</script>""" % comments(1, 3)

POST_PAGED = """<div id="comments"><h2>9 comments</h2><ol id=list>%s</ol>
<a href="#more" id=more>Older comments</a></div><script>
let page = 1;
document.getElementById('more').onclick = async (event) => {
  event.preventDefault(); page += 1;
  const form = new FormData(); form.set('page', page);
  const answer = await fetch('/more-comments', {method: 'POST', body: new URLSearchParams(form)});
  const html = await answer.text();
  if (html) document.getElementById('list').insertAdjacentHTML('beforeend', html); else document.getElementById('more').remove();
};
</script>""" % comments(1, 3)

FOLDED = """<div class="comments"><ol>%s</ol>
<details><summary>2 replies</summary><ol>%s</ol></details>
<div id=hidden hidden><p class="comment" id="comment-9">a reply that was folded away</p></div>
<span role=button class=toggle onclick="document.getElementById('hidden').hidden = false; this.textContent = 'Hide replies'">View 1 more reply</span>
<form action="/submitted" method=post><input name=q value=x><button>Show all comments</button></form>
<button type=button onclick="fetch('/liked', {method: 'POST'})">Like</button>
<button type=button onclick="fetch('/reported', {method: 'POST'})">Report</button>
<a href="/followed">Follow this thread</a> <a href="/logged-in">Log in to see more comments</a>
<a href="/left">Read more</a></div>""" % (comments(1, 2), comments(3, 4))

LAZY = (
    "<p>top</p><div style='height:6000px'></div><img loading=lazy src='/pixel.gif?lazy' width=50 height=50 alt=x>"
    + ("<iframe loading=lazy src='/inner?lazy'></iframe>")
)

SERVICE_WORKER = """<p id=out>waiting</p><script>
navigator.serviceWorker.register('/sw.js').then(() => navigator.serviceWorker.ready).then(async () => {
  if (!navigator.serviceWorker.controller) await new Promise(r => { navigator.serviceWorker.oncontrollerchange = r; });
  document.getElementById('out').textContent = await (await fetch('/from-worker.txt')).text();
  clearInterval(beat);
});
// a worker takes as long to start as a busy machine lets it: until then the page shows that it is not done
const beat = setInterval(() => fetch('/tick'), 50);
</script>"""

SW_JS = """self.addEventListener('install', () => self.skipWaiting());
self.addEventListener('activate', (e) => e.waitUntil(self.clients.claim()));
self.addEventListener('fetch', (e) => { if (e.request.url.endsWith('/from-worker.txt')) e.respondWith(fetch('/asked-by-worker.txt')); });"""

WORKER = """<p id=out>waiting</p><script>
const beat = setInterval(() => fetch('/tick'), 50);
new Worker('/worker.js').onmessage = (e) => { document.getElementById('out').textContent = e.data; clearInterval(beat); };
</script>"""

VIRTUAL = """<style>#box{position:relative;height:24000px}.row{position:absolute;height:200px}</style>
<div id="comments"><div id=box></div></div><script>
const box = document.getElementById('box');
const draw = () => { const first = Math.max(0, Math.floor(scrollY / 200) - 2), last = Math.min(119, first + 12);
  box.innerHTML = ''; for (let n = first; n <= last; n++) box.insertAdjacentHTML('beforeend',
  `<div class="row comment" id="comment-${n}" style="top:${n * 200}px"><b class="fn">Guest ${n}</b><p>Row ${n} of the long list, with a word or two.</p></div>`); };
draw(); addEventListener('scroll', draw);
</script>"""

CANARY = """<script>
for (const url of %s) {
  fetch(url, {mode: 'no-cors'}).catch(() => {});
  const image = new Image(); image.src = url;
  const frame = document.createElement('iframe'); frame.src = url; document.body.append(frame);
  navigator.sendBeacon(url, 'x');
  try { new WebSocket(url.replace('http', 'ws')); } catch {}
}
</script><p>a harmless text</p>"""

BLOBS = """<p id=a></p><p id=b></p><script>
const set = (id) => (text) => { document.getElementById(id).textContent = text; };
fetch(URL.createObjectURL(new Blob(['from a blob']))).then(r => r.text()).then(set('a'));
fetch('data:text/plain,from%20data').then(r => r.text()).then(set('b'));
</script><iframe src="data:text/html,<p>framed data"></iframe><iframe srcdoc="<p>framed source"></iframe>"""

BANNER = """<div class="cookie-banner" style="position:fixed;inset:0;background:#fff;z-index:9">
<p>We and our 1,204 partners use cookies to store and access information.</p>
<button type=button onclick="fetch('/accepted',{method:'POST'})">Accept all</button>
<button type=button onclick="this.parentNode.remove(); fetch('/declined',{method:'POST'})">Reject all</button></div><p>the text below</p>"""

WALL = """<div style="position:fixed;inset:0;background:#eee"><p>This site uses cookies. By staying you agree to the tracking of everything.</p>
<button type=button>OK</button></div><p>the text behind the wall</p>"""

CHALLENGE = """<p>Checking your browser before accessing the site. Enable JavaScript and cookies to continue.</p>
<script src="/cdn-cgi/challenge-platform/h/b/orchestrate/chl_page/v1"></script>"""

LOGIN = "<form method=post action=/session><p>Please log in to continue.</p><input name=u><input type=password name=p><button>Log in</button></form>"

PUSH_STATE = "<p>one address, another name</p><script>history.pushState({}, '', '/nice-address');</script>"

SCHEMES = """<p>plain text</p><iframe src="file:///etc/passwd"></iframe><iframe src="chrome://version"></iframe><iframe src="ftp://127.0.0.1/x"></iframe>
<a id=m href="mailto:a@b.example">m</a><script>document.getElementById('m').click(); location.href = 'chorus-unknown:do';</script>"""

MEDIA = "<audio id=a src='/sound.wav' preload=auto></audio><script>fetch('/sound.wav', {headers: {Range: 'bytes=100-199'}});</script><p>listen</p>"

PAGES: dict[str, tuple[int, dict[str, str], bytes]] = {
    "/": (200, {}, page("Home", "<p>the home page</p>")),
    "/edge": (200, {"Set-Cookie": "taste=oat; Path=/"}, page("Edge cases", SCRIPT)),
    "/inner": (200, {}, page("Inner", "<p>text of the frame</p>")),
    "/hop1": (302, {"Location": "/hop2"}, b""),
    "/hop2": (301, {"Location": "/edge"}, b""),
    "/loop": (302, {"Location": "/loop"}, b""),
    "/gone/2012/a-post": (302, {"Location": "/"}, b""),
    "/no-content": (204, {}, b""),
    "/gz.json": (
        200,
        {"Content-Type": "application/json", "Content-Encoding": "gzip"},
        gzip.compress(b'{"a": "' + b"x" * 999 + b'"}'),
    ),
    "/paper.pdf": (200, {"Content-Type": "application/pdf"}, PDF),
    "/empty": (200, {}, b""),
    "/shadow": (200, {}, page("Shadow", SHADOW)),
    "/closed-shadow": (200, {}, page("Closed shadow", CLOSED_SHADOW)),
    "/nuisance": (200, {}, page("Nuisance", NUISANCE)),
    "/popups": (200, {}, page("Popups and downloads", POPUPS)),
    "/popup": (200, {}, page("A popup")),
    "/download": (
        200,
        {"Content-Type": "application/octet-stream", "Content-Disposition": 'attachment; filename="../../../etc/evil"'},
        b"a file that nobody asked for" * 9,
    ),
    "/error": (500, {}, page("Broken")),
    "/latin": (
        200,
        {"Content-Type": "text/html; charset=iso-8859-1"},
        "<title>Caf\xe9</title><p>caf\xe9</p>".encode("latin-1"),
    ),
    "/wrong-charset": (
        200,
        {"Content-Type": "text/html; charset=x-unheard-of"},
        page("Charset", "<p>naïve façade</p>"),
    ),
    "/endless": (200, {}, page("Endless", ENDLESS)),
    "/more-without-end": (200, {}, page("More without end", MORE_WITHOUT_END)),
    "/post-paged": (200, {}, page("Paged by POST", POST_PAGED)),
    "/folded": (200, {}, page("Folded", FOLDED)),
    "/lazy": (200, {}, page("Lazy", LAZY)),
    "/pixel.gif": (200, {"Content-Type": "image/gif"}, GIF),
    "/service-worker": (200, {}, page("Service worker", SERVICE_WORKER)),
    "/sw.js": (200, {"Content-Type": "text/javascript"}, SW_JS.encode()),
    "/asked-by-worker.txt": (200, {"Content-Type": "text/plain"}, b"the service worker asked for this"),
    "/worker": (200, {}, page("Worker", WORKER)),
    "/tick": (204, {}, b""),
    "/worker.js": (
        200,
        {"Content-Type": "text/javascript"},
        b"fetch('/for-worker.txt').then(r => r.text()).then(t => postMessage(t));",
    ),
    "/for-worker.txt": (200, {"Content-Type": "text/plain"}, b"the worker asked for this"),
    "/virtual": (200, {}, page("Virtualised", VIRTUAL)),
    "/huge-dom": (200, {}, page("Huge", "<ul>" + "<li>x</li>" * 60_000 + "</ul>")),
    "/deep": (200, {}, page("Deep", "<div>" * 5_000 + "bottom" + "</div>" * 5_000)),
    "/meta-refresh": (
        200,
        {},
        b"<meta http-equiv=refresh content='0; url=/inner?refreshed'><title>Moved</title><p>going on</p>",
    ),
    "/blobs": (200, {}, page("Blobs", BLOBS)),
    "/banner": (200, {}, page("Banner", BANNER)),
    "/wall": (200, {}, page("Wall", WALL)),
    "/challenge": (403, {"cf-mitigated": "challenge"}, page("Just a moment...", CHALLENGE)),
    "/login-wall": (200, {}, page("Members", LOGIN)),
    "/soft-404": (200, {}, page("Page not found", "<p>It looks like nothing was found at this location.</p>")),
    "/about-robots": (
        200,
        {},
        page(
            "Are you human? A short history", "<p>" + "Captchas have a long and odd history, told here. " * 60 + "</p>"
        ),
    ),
    "/push-state": (200, {}, page("Push state", PUSH_STATE)),
    "/schemes": (200, {}, page("Schemes", SCHEMES)),
    "/media": (200, {}, page("Media", MEDIA)),
    "/hang": (200, {}, page("Hang", "<p>before</p><script>setTimeout(() => { for (;;) {} }, 50);</script>")),
    "/traversal": (200, {}, page("../../../../tmp/evil\\..\\x", "<p>a title that wants to be a path</p>")),
}
