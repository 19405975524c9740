// The page for people. Everything that it shows comes from this api; names are only ever set as text.

/** How often the api is asked when no event says that something happened; milliseconds. */
const POLL_MS = 5_000;
/** Events come in bursts: the api is asked once for all of them. Milliseconds. */
const BURST_MS = 1_000;
/** Rates are of so many last milliseconds. */
const RATE_MS = 10_000;
/** Most files of a list that are shown. */
const SHOWN = 1_000;

const $ = (id) => document.getElementById(id);

// -- words

const number = new Intl.NumberFormat('en');
const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

function bytes(value) {
  if (value === null || value === undefined) return '';
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit += 1;
  }
  return `${unit === 0 ? value : value.toFixed(1)} ${UNITS[unit]}`;
}

function span(seconds) {
  if (seconds < 60) return `${Math.round(seconds)} s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ${Math.round(seconds % 60)} s`;
  return `${Math.floor(seconds / 3600)} h ${Math.round((seconds % 3600) / 60)} min`;
}

const count = (n, one, many = `${one}s`) => `${number.format(n)} ${n === 1 ? one : many}`;
const moment = (text) => (text ? new Date(text).toLocaleString() : '');

/** A name as it is, with what would be invisible, or turn the text around, as its code. */
function visible(name) {
  return name.replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}]/gu, (char) =>
    // joiners are part of how some scripts and signs are written
    char === '\u200c' || char === '\u200d' ? char : `\\u{${char.codePointAt(0).toString(16)}}`,
  );
}

// -- the page's parts

function element(tag, properties = {}, ...children) {
  const made = Object.assign(document.createElement(tag), properties);
  made.append(...children);
  return made;
}

/** A text whose direction is its own, whatever stands around it. */
const nameOf = (name) => element('bdi', { textContent: visible(name) });

/** Sets a text only where it changed, so that nobody's selection and no screen reader is disturbed. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Shows items as children, each made once and then changed, so that focus and open parts stay. */
function show(parent, items, keyOf, make, change) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const wanted = items.map((item) => {
    const key = keyOf(item);
    const child = known.get(key) ?? make(item);
    child.dataset.key = key;
    known.delete(key);
    change(child, item);
    return child;
  });
  for (const child of known.values()) child.remove();
  wanted.forEach((child, i) => {
    if (parent.children[i] !== child) parent.insertBefore(child, parent.children[i] ?? null);
  });
}

/** A row whose first cell is its head; the labels stand before the cells where the page is narrow. */
function row(first, labels) {
  const made = element('tr', {}, element('td', {}, first));
  for (const label of labels) {
    const cell = element('td', { className: 'number' });
    cell.dataset.label = label;
    made.append(cell);
  }
  return made;
}

function fileButton(file) {
  const button = element('button', { type: 'button', className: 'name-link' }, nameOf(file.filename));
  button.addEventListener('click', () => void openFile(file.filename));
  return button;
}

const keyOfFile = (file) =>
  `${file.session ? `${file.session.date_prefix}/${file.session.encoded_session}` : ''}/${file.filename}`;

const runbookLink = (at, words) =>
  element('a', {
    href: `runbook${at ? `#${at}` : ''}`,
    target: '_blank',
    rel: 'noopener',
    textContent: words,
  });

/** Says something to those who do not see it. */
const say = (words) => ($('said').textContent = words);

// -- asking the api

async function ask(path, body) {
  const post = body !== undefined && {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify(body),
  };
  const answer = await fetch(path, { ...post, cache: 'no-store', signal: AbortSignal.timeout(15_000) });
  if (answer.ok) return answer.json();
  const problem = await answer.json().catch(() => ({}));
  const { detail = answer.statusText } = problem;
  throw Object.assign(new Error(Array.isArray(detail) ? detail.join('; ') : detail), {
    status: answer.status,
  });
}

/** Sentences that the runbook explains, with what stays the same in each. */
let explained = [];

async function readRunbook() {
  const sentences = await ask('runbook.json');
  explained = sentences.map(({ said, at }) => ({
    at,
    parts: said
      .split('…')
      .map((part) => part.replace(/^[\s:,.;]+|[\s:,.;]+$/g, ''))
      .filter((part) => part.length > 3),
  }));
  drawHealth();
}

/** Where the runbook explains a sentence: the part that has most of its words. */
function placeInRunbook(sentence) {
  let [place, most] = ['sentences-in-problems', 0];
  for (const { at, parts } of explained) {
    const length = parts.join('').length;
    if (length > most && parts.every((part) => sentence.includes(part))) [place, most] = [at, length];
  }
  return place;
}

/** Files in a state, newest first, and whether there are more. */
async function files(state, most = SHOWN) {
  const items = [];
  let cursor = null;
  do {
    const query = new URLSearchParams({
      state,
      limit: String(Math.min(most, 1000)),
      ...(cursor && { cursor }),
    });
    const page = await ask(`v1/files?${query}`);
    items.push(...page.items);
    cursor = page.next_cursor;
  } while (cursor !== null && items.length < most);
  return { items: items.slice(0, most), more: cursor !== null || items.length > most };
}

/** Runs what a button does: once at a time, and what goes wrong is shown. */
async function act(button, what) {
  button.disabled = true;
  try {
    const words = await what();
    if (words) say(words);
    tell(null);
  } catch (error) {
    tell(error.message);
  } finally {
    button.disabled = false;
    void refresh();
  }
}

/** Asks the person before something that cannot be taken back. */
function confirmed(words, yes) {
  const dialog = $('ask');
  setText($('ask-words'), words);
  setText($('ask-yes'), yes);
  dialog.returnValue = '';
  dialog.showModal();
  return new Promise((resolve) => {
    dialog.addEventListener('close', () => resolve(dialog.returnValue === 'yes'), { once: true });
  });
}

// -- what it knows

let status = null;
let active = null;
let failed = [];
let refusal = null;
/** Since when the api does not answer, and why; null while it does. */
let lost = null;
/** Whether the api tells what happens as it happens. */
let live = true;
let older = null;
/** Bytes of files under way, as they were seen: for rates. */
const seen = new Map();

function tell(words) {
  refusal = words;
  drawHealth();
}

function noteBytes(key, value) {
  const now = performance.now();
  const list = (seen.get(key) ?? []).filter(({ at }) => now - at < RATE_MS);
  if (list.at(-1)?.value !== value || list.length === 0) list.push({ at: now, value });
  seen.set(key, list);
}

function rateOf(key) {
  const list = seen.get(key) ?? [];
  const [first, last] = [list[0], list.at(-1)];
  if (!first || first === last || last.value < first.value) return null;
  return ((last.value - first.value) * 1000) / Math.max(performance.now() - first.at, 1);
}

// -- drawing

/** What the banner says, and how it looks. */
function verdict(problems) {
  if (refusal) return [refusal, 'bad'];
  if (lost)
    return [
      `The api does not answer since ${lost.since.toLocaleTimeString()}: ${lost.why}. What stands below may be old.`,
      'bad',
    ];
  if (!status) return ['Asking the api …', ''];
  if (problems.length > 0)
    return [`${count(problems.length, 'thing needs', 'things need')} somebody.`, 'warn'];
  const { failed: refused } = status.queue;
  if (refused > 0) return [`Nothing stands in the way; ${count(refused, 'file')} failed.`, 'warn'];
  return ['All is well.', 'good'];
}

function drawHealth() {
  const problems = status?.problems ?? [];
  const [words, look] = verdict(problems);
  setText($('link'), words);
  $('link').className = `banner ${look}`;
  show(
    $('problems'),
    problems,
    (sentence) => sentence.replace(/\d+/g, '#'),
    () => element('li', {}, element('span'), ' ', runbookLink('', 'What to do')),
    (item, sentence) => {
      const [words, link] = item.children;
      setText(words, visible(sentence));
      link.href = `runbook#${placeInRunbook(sentence)}`;
      link.setAttribute('aria-label', `What to do: ${visible(sentence)}`);
    },
  );
  // the status is asked for all the same, so this is no alarm
  $('live').hidden = live || lost !== null || status === null;
  document.title = problems.length > 0 || lost ? '(!) Sluice' : 'Sluice';
}

function drawSession() {
  $('session').hidden = active === null;
  $('no-session').hidden = status === null || status.enabled;
  if (!active) return;
  const { done, total, in_flight: flying = 0 } = active.bytes;
  setText($('session-name'), visible(active.session_name));
  const bar = $('session-bar');
  bar.max = Math.max(total, 1);
  bar.value = Math.min(done + flying, total);
  const parts = [`${bytes(done)} of ${bytes(total)} are in the store`];
  if (flying > 0) parts.push(`${bytes(flying)} under way`);
  if (active.rate_bytes_per_s > 0) parts.push(`${bytes(active.rate_bytes_per_s)}/s`);
  if (active.eta_s > 0) parts.push(`${span(active.eta_s)} left`);
  setText($('session-figures'), parts.join(' · '));
  const { queued, active: under, delayed, done: through, failed: refused } = active.files;
  setText(
    $('session-files'),
    `${count(through, 'file')} done, ${number.format(under)} under way, ${number.format(queued + delayed)} waiting, ${number.format(refused)} failed` +
      (status.stopping ? ' · it stops when it is through' : ''),
  );
  $('drain').disabled = status.stopping === true;
}

function drawWaiting(items, more) {
  const { incoming, queue } = status;
  const total = queue.waiting + queue.delayed + (incoming ? incoming.settling + incoming.held : 0);
  setText($('waiting-count'), `(${number.format(total)})`);
  setText(
    $('waiting-words'),
    !incoming
      ? 'Nobody looks into the drop folder at the moment.'
      : incoming.seen === 0
        ? total === 0
          ? 'Nothing waits.'
          : 'The drop folder is empty; these are in the queue.'
        : `${count(incoming.seen, 'entry', 'entries')} in the drop folder: ${number.format(incoming.settling)} settling, ${number.format(incoming.held)} held, ${number.format(incoming.ignored)} ignored` +
          (incoming.oldest_age_s > 0 ? `; the oldest for ${span(incoming.oldest_age_s)}` : ''),
  );
  $('waiting').hidden = items.length === 0;
  show(
    $('waiting').tBodies[0],
    items,
    keyOfFile,
    (file) => row(fileButton(file), ['Size', 'Why']),
    (line, file) => {
      setText(line.cells[1], bytes(file.size));
      line.cells[2].className = '';
      setText(line.cells[2], visible(file.why));
    },
  );
  setText($('waiting-more'), more ? 'More than these wait.' : '');
}

function drawFlight(items) {
  setText($('flight-count'), `(${number.format(items.length)})`);
  setText($('flight-none'), items.length === 0 ? 'Nothing is under way.' : '');
  $('flight').hidden = items.length === 0;
  const keys = new Set(items.map(keyOfFile));
  for (const key of seen.keys()) if (!keys.has(key)) seen.delete(key);
  show(
    $('flight').tBodies[0],
    items,
    keyOfFile,
    (file) => {
      const line = row(fileButton(file), ['Step', 'How far', 'Rate']);
      const bar = element('progress', { max: 1, value: 0 });
      bar.setAttribute('aria-label', `How far ${visible(file.filename)} is`);
      line.cells[2].append(bar, ' ', element('span'));
      return line;
    },
    (line, file) => {
      const far = file.progress?.bytes ?? 0;
      const size = file.size ?? 0;
      noteBytes(line.dataset.key, far);
      setText(line.cells[1], file.step ?? (far > 0 ? 'uploading' : 'begins'));
      const [bar, words] = line.cells[2].children;
      bar.max = Math.max(size, 1);
      bar.value = size === 0 ? 0 : far;
      setText(words, `${bytes(far)} of ${bytes(size)}`);
      const rate = rateOf(line.dataset.key);
      setText(line.cells[3], rate === null ? '' : `${bytes(rate)}/s`);
    },
  );
}

function drawFailed(more) {
  setText($('failed-count'), `(${number.format(status.queue.failed)})`);
  setText($('failed-none'), failed.length === 0 ? 'Nothing failed.' : '');
  $('retry-all').hidden = failed.length === 0;
  const groups = new Map();
  for (const file of failed) {
    const code = file.code ?? 'Unknown';
    groups.set(code, [...(groups.get(code) ?? []), file]);
  }
  show(
    $('failed'),
    [...groups],
    ([code]) => code,
    ([code]) => {
      const retry = element('button', { type: 'button', textContent: 'Retry these' });
      retry.addEventListener('click', () => act(retry, () => retryGroup(code)));
      return element(
        'details',
        { className: 'group', open: groups.size === 1 },
        element('summary'),
        element(
          'p',
          { className: 'hint' },
          element('span'),
          ' ',
          runbookLink('quarantine', 'More in the runbook'),
        ),
        element('p', { className: 'actions' }, retry),
        element('table', {}, element('caption', { className: 'visually-hidden' }), element('tbody')),
      );
    },
    (group, [code, items]) => {
      setText(group.querySelector('summary'), `${code}: ${count(items.length, 'file')}`);
      const hint = items.find((file) => file.hint)?.hint ?? '';
      setText(group.querySelector('.hint span'), hint);
      setText(group.querySelector('caption'), `Files that failed with ${code}`);
      show(
        group.querySelector('tbody'),
        items,
        keyOfFile,
        (file) => {
          const line = row(fileButton(file), ['Why', 'When', 'Retry']);
          const retry = element('button', { type: 'button', textContent: 'Retry' });
          retry.setAttribute('aria-label', `Retry ${visible(file.filename)}`);
          retry.addEventListener('click', () => act(retry, () => retryFiles([file.filename])));
          line.cells[1].className = '';
          line.cells[3].append(retry);
          delete line.cells[3].dataset.label;
          return line;
        },
        (line, file) => {
          setText(line.cells[1], visible(file.why));
          setText(line.cells[2], moment(file.finished_at));
        },
      );
    },
  );
  setText($('failed-more'), more ? `The newest ${number.format(SHOWN)} are shown.` : '');
}

function drawSessions(items) {
  $('sessions').hidden = items.length === 0;
  $('sessions-more').hidden = older === null;
  show(
    $('sessions').tBodies[0],
    items,
    (session) => `${session.date_prefix}/${session.encoded_session}`,
    (session) => {
      const line = row(nameOf(session.session_name), ['Began', 'State', 'Files', 'Bytes', 'Manifest']);
      const path = `v1/sessions/${session.date_prefix}/${encodeURIComponent(session.encoded_session)}/manifest`;
      const file = `${session.date_prefix}-${session.encoded_session}`;
      const lines = element('a', { href: path, download: `${file}.ndjson`, textContent: 'NDJSON' });
      const csv = element('button', { type: 'button', className: 'name-link', textContent: 'CSV' });
      csv.addEventListener('click', () => act(csv, () => downloadCsv(path, `${file}.csv`)));
      for (const link of [lines, csv])
        link.setAttribute(
          'aria-label',
          `Manifest of ${visible(session.session_name)} as ${link.textContent}`,
        );
      line.cells[5].append(lines, ' ', csv);
      return line;
    },
    (line, session) => {
      setText(line.cells[1], moment(session.started_at));
      setText(line.cells[2], session.state);
      const { done, failed: refused } = session.files;
      setText(
        line.cells[3],
        `${number.format(done)} done` + (refused > 0 ? `, ${number.format(refused)} failed` : ''),
      );
      setText(line.cells[4], bytes(session.bytes.done));
    },
  );
}

function drawPods() {
  const room = (disk) => (disk ? `${bytes(disk.bytes_free)} of ${bytes(disk.bytes_total)}` : '');
  show(
    $('pods').tBodies[0],
    status.pods,
    (pod) => pod.id,
    (pod) => row(pod.role, ['Name', 'State', 'In hand', 'Volume, free', 'Staging, free']),
    (line, pod) => {
      setText(line.cells[1], pod.name);
      setText(line.cells[2], pod.standby ? 'stands by' : pod.ready ? 'ready' : 'not ready');
      setText(line.cells[3], number.format(pod.in_hand));
      setText(line.cells[4], room(pod.disk.volume));
      setText(line.cells[5], room(pod.disk.staging));
    },
  );
}

// -- what a person does

async function retryFiles(names) {
  const { retried } = await ask('v1/files/retry', { filenames: names });
  return `${count(retried, 'file')} went back to work`;
}

async function retryGroup(code) {
  const { items } = await files('failed', Infinity);
  const names = [
    ...new Set(items.filter((file) => (file.code ?? 'Unknown') === code).map((file) => file.filename)),
  ];
  let words = '';
  for (let at = 0; at < names.length; at += 200) words = await retryFiles(names.slice(at, at + 200));
  return words;
}

/** Rows of a manifest as a table for spreadsheets; a text that such a program would run as a formula is quoted as text. */
async function downloadCsv(path, name) {
  const answer = await fetch(path);
  if (!answer.ok) throw new Error(`the manifest cannot be read: ${answer.status}`);
  const lines = (await answer.text())
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line));
  const rows = lines.filter((line) => line.name !== undefined);
  const columns = [...new Set(rows.flatMap((line) => Object.keys(line)))];
  const cell = (value) => {
    const text =
      value === null || value === undefined
        ? ''
        : typeof value === 'object'
          ? JSON.stringify(value)
          : String(value);
    return `"${(/^[=+\-@\t\r]/.test(text) ? `'${text}` : text).replaceAll('"', '""')}"`;
  };
  const table = [columns, ...rows.map((line) => columns.map((column) => line[column]))];
  const url = URL.createObjectURL(
    new Blob([table.map((line) => `${line.map(cell).join(',')}\r\n`).join('')], { type: 'text/csv' }),
  );
  element('a', { href: url, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

async function openFile(name) {
  let file;
  try {
    file = await ask(`v1/files/${encodeURIComponent(name)}`);
  } catch (error) {
    return tell(error.status === 404 ? `${visible(name)}: ${error.message}` : error.message);
  }
  tell(null);
  $('file-name').replaceChildren(nameOf(file.filename));
  const facts = (one) => [
    ['State', one.state],
    ['Why', one.why],
    ['What to do', one.hint],
    ['Session', one.session?.session_name],
    ['Size', one.size === null ? '' : `${bytes(one.size)} (${number.format(one.size)} bytes)`],
    ['Attempts', one.attempts > 0 ? String(one.attempts) : ''],
    ['Queued', moment(one.queued_at)],
    ['Started', moment(one.started_at)],
    ['Ended', moment(one.finished_at)],
    ['By', one.uploader],
    ['MD5', one.md5],
    ['In the store', one.url],
  ];
  const all = [file, ...file.others].flatMap((one, i) => [
    ...(i === 0 ? [] : [['Before that', ' ']]),
    ...facts(one),
  ]);
  $('file-facts').replaceChildren(
    ...all
      .filter(([, value]) => value)
      .flatMap(([label, value]) => [
        element('dt', { textContent: label }),
        element('dd', { textContent: visible(String(value)), dir: 'auto' }),
      ]),
  );
  $('file-log').hidden = file.log.length === 0;
  setText($('file-log-lines'), file.log.map(visible).join('\n'));
  const retry = $('file-retry');
  retry.hidden = file.state !== 'failed';
  retry.onclick = () =>
    act(retry, async () => {
      const words = await retryFiles([file.filename]);
      $('file').close();
      return words;
    });
  if (!$('file').open) $('file').showModal();
}

/** Opens the one file whose name begins so, or lists them. */
async function findFiles(beginning) {
  let found;
  try {
    found = await ask(`v1/files?${new URLSearchParams({ prefix: beginning, limit: '100' })}`);
  } catch (error) {
    return tell(error.message);
  }
  const files = [...new Map(found.items.map((file) => [file.filename, file])).values()];
  if (files.length <= 1 && found.next_cursor === null) return openFile(files[0]?.filename ?? beginning);
  tell(null);
  setText($('hits-title'), `Names that begin with ${visible(beginning)}`);
  $('hits-list').replaceChildren(
    ...files.map((file) => element('li', {}, fileButton(file), ` ${file.state}`)),
  );
  setText($('hits-more'), found.next_cursor === null ? '' : 'There are more; type more of the name.');
  if (!$('hits').open) $('hits').showModal();
}

$('search').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('search-name').value;
  if (name !== '') void findFiles(name);
});
$('start').addEventListener('submit', (event) => {
  event.preventDefault();
  const name = $('start-name').value.trim();
  void act($('start').querySelector('button'), async () => {
    const ends = status?.active_session;
    const words = `"${visible(ends ?? '')}" is active. Starting another session ends it: what is not queued yet goes to the new one.`;
    if (ends && !(await confirmed(words, 'Start the new one'))) return '';
    const started = await ask('v1/watch/start', { session_name: name || null });
    $('start-name').value = '';
    return `${started.session_name} is active`;
  });
});
$('stop').addEventListener('click', () =>
  act($('stop'), async () => {
    const words =
      'Files that are not queued yet stay in the drop folder until a session is started. Stop now?';
    if (!(await confirmed(words, 'Stop'))) return '';
    await ask('v1/watch/stop', {});
    return 'stopped';
  }),
);
$('drain').addEventListener('click', () =>
  act($('drain'), async () => {
    await ask('v1/watch/stop', { drain: true });
    return 'it stops when it is through';
  }),
);
$('retry-all').addEventListener('click', () =>
  act($('retry-all'), async () => {
    const { retried } = await ask('v1/files/retry', {});
    return `${count(retried, 'file')} went back to work`;
  }),
);
$('sessions-more').addEventListener('click', () =>
  act($('sessions-more'), async () => {
    sessionsShown += 100;
  }),
);

// -- keeping it true

let sessionsShown = 10;
let refused = { items: [], more: false };
/** The numbers that its list was read at. */
let refusedAt = '';
let asking = false;
let again = false;

/** Asks for everything that is shown; never twice at once, and once more where something happened meanwhile. */
async function refresh() {
  if (asking) return void (again = true);
  asking = true;
  try {
    status = await ask('v1/status');
    // a long list, which changes only together with these numbers
    const counts = `${status.queue.failed} ${status.processed_err} ${status.queue.waiting}`;
    const stale = counts !== refusedAt;
    refusedAt = counts;
    const [sessions, flying, settling, held, queued, delayed, list] = await Promise.all([
      ask(`v1/sessions?limit=${Math.min(sessionsShown, 1000)}`),
      files('active', 200),
      files('settling', 50),
      files('held', 50),
      files('queued', 50),
      files('delayed', 50),
      stale ? files('failed') : refused,
    ]);
    refused = list;
    lost = null;
    older = sessions.next_cursor;
    active = status.enabled ? (sessions.items.find(({ state }) => state === 'active') ?? null) : null;
    failed = refused.items;
    const waiting = [delayed, held, settling, queued];
    drawHealth();
    drawSession();
    drawWaiting(
      waiting.flatMap(({ items }) => items),
      waiting.some(({ more }) => more),
    );
    drawFlight(flying.items);
    drawFailed(refused.more);
    drawSessions(sessions.items);
    drawPods();
  } catch (error) {
    refusedAt = '';
    lost ??= { since: new Date(), why: '' };
    lost.why = error.status === undefined ? 'it cannot be reached' : error.message;
    drawHealth();
  } finally {
    asking = false;
    if (again) {
      again = false;
      soon();
    }
  }
}

let timer = null;
function soon() {
  timer ??= setTimeout(() => {
    timer = null;
    void refresh();
  }, BURST_MS);
}

/** Listens to what happens. The browser connects anew by itself, and the api then tells what was missed. */
function listen() {
  const events = new EventSource('v1/events');
  for (const type of ['file', 'progress', 'session', 'reset']) events.addEventListener(type, soon);
  events.addEventListener('open', () => {
    live = true;
    soon();
  });
  events.addEventListener('error', () => {
    live = false;
    soon();
    // an answer that is no stream, such as a 503 on the way, ends its tries
    if (events.readyState === EventSource.CLOSED) setTimeout(listen, POLL_MS);
  });
}

listen();
readRunbook().catch(() => undefined);
setInterval(refresh, POLL_MS);
void refresh();
