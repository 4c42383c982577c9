// The data plane as a client sees it: credentials, headers, streams, failover, limits.
import assert from 'node:assert/strict';
import { after, before, beforeEach, test } from 'node:test';
import { ANSWER, Upstream } from './upstream.mjs';
import { Rondo, configuration, eventually } from './rondo.mjs';

let rondo, alpha, beta, gamma, key;
const chat = (extra = {}) => ({
  method: 'POST', key, headers: { 'content-type': 'application/json' },
  body: JSON.stringify({ model: 'test-model', messages: [{ role: 'user', content: 'hi' }], ...extra }),
});

before(async () => {
  [alpha, beta, gamma] = await Promise.all([Upstream.start(), Upstream.start(), Upstream.start()]);
  const gone = await Upstream.start();
  await gone.stop();
  rondo = await Rondo.start();
  const { providers, groups } = configuration({ alpha, beta, gamma, gone });
  const group = (slug, priorities) => ({
    ...groups[0], name: slug, slug, providers: Object.entries(priorities).map(([provider, priority]) => ({ provider, priority, tier: 1 })),
  });
  await rondo.apply({
    providers,
    groups: [
      group('prod', { alpha: 50, beta: 50 }),
      group('shares', { alpha: 50, beta: 30, gamma: 20 }),
      group('refusing', { beta: 50, gamma: 50, gone: 50 }),
    ],
  });
  key = await rondo.key('end2end', '--rpm', '0');
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');
});
after(async () => {
  await rondo?.stop();
  await Promise.all([alpha, beta, gamma].map((upstream) => upstream?.stop()));
});
beforeEach(() => {
  for (const upstream of [alpha, beta, gamma]) Object.assign(upstream, { calls: [], script: [], always: null });
});

test('a call reaches a provider with its own credential, and nothing of the client key', async () => {
  const reply = await rondo.call('prod/v1/chat/completions?a=1', chat());
  assert.equal(reply.status, 200);
  assert.equal((await reply.json()).choices[0].message.content, ANSWER);
  const [call] = [...alpha.calls, ...beta.calls];
  assert.equal(call.url, '/v1/chat/completions?a=1');
  assert.match(call.headers.authorization, /^Bearer sk-(alpha|beta)-secret$/);
  assert.ok(!JSON.stringify(call.headers).includes(key), 'the client key stays here');
});

test('the answer says who gave it and how much is left', async () => {
  const reply = await rondo.call('prod/v1/chat/completions', chat());
  assert.match(reply.headers.get('x-proxy-provider'), /^(alpha|beta)$/);
  assert.match(reply.headers.get('x-proxy-provider-id'), /^[0-9a-f-]{36}$/);
  assert.match(reply.headers.get('x-proxy-response-time'), /^\d+/);
  assert.ok(reply.headers.get('x-request-id'));
  await reply.text();
});

test('the first output of a stream arrives before the provider sends its second', async () => {
  for (const upstream of [alpha, beta]) upstream.held = true;
  const reply = await rondo.call('prod/v1/chat/completions', chat({ stream: true }));
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('"Round"')) text += (await reader.read()).value;
  assert.ok(!text.includes(' and'), 'the second is still held back at the provider');
  for (const upstream of [alpha, beta]) upstream.release();
  for (;;) {
    const { value, done } = await reader.read();
    if (done) break;
    text += value;
  }
  assert.ok(text.endsWith('data: [DONE]\n\n'));
});

test('a thousand calls in a row are shared 5:3:2 to the point', async () => {
  const count = { alpha: 0, beta: 0, gamma: 0 };
  for (let round = 0; round < 1000; round += 1) {
    const reply = await rondo.call('shares/v1/chat/completions', chat());
    count[reply.headers.get('x-proxy-provider')] += 1;
    await reply.text();
  }
  for (const [name, share] of Object.entries({ alpha: 500, beta: 300, gamma: 200 })) {
    assert.ok(Math.abs(count[name] - share) <= 10, JSON.stringify(count));
  }
});

test('with one of three providers refusing connections, a thousand calls all succeed', async () => {
  for (let round = 0; round < 1000; round += 1) {
    const reply = await rondo.call('refusing/v1/chat/completions', chat());
    assert.equal(reply.status, 200, await reply.clone().text());
    await reply.text();
  }
});

test('a failing provider is not seen by any client', async () => {
  alpha.always = { status: 500 };
  for (let round = 0; round < 40; round += 1) {
    const reply = await rondo.call('prod/v1/chat/completions', chat());
    assert.equal(reply.status, 200, await reply.clone().text());
    assert.equal(reply.headers.get('x-proxy-provider'), 'beta');
    await reply.text();
  }
  assert.ok(alpha.calls.length > 0, 'it was tried');
  assert.ok(alpha.calls.length <= 6, `and then left alone: ${alpha.calls.length} calls`);
});

test('an unknown key, an unknown group and a missing key are told apart', async () => {
  const wrong = await rondo.call('prod/v1/models', { key: 'rondo-wrong' });
  assert.equal(wrong.status, 401);
  assert.ok((await wrong.json()).error.code);
  assert.equal((await rondo.call('prod/v1/models')).status, 401);
  assert.equal((await rondo.call('nowhere/v1/models', { key })).status, 404);
});

test('a key over its limit gets 429 with the time to wait, and no provider hears of it', async () => {
  const slow = await rondo.key('slow', '--rpm', '1');
  const replies = [];
  for (let round = 0; round < 4; round += 1) replies.push(await rondo.call('prod/v1/models', { key: slow }));
  const refused = replies.find((reply) => reply.status === 429);
  assert.ok(refused, replies.map((reply) => reply.status).join());
  assert.ok(Number(refused.headers.get('retry-after')) > 0);
  assert.equal(refused.headers.get('x-ratelimit-limit'), '1');
});
