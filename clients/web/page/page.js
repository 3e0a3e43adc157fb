'use strict';
/* The dashboard. What the stream of events brings is put into `state` as it comes; the document is brought up to date at
   every DRAW_MS, and only where it differs. All that is kept is bounded. */

/* What changes is drawn with the first frame after DRAW_MS, and asked for every JOBS_MS, or half of the time: of a cluster
   that is slow less is asked. The jobs that are not shown are looked at every SWEEP_MS. */
const DRAW_MS = 80, JOBS_MS = 100, JOB_MS = 500, SWEEP_MS = 2000;
const JOBS_MAX = 1000, JOBS_STEP = 50, EVENTS_MAX = 400, EVENTS_SHOWN = 40, SAMPLES_MAX = 300, SAMPLE_MS = 900;
const TIMELINE_MS = [2 * 60e3, 10 * 60e3], CHART_MS = [60e3, 5 * 60e3], RETRY_MIN_MS = 250, RETRY_MAX_MS = 5000, TREE_OPS_MAX = 120;
const SVG = 'http://www.w3.org/2000/svg';
const FAILURES = ['node_suspected', 'stepped_down', 'values_lost', 'reassigned', 'job_failed', 'disk_full', 'snapshot_partial'];
const TONES = {done: 'good', running: 'accent', failed: 'bad', cancelled: 'soft', queued: 'soft'};

const $ = id => document.getElementById(id);
const state = {
  status: null, coordinator: null, term: 0, beats: {}, rates: {}, events: [], terms: [], samples: [],
  jobs: new Map(), shown: JOBS_STEP, jobsStale: true, lastEvent: 0, token: '', readable: true, job: null, jobStale: false,
};

// --- words and numbers ---

const count = n => Number(n).toLocaleString('en');
const plural = (n, word) => `${count(n)} ${word}${n === 1 ? '' : 's'}`;
const clock = ms => new Date(ms).toTimeString().slice(0, 8);
function span(ms) {
  if (ms < 1000) return `${Math.round(ms)} ms`;
  if (ms < 60e3) return `${(ms / 1000).toFixed(1)} s`;
  const s = Math.round(ms / 1000);
  return s < 3600 ? `${Math.floor(s / 60)} min ${s % 60} s` : `${Math.floor(s / 3600)} h ${Math.floor(s % 3600 / 60)} min`;
}
const rate = n => n >= 100 ? count(Math.round(n)) : n >= 0.05 ? n.toFixed(1) : '0';
const label = job => job.tasks ? `${job.kind}, ${plural(job.tasks.total, 'task')}` : job.kind === 'factorial' ? `${job.spec}!` : `${job.kind} ${job.spec ?? ''}`;
const ended = job => ['done', 'failed', 'cancelled'].includes(job.state);
const took = job => (job.finished ? Date.parse(job.finished) : Date.now()) - Date.parse(job.submitted);
const order = id => { const [term, index] = id.split('-').map(Number); return term * 2 ** 40 + index; };
const wrong = tasks => ['failed', 'lost', 'cancelled'].filter(state => tasks[state]).map(state => `${count(tasks[state])} ${state}`).join(', ');
function outcome(job) {
  if (job.tasks) return wrong(job.tasks) || (job.tasks.done ? `${count(job.tasks.done)} done` : '');
  if (job.error) return job.error;
  if (!job.result) return '';
  const {text, head, digits} = job.result;
  if (text && text.length <= 24) return text;
  return head || text ? `${(head || text).slice(0, 12)}… (${count(digits)} digits)` : `${count(digits)} digits`;
}

// --- the document: changed only where it differs ---

function text(node, value) {
  if (node.firstChild && node.firstChild.nodeType === 3) {
    if (node.firstChild.data !== value) node.firstChild.data = value;
  } else if (node.textContent !== value) node.textContent = value;
}
function data(node, name, value) {
  if (value === undefined) delete node.dataset[name];
  else if (node.dataset[name] !== String(value)) node.dataset[name] = value;
}
function attribute(node, name, value) { if (node.getAttribute(name) !== String(value)) node.setAttribute(name, value); }
function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}
function drawing(name, attributes, content) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  if (content !== undefined) made.textContent = content;
  return made;
}
/* Rows by their keys, in this order: what is there is kept. make(key) gives a new one. */
function rows(parent, keys, make) {
  const old = new Map([...parent.children].map(row => [row.dataset.key, row]));
  let at = parent.firstElementChild;
  for (const key of keys) {
    let row = old.get(key);
    if (!row) { row = make(key); row.dataset.key = key; }
    old.delete(key);
    if (row === at) at = at.nextElementSibling;
    else parent.insertBefore(row, at);
  }
  for (const row of old.values()) { sight.unobserve(row); row.remove(); }
  return parent.children;
}
function cells(...classes) {
  return () => {
    const row = element('tr', {}, ...classes.map(it => element('td', it ? {class: it} : {})));
    sight.observe(row);
    return row;
  };
}
/* A row that nobody sees is drawn every SWEEP_MS: to lay out a thousand of them takes longer than to draw what is seen. */
const sight = new IntersectionObserver(entries => {
  for (const entry of entries) entry.target.unseen = !entry.isIntersecting;
  drawSoon();
}, {rootMargin: '120px'});
function isDue(row) {
  const now = performance.now();
  if (row.unseen && now - row.drawn < SWEEP_MS) return false;
  row.drawn = now;
  return true;
}

// --- asking ---

function headers(more = {}) { return state.token ? {...more, Authorization: `Bearer ${state.token}`} : more; }
async function ask(path, options = {}) {
  const answer = await fetch(path, {...options, headers: headers(options.headers)});
  if (answer.status === 401) refused();
  const body = await answer.json().catch(() => null);
  if (!answer.ok && !(body && 'coordinator' in body)) throw failure(answer, body);
  return body;
}
/* `later`: the same may be answered when it is asked again. */
function failure(answer, body) {
  return Object.assign(new Error(body?.error?.message ?? `status ${answer.status}`), {later: answer.status >= 500});
}
const change = (path, body) => ask(path, {method: 'POST', body: JSON.stringify(body), headers: {'Content-Type': 'application/json'}});

function refused() {
  text($('token-fault'), state.token ? 'This is not the token of this process.' : '');
  setToken('');
  state.readable = false;
  $('token-form').hidden = false;
}
function setToken(token) {
  state.token = token;
  if (token) sessionStorage.setItem('token', token);
  else sessionStorage.removeItem('token');
  $('unlock').hidden = Boolean(token);
  $('submit-form').hidden = !token;
  drawSoon();
}

// --- the stream ---

async function listen() {
  let wait = RETRY_MIN_MS;
  for (;;) {
    try {
      const more = state.lastEvent ? {'Last-Event-ID': String(state.lastEvent)} : {};
      const answer = await fetch('/api/events', {headers: headers(more)});
      if (answer.status === 401) refused();
      if (!answer.ok) throw new Error(`status ${answer.status}`);
      live('live', 'live');
      state.jobsStale = true;
      wait = RETRY_MIN_MS;
      await read(answer.body.getReader());
    } catch { /* tried again */ }
    live('lost', state.readable ? 'no answer, trying again' : 'the token is needed');
    await new Promise(resolve => { retry = resolve; setTimeout(resolve, wait); });
    wait = Math.min(wait * 2, RETRY_MAX_MS);
  }
}
let retry = () => {};
function live(kind, words) { data($('live'), 'state', kind); text($('live'), words); }

async function read(reader) {
  const decoder = new TextDecoder();
  let left = '';
  for (;;) {
    const {done, value} = await reader.read();
    if (done) return;
    left += decoder.decode(value, {stream: true});
    const messages = left.split('\n\n');
    left = messages.pop();
    for (const message of messages) take(message);
    drawSoon();
  }
}
function take(message) {
  const fields = Object.fromEntries(message.split('\n').map(line => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 2)]));
  const body = JSON.parse(fields.data);
  if (fields.id) {
    if (Number(fields.id) < state.lastEvent) state.events = [];
    state.lastEvent = Number(fields.id);
  }
  if (fields.event === 'status') takeStatus(body);
  else if (fields.event === 'nodes') takeBeats(body);
  else if (fields.event === 'event') takeEvent(body);
}
function lead(node, term, at) {
  if (!node || term < state.term) return;
  if (term > state.term || state.coordinator !== node) {
    state.terms.push({node, term, at});
    if (state.terms.length > EVENTS_MAX) state.terms.shift();
  }
  [state.coordinator, state.term] = [node, term];
}
function takeStatus(status) {
  const before = state.status, now = Date.now();
  state.status = status;
  if (status.coordinator) lead(status.coordinator, status.term, now);
  else state.coordinator = null;
  if (status.operations !== null) {
    const last = state.samples.at(-1);
    if (last && now - last.at >= SAMPLE_MS) state.samples.push({at: now, total: status.operations, rate: Math.max(0, status.operations - last.total) * 1000 / (now - last.at)});
    else if (!last) state.samples.push({at: now, total: status.operations, rate: 0});
    if (state.samples.length > SAMPLES_MAX) state.samples.shift();
  }
  const busy = status.jobs && status.jobs.running + status.jobs.queued > 0;
  if (busy || JSON.stringify(before?.jobs) !== JSON.stringify(status.jobs)) state.jobsStale = state.jobStale = true;
}
function takeBeats(beats) {
  const now = Date.now();
  for (const [id, beat] of Object.entries(beats)) {
    const old = state.beats[id], at = Date.parse(beat.time);
    if (old && old.incarnation === beat.incarnation && at > old.at)
      state.rates[id] = (beat.operations + beat.conversions - old.operations - old.conversions) * 1000 / (at - old.at);
    if (!old || at !== old.at || old.incarnation !== beat.incarnation) state.beats[id] = {...beat, at, heard: now};
  }
}
function takeEvent(event) {
  const at = Date.parse(event.time);
  if (event.event === 'elected') lead(event.node, event.term, at);
  if (event.event.startsWith('job_')) state.jobsStale = state.jobStale = true;
  state.events.push({at, kind: event.event, text: event.text, key: `${event.node}.${event.incarnation}.${event.seq}`});
  if (state.events.length > EVENTS_MAX) state.events.shift();
}

// --- jobs ---

const isOpen = id => state.jobs.has(id) && !ended(state.jobs.get(id));
const seen = () => [...$('jobs').tBodies[0].children].filter(row => !row.unseen).map(row => row.dataset.key).reverse();
/* From the first one that goes on: of all of them, or of those that a person sees. */
async function refreshJobs(all) {
  state.jobsStale = false;
  const known = [...state.jobs.keys()], open = (all ? known : seen()).filter(isOpen);
  let from = open[0] ?? known.at(-1);
  if (open.length) { const [term, index] = from.split('-'); from = `${term}-${index - 1}`; }
  const list = await ask(`/api/jobs?limit=${JOBS_MAX}${from ? `&after=${from}` : ''}`), listed = new Set(list.map(job => job.id));
  /* What goes on and is not listed any more was forgotten. */
  if (list.length < JOBS_MAX) for (const id of open) if (!listed.has(id)) state.jobs.delete(id);
  for (const job of list) state.jobs.set(job.id, job);
  const sorted = [...state.jobs].sort(([a], [b]) => order(a) - order(b)).slice(-JOBS_MAX);
  state.jobs = new Map(sorted);
  drawSoon();
}
async function keepUp() {
  let swept = 0, pause = 0;
  for (;;) {
    await new Promise(resolve => setTimeout(resolve, pause));
    pause = state.job ? JOB_MS : JOBS_MS;
    if (document.hidden || !state.readable) continue;
    const began = performance.now(), all = began - swept >= SWEEP_MS;
    try {
      if (state.job) { if (state.jobStale) await refreshJob(); }
      else if (state.jobsStale || (all ? [...state.jobs.keys()] : seen()).some(isOpen)) {
        if (all) swept = began;
        await refreshJobs(all);
      }
    } catch { state.jobsStale = true; }
    const took = performance.now() - began;
    pause = Math.max(pause - took, took);
  }
}

// --- drawing ---

let planned = 0, drawn = 0;
function drawSoon() {
  if (planned) return;
  planned = setTimeout(() => requestAnimationFrame(() => {
    planned = 0; drawn = performance.now();
    document.documentElement.dataset.draws = Number(document.documentElement.dataset.draws ?? 0) + 1;
    if (state.job) drawJob(); else drawOverview();
  }), Math.max(0, DRAW_MS - (performance.now() - drawn)));
}
function drawOverview() {
  drawLead(); drawChart(); drawTimeline(); drawNodes(); drawJobs();
}
function drawLead() {
  const status = state.status, title = $('coordinator'), health = $('health');
  data(title, 'node', state.coordinator ?? 0);
  data(title, 'term', state.term);
  text(title, state.coordinator ? `Node ${state.coordinator} coordinates, term\u00a0${state.term}` : status ? 'No node coordinates' : 'Waiting for the cluster');
  document.title = state.coordinator ? `Conclave · node ${state.coordinator}` : 'Conclave';
  if (!status) return;
  const lists = {not_alive: status.nodes.filter(n => !n.alive), behind: status.nodes.filter(n => n.alive && n.behind_ms), stalls: status.nodes.filter(n => n.alive && n.stalled_ms)};
  const faults = [['not_alive', 'not alive'], ['behind', 'behind'], ['stalls', 'disk stalls']].filter(([key]) => lists[key].length)
    .map(([key, words]) => `${words}: ${lists[key].map(n => `node ${n.id}`).join(', ')}`);
  text(health, status.error ?? ([faults.join('; ') || 'All nodes are alive and up to date', `${plural(status.may_fail ?? 0, 'more voter')} may fail`].join('. ') + '.'));
  data(health, 'well', status.error || faults.length ? 'no' : 'yes');
  const jobs = status.jobs ?? {};
  text($('f-rate'), rate(state.samples.at(-1)?.rate ?? 0));
  for (const name of ['running', 'queued', 'done', 'failed']) text($(`f-${name}`), jobs[name] === undefined ? '–' : count(jobs[name]));
  data($('f-failed'), 'bad', jobs.failed ? 'yes' : undefined);
  text($('f-elections'), status.elections === null ? '–' : count(status.elections));
}
/* How far back to look: as far as there is something, within [least, most]; said under the picture. */
function reach(first, [least, most], said) {
  const ms = Math.min(most, Math.max(least, Date.now() - (first ?? Date.now())));
  text(said, ms < 120e3 ? `${Math.round(ms / 1000)} s ago` : `${Math.round(ms / 60e3)} min ago`);
  return ms;
}
function drawChart() {
  const now = Date.now(), back = reach(state.samples[0]?.at, CHART_MS, $('throughput-from')), most = Math.max(1, ...state.samples.map(s => s.rate));
  const points = state.samples.filter(s => now - s.at <= back).map(s => `${(300 - (now - s.at) * 300 / back).toFixed(1)},${(58 - s.rate * 54 / most).toFixed(1)}`);
  const [area, stroke] = $('throughput').children;
  attribute(stroke, 'd', points.length > 1 ? `M${points.join('L')}` : '');
  attribute(area, 'd', points.length > 1 ? `M${points[0].split(',')[0]},60L${points.join('L')}L${points.at(-1).split(',')[0]},60Z` : '');
  text($('throughput-most'), most > 1 ? `peak ${rate(most)}/s` : '');
}
const kindOf = kind => kind === 'elected' ? 'elected' : kind.startsWith('snapshot') && kind !== 'snapshot_partial' ? 'snapshot' : FAILURES.includes(kind) ? 'failure' : '';
function drawTimeline() {
  const now = Date.now(), first = Math.min(state.events[0]?.at ?? now, state.terms[0]?.at ?? now);
  const back = reach(first, TIMELINE_MS, $('timeline-from')), x = at => Math.max(0, 1000 - (now - at) * 1000 / back), lane = $('timeline');
  const bands = state.terms.map((term, i) => [term, state.terms[i + 1]?.at ?? now]).filter(([, to]) => now - to < back);
  const marks = state.events.filter(e => kindOf(e.kind) && now - e.at < back);
  const wanted = [...bands.map(([t]) => `t${t.term}`), ...marks.map(e => e.key)];
  const shapes = rows(lane, wanted, key => key[0] === 't' && !key.includes('.') ? drawing('rect', {y: 14, height: 32}) : drawing('line', {y1: 6, y2: 46}));
  bands.forEach(([term, to], i) => {
    const from = x(term.at);
    attribute(shapes[i], 'class', term.term % 2 ? 'band odd' : 'band');
    attribute(shapes[i], 'x', from.toFixed(1)); attribute(shapes[i], 'width', Math.max(0, x(to) - from).toFixed(1));
  });
  marks.forEach((event, i) => {
    const shape = shapes[bands.length + i];
    attribute(shape, 'class', `tick ${kindOf(event.kind)}`);
    attribute(shape, 'x1', x(event.at).toFixed(1)); attribute(shape, 'x2', x(event.at).toFixed(1));
  });
  const latest = state.events.slice(-EVENTS_SHOWN).reverse(), byKey = new Map(latest.map(e => [e.key, e]));
  rows($('events'), latest.map(e => e.key), key => {
    const event = byKey.get(key);
    return element('li', {}, element('time', {datetime: new Date(event.at).toISOString()}, clock(event.at)), element('i', {class: kindOf(event.kind), 'aria-hidden': 'true'}), element('span', {}, event.text ?? event.kind));
  });
  $('events-empty').hidden = latest.length > 0;
}
function doing(node, beat) {
  if (!node.alive) return ['not alive', 'bad'];
  if (node.refusal) return [node.refusal, 'bad'];
  if (node.disk_full) return ['disk full', 'bad'];
  if (node.id === state.coordinator) return ['coordinates', 'accent'];
  if (node.role === 'candidate') return ['asks for votes', 'warn'];
  const busy = Math.max(node.assigned, beat?.queued ?? 0), now = beat?.executing;
  if (now) return [`job ${now.job}, R${now.operation}${busy > 1 ? ` and ${count(busy - 1)} more` : ''}`, 'accent'];
  return busy ? [`computes, ${plural(busy, 'operation')}`, 'accent'] : ['idle', 'soft'];
}
function drawNodes() {
  const nodes = state.status?.nodes ?? [];
  const shown = rows($('nodes').tBodies[0], nodes.map(n => String(n.id)), cells('name', 'clip', 'n wide', 'n', 'n wide', 'n wide', 'n', 'n', 'wide'));
  nodes.forEach((node, i) => {
    const row = shown[i], beat = state.beats[node.id];
    if (!isDue(row)) return;
    const cell = row.cells, [words, tone] = doing(node, beat);
    row.className = node.id === state.coordinator ? 'lead-row' : '';
    text(cell[0], String(node.id));
    text(cell[1], words); data(cell[1], 'tone', tone);
    attribute(cell[1], 'title', words);
    text(cell[2], node.alive ? `${beat?.slots_used ?? node.slots_used} of ${Math.max(node.slots, node.operation_slots)}` : '');
    text(cell[3], node.alive ? rate(Math.max(0, state.rates[node.id] ?? 0)) : '');
    text(cell[4], count(node.operations));
    text(cell[5], count(Math.max(node.applied, beat?.applied ?? 0)));
    text(cell[6], node.behind_ms ? span(node.behind_ms) : '–'); data(cell[6], 'tone', node.behind_ms ? 'bad' : 'soft');
    text(cell[7], span(node.longest_turn_us / 1000)); data(cell[7], 'tone', node.longest_turn_us >= 250e3 ? 'warn' : 'soft');
    text(cell[8], `${node.host ?? ''} ${node.pid ?? ''}`);
  });
  text($('nodes-sum'), nodes.length ? `${nodes.filter(n => n.alive).length} of ${nodes.length} alive` : '');
}
function drawJobs() {
  const all = [...state.jobs.values()].reverse(), list = all.slice(0, state.shown);
  const shown = rows($('jobs').tBodies[0], list.map(j => j.id), key => {
    const row = cells('name clip', 'wide', '', '', 'wide', 'n', 'wide clip')();
    row.cells[0].append(element('a', {href: `#job=${key}`}));
    row.cells[3].append(element('progress', {max: 1, 'aria-label': `Progress of job ${key}`}));
    return row;
  });
  list.forEach((job, i) => {
    if (!isDue(shown[i])) return;
    const cell = shown[i].cells, {done, total} = job.operations, bar = cell[3].firstChild, part = ended(job) && job.state === 'done' ? 1 : total ? done / total : 0;
    text(cell[0].firstChild, label(job)); attribute(cell[0], 'title', label(job));
    text(cell[1], job.id);
    text(cell[2], job.state); data(cell[2], 'tone', TONES[job.state]);
    if (bar.value !== part) bar.value = part;
    text(cell[4], clock(Date.parse(job.submitted)));
    text(cell[5], job.state === 'queued' ? '' : span(took(job)));
    text(cell[6], outcome(job)); attribute(cell[6], 'title', outcome(job));
    data(cell[6], 'tone', job.tasks && wrong(job.tasks) ? 'bad' : undefined);
  });
  $('jobs').hidden = !list.length;
  $('jobs-empty').hidden = list.length > 0;
  $('jobs-more').hidden = all.length <= list.length;
  text($('jobs-sum'), all.length ? `${count(list.length)} of ${count(all.length)} shown` : '');
}

// --- what people do ---

function goTo() {
  const hash = location.hash.slice(1), token = /^token=([0-9a-f]{64})$/.exec(hash), job = /^job=(\d+-\d+)$/.exec(hash);
  if (token) {
    setToken(token[1]);
    history.replaceState(null, '', location.pathname); // neither the address bar nor the history keeps it
    state.readable = true;
    retry();
  }
  state.job = job ? {id: job[1], row: state.jobs.get(job[1])} : null;
  state.jobStale = Boolean(job);
  $('job').hidden = !job; $('overview').hidden = Boolean(job);
  if (job) { $('job-tree').replaceChildren(); $('tasks').tBodies[0].replaceChildren(); $('task-output').hidden = true; scrollTo(0, 0); $('job-title').focus(); refreshJob(); }
  drawSoon();
}
$('unlock').addEventListener('click', () => { $('token-form').hidden = !$('token-form').hidden; $('token').focus(); });
$('token-form').addEventListener('submit', event => {
  event.preventDefault();
  setToken($('token').value.trim());
  $('token').value = '';
  text($('token-fault'), '');
  $('token-form').hidden = state.readable = state.jobsStale = true;
  retry();
});
$('submit-form').addEventListener('submit', async event => {
  event.preventDefault();
  text($('submit-fault'), '');
  try {
    const job = await change('/api/jobs', {kind: $('kind').value.trim(), spec: $('spec').value.trim()});
    state.jobs.set(job.id, job);
    $('spec').value = '';
    state.jobsStale = true;
    drawSoon();
  } catch (error) { text($('submit-fault'), error.message); }
});
$('jobs-more').addEventListener('click', () => { state.shown += JOBS_STEP; drawSoon(); });
$('job-cancel').addEventListener('click', async () => {
  $('job-cancel').disabled = true;
  try { await change(`/api/jobs/${state.job.id}/cancel`, {}); } catch (error) { state.job.fault = error.message; }
  $('job-cancel').disabled = false;
  refreshJob();
});
$('job-tasks-read').addEventListener('click', () => { state.job.readTasks = true; refreshJob(); });
$('job-result').addEventListener('click', async () => {
  const id = state.job.id;
  try {
    const answer = await fetch(`/api/jobs/${id}/result`, {headers: headers()});
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const url = URL.createObjectURL(await answer.blob());
    element('a', {href: url, download: `job-${id}.txt`}).click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
  } catch (error) { state.job.fault = `The result is incomplete: ${error.message}`; drawSoon(); }
});
addEventListener('hashchange', goTo);
document.addEventListener('visibilitychange', () => { if (!document.hidden) drawSoon(); });

setToken(sessionStorage.getItem('token') ?? '');
goTo();
listen();
keepUp();
setInterval(drawSoon, 1000);
