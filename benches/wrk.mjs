// A plain JSON provider and the load that asks for it: nginx and wrk, each where it does not disturb what is measured.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { eventually, freePort } from '../end2end/rondo.mjs';
import { OTHERS, TICK_US, cpuTicks, pause, rssMiB } from './measure.mjs';

export const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
export const CONNECTIONS = Number(process.env.BENCH_CONNECTIONS ?? 64);
export const BODY = JSON.stringify({ model: 'test-model', messages: [{ role: 'user', content: 'A question of about 100 bytes.' }] });
export const ANSWER = JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(380) } }], usage: { prompt_tokens: 9, completion_tokens: 90, total_tokens: 99 } });

const work = mkdtempSync(join(tmpdir(), 'rondo-bench-'));
const running = [];

/** An nginx of our own on `core`; returns the pids of its processes. */
export async function nginx(name, core, location, more = '') {
  const port = await freePort();
  const file = join(work, `${name}.conf`);
  writeFileSync(file, `
    daemon off; worker_processes 1; pid ${work}/${name}.pid; error_log ${work}/${name}.log error;
    events { worker_connections 2048; }
    http {
      access_log off; keepalive_requests 1000000000; tcp_nodelay on; client_body_temp_path ${work}/${name}-body;
      proxy_temp_path ${work}/${name}-proxy; fastcgi_temp_path ${work}/f; uwsgi_temp_path ${work}/u; scgi_temp_path ${work}/s;
      ${more}
      server { listen 127.0.0.1:${port} backlog=1024; location / { ${location} } }
    }`);
  const child = spawn('taskset', ['-c', core, 'nginx', '-p', work, '-c', file], { stdio: ['ignore', 'ignore', 'inherit'] });
  running.push(child);
  const url = `http://127.0.0.1:${port}`;
  await eventually(() => fetch(url).then((reply) => reply.status < 500, () => false), `${name} answers`);
  const children = readFileSync(`/proc/${child.pid}/task/${child.pid}/children`, 'utf8').trim().split(' ').map(Number);
  return { url, pids: [child.pid, ...children], port };
}

/** The provider, on the cores beside the first. */
export const provider = () => nginx('provider', OTHERS, `default_type application/json; return 200 '${ANSWER}';`);

/** One run of wrk; everything about it as numbers. Each connection rests for `restMs` after an answer, and what the
    processes still do within `afterMs` of the end counts as theirs. */
export async function load(name, url, pids, headers = {}, { restMs = 0, afterMs = 0 } = {}) {
  const lua = join(work, 'load.lua');
  const lines = Object.entries({ 'Content-Type': 'application/json', ...headers }).map(([key, value]) => `wrk.headers[${JSON.stringify(key)}] = ${JSON.stringify(value)}`);
  writeFileSync(lua, `wrk.method = "POST"\nwrk.body = ${JSON.stringify(BODY)}\n${lines.join('\n')}
    ${restMs ? `delay = function() return ${restMs} end` : ''}
    done = function(summary, latency)
      io.write(string.format("\\nRESULT %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout + summary.errors.connect))
    end`);
  const run = (seconds) => promisify(execFile)('taskset', ['-c', OTHERS, 'wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', lua, url]);
  await run(1);
  await pause(afterMs);
  const before = cpuTicks(pids);
  const { stdout } = await run(SECONDS);
  await pause(afterMs);
  const ticks = cpuTicks(pids) - before;
  const [requests, duration, p50, p99, errors] = stdout.match(/RESULT (.*)/)[1].split(' ').map(Number);
  return { name, ticks, requests, cpu: (ticks * TICK_US) / requests, rate: requests / (duration / 1e6), p50, p99, errors, rss: rssMiB(pids) };
}

/** Ends what was started here. */
export function tidy() {
  for (const child of running) child.kill();
  rmSync(work, { recursive: true, force: true });
}
