// Runs inside the page, in each frame. State lives in one hidden property; the page's own elements are not marked.
(rules) => {
  const key = Symbol.for('chorus.behaviours');
  if (window[key]) return true;

  const regexes = (list) => list.map((text) => new RegExp(text, 'iu'));
  const open = regexes(rules.open), never = regexes(rules.never), decline = regexes(rules.decline);
  const about = new RegExp(rules.about, 'iu');
  const spent = new WeakMap();   // control -> how often it was clicked without effect
  const CONTROLS = 'button, a, summary, [role="button"], [onclick], [class*="more" i], [class*="expand" i], [class*="toggle" i], [class*="show" i]';

  const words = (element) => (element.innerText || element.value || element.getAttribute('aria-label') || '').replace(/\s+/g, ' ').trim();
  const shown = (element) => {
    const box = element.getBoundingClientRect();
    if (box.width < 4 || box.height < 4) return false;
    return element.checkVisibility ? element.checkVisibility({visibilityProperty: true, opacityProperty: true}) : true;
  };
  const submits = (element) => {
    const button = element.closest('button, input');
    return !!button && !!button.form && button.type !== 'button';
  };
  const leaves = (element) => {
    const link = element.closest('a[href]');
    if (!link) return false;
    const href = link.getAttribute('href').trim();
    if (href === '' || href.startsWith('#') || href.toLowerCase().startsWith('javascript:')) return false;
    try {
      const to = new URL(href, location.href);
      return to.origin !== location.origin;   // on the same site a script may take the click; navigation itself is prevented
    } catch { return true; }
  };
  const all = (selector) => {
    const found = [], walk = (root) => {
      found.push(...root.querySelectorAll(selector));
      for (const element of root.querySelectorAll('*')) if (element.shadowRoot) walk(element.shadowRoot);
    };
    walk(document);
    return found;
  };
  const inRegion = (element) => {
    for (let node = element; node; node = node.parentNode || node.host) {
      if (node === document.body || node === document.documentElement) return false;
      if (node.matches && node.matches(rules.region)) return true;
    }
    return false;
  };
  const weight = () => all(rules.region).reduce((sum, element) => sum + element.getElementsByTagName('*').length, 0)
    + document.getElementsByTagName('*').length;

  // A click may call the page's scripts, but never sends a form or leaves the page: default actions are undone last.
  const guard = (event) => {
    const link = event.target && event.target.closest ? event.target.closest('a[href]') : null;
    if (event.type === 'submit' || (link && !link.getAttribute('href').trim().startsWith('#'))) event.preventDefault();
  };

  const press = (element) => {
    for (const type of ['click', 'submit']) window.addEventListener(type, guard);
    const was = window.open;
    try { window.open = () => null; element.click(); } catch { /* the page's own error */ }
    setTimeout(() => { for (const type of ['click', 'submit']) window.removeEventListener(type, guard); window.open = was; }, 50);
  };

  const candidates = (whole) => all(CONTROLS).filter((element) => {
    if ((spent.get(element) || 0) >= 1) return false;
    const text = words(element);
    if (!text || text.length > 60 || never.some((r) => r.test(text)) || !open.some((r) => r.test(text))) return false;
    if (submits(element) || leaves(element)) return false;
    if (element.getAttribute('aria-expanded') === 'true' || element.closest('summary')) return false;   // unfold() opens these
    if (!(whole || inRegion(element)) || !shown(element)) return false;
    const inner = element.querySelector(CONTROLS);
    return !(inner && words(inner) === text);   // the innermost control of the same words
  });

  const unfold = () => {
    let n = 0;
    for (const details of all('details:not([open])')) if (inRegion(details)) { details.open = true; n += 1; }
    return n;
  };

  const banner = () => {
    const named = all(rules.containers).filter(shown);
    if (named.length) return named;
    return all('div, section, aside, dialog, form').filter((element) => {
      const style = getComputedStyle(element);
      if (style.position !== 'fixed' && style.position !== 'sticky') return false;
      const text = words(element);
      return shown(element) && text.length > 20 && text.length < 3000 && about.test(text);
    });
  };

  // Rows that a virtualised list takes away again are kept: first seen, first in the list.
  const removed = new Map();
  let size = 0;
  const watch = new MutationObserver((records) => {
    for (const record of records) for (const node of record.removedNodes) {
      if (node.nodeType !== 1 || size > rules.keep_bytes || !node.matches(rules.region)) continue;
      const html = node.outerHTML, id = node.id || node.dataset.id || html;
      if (!removed.has(id)) { removed.set(id, html); size += html.length; }
    }
  });
  watch.observe(document.documentElement, {childList: true, subtree: true});

  const api = {
    weight, unfold,
    height: () => Math.max(document.documentElement.scrollHeight, document.body ? document.body.scrollHeight : 0),
    scroll: () => {
      const box = document.scrollingElement || document.documentElement;
      const before = window.scrollY;
      window.scrollBy({top: Math.floor(window.innerHeight * 0.9), behavior: 'instant'});
      return {end: window.scrollY + window.innerHeight >= box.scrollHeight - 2 || window.scrollY === before, height: box.scrollHeight};
    },
    top: () => window.scrollTo({top: 0, behavior: 'instant'}),
    next: (whole) => {
      const found = candidates(whole);
      if (!found.length) return null;
      const element = found[0];
      window[key].last = element;
      const about = {text: words(element).slice(0, 60), tag: element.tagName.toLowerCase(), left: found.length - 1, weight: weight()};
      press(element);
      return about;
    },
    exhausted: () => { const last = window[key].last; if (last) spent.set(last, (spent.get(last) || 0) + 1); },
    decline: () => {
      for (const box of banner()) {
        const roots = [box, ...(box.shadowRoot ? [box.shadowRoot] : [])];
        for (const root of roots) for (const element of root.querySelectorAll('button, a, [role="button"], input[type="button"]')) {
          const text = words(element);
          if (text && text.length < 60 && decline.some((r) => r.test(text)) && shown(element) && !leaves(element)) { press(element); return text; }
        }
      }
      return null;
    },
    removed: () => {
      const gone = [...removed.entries()].filter(([id]) => !document.getElementById(id)).length;
      return gone ? '<div id="comments">' + [...removed.values()].join('\n') + '</div>' : null;
    },
    hide: () => {
      let n = 0;
      for (const element of banner()) { element.style.setProperty('display', 'none', 'important'); n += 1; }
      if (n) for (const element of [document.documentElement, document.body]) element && element.style.setProperty('overflow', 'auto', 'important');
      return n;
    },
  };
  Object.defineProperty(window, key, {value: api, enumerable: false});
  return true;
}
