// The program under test: started on a free port with a data directory of its own, stopped and cleaned up after.
import { execFile, spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { once } from 'node:events';
import { promisify } from 'node:util';

const BINARY = process.env.RONDO_TEST_BINARY ?? new URL('../target/debug/rondo', import.meta.url).pathname;
const ROOT = new URL('..', import.meta.url).pathname;

export class Rondo {
  log = '';

  /** Starts on an empty data directory; `env` adds settings, `under` is a command to start it with. */
  static async start(env = {}, under = []) {
    const rondo = new Rondo();
    rondo.dataDir = await mkdtemp(join(tmpdir(), 'rondo-end2end-'));
    const port = await freePort();
    rondo.url = `http://127.0.0.1:${port}`;
    rondo.env = {
      PATH: process.env.PATH, RUST_BACKTRACE: process.env.RUST_BACKTRACE ?? '', HOME: rondo.dataDir,
      RONDO_DATA_DIR: rondo.dataDir, RONDO_LISTEN: `127.0.0.1:${port}`, ...env,
    };
    const [program, ...args] = [...under, BINARY, 'serve'];
    rondo.process = spawn(program, args, { cwd: ROOT, env: rondo.env, stdio: ['ignore', 'pipe', 'pipe'] });
    for (const stream of [rondo.process.stdout, rondo.process.stderr]) stream.on('data', (chunk) => (rondo.log += chunk));
    await rondo.#ready();
    return rondo;
  }

  async #ready() {
    const until = Date.now() + 20_000;
    while (Date.now() < until) {
      if (this.process.exitCode !== null) throw new Error(`rondo ended with ${this.process.exitCode}:\n${this.log}`);
      const reply = await fetch(`${this.url}/readyz`).catch(() => null);
      if (reply?.ok) return;
      await new Promise((next) => setTimeout(next, 10));
    }
    throw new Error(`rondo was not ready after 20 s:\n${this.log}`);
  }

  async stop() {
    if (this.process.exitCode === null) {
      const ended = once(this.process, 'exit');
      this.process.kill('SIGTERM');
      const late = setTimeout(() => this.process.kill('SIGKILL'), 10_000);
      await ended;
      clearTimeout(late);
    }
    await rm(this.dataDir, { recursive: true, force: true });
  }

  /** Runs a subcommand on the same data directory and returns its standard output. */
  async command(...args) {
    const { stdout } = await promisify(execFile)(BINARY, args, { cwd: ROOT, env: this.env });
    return stdout.trim();
  }

  /** Applies a declarative file (an object: JSON is YAML) and waits until the running server has it. */
  async apply(configuration) {
    const file = join(this.dataDir, 'apply.yaml');
    await writeFile(file, JSON.stringify(configuration));
    return this.command('apply', '-f', file);
  }

  /** Makes a client key and waits until the running server accepts it. */
  async key(name, ...args) {
    const key = await this.command('key', 'create', '--name', name, ...args);
    await eventually(async () => (await this.call('no-such-group/v1/models', { key })).status !== 401, `key ${name} is live`);
    return key;
  }

  /** One call through the gateway. */
  call(path, { key, ...init } = {}) {
    return fetch(`${this.url}/api/proxy/${path}`, { ...init, headers: { ...(key && { authorization: `Bearer ${key}` }), ...init.headers } });
  }

  /** The link of the first run, as the log prints it. */
  setupLink() {
    const found = this.log.match(/https?:\/\/\S*\/setup\S*/);
    if (!found) throw new Error(`no setup link in the log:\n${this.log}`);
    const link = new URL(found[0].replace(/[^\w%=&?/:.~-]+.*$/, ''));
    return `${this.url}${link.pathname}${link.search}${link.hash}`;
  }
}

/** One provider and one group around an upstream, as the declarative file says it. */
export function configuration(upstreams, group = {}) {
  const providers = Object.entries(upstreams).map(([name, { url }]) => ({
    name, base_url: url, auth: 'bearer', credentials: [{ label: 'main', secret: `sk-${name}-secret`, weight: 100 }],
  }));
  return {
    providers,
    groups: [{
      name: 'Production', slug: 'prod', kind: 'llm', strategy: 'weighted', path_policy: 'everything',
      providers: providers.map(({ name }) => ({ provider: name, priority: 50, tier: 1 })), ...group,
    }],
  };
}

/** Polls until `check` holds; the names of what was awaited make the failure readable. */
export async function eventually(check, what, ms = 8_000) {
  const until = Date.now() + ms;
  for (;;) {
    if (await check()) return;
    if (Date.now() > until) throw new Error(`still not so after ${ms} ms: ${what}`);
    await new Promise((next) => setTimeout(next, 25));
  }
}

export async function freePort() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}
