// Every screen, in both languages and themes, on a desk and on a phone: drawn, hydrated, accessible, and quiet.
// The pictures are in results/.
import assert from 'node:assert/strict';
import { createRequire } from 'node:module';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { assertClean, hydrated, launch, open, overflow, shot, signIn } from './browser.mjs';
import { Rondo, configuration, eventually } from './rondo.mjs';
import { Upstream } from './upstream.mjs';

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

const SCREENS = {
  dashboard: '/admin',
  providers: '/admin/providers',
  'provider-new': '/admin/providers/new',
  groups: '/admin/groups',
  'group-new': '/admin/groups/new',
  'api-keys': '/admin/api-keys',
  requests: '/admin/requests',
  health: '/admin/health',
  users: '/admin/users',
  audit: '/admin/audit',
  settings: '/admin/settings',
};

let rondo, browser, password;
const upstreams = [];

before(async () => {
  browser = await launch();
  for (let count = 0; count < 3; count += 1) upstreams.push(await Upstream.start());
  const [alpha, beta, gamma] = upstreams;
  rondo = await Rondo.start();
  password = await rondo.command('user', 'create', 'ana', '--display-name', 'Ana Silva');
  await rondo.apply(configuration({ alpha, beta, gamma }));
  const key = await rondo.key('storefront', '--group', 'prod');
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');
  const token = await rondo.command('token', 'create', '--user', 'ana', '--name', 'screens');
  const first = async (what) => {
    const reply = await fetch(`${rondo.url}/api/admin/v1/${what}`, { headers: { authorization: `Bearer ${token}` } });
    return (await reply.json()).rows[0];
  };
  SCREENS.provider = `/admin/providers/${(await first('providers')).provider.id}`;
  SCREENS.group = `/admin/groups/${(await first('groups')).id}`;
  gamma.always = { status: 503 };
  for (let round = 0; round < 60; round += 1) {
    const reply = await rondo.call('prod/v1/chat/completions', {
      method: 'POST', key, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'test-model', messages: [] }),
    });
    await reply.text();
  }
  await eventually(async () => await first('requests'), 'the log has rows');
  SCREENS.request = `/admin/requests/${(await first('requests')).id}`;
});
after(async () => {
  await browser?.close();
  await rondo?.stop();
  await Promise.all(upstreams.map((upstream) => upstream.stop()));
});

/** axe-core's findings that keep somebody from using the page. */
async function barriers(page) {
  await page.evaluate(axe);
  const { violations } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ['violations'] }));
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')} — ${node.failureSummary?.split('\n')[1]?.trim()}`));
}

for (const language of ['en', 'zh']) {
  for (const theme of ['light', 'dark']) {
    for (const width of [1440, 390]) {
      test(`screens: ${language}, ${theme}, ${width} px`, async () => {
        const page = await open(browser, { width, height: width > 768 ? 900 : 844, theme, language });
        await page.goto(`${rondo.url}/login`);
        await hydrated(page);
        const findings = [];
        const look = async (name) => {
          await shot(page, `${name}-${theme}-${width}-${language}`);
          findings.push(...[...(await overflow(page)), ...(await barriers(page))].map((finding) => `${name}: ${finding}`));
          assertClean(page);
        };
        await look('login');
        await signIn(page, rondo, 'ana', password);
        for (const [name, path] of Object.entries(SCREENS)) {
          const reply = await page.goto(rondo.url + path);
          assert.equal(reply.status(), 200, path);
          await hydrated(page);
          await look(name);
        }
        assert.deepEqual(findings, []);
        await page.context().close();
      });
    }
  }
}
