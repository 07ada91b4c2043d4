
'use strict';
// Asks the server for one picture after another: the next when this one is drawn.
const PATIENCE_MS = 8000, LATE_S = 3, HOT_C = 70, TOO_HOT_C = 80;
const SPECTRUM = .65;  // of the height, where there are scores below
const at = id => document.getElementById(id);
const picture = at('picture').getContext('2d'), boxes = at('boxes').getContext('2d');
const frame = at('frame');
const pause = ms => new Promise(done => setTimeout(done, ms));
let state = {mark: '', size: [16, 9], boxes: []}, newestEvent = 0, tallest = 0;

function make(name, text = '', looks = '', ...children) {
  const made = document.createElement(name);
  made.className = looks;
  made.append(...(text === '' ? [] : [text]), ...children);
  return made;
}

function bar(...parts) {  // parts: [share of the width, class, colour]
  return make('span', '', 'bar', ...parts.map(([share, looks, color]) => {
    const part = make('i', '', looks);
    part.style.width = `${100 * Math.min(Math.max(share, 0), 1)}%`;
    if (color) part.style.background = color;
    return part;
  }));
}

async function ask() {
  const answer = await fetch(`next?seen=${encodeURIComponent(state.mark)}`,
    {cache: 'no-store', signal: AbortSignal.timeout(PATIENCE_MS)});
  if (answer.status === 401) location.reload();
  if (!answer.ok) throw new Error(answer.status === 503 ? 'too many viewers' : 'no answer');
  const bytes = new Uint8Array(await answer.arrayBuffer()), end = bytes.indexOf(10);
  return [JSON.parse(new TextDecoder().decode(bytes.subarray(0, end))), bytes.subarray(end + 1)];
}

async function drawPicture(file) {
  const type = file[0] === 0x89 ? 'image/png' : 'image/jpeg';
  const bitmap = await createImageBitmap(new Blob([file], {type}));
  const {canvas} = picture;
  if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
    [canvas.width, canvas.height] = [bitmap.width, bitmap.height];
    if (type === 'image/jpeg')
      frame.style.setProperty('--ratio', (bitmap.width / bitmap.height).toFixed(4));
  }
  picture.drawImage(bitmap, 0, 0);
  bitmap.close();
}

const short = ms => ms < 10 ? ms.toFixed(1) : ms.toFixed(0);
const percent = score => `${Math.round(100 * score)} %`;
const name = ({label, id}) => id === undefined ? label : `${label} #${id}`;

function drawBoxes() {  // in pixels of the screen, so that lines are crisp at any size
  const {canvas} = boxes, dense = window.devicePixelRatio || 1;
  const wide = frame.clientWidth, high = frame.clientHeight;
  const size = [Math.round(wide * dense), Math.round(high * dense)];
  if (canvas.width !== size[0] || canvas.height !== size[1]) [canvas.width, canvas.height] = size;
  boxes.setTransform(dense, 0, 0, dense, 0, 0);
  boxes.clearRect(0, 0, wide, high);
  const letters = wide < 500 ? 12 : wide < 1100 ? 14 : 16;
  boxes.font = `600 ${letters}px system-ui, sans-serif`;
  boxes.textBaseline = 'middle';
  const across = wide / state.size[0];
  const down = high * (state.kind === 'sound' ? SPECTRUM : 1) / state.size[1];
  if (state.curves) drawScores(wide, high, letters);
  const placed = state.boxes.filter(each => each.box).map(each => {
    const [left, top, right, bottom] = each.box;
    return [each, left * across, top * down, (right - left) * across, (bottom - top) * down];
  });
  for (const [each, ...box] of placed) outline(each, ...box);
  const taken = [];
  for (const [each, ...box] of placed) taken.push(tag(each, box, letters, wide, taken));
}

function drawScores(wide, high, letters) {  // under the sound, at the same times
  const top = high * SPECTRUM + 4, tall = high - top - 4;
  boxes.lineWidth = 2;
  boxes.lineJoin = 'round';
  for (const {color, values} of state.curves) {
    boxes.strokeStyle = color;
    boxes.beginPath();
    values.forEach((value, place) =>
      boxes.lineTo(wide * (place + 1) / values.length, top + tall * (1 - value / 100)));
    boxes.stroke();
  }
  boxes.fillStyle = '#fff9';
  boxes.fillText(`${state.seconds.toFixed(0)} s ago`, letters * .4, top + letters);
  boxes.textAlign = 'right';
  boxes.fillText('now', wide - letters * .4, top + letters);
  boxes.textAlign = 'left';
}

function outline({color}, left, top, wide, high) {
  for (const [line, ink] of [[5, 'rgba(0, 0, 0, .55)'], [2.5, color]]) {
    boxes.lineWidth = line;
    boxes.strokeStyle = ink;
    boxes.strokeRect(left, top, wide, high);
  }
}

function tag(each, [left, top, , tall], letters, wide, taken) {
  const text = `${name(each)}  ${percent(each.score)}`, high = letters * 1.5;
  const long = boxes.measureText(text).width + letters * .8;
  const x = Math.max(Math.min(left - 1.25, wide - long), 0);
  const free = y => taken.every(other =>
    x >= other.x + other.long || other.x >= x + long || Math.abs(y - other.y) >= high);
  const y = [Math.max(top - high, 0), top, top + tall, top + tall - high].find(free) ?? top - high;
  const spot = {x, y: Math.max(Math.min(y, frame.clientHeight - high), 0), long};
  boxes.fillStyle = each.color;
  boxes.fillRect(spot.x, spot.y, long, high);
  boxes.fillStyle = '#000';
  boxes.fillText(text, spot.x + letters * .4, spot.y + high / 2 + 1);
  return spot;
}

function showNumbers({fps, stages, temperature_c, counts}) {
  const total = stages.find(({name}) => name === 'total');
  const whole = total ? total.p50 : stages.reduce((sum, {p50}) => sum + p50, 0);
  const rows = [];
  const seen = state.kind !== 'sound';
  if (fps !== null && seen) rows.push(['speed', fps.toFixed(1), 'fps', '']);
  if (stages.length) rows.push([seen ? 'one frame' : 'a piece', short(whole), 'ms', '']);
  if (temperature_c !== null) {
    const looks = temperature_c >= TOO_HOT_C ? 'bad' : temperature_c >= HOT_C ? 'warn' : '';
    rows.push(['processor', temperature_c.toFixed(0), '°C', looks]);
  }
  for (const [what, value] of Object.entries(counts)) rows.push([what, `${value}`, '', '']);
  at('numbers').replaceChildren(...rows.map(([what, value, unit, looks]) => {
    const found = make('dd', value);
    if (unit) found.append(' ', make('small', unit));
    return make('div', '', looks, make('dt', what), found);
  }));
}

function showFound(found) {
  const rows = found.slice(0, 12).map(each => {
    const chip = make('span', '', 'chip');
    chip.style.background = each.color;
    const scale = bar([each.score, '', each.color]);
    if (each.threshold !== undefined) {
      const limit = make('i', '', 'limit');
      limit.style.setProperty('--at', `${100 * each.threshold}%`);
      scale.append(limit);
    }
    return make('li', '', '', chip, make('span', name(each), 'name'),
      make('span', percent(each.score)), scale);
  });
  if (found.length > 12) rows.push(make('li', `and ${found.length - 12} more`, 'empty'));
  if (!rows.length) rows.push(make('li', 'nothing', 'empty'));
  at('found').replaceChildren(...rows);
  tallest = Math.max(tallest, at('found').offsetHeight);  // so that what is below stays there
  at('found').style.minHeight = `${tallest}px`;
}

function showStages(all) {
  const stages = all.filter(({name}) => name !== 'total');
  at('timing').hidden = !stages.length;
  const longest = Math.max(...stages.map(({p95}) => p95), .001);
  at('stages').replaceChildren(...stages.map(({name, p50, p95}) =>
    make('li', '', '', make('span', name), make('b', `${short(p50)} ms`),
      make('span', `${short(p95)} ms`, 'late'),
      bar([p95 / longest, 'p95'], [p50 / longest, 'p50']))));
}

function showEvents(events) {
  at('happened').hidden = !events.length;
  const newest = events.length ? events[0].number : 0;
  if (newest === newestEvent) return;  // a list that someone scrolls stays where it is
  newestEvent = newest;
  at('events').replaceChildren(...events.map(({ago_s, text, color}) => {
    const chip = make('span', '', 'chip');
    if (color) chip.style.background = color;
    const time = new Date(Date.now() - 1000 * ago_s).toLocaleTimeString();
    return make('li', '', '', make('time', time), chip, make('span', text));
  }));
}

function show() {
  at('title').textContent = document.title = state.title;
  at('about').textContent = [state.model, state.source].filter(each => each).join(' · ');
  at('alarm').hidden = !state.throttled.length;
  at('alarm').textContent = `This board says: ${state.throttled.join(', ')}.`;
  showNumbers(state);
  document.body.classList.toggle('sound', state.kind === 'sound');
  showFound(state.scores ?? state.boxes);
  showStages(state.stages);
  showEvents(state.events);
  drawBoxes();
  const {age_s} = state, late = age_s === null || age_s > LATE_S;
  const what = state.kind === 'sound' ? 'sound' : 'picture';
  at('waiting').textContent = age_s === null ? `Waiting for the first ${what}`
    : `No ${what} for ${Math.round(age_s)} s`;
  say(late ? 'waiting' : 'live', late ? 'waiting' : 'live');
}

function say(looks, text) {
  const pill = at('connection');
  pill.className = `pill ${looks}`;
  if (pill.textContent !== text) pill.textContent = text;
  frame.classList.toggle('stale', looks !== 'live');
}

async function watch() {
  for (let failures = 0; ;) {
    while (document.hidden) await pause(200);
    try {
      const [told, file] = await ask();
      if (file.length) await drawPicture(file);
      state = {...state, ...told};
      show();
      failures = 0;
    } catch (error) {
      at('waiting').textContent = 'Connection lost. Trying again.';
      say('lost', error.message === 'too many viewers' ? error.message : 'reconnecting');
      await pause(Math.min(300 * 2 ** failures++, 3000));
    }
  }
}

new ResizeObserver(drawBoxes).observe(frame);
watch();
