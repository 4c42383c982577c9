// A failover drill from the provider's page, and the explanation on the group's page: what they say comes true.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { hydrated, launch, look, open, signIn } from './browser.mjs';
import { Rondo, configuration, eventually } from './rondo.mjs';
import { Upstream } from './upstream.mjs';

let rondo, browser, password, key, alpha, beta, provider, group;

before(async () => {
  browser = await launch();
  [alpha, beta] = [await Upstream.start(), await Upstream.start()];
  rondo = await Rondo.start();
  password = await rondo.command('user', 'create', 'ana', '--display-name', 'Ana Silva');
  await rondo.apply(configuration({ alpha, beta }, { strategy: 'weighted' }));
  key = await rondo.key('storefront', '--group', 'prod');
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');
  const token = await rondo.command('token', 'create', '--user', 'ana', '--name', 'drills');
  const first = async (what) => {
    const reply = await fetch(`${rondo.url}/api/admin/v1/${what}`, { headers: { authorization: `Bearer ${token}` } });
    return (await reply.json()).rows[0];
  };
  provider = `/admin/providers/${(await first('providers')).provider.id}`;
  group = `/admin/groups/${(await first('groups')).id}`;
});
after(async () => {
  await browser?.close();
  await rondo?.stop();
  await Promise.all([alpha, beta].map((upstream) => upstream?.stop()));
});

const ask = async (times) => {
  for (let count = 0; count < times; count += 1) {
    const reply = await rondo.call('prod/v1/chat/completions', {
      method: 'POST', key, headers: { 'content-type': 'application/json' }, body: JSON.stringify({ model: 'm', messages: [] }),
    });
    assert.equal(reply.status, 200, 'no client notices');
    await reply.text();
  }
};

const VIEWS = [['en', 'light', 1440], ['zh', 'dark', 390], ['zh', 'light', 1440], ['en', 'dark', 1440]];
const WORDS = {
  en: { start: 'Start drill', stop: 'Stop drill', running: 'Drill running', title: 'Explain the next request', order: 'Would be tried in this order' },
  zh: { start: '开始演练', stop: '停止演练', running: '演练进行中', title: '解释下一次请求', order: '将按此顺序尝试' },
};

for (const [language, theme, width] of VIEWS) {
  test(`a drill is started, watched and stopped: ${language}, ${theme}, ${width} px`, async () => {
    const words = WORDS[language];
    const page = await open(browser, { width, height: width > 768 ? 1400 : 844, theme, language });
    await signIn(page, rondo, 'ana', password);
    await page.goto(rondo.url + provider);
    await hydrated(page);
    const panel = page.locator('section[aria-labelledby=drill-title]');
    await panel.getByRole('button', { name: words.start }).click();
    await panel.getByText(words.running).waitFor();
    await ask(20);
    await panel.locator('dd').first().filter({ hasText: /^[5-9]|1\d/ }).waitFor();
    await panel.scrollIntoViewIfNeeded();
    await look(page, `drill-running-${theme}-${width}-${language}`);
    await page.goto(rondo.url + group);
    await hydrated(page);
    const why = page.locator('section[aria-labelledby=explain-title]');
    await why.getByText(words.order).waitFor();
    await why.scrollIntoViewIfNeeded();
    await look(page, `explain-${theme}-${width}-${language}`);
    await page.goto(rondo.url + provider);
    await hydrated(page);
    await panel.getByRole('button', { name: words.stop }).click();
    await panel.getByRole('button', { name: words.start }).waitFor();
    await panel.scrollIntoViewIfNeeded();
    await look(page, `drill-over-${theme}-${width}-${language}`);
    await page.context().close();
  });
}

test('a drill starts and stops before the client has loaded', async () => {
  const page = await open(browser, { javaScriptEnabled: false });
  await page.goto(`${rondo.url}/login`);
  await page.fill('input[autocomplete=username]', 'ana');
  await page.fill('input[type=password]', password);
  await page.click('button[type=submit]');
  await page.goto(rondo.url + provider);
  await page.getByRole('button', { name: 'Start drill' }).click();
  await page.goto(rondo.url + provider);
  await page.getByRole('button', { name: 'Stop drill' }).click();
  await page.goto(rondo.url + provider);
  await page.getByRole('button', { name: 'Start drill' }).waitFor();
  await page.context().close();
});

test('an explanation follows what is asked', async () => {
  const page = await open(browser);
  await signIn(page, rondo, 'ana', password);
  await page.goto(rondo.url + group);
  await hydrated(page);
  const why = page.locator('section[aria-labelledby=explain-title]');
  await why.getByLabel('Method and path').fill('POST /v1/../x');
  await why.getByLabel('Method and path').press('Enter');
  await why.getByText('invalid_path').waitFor();
  assert.equal(await page.getByText('Would be tried in this order').count(), 1, 'the group itself was not saved or left');
  await page.context().close();
});
