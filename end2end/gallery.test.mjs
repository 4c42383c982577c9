// Every component in its states (development builds have them on one page): photographed in both themes and
// languages, without barriers, and each control that only the client answers does what it says.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import { after, before, test } from 'node:test';
import { assertClean, barriers, hydrated, launch, open, overflow, shot } from './browser.mjs';
import { Rondo, eventually } from './rondo.mjs';

let rondo, browser;

before(async () => {
  rondo = await Rondo.start();
  browser = await launch();
});
after(async () => {
  await browser?.close();
  await rondo?.stop();
});

/** The page; nothing where a release is under test, which has none. */
const gallery = async (context, options) => {
  const page = await open(browser, options);
  const reply = await page.goto(`${rondo.url}/admin/gallery`);
  if (reply.status() === 404) {
    await page.context().close();
    context.skip('a release has no gallery');
    return null;
  }
  await hydrated(page);
  return page;
};

for (const language of ['en', 'zh']) {
  for (const theme of ['light', 'dark']) {
    test(`gallery: ${theme}, ${language}`, async (context) => {
      const page = await gallery(context, { theme, language });
      if (!page) return;
      assert.deepEqual(await barriers(page), []);
      await shot(page, `gallery-${theme}-1440-${language}`, { fullPage: true });
      for (const width of [360, 390, 768, 1024, 1440]) {
        await page.setViewportSize({ width, height: 900 });
        assert.deepEqual(await overflow(page), [], `${width} px`);
        if (width === 390) await shot(page, `gallery-${theme}-390-${language}`, { fullPage: true });
      }
      assertClean(page);
      await page.context().close();
    });
  }
}

test('what opens above the page is without barriers, and closes', async (context) => {
  const page = await gallery(context);
  if (!page) return;
  for (const name of ['Narrow', 'Wide', 'Drawer', 'Confirm']) {
    await page.getByRole('button', { name, exact: true }).click();
    await page.getByRole('dialog').waitFor();
    assert.deepEqual(await barriers(page), [], name);
    await shot(page, `gallery-dialog-${name.toLowerCase()}`);
    await page.keyboard.press('Escape');
    await page.getByRole('dialog').waitFor({ state: 'hidden' });
  }
  for (const name of ['Done', 'Undo', 'Failed']) await page.getByRole('button', { name, exact: true }).first().click();
  await page.locator('.toast').nth(2).waitFor();
  assert.deepEqual(await barriers(page), []);
  await shot(page, 'gallery-toasts');
  assertClean(page);
  await page.context().close();
});

test('a chart tells its columns, leaves series out, shows a stretch, and gives its data away', async (context) => {
  const page = await gallery(context);
  if (!page) return;
  const card = page.getByRole('region', { name: 'RequestsChart', exact: true });
  const plot = card.getByRole('img');
  await plot.scrollIntoViewIfNeeded();
  const box = await plot.boundingBox();
  const at = (part) => [box.x + box.width * part, box.y + box.height / 2];

  // The event stands in the 52nd of 96 columns.
  await page.mouse.move(...at(51.5 / 96));
  const tip = plot.locator('.tip');
  assert.match(await tip.innerText(), /Failed\s+60[\s\S]*openrouter/, 'the column with its failures and its event');
  await shot(page, 'gallery-crosshair');

  const columns = async () => Number((await plot.locator('svg').first().getAttribute('viewBox')).split(' ')[2]) / 10;
  assert.equal(await columns(), 96);
  await page.mouse.move(...at(0.5));
  await page.mouse.down();
  await page.mouse.move(...at(0.6), { steps: 4 });
  await plot.locator('.plot-selection').waitFor();
  await page.mouse.up();
  await eventually(async () => (await columns()) < 15, 'a stretch is shown');
  await shot(page, 'gallery-zoom');
  await card.getByRole('button', { name: 'Whole range' }).click();
  await eventually(async () => (await columns()) === 96, 'all is shown again');

  await plot.focus();
  await page.keyboard.press('End');
  for (let count = 0; count < 9; count += 1) await page.keyboard.press('Shift+ArrowLeft');
  await page.keyboard.press('Enter');
  await eventually(async () => (await columns()) === 10, 'the keys draw one too');
  await page.keyboard.press('Escape');
  await eventually(async () => (await columns()) === 96, 'and go back');

  const served = plot.locator('path.fill-served').first();
  const before = await served.getAttribute('d');
  const entry = card.getByRole('button', { name: 'Served' });
  await entry.click();
  assert.equal(await entry.getAttribute('aria-pressed'), 'false');
  await eventually(async () => !(await served.getAttribute('d')), 'its columns are gone');
  await entry.click();
  await eventually(async () => (await served.getAttribute('d')) === before, 'and back');

  const latency = page.getByRole('region', { name: 'LatencyChart', exact: true });
  const line = latency.locator('path.line-p99');
  const [drawn, axis] = [await line.getAttribute('d'), await latency.locator('.tick-y').allInnerTexts()];
  const stroke = latency.getByRole('button', { name: 'P99' });
  await stroke.click();
  assert.equal(await stroke.getAttribute('aria-pressed'), 'false');
  await eventually(async () => !(await line.getAttribute('d')), 'the line is gone');
  assert.equal(await latency.locator('.line-name', { hasText: 'P99' }).count(), 0, 'and its name');
  assert.notDeepEqual(await latency.locator('.tick-y').allInnerTexts(), axis, 'the axis fits what is left');
  await stroke.click();
  await eventually(async () => (await line.getAttribute('d')) === drawn, 'and back');

  await card.getByRole('button', { name: 'Show as table' }).click();
  assert.equal(await card.locator('tbody tr').count(), 96);
  const saving = page.waitForEvent('download');
  await card.getByRole('button', { name: 'Download as CSV' }).click();
  const file = await saving;
  assert.equal(file.suggestedFilename(), 'requests.csv');
  const lines = (await readFile(await file.path(), 'utf8')).trim().split('\n');
  assert.equal(lines.length, 97);
  assert.match(lines[0], /^\ufeff?time,"Served","Saved by failover","Failed"/);
  assert.match(lines[51], /^2026-11-2\dT[\d:.+-]+,\d+,240,60,0,0$/);
  assertClean(page);
  await page.context().close();
});
