// A stranger's first minutes, in a browser with the real content security policy: from the link in the
// log to a provider, a group and a key, then the curl line of the page, then its row in the request log.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { assertClean, hydrated, launch, open, shot, signIn } from './browser.mjs';
import { Rondo, eventually } from './rondo.mjs';
import { ANSWER, Upstream } from './upstream.mjs';

const PASSWORD = 'round and round it goes';
let upstream, rondo, browser, page;

before(async () => {
  upstream = await Upstream.start();
  rondo = await Rondo.start();
  browser = await launch();
  page = await open(browser);
});
after(async () => {
  await browser?.close();
  await rondo?.stop();
  await upstream?.stop();
});

const field = (label) => page.getByLabel(label, { exact: true });
const button = (name) => page.getByRole('button', { name, exact: true });

test('without the token of the log there is no setup', async () => {
  const reply = await page.goto(`${rondo.url}/setup`);
  assert.equal(reply.status(), 404);
  assert.equal(await page.getByRole('heading', { level: 1 }).innerText(), 'This page does not exist');
  page.faults.length = 0;
});

test('the link of the log leads to the administrator', async () => {
  await page.goto(rondo.setupLink());
  await hydrated(page);
  await shot(page, 'setup-1-light-1440-en');
  await field('User name').fill('ana');
  await field('Password').fill(PASSWORD);
  await button('Save and continue').click();
  await page.getByRole('heading', { name: 'Connect your first provider' }).waitFor();
  await hydrated(page);
  assertClean(page);
});

test('the first provider is tested, then saved', async () => {
  await field('Name').fill('alpha');
  await field('Base URL').fill(upstream.url);
  await page.locator('input[name="basics[secret]"]').fill('sk-alpha-secret');
  await button('Test').click();
  await page.getByText('Works', { exact: true }).waitFor();
  await shot(page, 'setup-2-light-1440-en');
  await button('Save and continue').click();
  await page.getByRole('heading', { name: 'Give clients an address and a key' }).waitFor();
  assertClean(page);
});

test('the page ends with a curl line that works', async () => {
  await button('Make group and key').click();
  await page.getByRole('heading', { name: 'Rondo is ready' }).waitFor();
  await shot(page, 'setup-3-light-1440-en');
  const line = await page.locator('pre').first().innerText();
  assert.match(line, /^curl /);
  await eventually(async () => {
    const { stdout } = await promisify(execFile)('bash', ['-c', `${line} --silent`]).catch((error) => ({ stdout: error.message }));
    return stdout.includes(ANSWER) || stdout.includes('test-model');
  }, `this line is answered: ${line}`);
  assert.equal(upstream.calls.at(-1).headers.authorization, 'Bearer sk-alpha-secret');
  assertClean(page);
});

test('the call is in the log, with the provider that answered', async () => {
  await page.goto(`${rondo.url}/admin/requests`);
  await hydrated(page);
  const row = page.locator('main').getByText('alpha', { exact: true }).locator('visible=true').first();
  // The log is written in batches, a moment after the answer.
  await eventually(async () => {
    if (await row.isVisible()) return true;
    await page.reload();
    await hydrated(page);
    return row.isVisible();
  }, 'the call is in the log');
  await shot(page, 'journey-requests');
  assertClean(page);
});

test('signing out ends the session, and signing in opens a new one', async () => {
  await page.context().clearCookies();
  await page.goto(`${rondo.url}/admin`);
  await page.waitForURL(/\/login/);
  await signIn(page, rondo, 'ana', PASSWORD);
  assertClean(page);
});

test('a wrong password is refused with the same words as an unknown name', async () => {
  const words = [];
  for (const name of ['ana', 'nobody']) {
    const stranger = await open(browser);
    await stranger.goto(`${rondo.url}/login`);
    await hydrated(stranger);
    await stranger.fill('#username', name);
    await stranger.fill('#password', 'not the password');
    await stranger.click('button[type=submit]');
    words.push(await stranger.getByRole('alert').first().innerText());
    await stranger.context().close();
  }
  assert.equal(words[0], words[1]);
});
