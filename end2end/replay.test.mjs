// Bodies that were kept, and a request sent again, on its page: seen by an administrator, hidden from everybody else.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertClean, hydrated, launch, look, open, signIn } from './browser.mjs';
import { Rondo, configuration, eventually } from './rondo.mjs';
import { ANSWER, Upstream } from './upstream.mjs';

let rondo, browser, password, token, alpha, beta, address;

const api = (path, headers = {}) => fetch(`${rondo.url}/api/admin/v1/${path}`, { headers: { authorization: `Bearer ${token}`, ...headers } });

before(async () => {
  browser = await launch();
  [alpha, beta] = [await Upstream.start(), await Upstream.start()];
  beta.always = { status: 418, body: { error: { message: 'a teapot' } } };
  rondo = await Rondo.start();
  password = await rondo.command('user', 'create', 'ana', '--display-name', 'Ana Silva');
  const settings = configuration({ alpha, beta }, { log_bodies: true });
  settings.groups[0].providers[1].tier = 2;
  await rondo.apply(settings);
  const key = await rondo.key('storefront', '--group', 'prod');
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');
  const reply = await rondo.call('prod/v1/chat/completions', {
    method: 'POST', key, headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ model: 'm', api_key: 'hunter2-hunter2', messages: [{ role: 'user', content: 'Hello <b>you</b>' }] }),
  });
  assert.equal(reply.status, 200);
  token = await rondo.command('token', 'create', '--user', 'ana', '--name', 'replays');
  await eventually(async () => {
    const { rows } = await (await api('requests')).json();
    const row = rows.find(({ path }) => path === '/v1/chat/completions');
    address = row && `/admin/requests/${row.id}`;
    return row && (await api(`requests/${row.id}/bodies`)).ok;
  }, 'the bodies are written');
});
after(async () => {
  await browser?.close();
  await rondo?.stop();
  await Promise.all([alpha, beta].map((upstream) => upstream?.stop()));
});

const VIEWS = [['en', 'light', 1440], ['zh', 'dark', 390], ['en', 'dark', 1440]];
const WORDS = {
  en: { show: 'Show bodies', open: 'Send it again …', send: 'Send again', to: 'To', differs: 'The answers differ.', row: 'Its row in the log' },
  zh: { show: '显示正文', open: '再次发送……', send: '发送', to: '发往', differs: '两次应答不同。', row: '在日志中查看' },
};

for (const [language, theme, width] of VIEWS) {
  test(`bodies are shown without their secrets, and sent again to one provider (${language} ${theme} ${width})`, async () => {
    const words = WORDS[language];
    const page = await open(browser, { language, theme, width });
    await signIn(page, rondo, 'ana', password);
    await page.goto(`${rondo.url}${address}`);
    await hydrated(page);
    await page.getByRole('button', { name: words.show, exact: true }).click();
    const kept = page.locator('.beside-bodies pre.code');
    await kept.nth(1).waitFor();
    const [asked, told] = await kept.allInnerTexts();
    assert.match(asked, /"api_key": "\(redacted\)"/);
    assert.match(asked, /Hello <b>you<\/b>/, 'markup is text');
    assert.ok(!(await page.content()).includes('hunter2'), 'the secret is nowhere');
    assert.ok(told.includes(ANSWER), told);
    await look(page, `bodies-${theme}-${width}-${language}`);

    const before = beta.calls.length;
    await page.getByText(words.open, { exact: true }).click();
    await page.getByLabel(words.to, { exact: true }).selectOption({ label: 'beta' });
    await page.getByRole('button', { name: words.send, exact: true }).click();
    await page.getByText(words.differs, { exact: true }).waitFor();
    assert.equal(beta.calls.length, before + 1);
    assert.equal(beta.calls.at(-1).headers.authorization, 'Bearer sk-beta-secret');
    assert.ok((await page.locator('.beside-pair').innerText()).includes('a teapot'));
    const [gone, come] = [page.locator('.diff del'), page.locator('.diff ins')];
    assert.ok((await gone.allInnerTexts()).some((line) => line.includes(ANSWER)), 'only the recorded one has it');
    assert.ok((await come.allInnerTexts()).some((line) => line.includes('"message": "a teapot"')), 'JSON has lines');
    assert.equal(await page.locator('.diff span').first().textContent(), '{\n', 'what both have is not marked');
    const sign = (line) => line.first().evaluate((element) => getComputedStyle(element, '::before').content);
    assert.deepEqual([await sign(gone), await sign(come)], ['"−"', '"+"'], 'more than a colour');
    await look(page, `replay-${theme}-${width}-${language}`);

    await page.getByRole('link', { name: words.row, exact: true }).click();
    await page.waitForURL((url) => url.pathname !== address);
    await page.locator('.beside').getByText('418', { exact: true }).first().waitFor();
    assertClean(page);
    await page.context().close();
  });
}

test('whoever may not read bodies is told so, and gets none', async () => {
  const secret = await rondo.command('user', 'create', 'vera', '--role', 'viewer');
  const page = await open(browser);
  await signIn(page, rondo, 'vera', secret);
  await page.goto(`${rondo.url}${address}`);
  await hydrated(page);
  await page.getByText('Only administrators may read them.', { exact: true }).waitFor();
  assert.equal(await page.getByRole('button', { name: 'Show bodies' }).count(), 0);
  assert.equal(await page.getByText('Send it again …').count(), 0);
  const status = await page.evaluate(async (path) => (await fetch(path)).status, `/api/admin/v1/requests/${address.split('/').at(-1)}/bodies`);
  assert.equal(status, 403);
  await page.context().close();
});

test('each reading and each replay stands in the audit trail', async () => {
  const { rows } = await (await api('audit')).json();
  for (const action of ['request.read_bodies', 'request.replay']) {
    assert.ok(rows.some((row) => row.action === action && row.object === address.split('/').at(-1)), action);
  }
});
