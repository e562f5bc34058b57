// The page is whole without this: it adds zoom, a crosshair, a filter for logs, and buttons that copy.
(() => {
  'use strict';
  const $ = (selector, root = document) => [...root.querySelectorAll(selector)];
  const svg = document.querySelector('svg[data-to]');
  const make = (name, attributes) => {
    const e = document.createElementNS(svg.namespaceURI, name);
    for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
    return e;
  };

  // Zoom: everything in the plot is remapped from the place that it was drawn at.
  if (svg) {
    const whole = [0, Number(svg.dataset.to)], left = Number(svg.dataset.left), right = Number(svg.dataset.right);
    const height = svg.viewBox.baseVal.height;
    let shown = whole.slice();
    const timeAt = x => shown[0] + (x - left) / (right - left) * (shown[1] - shown[0]);
    const original = x => whole[0] + (x - left) / (right - left) * (whole[1] - whole[0]);
    const place = x => left + (original(x) - shown[0]) / (shown[1] - shown[0]) * (right - left);
    const clamp = x => Math.min(Math.max(x, left), right);
    const number = (e, name) => Number(e.getAttribute(name));
    const boxes = $('rect', svg).map(e => ({ e, from: number(e, 'x'), to: number(e, 'x') + number(e, 'width') }));
    const verticals = $('line', svg).filter(e => e.getAttribute('x1') === e.getAttribute('x2') && number(e, 'x1') >= left).map(e => ({ e, x: number(e, 'x1'), tick: e.classList.contains('grid') }));
    const labels = $('text.onleader, text.mark', svg).map(e => ({ e, x: number(e, 'x') }));
    const ticks = $('text.tick[text-anchor=middle]', svg);
    const paths = $('path.curve', svg).map(e => ({ e, d: e.getAttribute('d') }));
    const axis = ticks.length ? number(ticks[0], 'y') : height;
    const clip = make('clipPath', { id: 'plot' });
    clip.append(make('rect', { x: left, y: 0, width: right - left, height }));
    svg.prepend(clip);
    for (const p of paths) p.e.setAttribute('clip-path', 'url(#plot)');
    const scale = make('g', {});
    svg.append(scale);
    for (const v of verticals) if (v.tick) v.e.remove();
    for (const t of ticks) t.remove();

    const step = span => {
      for (let s = 0.001; ; s *= 10) for (const m of [1, 2, 5]) if (span / (s * m) <= 12) return s * m;
    };
    const draw = () => {
      for (const b of boxes) {
        const from = place(b.from), to = place(b.to);
        b.e.style.display = to < left || from > right ? 'none' : '';
        b.e.setAttribute('x', clamp(from));
        b.e.setAttribute('width', Math.max(clamp(to) - clamp(from), 1.5));
      }
      for (const v of verticals) if (!v.tick) {
        const x = place(v.x);
        v.e.style.display = x < left || x > right ? 'none' : '';
        v.e.setAttribute('x1', x); v.e.setAttribute('x2', x);
      }
      for (const l of labels) {
        const x = place(l.x);
        l.e.style.display = x < left || x > right - 8 ? 'none' : '';
        l.e.setAttribute('x', x);
      }
      for (const p of paths) p.e.setAttribute('d', p.d.replace(/([ML])(-?[\d.]+) /g, (_, command, x) => command + place(Number(x)).toFixed(1) + ' '));
      scale.replaceChildren();
      const every = step(shown[1] - shown[0]);
      for (let t = Math.ceil(shown[0] / every - 1e-9) * every; t <= shown[1] + 1e-9; t += every) {
        const x = left + (t - shown[0]) / (shown[1] - shown[0]) * (right - left);
        scale.append(make('line', { x1: x, x2: x, y1: 10, y2: axis - 14, class: 'grid' }));
        const text = make('text', { x, y: axis, class: 'tick', 'text-anchor': 'middle' });
        text.textContent = +t.toFixed(4) + ' s';
        scale.append(text);
      }
      reset.hidden = shown[0] === whole[0] && shown[1] === whole[1];
    };
    const show = (from, to, remember) => {
      const least = Math.min(0.01, whole[1]);
      from = Math.max(whole[0], Math.min(from, whole[1] - least));
      to = Math.min(whole[1], Math.max(to, from + least));
      shown = [from, to];
      draw();
      if (remember) {
        const hash = from === whole[0] && to === whole[1] ? '' : '#t=' + from.toFixed(3) + '-' + to.toFixed(3);
        history.replaceState(null, '', hash || location.pathname + location.search);
      }
    };
    const bar = document.getElementById('zoom');
    const reset = document.createElement('button');
    reset.type = 'button'; reset.textContent = 'Show the whole run'; reset.hidden = true;
    reset.addEventListener('click', () => show(...whole, true));
    const readout = document.createElement('output');
    readout.textContent = 'Drag over the picture to zoom in; the arrow keys, + and − work too.';
    bar.append(reset, ' ', readout);
    bar.hidden = false;

    // The crosshair reads the figures at a time.
    const data = JSON.parse(document.getElementById('buckets').textContent);
    const cross = make('line', { y1: 8, y2: axis - 14, class: 'cross' });
    cross.style.display = 'none';
    const range = make('rect', { y: 8, height: axis - 22, class: 'range' });
    range.style.display = 'none';
    svg.append(range, cross);
    const xOf = event => {
      const p = new DOMPoint(event.clientX, event.clientY).matrixTransform(svg.getScreenCTM().inverse());
      return clamp(p.x);
    };
    let start = null;
    svg.addEventListener('pointermove', event => {
      const x = xOf(event), t = timeAt(x);
      cross.style.display = '';
      cross.setAttribute('x1', x); cross.setAttribute('x2', x);
      const i = Math.min(Math.floor(t / data.width), data.ok.length - 1);
      const ms = v => v ? v + ' ms' : '–';
      readout.textContent = t.toFixed(3) + ' s: ' + data.ok[i] + ' ok/s, ' + data.fail[i] + ' fail/s, ' + data.info[i] + ' info/s; median ' + ms(data.p50[i]) + ', p99 ' + ms(data.p99[i]) + ', slowest ' + ms(data.max[i]);
      if (start !== null) {
        range.style.display = '';
        range.setAttribute('x', Math.min(start, x)); range.setAttribute('width', Math.abs(x - start));
      }
    });
    svg.addEventListener('pointerleave', () => { cross.style.display = 'none'; });
    svg.addEventListener('pointerdown', event => { if (event.button === 0) { start = xOf(event); svg.setPointerCapture(event.pointerId); event.preventDefault(); svg.focus(); } });
    svg.addEventListener('pointerup', event => {
      if (start === null) return;
      const x = xOf(event), from = Math.min(start, x), to = Math.max(start, x);
      start = null;
      range.style.display = 'none';
      if (to - from > 4) show(timeAt(from), timeAt(to), true);
    });
    svg.addEventListener('dblclick', () => show(...whole, true));
    svg.tabIndex = 0;
    svg.addEventListener('keydown', event => {
      const [from, to] = shown, span = to - from;
      const moves = { ArrowLeft: [from - span / 4, to - span / 4], ArrowRight: [from + span / 4, to + span / 4], '+': [from + span / 4, to - span / 4], '-': [from - span / 2, to + span / 2], Escape: whole };
      const next = moves[event.key];
      if (!next) return;
      event.preventDefault();
      if (event.key.startsWith('Arrow')) { // keep the span at the ends
        const shift = Math.min(Math.max(next[0], whole[0]), whole[1] - span) - next[0];
        show(next[0] + shift, next[1] + shift, true);
      } else show(next[0], next[1], true);
    });
    const fromHash = () => {
      const m = /^#t=([\d.]+)-([\d.]+)$/.exec(location.hash);
      const span = m && [Number(m[1]), Number(m[2])];
      if (!span || !span.every(Number.isFinite)) return false;
      show(...span, false);
      return true;
    };
    addEventListener('hashchange', () => { if (fromHash()) svg.scrollIntoView({ block: 'center' }); });
    draw();
    fromHash();
  }

  // Logs: by node, and by words.
  for (const logs of $('.logs')) {
    const controls = logs.querySelector('.controls'), lines = $('li', logs);
    const find = document.createElement('input');
    find.type = 'search'; find.placeholder = 'filter lines'; find.setAttribute('aria-label', 'filter lines of logs');
    const nodes = [...new Set(lines.map(l => l.dataset.node))].map(name => {
      const label = document.createElement('label'), box = document.createElement('input');
      box.type = 'checkbox'; box.checked = true; box.value = name;
      label.append(box, ' ' + name);
      return { box, label };
    });
    const apply = () => {
      const on = new Set(nodes.filter(n => n.box.checked).map(n => n.box.value)), words = find.value.toLowerCase();
      for (const l of lines) l.hidden = !on.has(l.dataset.node) || !l.textContent.toLowerCase().includes(words);
    };
    find.addEventListener('input', apply);
    for (const n of nodes) n.box.addEventListener('change', apply);
    controls.append(find, ...nodes.map(n => n.label));
    controls.hidden = false;
  }

  // A wide picture opens where it matters.
  for (const near of $('details.near')) near.addEventListener('toggle', () => {
    const culprit = near.querySelector('.culprit'), wide = near.querySelector('.wide');
    if (near.open && culprit && wide) wide.scrollLeft += culprit.getBoundingClientRect().left - wide.getBoundingClientRect().left - wide.clientWidth / 2;
  });

  // Buttons that copy what stands beside them.
  for (const pre of $('pre')) {
    const button = document.createElement('button');
    button.type = 'button'; button.className = 'copy'; button.textContent = 'Copy';
    button.addEventListener('click', async () => {
      try {
        await navigator.clipboard.writeText(pre.textContent);
        button.textContent = 'Copied';
      } catch {
        getSelection().selectAllChildren(pre); // where there is no clipboard, at least it is selected
        button.textContent = document.execCommand('copy') ? 'Copied' : 'Selected: press Ctrl+C';
      }
      setTimeout(() => { button.textContent = 'Copy'; }, 2000);
    });
    pre.before(button);
  }
})();
