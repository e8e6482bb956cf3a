// The office of a company: audit, usage, settings and members; in both languages.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { look, open, signUp, startBrowser, startOrquiva, startReceiver } from './harness.mjs';

const TEXTS = {
  es: { check: 'Comprobar la cadena', holds: /La cadena se cumple/, created: 'Cliente de API creado', filter: 'Filtrar', nothing: 'No hay ninguna entrada así' },
  en: { check: 'Check the chain', holds: /The chain holds/, created: 'API client created', filter: 'Filter', nothing: 'There is no such entry' },
};

/** A client of the API with every scope, and a token of it. */
async function client(orquiva, company) {
  const { client_id, client_secret } = orquiva.command('client', 'create', '--company', company, '--name', 'Nóminas');
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret });
  const { access_token } = await (await fetch(`${orquiva.url}/oauth/token`, { method: 'POST', body })).json();
  const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' };
  const call = (method, path, body) => fetch(orquiva.url + path, { method, headers, body: body && JSON.stringify(body) });
  return { id: client_id, call };
}

/** The company that was founded last. */
const company = (orquiva) => orquiva.command('company', 'list').at(-1).id;

/** What a click on `selector` stores. */
async function download(page, selector) {
  const [file] = await Promise.all([page.waitForEvent('download'), page.click(selector)]);
  return { name: file.suggestedFilename(), text: readFileSync(await file.path(), 'utf8') };
}

for (const language of ['es', 'en']) {
  test(`the audit tells who did what, and its chain holds (${language})`, async (t) => {
    const texts = TEXTS[language];
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language, { acceptDownloads: true });
    await signUp(page);
    await page.click('main form button.primary');
    await page.waitForSelector('.copy');
    const program = await client(orquiva, company(orquiva));
    const made = await (await program.call('POST', '/v1/departments', { name: '=HYPERLINK("http://evil.test")' })).json();
    await program.call('PATCH', `/v1/departments/${made.id}`, { name: 'Ventas', code: 'V1' });

    await page.goto('/admin/audit');
    assert.equal(await page.locator('.audit > tbody > tr').count(), 6);
    await page.click('details summary >> nth=0');
    await page.waitForSelector('.diff ins');
    assert.match(await page.textContent('.diff'), /Ventas/);
    await look(page, 'audit');

    await page.click(`text=${texts.check}`);
    await page.waitForSelector('.said');
    assert.match(await page.textContent('.said'), texts.holds);
    const end = await page.textContent('.said code');
    await look(page, 'audit-checked');

    // Whoever has the file can check it without us.
    await page.goto('/admin/audit');
    const { text } = await download(page, 'text=NDJSON');
    let last = Buffer.alloc(32);
    for (const line of text.trim().split('\n')) {
      const [, told, hash] = line.match(/^(.*),"hash":"([0-9a-f]{64})"}$/);
      last = createHash('sha256').update(last).update(`${told}}`).digest();
      assert.equal(last.toString('hex'), hash);
    }
    assert.equal(last.toString('hex'), end);
    const csv = await download(page, 'main >> text=CSV');
    assert.match(csv.name, /^audit-\d{4}-\d\d-\d\d\.csv$/);
    assert.equal(csv.text.trim().split('\r\n').length, 7);

    await page.selectOption('#action', 'client.created');
    await page.click(`text=${texts.filter}`);
    await page.waitForURL('**/admin/audit?**');
    assert.equal(await page.locator('.audit > tbody > tr').count(), 2);
    await page.selectOption('#who', 'system');
    await page.click(`text=${texts.filter}`);
    assert.equal(await page.locator('.audit > tbody > tr').count(), 1);
    await page.fill('#target', 'nobody');
    await page.click(`text=${texts.filter}`);
    assert.match(await page.textContent('.empty'), new RegExp(texts.nothing));
    await look(page, 'audit-empty');
  });
}

for (const language of ['es', 'en']) {
  test(`usage shows what programs did, to the mouse, the keyboard and in tables (${language})`, async (t) => {
    const orquiva = await startOrquiva(t);
    const receiver = await startReceiver(t);
    const page = await open(await startBrowser(t), orquiva, language, { acceptDownloads: true });
    await signUp(page);
    await page.goto('/admin/usage');
    await page.waitForSelector('.nothing');
    await look(page, 'usage-empty');

    const program = await client(orquiva, company(orquiva));
    await program.call('POST', '/v1/webhooks', { url: receiver.url, events: ['*'] });
    for (let number = 0; number < 20; number++) {
      await program.call('POST', '/v1/employees', { fullName: `Ana ${number}`, email: `ana${number}@acme.test` });
    }
    for (let number = 0; number < 90; number++) await program.call('GET', '/v1/employees/nobody');
    // Counts come a few seconds later.
    await page.goto('/admin/usage?range=hour');
    for (let tries = 0; tries < 40 && (await page.locator('.plot').count()) < 4; tries++) {
      await new Promise((resolve) => setTimeout(resolve, 500));
      await page.reload();
    }
    assert.equal(await page.locator('.plot').count(), 4);
    await look(page, 'usage');
    await page.hover('[data-plot=rate] .hit >> nth=2');
    assert.match(await page.textContent('[data-reading=rate]'), /: 0 /);
    await page.focus('[data-plot=deliveries] .hit[tabindex="0"]');
    await page.keyboard.press('ArrowLeft');
    await page.keyboard.press('Home');
    assert.match(await page.textContent('[data-reading=deliveries]'), /: 0 /);
    assert.equal(await page.locator('[data-plot=deliveries] .hit[tabindex="0"]').count(), 1);
    const { name, text } = await download(page, 'section:has(#requests) >> text=CSV');
    assert.match(name, /^requests-hour-.*\.csv$/);
    const numbers = text.trim().split('\r\n').slice(1).map((line) => Number(line.split(',')[1]));
    assert.equal(numbers.reduce((sum, one) => sum + one), 111);
    await page.click('tbody a >> nth=0');
    await page.waitForURL(`**client=${program.id}`);
    await page.click('.ranges a >> nth=3');
    await page.waitForURL(`**range=month&client=${program.id}`);
    await look(page, 'usage-month');
  });
}

for (const language of ['es', 'en']) {
  test(`settings: the company, its plan and its own fields (${language})`, async (t) => {
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language);
    await signUp(page);
    await page.goto('/admin/settings');
    await look(page, 'settings-empty');
    await page.fill('[name=name]', '');
    await page.click('form[action="/admin/settings"] button.primary');
    await page.waitForSelector('.fault');
    await page.fill('[name=name]', 'Acme y compañía');
    await page.check('[name=closed]');
    await page.click('form[action="/admin/settings"] button.primary');
    await page.waitForSelector('.said');

    await page.click('a[href="/admin/settings/fields/new"]');
    await look(page, 'field-new');
    await page.click('main form button.primary');
    await page.waitForSelector('[aria-invalid=true]');
    await look(page, 'field-refused');
    await page.fill('[name=label]', 'Talla de camiseta');
    await page.fill('[name=slug]', 'shirt_size');
    await page.check('[name=type][value=choice]');
    await page.fill('[name=choices]', 'S\nM\nL');
    await page.click('main form button.primary');
    await page.waitForSelector('.said');
    await look(page, 'settings');
    await page.click('tbody a');
    await page.waitForSelector('a.danger');
    await look(page, 'field');
    await page.click('a.danger');
    await page.waitForSelector('button.danger');
    await look(page, 'field-delete');
    await page.click('button.danger');
    await page.waitForSelector('.said');
    assert.equal(await page.locator('tbody a').count(), 0);
  });
}
