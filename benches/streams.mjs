// A thousand event streams at once: what Rondo adds to the time of an event, and what a stream costs in memory.
//
// Every event carries the time at which the provider wrote it. The same streams run without Rondo first, through it
// second: the difference is what it adds. Both ends share this machine, so one clock serves both.
import net from 'node:net';
import { Chaos } from '../end2end/chaos.mjs';
import { Rondo, configuration, eventually } from '../end2end/rondo.mjs';
import { OTHERS, must, pause, percentile, row, rssKiB } from './measure.mjs';

const STREAMS = Number(process.env.BENCH_STREAMS ?? 1000);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 20);
const INTERVAL_MS = Number(process.env.BENCH_INTERVAL_MS ?? 200);
const EVENTS = Math.ceil((SECONDS * 1000) / INTERVAL_MS);
const BODY = JSON.stringify({ model: 'test-model', stream: true, messages: [] });
const nowUs = () => (performance.timeOrigin + performance.now()) * 1000;

/** One stream to its end: delays of its events in microseconds, and whether it was whole. */
function stream(url, key) {
  return new Promise((resolve) => {
    const { hostname, port, pathname } = new URL(url);
    const delays = [];
    let [text, last, done] = ['', 0, false];
    const socket = net.connect({ host: hostname, port, noDelay: true }, () => socket.write(
      `POST ${pathname} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${key}\r\nContent-Type: application/json\r\nContent-Length: ${BODY.length}\r\nConnection: close\r\n\r\n${BODY}`));
    socket.setEncoding('latin1');
    socket.on('data', (data) => {
      const now = nowUs();
      text += data;
      const end = text.lastIndexOf('\n\n');
      if (end < 0) return;
      const events = text.slice(0, end);
      text = text.slice(end + 1);
      for (const [, stamp] of events.matchAll(/"content":"(\d+) "/g)) {
        // Stamps grow: an event that came twice or out of order makes the stream broken.
        delays.push(Number(stamp) > last ? now - Number(stamp) : Infinity);
        last = Number(stamp);
      }
      done ||= events.includes('data: [DONE]');
    });
    const ended = () => resolve({ delays, whole: done && delays.length === EVENTS && delays.every(Number.isFinite) });
    socket.on('error', ended);
    socket.on('close', ended);
  });
}

/**
 * All streams, begun over one interval so that their events spread; delays sorted. The first event of a stream waits for
 * its connections, for the selection and for five thousand others that begin in that second: it stands by itself.
 */
async function run(url, key) {
  const streams = [];
  for (let at = 0; at < STREAMS; at += 1) {
    streams.push(stream(url, key));
    if (at % 20 === 19) await pause(Math.max(1, (INTERVAL_MS * 20) / STREAMS));
  }
  const ended = await Promise.all(streams);
  const sorted = (part) => Float64Array.from(ended.flatMap(({ delays }) => part(delays)).filter(Number.isFinite)).sort();
  return {
    broken: ended.filter((one) => !one.whole).length,
    first: sorted((delays) => delays.slice(0, 1)),
    delays: sorted((delays) => delays.slice(1)),
  };
}

async function main(rondo, chaos) {
  await chaos.play({ body: { api: { count: EVENTS, interval_ms: INTERVAL_MS, stamp: true } } });
  await rondo.apply(configuration({ alpha: chaos }));
  const key = await rondo.key('bench', '--rpm', '0');
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');
  const pids = [rondo.process.pid];

  const direct = await run(`${chaos.url}/v1/chat/completions`, 'none');
  await pause(500);
  const idle = rssKiB(pids);
  let peak = idle;
  const watch = setInterval(() => { peak = Math.max(peak, rssKiB(pids)); }, 250);
  const through = await run(`${rondo.url}/api/proxy/prod/v1/chat/completions`, key);
  clearInterval(watch);

  console.log(`${STREAMS} streams at once, ${EVENTS} events each, one every ${INTERVAL_MS} ms\n`);
  row('', 'broken', 'first p50 ms', 'first p99 ms', 'then p50 ms', 'then p99 ms', 'slowest ms');
  const ms = (delays, share) => percentile(delays, share) / 1000;
  for (const [name, { broken, first, delays }] of Object.entries({ direct, 'through Rondo': through })) {
    const times = [ms(first, 0.5), ms(first, 0.99), ms(delays, 0.5), ms(delays, 0.99), ms(delays, 1)];
    row(name, broken, ...times.map((time) => time.toFixed(2)));
  }
  console.log(`\nRSS ${(idle / 1024).toFixed(1)} MiB idle, ${(peak / 1024).toFixed(1)} MiB at its peak`);
  must('streams broken', through.broken, 0, '');
  must('added to an event, p99', ms(through.delays, 0.99) - ms(direct.delays, 0.99), 20, 'ms');
  must('RSS of a stream above idle', (peak - idle) / STREAMS, 64, 'KiB');
}

const chaos = await Chaos.start(['taskset', '-c', OTHERS]);
const rondo = await Rondo.start({ RONDO_LOG: 'warn' }, ['taskset', '-c', '0']);
try {
  await main(rondo, chaos);
} finally {
  await rondo.stop();
  await chaos.stop();
}
