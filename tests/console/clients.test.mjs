// From nothing to an API client whose lines run, its rotation and its end; in both languages.
import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { PASSWORD, look, open, signUp, startBrowser, startOrquiva } from './harness.mjs';

const TEXTS = {
  es: { create: 'Crear el cliente', rotate: 'Rotar', revoke: 'Revocar', home: 'Hola, Ana' },
  en: { create: 'Create the client', rotate: 'Rotate', revoke: 'Revoke', home: 'Hello, Ana' },
};

for (const language of ['es', 'en']) {
  test(`a company, its first client, and its end (${language})`, async (t) => {
    const texts = TEXTS[language];
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language);

    await page.goto('/admin');
    assert.match(page.url(), /sign-in/);
    await look(page, 'sign-in');
    await page.goto('/admin/sign-up');
    await page.click('main form button');
    await page.waitForSelector('.fault');
    await look(page, 'sign-up-refused');
    await signUp(page);
    await look(page, 'client-new');

    // One press more is enough: everything is filled in.
    await page.click(`text=${texts.create}`);
    await page.waitForSelector('.copy');
    await look(page, 'client-secret');
    const folder = mkdtempSync(join(tmpdir(), 'orquiva-lines-'));
    for (const [language, program, file] of [['curl', 'sh', 'try.sh'], ['Node', process.execPath, 'try.mjs'], ['Python', 'python3', 'try.py']]) {
      const code = await page.textContent(`details:has(summary:text-is("${language}")) code`);
      writeFileSync(join(folder, file), code);
      const said = execFileSync(program, [join(folder, file)], { encoding: 'utf8' });
      assert.match(said, language === 'curl' ? /"data":/ : /requestsPerMinute/, `${language} runs as it is shown`);
    }

    await page.goto('/admin');
    assert.match(await page.textContent('h1'), new RegExp(texts.home));
    await look(page, 'home');
    await page.goto('/admin/api-clients');
    await look(page, 'clients');
    await page.click('tbody a');
    await page.waitForSelector('h1 .badge');
    await look(page, 'client');

    await page.click(`main >> text=${texts.rotate}`);
    await look(page, 'client-rotate');
    await page.click('main form button');
    await page.waitForSelector('.copy');
    await page.goto('/admin/api-clients');
    await page.click('tbody a');
    await page.waitForSelector('.warn-box');
    await page.click(`main >> text=${texts.revoke}`);
    await look(page, 'client-revoke');
    await page.click('main form button.danger');
    await page.waitForSelector('.said');
    assert.equal(await page.locator('tr.off').count(), 1);

    await page.goto('/admin/profile');
    await look(page, 'profile');
    await page.goto('/admin/companies');
    await look(page, 'companies');
    await page.goto('/admin/nothing');
    await look(page, 'nothing');
  });
}

test('whoever signs in goes back to where they wanted, and looks at it as they like', async (t) => {
  const orquiva = await startOrquiva(t);
  const browser = await startBrowser(t);
  await signUp(await open(browser, orquiva));
  const page = await open(browser, orquiva, 'es');
  await page.goto('/admin/api-clients');
  await page.fill('[name=email]', 'ANA@acme.test');
  await page.fill('[name=password]', 'wrong');
  await page.keyboard.press('Enter');
  await page.waitForSelector('[role=alert]');
  await page.fill('[name=password]', PASSWORD);
  await page.keyboard.press('Enter');
  await page.waitForURL('**/admin/api-clients');
  await page.click('.side [name=language][value=en]');
  await page.waitForSelector('h1:text-is("API clients")');
  await page.click('.side [name=theme][value=dark]');
  await page.waitForSelector('html[data-theme=dark]');
  await page.click('.side .me form button');
  await page.waitForURL('**/admin/sign-in');
  await page.goto('/admin/api-clients');
  assert.match(page.url(), /sign-in/);
  assert.deepEqual(page.complaints, []);
});
