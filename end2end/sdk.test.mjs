// The official SDKs of OpenAI and Anthropic, in Python and Node, need nothing but another base URL and key.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { Rondo, configuration, eventually } from './rondo.mjs';
import { openaiCalls } from './sdk/openai_calls.mjs';
import { anthropicCalls } from './sdk/anthropic_calls.mjs';
import { ANSWER, Upstream } from './upstream.mjs';

let upstream, rondo, key, base;
before(async () => {
  upstream = await Upstream.start();
  rondo = await Rondo.start();
  await rondo.apply(configuration({ alpha: { url: upstream.url } }));
  key = await rondo.key('sdk');
  base = `${rondo.url}/api/proxy/prod`;
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');
});
after(async () => {
  await rondo?.stop();
  await upstream?.stop();
});

/** A key whose one request a minute is used up. */
async function spentKey(name) {
  const spent = await rondo.key(name, '--rpm', '1');
  await eventually(async () => (await rondo.call('prod/v1/models', { key: spent })).status === 429, `${name} is used up`);
  return spent;
}

async function python(script, ...args) {
  const run = promisify(execFile);
  const { stdout } = await run(new URL('.venv/bin/python', import.meta.url).pathname, [new URL(`sdk/${script}`, import.meta.url).pathname, ...args]);
  return JSON.parse(stdout);
}

function check(result) {
  assert.equal(result.plain, ANSWER);
  assert.ok(result.streamed.length > 1, 'more than one piece');
  assert.equal(result.streamed.join(''), ANSWER);
  assert.equal(result.wrong?.type, 'AuthenticationError');
  assert.equal(result.wrong.status, 401);
  assert.equal(result.spent?.type, 'RateLimitError');
  assert.equal(result.spent.status, 429);
  for (const error of [result.wrong, result.spent]) assert.match(error.message, /\w{4}/, 'it says what is wrong');
}

test('OpenAI for Python', async () => {
  const result = await python('openai_calls.py', base, key, await spentKey('openai-python'));
  check(result);
  assert.deepEqual(result.models, ['test-model']);
  assert.ok(result.wrong.code && result.spent.code, 'errors carry a stable code');
});

test('OpenAI for Node', async () => {
  const result = await openaiCalls(base, key, await spentKey('openai-node'));
  check(result);
  assert.deepEqual(result.models, ['test-model']);
  assert.ok(result.wrong.code && result.spent.code, 'errors carry a stable code');
});

test('Anthropic for Python', async () => check(await python('anthropic_calls.py', base, key, await spentKey('anthropic-python'))));

test('Anthropic for Node', async () => check(await anthropicCalls(base, key, await spentKey('anthropic-node'))));
