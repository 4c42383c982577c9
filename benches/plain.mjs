// A plain JSON call through nginx, Rondo and nginx again, in the same minute, against the same provider.
//
// Rondo does its whole work: authentication, rate limit, health, statistics and request log are on. nginx
// only passes the call on. Each proxy runs alone on the first core; the provider and the load share the rest.
// CPU time of the proxy's processes per request is what counts: it is steady to about 5 % on a shared machine,
// where requests per second and tail latency are not.
import { execFile, spawn } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { Rondo, configuration, eventually, freePort } from '../end2end/rondo.mjs';
import { OTHERS, TICK_US, cpuTicks, rssMiB } from './measure.mjs';

const SECONDS = Number(process.env.BENCH_SECONDS ?? 10);
const CONNECTIONS = Number(process.env.BENCH_CONNECTIONS ?? 64);
const BODY = JSON.stringify({ model: 'test-model', messages: [{ role: 'user', content: 'A question of about 100 bytes.' }] });
const ANSWER = JSON.stringify({ id: 'chatcmpl-1', object: 'chat.completion', choices: [{ index: 0, message: { role: 'assistant', content: 'x'.repeat(380) } }], usage: { prompt_tokens: 9, completion_tokens: 90, total_tokens: 99 } });

const work = mkdtempSync(join(tmpdir(), 'rondo-bench-'));
const running = [];

/** An nginx of our own on `core`; returns the pids of its processes. */
async function nginx(name, core, location, more = '') {
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

/** One run of wrk; everything about it as numbers. */
async function load(name, url, pids, headers = {}, pauseMs = 0) {
  const lua = join(work, 'load.lua');
  const lines = Object.entries({ 'Content-Type': 'application/json', ...headers }).map(([key, value]) => `wrk.headers[${JSON.stringify(key)}] = ${JSON.stringify(value)}`);
  writeFileSync(lua, `wrk.method = "POST"\nwrk.body = ${JSON.stringify(BODY)}\n${lines.join('\n')}
    ${pauseMs ? `delay = function() return ${pauseMs} end` : ''}
    done = function(summary, latency)
      io.write(string.format("\\nRESULT %d %d %d %d %d\\n", summary.requests, summary.duration, latency:percentile(50), latency:percentile(99),
        summary.errors.status + summary.errors.read + summary.errors.write + summary.errors.timeout + summary.errors.connect))
    end`);
  const run = (seconds) => promisify(execFile)('taskset', ['-c', OTHERS, 'wrk', '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`, '-s', lua, url]);
  await run(1);
  const before = cpuTicks(pids);
  const { stdout } = await run(SECONDS);
  const ticks = cpuTicks(pids) - before;
  const [requests, duration, p50, p99, errors] = stdout.match(/RESULT (.*)/)[1].split(' ').map(Number);
  return { name, cpu: (ticks * TICK_US) / requests, rate: requests / (duration / 1e6), p50, p99, errors, rss: rssMiB(pids) };
}

async function main() {
  const provider = await nginx('provider', OTHERS, `default_type application/json; return 200 '${ANSWER}';`);
  const proxy = await nginx('proxy', '0', 'proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";',
    `upstream provider { server 127.0.0.1:${provider.port}; keepalive 128; keepalive_requests 1000000000; }`);
  const began = process.hrtime.bigint();
  const rondo = await Rondo.start({}, ['taskset', '-c', '0']);
  running.push(rondo);
  const readyMs = Number(process.hrtime.bigint() - began) / 1e6;
  const idle = rssMiB([rondo.process.pid]);
  await rondo.apply(configuration({ alpha: { url: provider.url } }));
  const key = await rondo.key('bench', '--rpm', '0');
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');

  const runs = [
    await load('nginx', `${proxy.url}/v1/chat/completions`, proxy.pids),
    await load('rondo', `${rondo.url}/api/proxy/prod/v1/chat/completions`, [rondo.process.pid], { Authorization: `Bearer ${key}` }),
    await load('nginx', `${proxy.url}/v1/chat/completions`, proxy.pids),
  ];
  const row = (...cells) => console.log(cells.map((cell, at) => (at ? String(cell).padStart(12) : String(cell).padEnd(8))).join(''));
  console.log(`JSON POST, ${BODY.length} bytes up, ${ANSWER.length} bytes down, ${CONNECTIONS} connections, ${SECONDS} s each; every proxy on one core\n`);
  row('', 'CPU us/req', 'req/s', 'p50 us', 'p99 us', 'errors', 'RSS MiB');
  for (const run of runs) row(run.name, run.cpu.toFixed(1), run.rate.toFixed(0), run.p50, run.p99, run.errors, run.rss.toFixed(1));
  const ratio = runs[1].cpu / ((runs[0].cpu + runs[2].cpu) / 2);
  console.log(`\nrondo / nginx: ${ratio.toFixed(2)} in CPU per request`);
  console.log(`start to ready ${readyMs.toFixed(0)} ms, idle ${idle.toFixed(1)} MiB`);
  if (runs[1].errors > 0) throw new Error(`${runs[1].errors} failed requests through rondo`);
}

try {
  await main();
} finally {
  for (const one of running) await (one instanceof Rondo ? one.stop() : one.kill());
  rmSync(work, { recursive: true, force: true });
}
