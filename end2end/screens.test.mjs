// Every screen, in both languages and themes, from a small phone to a wide desk: drawn, hydrated, accessible, and quiet.
// A screen is loaded once per language; theme and width are turned on the page as it stands, as a person would.
// The pictures are in results/.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { assertClean, barriers, hydrated, launch, open, overflow, shot, signIn } from './browser.mjs';
import { Rondo, configuration, eventually } from './rondo.mjs';
import { Upstream } from './upstream.mjs';

const WIDTHS = [360, 390, 768, 1024, 1280, 1440, 1920];
const heightFor = (width) => (width > 768 ? 900 : 844);

/** Name of a picture, and its address. */
const SCREENS = {
  dashboard: '/admin',
  providers: '/admin/providers',
  'provider-new': '/admin/providers/new',
  groups: '/admin/groups',
  'group-new': '/admin/groups/new',
  'api-keys': '/admin/api-keys',
  'api-key-new': '/admin/api-keys?create=1',
  requests: '/admin/requests',
  health: '/admin/health',
  alerts: '/admin/alerts',
  'alert-rule-new': '/admin/alerts?rule=new',
  'alert-channel-new': '/admin/alerts?channel=new',
  users: '/admin/users',
  'user-new': '/admin/users?create=1',
  audit: '/admin/audit',
  settings: '/admin/settings',
};
const LOST = '/admin/no-such-page';

let rondo, browser, password;
const upstreams = [];

before(async () => {
  browser = await launch();
  for (let count = 0; count < 3; count += 1) upstreams.push(await Upstream.start());
  const [alpha, beta, gamma] = upstreams;
  rondo = await Rondo.start();
  password = await rondo.command('user', 'create', 'ana', '--display-name', 'Ana Silva');
  await rondo.apply(configuration({ alpha, beta, gamma }, {
    outcome_rules: [{ status_from: 400, status_to: 499, body_contains: 'capacity', header: 'x-reason: full', outcome: 'overloaded' }],
  }));
  const key = await rondo.key('storefront', '--group', 'prod');
  await eventually(async () => (await rondo.call('prod/v1/models', { key })).ok, 'the group is live');
  const token = await rondo.command('token', 'create', '--user', 'ana', '--name', 'screens');
  const first = async (what) => {
    const reply = await fetch(`${rondo.url}/api/admin/v1/${what}`, { headers: { authorization: `Bearer ${token}` } });
    return (await reply.json()).rows[0];
  };
  const provider = (await first('providers')).provider.id;
  const group = (await first('groups')).id;
  Object.assign(SCREENS, {
    provider: `/admin/providers/${provider}`,
    'provider-edit': `/admin/providers/${provider}/edit`,
    'provider-delete': `/admin/providers/${provider}?delete=1`,
    group: `/admin/groups/${group}`,
    'group-policy': `/admin/groups/${group}?tab=policy`,
    'group-failover': `/admin/groups/${group}?tab=failover`,
    'group-access': `/admin/groups/${group}?tab=access`,
    'group-settings': `/admin/groups/${group}?tab=settings`,
    'group-keys': `/admin/groups/${group}?tab=keys`,
    'api-key-edit': `/admin/api-keys?edit=${(await first('api-keys')).id}`,
  });
  gamma.always = { status: 503 };
  for (let round = 0; round < 60; round += 1) {
    const reply = await rondo.call('prod/v1/chat/completions', {
      method: 'POST', key, headers: { 'content-type': 'application/json' },
      body: JSON.stringify({ model: 'test-model', messages: [] }),
    });
    await reply.text();
  }
  await eventually(async () => await first('requests?outcome=saved') ?? await first('requests'), 'the log has rows');
  SCREENS.request = `/admin/requests/${(await first('requests?outcome=saved') ?? await first('requests')).id}`;
});
after(async () => {
  await browser?.close();
  await rondo?.stop();
  await Promise.all(upstreams.map((upstream) => upstream.stop()));
});

for (const language of ['en', 'zh']) {
  test(`screens: ${language}`, async () => {
    const page = await open(browser, { language });
    const findings = [];
    /** Looks at one screen in every theme and width. */
    const look = async (name) => {
      const note = (where, found) => findings.push(...found.map((finding) => `${name}, ${where}: ${finding}`));
      note('light', await barriers(page));
      await shot(page, `${name}-light-1440-${language}`);
      // Colours are the same in every language.
      if (language === 'en') {
        await page.emulateMedia({ colorScheme: 'dark' });
        note('dark', await barriers(page, ['color-contrast']));
        await shot(page, `${name}-dark-1440-${language}`);
        await page.emulateMedia({ colorScheme: 'light' });
      }
      for (const width of WIDTHS) {
        await page.setViewportSize({ width, height: heightFor(width) });
        note(`${width} px`, await overflow(page));
        if (width === 390) await shot(page, `${name}-light-390-${language}`);
      }
      await page.setViewportSize({ width: 1440, height: 900 });
      assertClean(page, name === 'lost' ? /404/ : undefined);
    };
    const visit = async (name, path, status) => {
      try {
        const reply = await page.goto(rondo.url + path);
        assert.equal(reply.status(), status, path);
        await hydrated(page);
        await look(name);
      } catch (error) {
        page.faults.length = 0;
        findings.push(`${name}: ${error.message}`); // and on to the next: a tour tells everything it finds
      }
    };
    await visit('login', '/login', 200);
    await signIn(page, rondo, 'ana', password);
    for (const [name, path] of Object.entries(SCREENS)) await visit(name, path, 200);
    await visit('lost', LOST, 404);
    assert.deepEqual(findings, []);
    await page.context().close();
  });
}
