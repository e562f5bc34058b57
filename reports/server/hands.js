'use strict';
// What a node says is put into the page as text, never as markup.
const run = location.pathname.split('/').pop();
const token = new URLSearchParams(location.hash.slice(1)).get('token') || '';
const get = id => document.getElementById(id);
const svg = (name, attributes, parent) => {
  const e = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [k, v] of Object.entries(attributes)) e.setAttribute(k, v);
  return parent.appendChild(e);
};
const key = (a, b) => a + '>' + b;

const nodes = new Map(); // name: its elements
const links = []; // of each pair
const chosen = new Set();
let faults = [], last = null;
const rates = []; // of calls

get('title').textContent = 'by hand: ' + decodeURIComponent(run);

// draw draws the nodes on a circle, and the links between them, once.
function draw(names) {
  const at = names.map((_, i) => {
    const angle = 2 * Math.PI * i / names.length - Math.PI / 2;
    return [175 * Math.cos(angle), 165 * Math.sin(angle)];
  });
  for (let i = 0; i < names.length; i++) for (let j = i + 1; j < names.length; j++) {
    const line = {x1: at[i][0], y1: at[i][1], x2: at[j][0], y2: at[j][1]};
    const seen = svg('line', {...line, class: 'link'}, get('cluster'));
    const label = 'the link between ' + names[i] + ' and ' + names[j];
    const grip = svg('line', {...line, class: 'grip', tabindex: 0, role: 'button', 'aria-label': label}, get('cluster'));
    const link = {a: names[i], b: names[j], seen, grip};
    press(grip, () => toggle(link));
    links.push(link);
  }
  names.forEach((name, i) => {
    const g = svg('g', {class: 'node', tabindex: 0, role: 'button', transform: `translate(${at[i][0]} ${at[i][1]})`}, get('cluster'));
    svg('circle', {r: 44}, g);
    const text = (y, kind) => svg('text', {y, class: kind}, g);
    nodes.set(name, {g, name: text(-10, 'name'), role: text(8, 'says'), term: text(24, 'says')});
    nodes.get(name).name.textContent = name;
    press(g, () => {
      if (!chosen.delete(name)) chosen.add(name);
      g.classList.toggle('chosen', chosen.has(name));
    });
  });
}

function press(element, act) {
  element.addEventListener('click', act);
  element.addEventListener('keydown', e => {
    if (e.key === 'Enter' || e.key === ' ') { e.preventDefault(); act(); }
  });
}

// cutting returns the faults that cut the way from a to b.
const cutting = (a, b) => faults.filter(f => (f.cut || []).some(l => l.from === a && l.to === b));

// toggle cuts a link both ways, or heals what cuts it.
function toggle({a, b}) {
  const ids = new Set([...cutting(a, b), ...cutting(b, a)].map(f => f.id));
  order(ids.size ? 'heal ' + [...ids].join(' ') : `cut ${a} ${b}`);
}

// order has a line carried out.
async function order(line) {
  const item = document.createElement('li');
  item.textContent = line;
  get('log').prepend(item);
  try {
    const answer = await fetch(`/api/runs/${run}/do`, {method: 'POST', headers: {'X-Sunder-Token': token}, body: line});
    const text = (await answer.text()).trim();
    item.textContent = line + (text ? '\n' + text : '');
    item.classList.toggle('wrong', !answer.ok);
  } catch (e) {
    item.textContent = line + '\n' + e.message;
    item.classList.add('wrong');
  }
  look();
}

// choose returns the nodes that are chosen, which are not any more then.
function choose() {
  if (!chosen.size) {
    get('log').prepend(Object.assign(document.createElement('li'), {textContent: 'choose nodes first: click them', className: 'wrong'}));
    return null;
  }
  const whom = [...chosen];
  chosen.clear();
  for (const e of nodes.values()) e.g.classList.remove('chosen');
  return whom;
}

for (const b of document.querySelectorAll('[data-do]')) b.addEventListener('click', () => {
  const whom = choose();
  if (whom) order(b.dataset.do + ' ' + whom.join(','));
});
for (const b of document.querySelectorAll('[data-all]')) b.addEventListener('click', () => order(b.dataset.all));
get('split').addEventListener('click', () => {
  const whom = choose();
  if (!whom) return;
  order('partition:halves ' + whom.join(','));
});
get('form').addEventListener('submit', e => {
  e.preventDefault();
  if (get('line').value.trim()) order(get('line').value);
  get('line').value = '';
});

// show shows how the cluster fares.
function show(s) {
  if (!nodes.size) draw(s.nodes.map(n => n.name));
  faults = s.faults;
  const newest = Math.max(0, ...s.nodes.filter(n => n.up && n.role === 'leader').map(n => n.term || 0));
  for (const n of s.nodes) {
    const e = nodes.get(n.name);
    const leads = n.up && n.role === 'leader', stale = leads && (n.term || 0) < newest;
    e.g.classList.toggle('leader', leads && !stale);
    e.g.classList.toggle('stale', stale);
    e.g.classList.toggle('down', !n.up);
    e.role.textContent = !n.up ? 'down' : stale ? 'stale leader' : n.role || (n.leader ? 'follows ' + n.leader : 'up');
    e.term.textContent = n.term ? 'term ' + n.term : '';
    e.g.setAttribute('aria-label', `${n.name}: ${e.role.textContent} ${e.term.textContent}`);
  }
  for (const l of links) {
    const ways = [cutting(l.a, l.b).length > 0, cutting(l.b, l.a).length > 0].filter(Boolean).length;
    l.seen.setAttribute('class', 'link' + ['', ' half', ' cut'][ways]);
  }
  get('faults').replaceChildren(...faults.map(f => {
    const whom = f.nodes?.length ? f.nodes : (f.cut || []).map(l => key(l.from, l.to));
    return Object.assign(document.createElement('li'), {
      textContent: `${f.id} ${f.name} ${whom.join(' ')}, for ${((s.elapsed_ns - f.since_ns) / 1e9).toFixed(1)} s`,
    });
  }));
  get('clock').textContent = (s.elapsed_ns / 1e9).toFixed(1) + ' s';
  get('counts').textContent = `${s.ok} ok, ${s.fail} fail, ${s.info} in doubt`;
  get('finding').hidden = !s.finding;
  get('finding').textContent = s.finding ? '✗ ' + s.finding : '';
  if (last && s.elapsed_ns > last.elapsed_ns) {
    const seconds = (s.elapsed_ns - last.elapsed_ns) / 1e9;
    rates.push([(s.ok - last.ok) / seconds, (s.fail + s.info - last.fail - last.info) / seconds]);
    if (rates.length > 100) rates.shift();
    const top = Math.max(10, ...rates.map(r => r[0] + r[1]));
    get('calls').replaceChildren();
    rates.forEach(([ok, bad], i) => {
      const high = v => 58 * v / top;
      svg('rect', {class: 'ok', x: 3 * i, width: 2.5, y: 60 - high(ok), height: high(ok)}, get('calls'));
      svg('rect', {class: 'bad', x: 3 * i, width: 2.5, y: 60 - high(ok) - high(bad), height: high(bad)}, get('calls'));
    });
  }
  last = s;
}

let looking = false, ended = false;
async function look() {
  if (looking || ended) return;
  looking = true;
  try {
    const answer = await fetch(`/api/runs/${run}/state`);
    if (answer.status === 200) show(await answer.json());
    else if (answer.status === 202) get('clock').textContent = last ? 'shutting down' : 'starting';
    else if (last) {
      ended = true;
      get('clock').textContent = 'it is down: ';
      get('clock').append(Object.assign(document.createElement('a'), {href: `/${run}/report.html`, textContent: 'the report'}));
    } else get('clock').textContent = 'no cluster is up here';
  } catch (e) {
    get('clock').textContent = e.message;
  }
  looking = false;
}
setInterval(look, 400);
look();
