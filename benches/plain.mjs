// A plain JSON call through nginx, Rondo and nginx again, in the same minute, against the same provider.
//
// Rondo does its whole work: authentication, rate limit, health, statistics and request log are on. nginx
// only passes the call on. Each proxy runs alone on the first core; the provider and the load share the rest.
// CPU time of the proxy's processes per request is what counts: it is steady to about 5 % on a shared machine,
// where requests per second and tail latency are not.
import { Rondo, configuration, eventually } from '../end2end/rondo.mjs';
import { rssMiB } from './measure.mjs';
import { ANSWER, BODY, CONNECTIONS, SECONDS, load, nginx, provider, tidy } from './wrk.mjs';

let rondo;

async function main() {
  const upstream = await provider();
  const proxy = await nginx('proxy', '0', 'proxy_pass http://provider; proxy_http_version 1.1; proxy_set_header Connection "";',
    `upstream provider { server 127.0.0.1:${upstream.port}; keepalive 128; keepalive_requests 1000000000; }`);
  const began = process.hrtime.bigint();
  rondo = await Rondo.start({}, ['taskset', '-c', '0']);
  const readyMs = Number(process.hrtime.bigint() - began) / 1e6;
  const idle = rssMiB([rondo.process.pid]);
  await rondo.apply(configuration({ alpha: { url: upstream.url } }));
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
  await rondo?.stop();
  tidy();
}
