// Five hundred slow readers of a large answer: back-pressure must reach the provider, not the memory in between.
import net from 'node:net';
import { Chaos } from '../end2end/chaos.mjs';
import { Rondo, configuration, eventually } from '../end2end/rondo.mjs';
import { OTHERS, must, pause, rssKiB } from './measure.mjs';

const READERS = Number(process.env.BENCH_READERS ?? 500);
const SECONDS = Number(process.env.BENCH_SECONDS ?? 20);
const ANSWER_BYTES = 50 * 1024 * 1024;

/** Reads a chunk about twice a second until it is destroyed. */
function reader(url, key) {
  const { hostname, port, pathname } = new URL(url);
  const socket = net.connect({ host: hostname, port }, () => socket.write(
    `GET ${pathname} HTTP/1.1\r\nHost: bench\r\nAuthorization: Bearer ${key}\r\nConnection: close\r\n\r\n`));
  const one = { socket, bytes: 0, ended: false };
  socket.on('data', (data) => {
    one.bytes += data.length;
    socket.pause();
    setTimeout(() => socket.resume(), 400 + Math.random() * 200);
  });
  socket.on('error', () => {});
  socket.on('close', () => { one.ended = true; });
  return one;
}

async function main(rondo, chaos) {
  await rondo.apply(configuration({ alpha: chaos }));
  const key = await rondo.key('bench', '--rpm', '0');
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');
  await chaos.play({ body: { bytes: ANSWER_BYTES } });
  const pids = [rondo.process.pid];
  const idle = rssKiB(pids);
  const readers = Array.from({ length: READERS }, () => reader(`${rondo.url}/api/proxy/prod/v1/files`, key));
  let peak = idle;
  for (let left = SECONDS * 4; left > 0; left -= 1) {
    await pause(250);
    peak = Math.max(peak, rssKiB(pids));
  }
  const early = readers.filter((one) => one.ended || one.bytes === 0).length;
  const read = readers.reduce((sum, one) => sum + one.bytes, 0);
  for (const { socket } of readers) socket.destroy();
  console.log(`${READERS} readers of ${ANSWER_BYTES / 1048576} MiB for ${SECONDS} s: ${(read / 1048576).toFixed(0)} MiB read, RSS ${(idle / 1024).toFixed(1)} MiB before, ${(peak / 1024).toFixed(1)} MiB at its peak\n`);
  must('readers that ended early or read nothing', early, 0, '');
  must('RSS growth of a reader', (peak - idle) / READERS, 64, 'KiB');
}

const chaos = await Chaos.start(['taskset', '-c', OTHERS]);
const rondo = await Rondo.start({ RONDO_LOG: 'warn' }, ['taskset', '-c', '0']);
try {
  await main(rondo, chaos);
} finally {
  await rondo.stop();
  await chaos.stop();
}
