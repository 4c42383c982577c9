// The back office at work: refusals that leave the console quiet, two people on one record, lists of any length,
// dialogs and keys, and everything a browser without scripts can do.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertClean, barriers, hydrated, launch, open, shot, signIn } from './browser.mjs';
import { Rondo, configuration, eventually } from './rondo.mjs';
import { Upstream } from './upstream.mjs';

const MANY = 120;
let rondo, browser, password, upstream, page, token;

before(async () => {
  upstream = await Upstream.start();
  rondo = await Rondo.start();
  browser = await launch();
  password = await rondo.command('user', 'create', 'ana', '--display-name', 'Ana Silva');
  const file = configuration({ alpha: upstream, beta: upstream });
  for (let number = 0; number < MANY; number += 1) {
    file.providers.push({ name: `spare-${String(number).padStart(3, '0')}`, base_url: 'http://127.0.0.1:9', auth: 'none', enabled: number % 2 === 0 });
  }
  await rondo.apply(file);
  token = await rondo.command('token', 'create', '--user', 'ana', '--name', 'office');
  page = await open(browser);
  await signIn(page, rondo, 'ana', password);
});
after(async () => {
  await browser?.close();
  await rondo?.stop();
  await upstream?.stop();
});

const ask = async (path) => (await fetch(`${rondo.url}/api/admin/v1/${path}`, { headers: { authorization: `Bearer ${token}` } })).json();
const providerNamed = async (name) => (await ask(`providers?search=${name}`)).rows[0].provider;
const group = async () => (await ask('groups')).rows[0];
const go = async (path, on = page) => {
  const reply = await on.goto(rondo.url + path);
  await hydrated(on);
  return reply;
};
const button = (name, on = page) => on.getByRole('button', { name });
/** A page of ana's without scripts: what the server alone makes of it. */
const plainly = async (use) => {
  const cookies = await page.context().cookies();
  const context = await browser.newContext({ javaScriptEnabled: false, locale: 'en-US' });
  await context.addCookies(cookies);
  try {
    await use(await context.newPage());
  } finally {
    await context.close();
  }
};

test('what does not exist is 404, setup without its token too', async () => {
  const stranger = await open(browser);
  for (const path of ['/setup', '/setup?token=guessed', '/admin/nowhere', '/nowhere']) {
    assert.equal((await stranger.goto(rondo.url + path)).status(), 404, path);
  }
  await stranger.context().close();
  assert.equal((await go('/admin/providers/019ab2c0-0000-7000-8000-000000000000')).status(), 404);
  assert.match(await page.locator('h1').innerText(), /no longer here/);
  page.faults.length = 0; // Chromium notes a document that is 404.
});

test('a refused save shows the problem at its field and leaves no line in the console', async () => {
  await go('/admin/providers/new');
  await page.fill('#name', 'alpha');
  await page.fill('#base_url', 'http://127.0.0.1:9');
  await page.selectOption('#auth', 'none');
  await button('Add provider').click();
  await page.locator('#name-note').getByText('already taken').waitFor();
  assert.equal(await page.locator('#name').getAttribute('aria-invalid'), 'true');
  assertClean(page);
});

test('a second save of one record is refused, merged, and asks about what both changed', async () => {
  const { id } = await providerNamed('beta');
  const other = await open(browser, { storageState: await page.context().storageState() });
  await go(`/admin/providers/${id}/edit`);
  await go(`/admin/providers/${id}/edit`, other);
  await other.fill('#website', 'https://theirs.example.com');
  await other.locator('[id="timeouts.connect_ms"]').fill('4000');
  await other.locator('.save-bar').getByRole('button', { name: /Save/ }).click();
  await other.waitForURL(`${rondo.url}/admin/providers/${id}`);
  assertClean(other);
  await other.context().close();

  await page.fill('#website', 'https://mine.example.com');
  await page.locator('.save-bar').getByRole('button', { name: /Save/ }).click();
  const card = page.locator('section[role=alert]');
  await card.getByText('Nothing was overwritten').waitFor();
  assertClean(page);
  assert.equal(await page.locator('[id="timeouts.connect_ms"]').inputValue(), '4000', 'what only the other changed is taken over');
  for (const theme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: theme });
    await shot(page, `conflict-${theme}-1440-en`);
    await page.setViewportSize({ width: 390, height: 844 });
    await shot(page, `conflict-${theme}-390-en`);
    await page.setViewportSize({ width: 1440, height: 900 });
  }
  await page.emulateMedia({ colorScheme: 'light' });
  await card.getByLabel('https://theirs.example.com').check();
  assert.equal(await page.locator('#website').inputValue(), 'https://theirs.example.com');
  await card.getByLabel('https://mine.example.com').check();
  await page.locator('.save-bar').getByRole('button', { name: /Save/ }).click();
  await page.waitForURL(`${rondo.url}/admin/providers/${id}`);
  const saved = await providerNamed('beta');
  assert.deepEqual([saved.website, saved.timeouts.connect_ms], ['https://mine.example.com', 4000]);
  assertClean(page);
});

test('the save bar names the revision that saving makes', async () => {
  await go(`/admin/groups/${(await group()).id}?tab=settings`);
  await page.fill('#description', 'for the shop');
  const bar = page.locator('.save-bar');
  await bar.getByText(/revision \d+/).waitFor();
  const promised = Number((await bar.innerText()).match(/revision (\d+)/)[1]);
  await bar.getByRole('button', { name: /Save/ }).click();
  await bar.waitFor({ state: 'detached' });
  assert.equal((await group()).revision, promised);
  await page.getByText(`Revision ${promised}`, { exact: true }).waitFor();
  assertClean(page);
});

test('a page that is saved again and again goes on, and the tab is called as the record is', async () => {
  await go(`/admin/groups/${(await group()).id}?tab=settings`);
  for (const name of ['Production 1', 'Production 2', 'Production 3', 'Production 4', 'Production 5', 'Production']) {
    await page.fill('#name', name);
    await page.locator('.save-bar').getByRole('button', { name: /Save/ }).click();
    await page.locator('.save-bar').waitFor({ state: 'detached' });
    await eventually(async () => (await page.title()) === `${name} · Rondo`, `the tab is called ${name}`);
  }
  await page.getByRole('link', { name: 'Limits and access' }).click();
  await page.waitForURL(/tab=access/);
  await page.goBack();
  assertClean(page);
});

test('the connection of a provider and the rules of a group are forms', async () => {
  const { id } = await providerNamed('beta');
  await go(`/admin/providers/${id}/edit`);
  await page.getByText('HTTP/2', { exact: true }).click();
  await page.locator('[id="connection.egress_proxy"]').fill('https://proxy.example.com');
  await page.locator('[id="connection.check_path"]').fill('/v1/models');
  await page.locator('.save-bar').getByRole('button', { name: /Save/ }).click();
  await page.locator('[id="connection.egress_proxy-note"]').getByText('http://').waitFor();
  await page.locator('[id="connection.egress_proxy"]').fill('http://proxy.example.com:3128');
  await page.locator('.save-bar').getByRole('button', { name: /Save/ }).click();
  await page.waitForURL(`${rondo.url}/admin/providers/${id}`);
  assert.deepEqual((await providerNamed('beta')).connection, { protocol: 'http2', egress_proxy: 'http://proxy.example.com:3128', check_path: '/v1/models' });

  await go(`/admin/groups/${(await group()).id}?tab=settings`);
  await page.locator('input[name=strategy][value=sticky]').check();
  await page.locator('input[name="sticky.by"][value=header]').check();
  await page.locator('[id="sticky.header"]').fill('x-session-id');
  await page.getByRole('link', { name: 'Failover' }).click();
  await button('Add rule').click();
  await page.locator('[id="outcome_rules[0].status_from"]').fill('520');
  await page.locator('[id="outcome_rules[0].status_to"]').fill('519');
  await page.locator('[id="outcome_rules[0].status_to"]').blur();
  await page.locator('[id="outcome_rules[0].status_to-note"]').getByText('520').waitFor();
  await page.locator('[id="outcome_rules[0].status_to"]').fill('529');
  await page.selectOption('[id="outcome_rules[0].outcome"]', 'rate_limited');
  await page.locator('[id="outcome_rules[0].body_contains"]').fill('slow down');
  await page.getByRole('link', { name: 'Limits and access' }).click();
  await page.locator('#websocket').check();
  await page.locator('.save-bar').getByRole('button', { name: /Save/ }).click();
  await page.locator('.save-bar').waitFor({ state: 'detached' });
  const saved = await group();
  assert.deepEqual([saved.strategy, saved.sticky, saved.websocket], ['sticky', { by: 'header', header: 'x-session-id' }, true]);
  assert.deepEqual(saved.outcome_rules, [{ status_from: 520, status_to: 529, body_contains: 'slow down', header: null, outcome: 'rate_limited' }]);
  assertClean(page);
});

test('a long list is searched, filtered, sorted and paged by the server, and its address says how', async () => {
  const names = () => page.locator('tbody .name').allInnerTexts();
  const seen = [];
  page.on('response', async (reply) => {
    if (reply.url().includes('/rpc/providers/')) seen.push((await reply.body().catch(() => '')).length);
  });
  await go('/admin/providers');
  assert.equal((await names()).length, 50);
  assert.match(await page.locator('.card-foot').innerText(), new RegExp(`1–50 of ${MANY + 2}`));
  await page.getByRole('link', { name: 'Next page' }).click();
  await page.getByText(`51–100 of ${MANY + 2}`).waitFor();
  await eventually(async () => (await names())[0] === 'spare-048', 'the rows of the second page');

  await page.getByRole('searchbox').fill('spare-01');
  await page.getByText('1–10 of 10').waitFor();
  assert.match(page.url(), /\?q=spare-01$/, 'a new search starts at the first page');
  assert.equal(await page.evaluate(() => document.activeElement?.type), 'search', 'the field keeps the focus');
  await page.getByRole('link', { name: /^Off/ }).click();
  await page.getByText('1–5 of 5').waitFor();
  await page.getByRole('link', { name: 'Provider', exact: true }).click();
  await page.waitForURL(/sort=name/);
  await page.getByRole('link', { name: 'Provider', exact: true }).click();
  await page.waitForURL(/sort=-name/);
  await eventually(async () => (await names())[0] === 'spare-019', 'turned round');
  const [address, rows] = [page.url(), await names()];
  assert.ok(seen.length > 0 && Math.max(...seen) < 150_000, `no answer carries the whole list: ${seen}`);

  await page.goto(address);
  await hydrated(page);
  assert.deepEqual(await names(), rows, 'the address alone shows the same');
  await page.getByRole('searchbox').fill('no such thing');
  await page.getByText('No provider matches').waitFor();
  await page.getByRole('link', { name: 'Clear filters' }).click();
  await page.getByText(`1–50 of ${MANY + 2}`).waitFor();
  assertClean(page);
  await plainly(async (plain) => {
    await plain.goto(address);
    assert.deepEqual(await plain.locator('tbody .name').allInnerTexts(), rows, 'without scripts too');
  });
});

test('rows chosen on one page are switched together, and back', async () => {
  await go('/admin/providers?q=spare-00&state=off');
  await page.getByLabel('Select all').check();
  await page.getByText('5 selected').waitFor();
  await button('Enable').first().click();
  await page.getByText('No provider matches').waitFor();
  await button('Undo').click();
  await eventually(async () => (await page.locator('tbody .name').count()) === 5, 'they are off again');
  assertClean(page);
});

test('several keys are switched and revoked together, several groups too, and what stays is told by name', async () => {
  for (const name of ['bulk-a', 'bulk-b', 'bulk-c']) await rondo.key(name, '--group', 'prod');
  const keys = async (state) => (await ask(`api-keys?search=bulk-&state=${state}`)).total;
  await go('/admin/api-keys?q=bulk-');
  await page.getByLabel('Select bulk-a').click();
  await page.getByLabel('Select bulk-c').click({ modifiers: ['Shift'] });
  await page.getByText('3 selected').waitFor();
  assert.deepEqual(await barriers(page), []);
  await shot(page, 'bulk-keys-light-1440-en');
  await button('Disable').first().click();
  await page.getByText('3 disabled').waitFor();
  assert.equal(await keys('off'), 3);
  await button('Undo').click();
  await page.getByText('Undone').waitFor();
  assert.equal(await keys('off'), 0);

  await page.getByLabel('Select bulk-b').click();
  await page.getByLabel('Select bulk-c').click();
  await button('Revoke').first().click();
  const asked = page.getByRole('dialog', { name: 'Revoke 2 at once?' });
  await asked.getByText('bulk-b, bulk-c.').waitFor();
  await page.keyboard.press('Escape');
  await asked.waitFor({ state: 'hidden' });
  await page.getByText('2 selected').waitFor();
  await button('Revoke').first().click();
  assert.deepEqual(await barriers(page), []);
  await asked.getByRole('textbox').fill('3');
  assert.ok(await asked.getByRole('button', { name: 'Revoke' }).isDisabled(), 'another number does nothing');
  await asked.getByRole('textbox').fill('2');
  await asked.getByRole('button', { name: 'Revoke' }).click();
  await page.getByText('2 revoked').waitFor();
  await asked.waitFor({ state: 'hidden' });
  assert.equal((await ask('api-keys?search=bulk-')).total, 1);
  const { rows } = await ask('audit');
  assert.deepEqual(rows.slice(0, 2).map((row) => row.object), ['bulk-c', 'bulk-b'], 'a row for each');

  await go('/admin/groups');
  await page.getByLabel('Select Production').click();
  await button('Disable').first().click();
  await page.getByText('1 disabled').waitFor();
  assert.equal((await group()).enabled, false);
  await button('Undo').click();
  await eventually(async () => (await group()).enabled, 'it is on again');

  await go('/admin/providers?q=alpha');
  await page.getByLabel('Select all').check();
  await button('Delete').first().click();
  const doomed = page.getByRole('dialog', { name: 'Delete 1 at once?' });
  await doomed.getByRole('textbox').fill('1');
  await doomed.getByRole('button', { name: 'Delete' }).click();
  await page.getByText('Not done: 1').waitFor();
  await page.getByText(/alpha: .*group prod/).waitFor();
  assert.equal((await providerNamed('alpha')).name, 'alpha', 'a group still uses it');
  assertClean(page);
});

test('Esc closes a dialog and gives the focus back', async () => {
  await go('/admin');
  await page.locator('body').press('?');
  const help = page.getByRole('dialog', { name: 'Keyboard shortcuts' });
  await help.waitFor();
  await shot(page, 'shortcuts-light-1440-en');
  await page.keyboard.press('Escape');
  await help.waitFor({ state: 'hidden' });

  const { id } = await providerNamed('alpha');
  await go(`/admin/providers/${id}`);
  const test = button('Test');
  await test.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  await eventually(() => test.evaluate((element) => element === document.activeElement), 'the button has the focus again');

  await go('/admin/api-keys');
  const create = page.getByRole('link', { name: 'Create key' }).first();
  await create.focus();
  await page.keyboard.press('Enter');
  await page.getByRole('dialog').waitFor();
  await page.keyboard.press('Escape');
  await page.getByRole('dialog').waitFor({ state: 'hidden' });
  assert.doesNotMatch(page.url(), /create/);
  await eventually(() => page.evaluate(() => document.activeElement !== document.body), 'the focus is not lost');
  assertClean(page);
});

test('keys lead to places and to the controls of a page', async () => {
  await go('/admin');
  await page.keyboard.press('g');
  await page.keyboard.press('p');
  await page.waitForURL(`${rondo.url}/admin/providers`);
  await page.getByRole('searchbox').waitFor();
  await page.keyboard.press('/');
  assert.equal(await page.evaluate(() => document.activeElement?.type), 'search');
  await page.keyboard.press('Escape');
  assertClean(page);
});

test('a piece of the client that does not come is said on its page, and comes when it can', async () => {
  const pieces = await (await fetch(`${rondo.url}/pkg/__wasm_split_manifest.json`)).json();
  const others = Object.keys(pieces).filter((name) => name !== 'routing').flatMap((name) => pieces[name]);
  const own = pieces.routing.filter((file) => !others.includes(file));
  assert.ok(own.length > 0, 'groups have code of their own');
  const tab = await open(browser, { storageState: await page.context().storageState() });
  await tab.route(({ pathname }) => own.some((file) => pathname.endsWith(`/${file}.wasm`)), (route) => route.abort());
  await go('/admin', tab);
  const place = (name) => tab.getByRole('navigation', { name: 'Main navigation' }).getByRole('link', { name }).first();
  const failed = tab.getByRole('alert').filter({ hasText: 'Rondo cannot be reached' });
  await place('Groups').click();
  await failed.waitFor();
  await place('Providers').click();
  await tab.locator('tbody .name').first().waitFor();
  await tab.keyboard.press('?');
  await tab.getByRole('dialog', { name: 'Keyboard shortcuts' }).waitFor();
  await tab.keyboard.press('Escape');
  await place('Groups').click();
  await failed.waitFor();
  await tab.unrouteAll();
  await failed.getByRole('link', { name: 'Try again' }).click();
  await hydrated(tab);
  await tab.getByRole('link', { name: 'Production' }).waitFor();
  const faults = tab.faults.filter((fault) => /panicked|unreachable|RuntimeError/.test(fault));
  assert.deepEqual(faults, [], 'the client lived on');
  await tab.context().close();
});

test('the palette finds things, places and actions with the keyboard alone', async () => {
  const palette = page.getByRole('dialog', { name: 'Search or go to' });
  const field = palette.getByRole('combobox');
  const summon = async (text) => {
    await page.keyboard.press('Control+k');
    await field.waitFor();
    await eventually(() => field.evaluate((element) => element === document.activeElement), 'the field has the focus');
    if (text) await page.keyboard.type(text);
  };
  await go('/admin');
  await page.getByText(`All ${MANY / 2 + 2} providers are healthy, ${MANY / 2} switched off`).waitFor();
  await summon();
  await palette.getByRole('option', { name: 'Audit log' }).waitFor();
  assert.deepEqual(await barriers(page), []);
  await shot(page, 'palette-idle-light-1440-en');
  await page.keyboard.type('spare-01');
  await palette.getByRole('option', { name: /^spare-010/ }).waitFor();
  await shot(page, 'palette-light-1440-en');
  await page.keyboard.press('ArrowDown');
  const chosen = palette.locator('[role=option][aria-selected=true]');
  assert.match(await chosen.innerText(), /spare-011/);
  assert.equal(await field.getAttribute('aria-activedescendant'), await chosen.getAttribute('id'));
  await page.keyboard.press('Enter');
  await page.getByRole('heading', { level: 1, name: 'spare-011' }).waitFor();
  await palette.waitFor({ state: 'hidden' });

  await summon('produ');
  await palette.getByRole('option', { name: /^Production/ }).waitFor();
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/admin\/groups\/[0-9a-f-]{36}$/);
  // Who types and presses Enter at once means what will be found, not what stands there meanwhile.
  await page.route('**/rpc/search/things*', async (route) => {
    await new Promise((resolve) => setTimeout(resolve, 300));
    await route.continue();
  });
  await go('/admin');
  await summon('produ');
  await page.keyboard.press('Enter');
  await page.waitForURL(/\/admin\/groups\/[0-9a-f-]{36}$/);
  await page.unroute('**/rpc/search/things*');
  await summon('audit');
  await eventually(async () => /Audit log/.test(await palette.locator('[role=option]').last().innerText()), 'the place is listed');
  await page.keyboard.press('ArrowUp');
  await page.keyboard.press('Enter');
  await page.waitForURL(`${rondo.url}/admin/audit`);

  await summon('spare-000');
  await palette.getByRole('option', { name: 'Disable spare-000' }).click();
  await page.getByText('spare-000 disabled').waitFor();
  assert.equal((await providerNamed('spare-000')).enabled, false);
  await button('Undo').click();
  await eventually(async () => (await providerNamed('spare-000')).enabled, 'it is on again');
  await summon('alpha');
  await palette.getByRole('option', { name: 'Test alpha' }).click();
  await page.getByText('alpha works').waitFor();
  await summon('alpha');
  await palette.getByRole('option', { name: /^Drill alpha/ }).click();
  await page.getByText('Drill of alpha started').waitFor();
  const { id } = await providerNamed('alpha');
  assert.equal((await ask(`providers/${id}/drill`)).running.fault, '500');
  await button('Undo').last().click();
  await eventually(async () => !(await ask(`providers/${id}/drill`)).running, 'it is over');

  await go(`/admin/providers/${id}`);
  await go(`/admin/groups/${(await group()).id}`);
  await summon();
  const recent = palette.getByRole('group', { name: 'Recent' }).getByRole('option');
  await recent.first().waitFor();
  assert.deepEqual((await recent.allInnerTexts()).slice(0, 2).map((text) => text.trim()), ['Production', 'alpha']);
  await recent.nth(1).click();
  await page.waitForURL(`${rondo.url}/admin/providers/${id}`);
  assert.ok(!(await page.evaluate(() => JSON.stringify(localStorage))).includes('sk-'), 'names and addresses, no secret');
  await summon('x');
  await page.keyboard.press('Escape');
  await palette.waitFor({ state: 'hidden' });
  assertClean(page);
});

test('a rotated key is shown once, and the old secret is refused', async () => {
  const old = await rondo.key('rotating', '--group', 'prod');
  await go('/admin/api-keys?q=rotating');
  await page.getByLabel('More actions for rotating').click();
  await page.getByRole('link', { name: 'Rotate' }).click();
  const asked = page.getByRole('dialog', { name: 'Rotate “rotating”?' });
  await asked.getByRole('textbox').fill('rotating');
  await asked.getByRole('button', { name: 'Rotate key' }).click();
  const shown = page.getByRole('dialog', { name: 'Key “rotating” is ready' });
  const fresh = await shown.getByLabel('The key').inputValue();
  assert.notEqual(fresh, old);
  await asked.waitFor({ state: 'hidden' });
  await eventually(async () => (await rondo.call('prod/v1/models', { key: old })).status === 401, 'the old one is refused');
  await eventually(async () => (await rondo.call('prod/v1/models', { key: fresh })).ok, 'the new one is taken');
  await shown.getByLabel('I have stored this key').check();
  await shown.getByRole('button', { name: 'Done' }).click();
  await shown.waitFor({ state: 'hidden' });
  assertClean(page);
});

test('the address of a group is whole without scripts, and the same with them', async () => {
  const { id, slug } = await group();
  const address = `${rondo.url}/api/proxy/${slug}/…`;
  await plainly(async (plain) => {
    await plain.goto(`${rondo.url}/admin/groups/${id}`);
    assert.ok((await plain.locator('.address').innerText()).includes(address));
  });
  await go(`/admin/groups/${id}`);
  assert.ok((await page.locator('.address').innerText()).includes(address));
  assertClean(page);
});

test('a refused form comes back as it was typed where scripts do not run', async () => {
  await plainly(async (plain) => {
    await plain.goto(`${rondo.url}/admin/providers/new`);
    await plain.fill('#name', 'alpha');
    await plain.fill('#base_url', 'ftp://x');
    await plain.fill('noscript input, input[name="basics[secret]"]', 'sk-typed');
    await plain.getByRole('button', { name: 'Add provider' }).click();
    assert.equal(plain.url(), `${rondo.url}/admin/providers/new`);
    assert.equal(await plain.locator('#base_url').inputValue(), 'ftp://x');
    assert.match(await plain.locator('#base_url-note').innerText(), /http/);
    assert.equal(await plain.locator('input[name="basics[secret]"]').inputValue(), '', 'a secret is typed again');
    await plain.fill('#base_url', 'http://127.0.0.1:9');
    await plain.fill('input[name="basics[secret]"]', 'sk-typed');
    await plain.getByRole('button', { name: 'Add provider' }).click();
    assert.match(await plain.locator('#name-note').innerText(), /taken/);
    await plain.fill('#name', 'typed-plainly');
    await plain.fill('input[name="basics[secret]"]', 'sk-typed');
    await plain.getByRole('button', { name: 'Add provider' }).click();
    await plain.waitForURL(/\/admin\/providers\/[0-9a-f-]{36}$/);

    await plain.goto(`${rondo.url}/admin/groups/new`);
    await plain.fill('#name', 'Shop');
    await plain.fill('#slug', 'prod');
    await plain.fill('#description', 'for the shop');
    await plain.getByRole('button', { name: 'Add group' }).click();
    assert.match(await plain.locator('#slug-note').innerText(), /taken/);
    assert.equal(await plain.locator('#description').inputValue(), 'for the shop');
  });
  assert.equal((await providerNamed('typed-plainly')).credentials.length, 1);
});
