'use strict';
/* The page of a job; page.js calls refreshJob() and drawJob(), and has what both use. */

async function refreshJob() {
  const id = state.job.id;
  state.jobStale = false;
  try {
    const row = await ask(`/api/jobs/${id}?timing=1`);
    const why = ended(row) ? null : await ask(`/api/jobs/${id}/explain`);
    /* Of jobs that are large, or long ago, no trace is kept. */
    const trace = row.tasks || row.operations.total > TREE_OPS_MAX ? null : await ask(`/api/jobs/${id}?ops=1`).then(it => it.trace, () => null);
    if (state.job?.id !== id) return;
    if (trace) row.trace = trace;
    Object.assign(state.job, {row, why, fault: ''});
    if (row.tasks) await refreshTasks(row);
  } catch (error) {
    if (state.job?.id !== id) return;
    state.job.fault = error.message;
    /* Nothing else may come that would have it asked again: no answer at all is no status, and tried again, too. */
    if (error.later ?? error instanceof TypeError) state.jobStale = true;
  }
  drawSoon();
}
/* --- tasks --- */

/* More than so many are read when somebody asks for them: their details come from the cluster as a whole. */
const TASKS_READ_MAX = 10000, TASKS_SHOWN = 100, TASKS_MS = 2000, OUTPUT_SHOWN = 64 * 1024;

async function readTasks(query) {
  const answer = await fetch(`/api/jobs/${state.job.id}/tasks?${query}`, {headers: headers()});
  if (!answer.ok) throw failure(answer, await answer.json().catch(() => null));
  return (await answer.text()).split('\n').filter(Boolean).map(JSON.parse);
}
/* Those that went wrong first. */
async function refreshTasks(row) {
  const job = state.job, signature = JSON.stringify(row.tasks), now = performance.now();
  if (row.tasks.total > TASKS_READ_MAX && !job.readTasks) return;
  if (job.tasksOf === signature || (job.tasksAt && now - job.tasksAt < TASKS_MS && !ended(row))) return;
  job.tasksAt = now;
  const failed = row.tasks.failed ? await readTasks(`state=failed&limit=${TASKS_SHOWN}`) : [];
  const lost = row.tasks.lost ? await readTasks(`state=lost&limit=${TASKS_SHOWN}`) : [];
  const all = await readTasks(`limit=${TASKS_SHOWN}`);
  if (state.job !== job) return;
  const byNumber = new Map([...failed, ...lost, ...all].map(task => [task.task, task]));
  job.tasks = [...byNumber.values()].slice(0, TASKS_SHOWN);
  job.tasksOf = signature;
}
async function readOutput(task, stream) {
  const answer = await fetch(`/api/jobs/${state.job.id}/output?tasks=${task}&stream=${stream}`, {headers: headers()});
  if (!answer.ok) throw failure(answer, await answer.json().catch(() => null));
  const reader = answer.body.getReader(), decoder = new TextDecoder();
  let shown = '';
  while (shown.length < OUTPUT_SHOWN) {
    const {done, value} = await reader.read();
    if (done) return shown + decoder.decode();
    shown += decoder.decode(value, {stream: true});
  }
  reader.cancel();
  return `${shown.slice(0, OUTPUT_SHOWN)}\n… (conclave job output ${state.job.id} --task ${task} prints all of it)`;
}
async function showOutput(task) {
  const id = state.job.id, bytes = (task.stdout?.bytes ?? 0) + (task.stderr?.bytes ?? 0);
  try {
    const out = await readOutput(task.task, 'stdout'), errors = await readOutput(task.task, 'stderr');
    if (state.job?.id !== id) return;
    text($('task-stdout'), out); text($('task-stderr'), errors);
    text($('task-output-title'), `Task ${task.task}${bytes ? '' : ' wrote nothing'}`);
    $('task-output').hidden = false;
    $('task-output-title').focus();
  } catch (error) { state.job.fault = error.message; drawSoon(); }
}
function drawTasks(row) {
  const tasks = state.job.tasks ?? [], byNumber = new Map(tasks.map(task => [String(task.task), task]));
  $('job-tasks').hidden = !row.tasks;
  if (!row.tasks) return;
  $('job-tasks-more').hidden = row.tasks.total <= TASKS_READ_MAX || state.job.readTasks;
  text($('job-tasks-sum'), `${tasks.length ? `${count(tasks.length)} of ` : ''}${plural(row.tasks.total, 'task')}${wrong(row.tasks) ? `: ${wrong(row.tasks)}` : ''}`);
  const shown = rows($('tasks').tBodies[0], [...byNumber.keys()], key => {
    const made = cells('name', '', 'clip', 'n wide', 'n wide', 'n wide', 'wide clip', '')();
    const button = element('button', {type: 'button', class: 'quiet small', 'aria-label': `Show output of task ${key}`}, 'Show');
    button.addEventListener('click', () => showOutput(state.job.tasks.find(task => String(task.task) === key)));
    made.cells[7].append(button);
    return made;
  });
  tasks.forEach((task, i) => {
    const cell = shown[i].cells;
    text(cell[0], count(task.task));
    text(cell[1], task.state); data(cell[1], 'tone', {...TONES, lost: 'bad'}[task.state]);
    text(cell[2], task.input ?? ''); attribute(cell[2], 'title', task.input ?? '');
    text(cell[3], task.node ? String(task.node) : ''); text(cell[4], task.attempt ? String(task.attempt) : '');
    text(cell[5], task.wall_us === null ? '' : span(task.wall_us / 1000)); text(cell[6], task.reason ?? '');
    cell[7].firstChild.hidden = !task.stdout && !task.stderr;
  });
}

/* --- the rest --- */

function facts(list, pairs) {
  const shown = rows(list, pairs.map(([name]) => name), name => element('div', {}, element('dt', {}, name), element('dd', {})));
  pairs.forEach(([, value, long], i) => { text(shown[i].lastChild, value); shown[i].className = long ? 'long' : ''; });
}
function drawJob() {
  const {row, why, fault, id} = state.job;
  text($('job-fault'), fault ?? '');
  text($('job-title'), row ? label(row) : `Job ${id}`);
  $('job-cancel').hidden = !row || ended(row) || !state.token;
  $('job-result').hidden = row?.state !== 'done' || !row.result?.digits;
  if (!row) return;
  const {done, total, executed} = row.operations;
  text($('job-line'), `Job ${id}, ${row.state}${row.error ? `: ${row.error}` : ''}`);
  $('job-progress').value = row.state === 'done' ? 1 : total ? done / total : 0;
  const times = [['Submitted', new Date(row.submitted).toLocaleString()], ['Took', span(took(row))], row.tasks ? ['Tasks', `${count(done)} of ${count(total)}, ${plural(row.tasks.attempts, 'attempt')}`] : ['Operations', `${count(done)} of ${count(total)}, ${count(executed)} executed`]];
  const result = row.result ? [['Digits', count(row.result.digits)], ['Result', row.result.text ?? `${row.result.head ?? ''}…${row.result.tail ?? ''}`, true], ['SHA-256', row.result.sha256 ?? '', true]] : [];
  facts($('job-facts'), [...times, ['Owner', row.owner ?? '–'], ['Key', row.key ?? '–'], ...result]);
  $('job-why').hidden = !why;
  if (why) $('job-explain').replaceChildren(...why.explanation.map(line => element('li', {}, line)));
  drawPhases(row.timing);
  drawTasks(row);
  $('job-ops').hidden = !row.trace?.length;
  if (row.trace?.length) drawTree(row.trace);
}
function drawPhases(timing) {
  $('job-timing').hidden = !timing?.total_us;
  if (!timing?.total_us) return;
  const phases = Object.entries(timing).filter(([name, us]) => name.endsWith('_us') && name !== 'total_us' && us);
  $('job-phases').replaceChildren(...phases.sort(([, a], [, b]) => b - a).flatMap(([name, us]) => {
    const bar = element('progress', {max: timing.total_us, 'aria-label': name.slice(0, -3)});
    bar.value = us;
    return [element('dt', {}, name.slice(0, -3)), element('dd', {}, bar), element('dd', {class: 'n'}, span(us / 1000))];
  }));
}
/* From left to right: each operation beside those whose results it takes; the root, which nobody takes, comes first. */
function drawTree(trace) {
  const signature = trace.map(op => `${op.name}${op.node}`).join();
  if (state.job.tree === signature) return;
  state.job.tree = signature;
  const byName = new Map(trace.map(op => [op.name, op])), used = new Set(trace.flatMap(op => op.operands)), places = new Map();
  const WIDE = 274, HIGH = 38, BOX = 232, TALL = 30;
  let next = 0, deepest = 0;
  const place = (op, depth) => {
    if (places.has(op.name)) return places.get(op.name);
    deepest = Math.max(deepest, depth);
    const below = op.operands.filter(o => byName.has(o)).map(o => place(byName.get(o), depth + 1).y);
    const at = {y: below.length ? (Math.min(...below) + Math.max(...below)) / 2 : HIGH * next++ + 4, x: depth * WIDE + 1};
    places.set(op.name, at);
    return at;
  };
  trace.filter(op => !used.has(op.name)).forEach(op => place(op, 0));
  const svg = drawing('svg', {class: 'tree', width: deepest * WIDE + BOX + 2, height: Math.max(1, next) * HIGH + 4, role: 'img',
    'aria-label': `Tree of ${trace.length} operations: ${trace.map(op => `${op.name} = ${op.operands.join(' ')}`).join(', ')}`});
  for (const op of trace)
    for (const operand of op.operands.filter(o => places.has(o))) {
      const from = places.get(op.name), to = places.get(operand), y = from.y + TALL / 2;
      svg.append(drawing('path', {d: `M${from.x + BOX},${y}C${from.x + BOX + 26},${y} ${to.x - 26},${to.y + TALL / 2} ${to.x},${to.y + TALL / 2}`}));
    }
  for (const op of trace) {
    const {x, y} = places.get(op.name), sum = `${op.name} = ${op.operands.join(op.operator === 'multiply' ? '·' : ', ')}`;
    const group = drawing('g', {class: op.node ? 'done' : ''});
    group.append(drawing('title', {}, `${op.operator}: ${sum}${op.node ? `, on node ${op.node}, attempt ${op.attempt}` : ', not done yet'}`),
      drawing('rect', {x, y, width: BOX, height: TALL, rx: 6}),
      drawing('text', {x: x + 10, y: y + 19}, sum.length > 24 ? `${sum.slice(0, 23)}…` : sum),
      drawing('text', {x: x + BOX - 8, y: y + 19, class: 'by'}, op.node ? `node ${op.node}` : 'waits'));
    svg.append(group);
  }
  $('job-tree').replaceChildren(svg);
  text($('job-ops-sum'), plural(trace.length, 'operation'));
}
