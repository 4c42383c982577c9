// A page that is read again while it stands: it goes on, ticks and counts, until its new self is drawn.
import { after, before, test } from 'node:test';
import { assertClean, hydrated, launch, open, signIn } from './browser.mjs';
import { Rondo, configuration, eventually } from './rondo.mjs';
import { Upstream } from './upstream.mjs';

let rondo, browser, upstream, password, ask, key, provider, paths;

before(async () => {
  browser = await launch();
  upstream = await Upstream.start();
  rondo = await Rondo.start();
  password = await rondo.command('user', 'create', 'ana', '--display-name', 'Ana Silva');
  await rondo.apply(configuration({ alpha: upstream, beta: upstream }));
  key = await rondo.key('storefront', '--group', 'prod');
  const token = await rondo.command('token', 'create', '--user', 'ana', '--name', 'changes');
  ask = async (method, path, body) => {
    const headers = { authorization: `Bearer ${token}`, 'content-type': 'application/json' };
    const reply = await fetch(`${rondo.url}/api/admin/v1${path}`, { method, headers, body: JSON.stringify(body) });
    if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${await reply.text()}`);
    return reply.json();
  };
  provider = (await ask('GET', '/providers')).rows[0].provider;
  const group = (await ask('GET', '/groups')).rows[0];
  await ask('POST', `/providers/${provider.id}/drill`, { fault: '429', minutes: 15 });
  paths = [
    `/admin/providers/${provider.id}`, `/admin/groups/${group.id}`, '/admin/providers', '/admin/groups',
    '/admin/api-keys', '/admin/health', '/admin/alerts', '/admin/users', '/admin/audit',
  ];
});
after(async () => {
  await browser?.close();
  await rondo?.stop();
  await upstream?.stop();
});


test('every page outlives two ticks of the clock between a change and its answer', async () => {
  const page = await open(browser);
  await signIn(page, rondo, 'ana', password);
  let enabled = true;
  for (const path of paths) {
    await page.goto(rondo.url + path);
    await hydrated(page);
    // One answer comes and begins the reading anew; the others wait while the page ticks.
    let release, asked = 0;
    const held = new Promise((resolve) => (release = resolve));
    await page.route('**/rpc/**', async (route) => {
      asked += 1;
      if (asked > 1) await held;
      await route.continue().catch(() => {});
    });
    enabled = !enabled;
    await ask('PUT', `/providers/${provider.id}/enabled`, { enabled });
    await eventually(() => asked > 0, `${path} is read again`);
    const reply = await rondo.call('prod/v1/models', { key });
    await reply.text();
    await page.evaluate(() => new Promise((next) => setTimeout(next, 2_200)));
    release();
    await page.unrouteAll({ behavior: 'wait' });
    await page.keyboard.press('?');
    await page.getByRole('dialog').first().waitFor();
    assertClean(page);
    await page.keyboard.press('Escape');
  }
  await page.context().close();
});

test('fifty changes while a page is open leave it whole', async () => {
  const page = await open(browser);
  await signIn(page, rondo, 'ana', password);
  for (const path of paths.slice(0, 5)) {
    await page.goto(rondo.url + path);
    await hydrated(page);
    for (let change = 0; change < 10; change += 1) {
      await ask('PUT', `/providers/${provider.id}/enabled`, { enabled: change % 2 === 0 });
      await page.evaluate((wait) => new Promise((next) => setTimeout(next, wait)), 60 * change);
    }
    await page.keyboard.press('?');
    await page.getByRole('dialog').first().waitFor();
    assertClean(page);
  }
  await page.context().close();
});
