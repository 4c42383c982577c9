// What the build made: styles from the design tokens, and a client small enough for a phone.
import assert from 'node:assert/strict';
import { readFile, stat } from 'node:fs/promises';
import { test } from 'node:test';
import { sidebar, tokenClass } from './tokens.mjs';

const site = new URL('../target/site/pkg/', import.meta.url);

test('the built style sheet carries a class that only tailwind.config.js defines', async () => {
  const css = await readFile(new URL('rondo.css', site), 'utf8');
  assert.ok(css.includes(tokenClass.selector), `${tokenClass.selector} is missing: is tailwind.config.js loaded by style/main.css?`);
  assert.ok(css.replaceAll(' ', '').includes(tokenClass.declaration), `${tokenClass.declaration} is missing`);
  assert.ok(!css.includes('@import') && !css.includes('@source'), 'only what Tailwind made: the source itself must not be in it');
  assert.ok(css.includes(sidebar), 'theme(spacing.sidebar) is resolved');
});

test('the browser gets a first module, a style sheet, and a piece for each kind of page', async () => {
  for (const name of ['rondo.js', 'rondo.wasm', 'rondo.css']) assert.ok((await stat(new URL(name, site))).size > 0, name);
  const pieces = JSON.parse(await readFile(new URL('__wasm_split_manifest.json', site), 'utf8'));
  assert.deepEqual(Object.keys(pieces).sort(), ['office', 'routing', 'supply', 'traffic']);
  for (const file of Object.values(pieces).flat()) assert.ok((await stat(new URL(`${file}.wasm`, site))).size > 0, file);
});
