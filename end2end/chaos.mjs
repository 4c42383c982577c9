// The scripted provider of the program itself, as a process of its own: what it may be told stands in docs/FAULTS.md.
import { spawn } from 'node:child_process';
import { once } from 'node:events';

const BINARY = process.env.RONDO_TEST_CHAOS ?? process.env.RONDO_TEST_BINARY ?? new URL('../target/debug/rondo', import.meta.url).pathname;

export class Chaos {
  /** Starts on a free port; `under` is a command to start it with. */
  static async start(under = []) {
    const chaos = new Chaos();
    const [program, ...args] = [...under, BINARY, 'chaos'];
    chaos.process = spawn(program, args, { stdio: ['ignore', 'pipe', 'inherit'] });
    const [line] = await Promise.race([once(chaos.process.stdout, 'data'), once(chaos.process, 'exit').then(() => [''])]);
    chaos.url = String(line).trim();
    if (!chaos.url.startsWith('http')) throw new Error('rondo chaos did not say where it listens');
    return chaos;
  }

  /** Takes a script, or a list to be played round and round. */
  async play(script) {
    const reply = await fetch(`${this.url}/_chaos`, { method: 'PUT', body: JSON.stringify(script) });
    if (!reply.ok) throw new Error(await reply.text());
  }

  async counters() {
    return (await (await fetch(`${this.url}/_chaos`)).json()).counters;
  }

  async stop() {
    if (this.process.exitCode !== null || this.process.signalCode !== null) return;
    const ended = once(this.process, 'exit');
    this.process.kill();
    await ended;
  }
}
