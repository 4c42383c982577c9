// A real Chromium that tolerates nothing: console errors, CSP reports, failed requests and server errors are collected.
import { mkdir, readFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import assert from 'node:assert/strict';
import { chromium } from 'playwright-core';

const RESULTS = new URL('results/', import.meta.url);
const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');

export async function launch() {
  await mkdir(RESULTS, { recursive: true });
  return chromium.launch({
    executablePath: process.env.RONDO_TEST_CHROMIUM ?? '/usr/bin/chromium', // a path: it is not looked up on PATH
    // Chromium's own sandbox needs a user that is not root.
    args: process.getuid?.() === 0 ? ['--no-sandbox'] : [],
  });
}

/** A page that collects everything that went wrong on it; `expected` filters what a test provokes. */
export async function open(browser, { width = 1440, height = 900, theme = 'light', language = 'en', ...options } = {}) {
  const context = await browser.newContext({
    viewport: { width, height }, colorScheme: theme, reducedMotion: 'reduce',
    locale: language === 'zh' ? 'zh-CN' : 'en-US', timezoneId: 'UTC', ...options,
  });
  await context.addInitScript(() => {
    document.addEventListener('securitypolicyviolation', (event) => {
      console.error(`CSP: ${event.violatedDirective} refused ${event.blockedURI || event.sample} at ${event.sourceFile}:${event.lineNumber}`);
    });
  });
  const page = await context.newPage();
  page.setDefaultTimeout(15_000);
  page.faults = [];
  page.on('console', (message) => {
    if (message.type() === 'error') page.faults.push(`console: ${message.text()} (${message.location().url})`);
  });
  page.on('pageerror', (error) => page.faults.push(`page error: ${error.message}`));
  page.on('response', (response) => {
    if (response.status() >= 500) page.faults.push(`${response.status()} from ${response.url()}`);
  });
  return page;
}

/** Nothing went wrong on the page since the last call; an expected fault is named by a pattern. */
export function assertClean(page, expected = /^$/) {
  const faults = page.faults.splice(0).filter((fault) => !expected.test(fault));
  assert.deepEqual(faults, [], `on ${page.url()}`);
}

/** Waits until the client has taken over the page that the server rendered. */
export async function hydrated(page) {
  await page.waitForSelector('html[data-hydrated]', { state: 'attached', timeout: 20_000 }).catch((error) => {
    throw new Error(`${page.url()} was not taken over: ${page.faults.join('\n') || error.message}`);
  });
}

/** What makes the page scroll sideways; empty when it fits. */
export function overflow(page) {
  return page.evaluate(() => {
    const room = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= room) return [];
    const wide = [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > room + 0.5);
    const names = wide.slice(0, 4).map((element) => `${element.tagName.toLowerCase()}.${String(element.className?.baseVal ?? element.className).split(' ').join('.')}`);
    return [`${document.documentElement.scrollWidth} px in a window of ${room}: ${names.join(', ')}`];
  });
}

/** axe-core's findings that keep somebody from using the page; another theme only changes colours. */
export async function barriers(page, rules) {
  if (!(await page.evaluate(() => 'axe' in globalThis))) await page.evaluate(axe);
  const { violations } = await page.evaluate((runOnly) => globalThis.axe.run(document, { resultTypes: ['violations'], ...(runOnly && { runOnly }) }), rules);
  return violations
    .filter(({ impact }) => impact === 'serious' || impact === 'critical')
    .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.target.join(' ')} — ${node.failureSummary?.split('\n')[1]?.trim()}`));
}

export const shot = (page, name, options) => page.screenshot({ path: new URL(`${name}.png`, RESULTS).pathname, ...options });

/** A picture of the page as it is, on which nothing keeps anybody out, scrolls sideways or went wrong. */
export async function look(page, name) {
  await shot(page, name);
  assert.deepEqual([...(await barriers(page)), ...(await overflow(page))], [], name);
  assertClean(page);
}

/** Signs in through the form, and arrives on the dashboard. */
export async function signIn(page, rondo, username, password) {
  await page.goto(`${rondo.url}/login`);
  await hydrated(page);
  await page.fill('input[autocomplete=username]', username);
  await page.fill('input[type=password]', password);
  await page.click('button[type=submit]');
  await page.waitForURL(`${rondo.url}/admin`);
  await hydrated(page);
}
