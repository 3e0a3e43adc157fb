'use strict';
/* The page of a job; page.js calls refreshJob() and drawJob(), and has what both use. */

async function refreshJob() {
  const id = state.job.id;
  state.jobStale = false;
  try {
    const row = await ask(`/api/jobs/${id}?timing=1`);
    const why = ended(row) ? null : await ask(`/api/jobs/${id}/explain`);
    /* Of jobs that are large, or long ago, no trace is kept. */
    const trace = row.operations.total > TREE_OPS_MAX ? null : await ask(`/api/jobs/${id}?ops=1`).then(it => it.trace, () => null);
    if (state.job?.id !== id) return;
    if (trace) row.trace = trace;
    Object.assign(state.job, {row, why, fault: ''});
  } catch (error) {
    if (state.job?.id === id) state.job.fault = error.message;
  }
  drawSoon();
}
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
  const times = [['Submitted', new Date(row.submitted).toLocaleString()], ['Took', span(took(row))], ['Operations', `${count(done)} of ${count(total)}, ${count(executed)} executed`]];
  const result = row.result ? [['Digits', count(row.result.digits)], ['Result', row.result.text ?? `${row.result.head ?? ''}…${row.result.tail ?? ''}`, true], ['SHA-256', row.result.sha256 ?? '', true]] : [];
  facts($('job-facts'), [...times, ['Owner', row.owner ?? '–'], ['Key', row.key ?? '–'], ...result]);
  $('job-why').hidden = !why;
  if (why) $('job-explain').replaceChildren(...why.explanation.map(line => element('li', {}, line)));
  drawPhases(row.timing);
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
