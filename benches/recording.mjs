// What the request log costs a request: the same calls with it and without it, by turns, in one run.
//
// Without means RONDO_REQUEST_LOG_DAYS=0: requests are counted and judged as ever, no row is written. With is the
// default; a third server keeps the bodies of its group besides. All three run from the beginning, so what an idle
// server does is in each figure, and they take turns on the first core while the provider and the load share the rest.
// CPU time of the process per request counts, over all rounds. Connections rest between requests, so that the writer
// keeps up: a row that is dropped costs nothing and would flatter the log, so none may be.
import { Rondo, configuration, eventually } from '../end2end/rondo.mjs';
import { must, row } from './measure.mjs';
import { CONNECTIONS, SECONDS, load, provider, tidy } from './wrk.mjs';

const ROUNDS = Number(process.env.BENCH_ROUNDS ?? 4);
const REST_MS = Number(process.env.BENCH_REST_MS ?? 6);
/** Longer than a row waits for its batch. */
const AFTER_MS = 500;

const servers = [
  { name: 'log off', env: { RONDO_REQUEST_LOG_DAYS: '0' }, group: {} },
  { name: 'log on', env: {}, group: {} },
  { name: 'log and bodies', env: {}, group: { log_bodies: true } },
];

async function start({ name, env, group }, upstream) {
  const rondo = await Rondo.start({ RONDO_LOG: 'warn', ...env }, ['taskset', '-c', '0']);
  const one = { name, rondo, ticks: 0, requests: 0, errors: 0, rates: [] };
  started.push(one);
  await rondo.apply(configuration({ alpha: { url: upstream.url } }, group));
  one.key = await rondo.key('bench', '--rpm', '0');
  await eventually(async () => (await rondo.call('prod/v1/models', { key: one.key })).ok, `${name} is live`);
}

/** The sum of a counter of `/metrics`. */
async function counted(rondo, series) {
  const text = await (await fetch(`${rondo.url}/metrics`)).text();
  const values = text.split('\n').filter((line) => line.startsWith(series) && /[ {]/.test(line[series.length]));
  return values.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0);
}

async function main() {
  const upstream = await provider();
  for (const server of servers) await start(server, upstream);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (const one of started) {
      const url = `${one.rondo.url}/api/proxy/prod/v1/chat/completions`;
      const run = await load(one.name, url, [one.rondo.process.pid], { Authorization: `Bearer ${one.key}` }, { restMs: REST_MS, afterMs: AFTER_MS });
      one.ticks += run.ticks;
      one.requests += run.requests;
      one.errors += run.errors;
      one.cpu = [...(one.cpu ?? []), run.cpu];
      one.rates.push(run.rate);
    }
  }
  console.log(`${ROUNDS} rounds of ${SECONDS} s each, by turns, ${CONNECTIONS} connections that rest ${REST_MS} ms\n`);
  row('', 'CPU us/req', 'of rounds', 'req/s', 'failed', 'rows lost', 'bodies lost');
  for (const one of started) {
    one.each = one.cpu.reduce((sum, cpu) => sum + cpu, 0) / ROUNDS;
    one.lost = await counted(one.rondo, 'rondo_log_rows_dropped_total');
    one.lostBodies = await counted(one.rondo, 'rondo_bodies_dropped_total');
    const spread = `${Math.min(...one.cpu).toFixed(1)}-${Math.max(...one.cpu).toFixed(1)}`;
    row(one.name, one.each.toFixed(2), spread, (one.rates.reduce((sum, rate) => sum + rate, 0) / ROUNDS).toFixed(0), one.errors, one.lost, one.lostBodies);
  }
  const [off, on, bodies] = started;
  console.log(`\nlog on / off: ${(on.each / off.each).toFixed(3)}; with bodies / log on: ${(bodies.each / on.each).toFixed(3)} in CPU per request`);
  must('CPU that the log adds to a request', (on.each / off.each - 1) * 100, 8, '%');
  must('rows lost', on.lost, 0, '');
  must('failed requests', off.errors + on.errors + bodies.errors, 0, '');
}

const started = [];
try {
  await main();
} finally {
  for (const one of started) await one.rondo.stop();
  tidy();
}
