// Members: an invitation from one browser to another, a role, an end.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { PASSWORD, look, open, signUp, startBrowser, startOrquiva } from './harness.mjs';

const words = {
  es: { invite: 'Invitar', create: 'Crear el enlace', accept: 'Aceptar la invitación', save: 'Guardar', remove: 'Quitar', end: 'Quitar de la empresa', withdraw: 'Retirar', viewer: 'Lector' },
  en: { invite: 'Invite', create: 'Create the link', accept: 'Accept the invitation', save: 'Save', remove: 'Remove', end: 'Remove from the company', withdraw: 'Withdraw', viewer: 'Viewer' },
};

/** Invites someone and returns the link. */
async function invite(page, texts, email, role) {
  await page.goto('/admin/settings/members');
  await page.click(`.head >> text=${texts.invite}`);
  await page.fill('[name=email]', email);
  await page.check(`[name=role][value=${role}]`);
  await page.click(`main form button >> text=${texts.create}`);
  return await page.locator('.copy code').first().textContent();
}

for (const language of ['es', 'en']) {
  test(`members: invited, welcomed, changed and removed (${language})`, async (t) => {
    const orquiva = await startOrquiva(t);
    const browser = await startBrowser(t);
    const page = await open(browser, orquiva, language);
    const texts = words[language];
    await signUp(page);
    await page.goto('/admin/settings/members');
    await look(page, 'members-alone');
    await page.click(`.head >> text=${texts.invite}`);
    await page.fill('[name=email]', 'nobody');
    await page.click(`main form button >> text=${texts.create}`);
    await page.waitForSelector('#email-fault');
    await look(page, 'member-invite-refused');
    const link = await invite(page, texts, 'eva@acme.test', 'viewer');
    assert.match(link, /\/admin\/invitation\/[0-9a-f]{64}$/);
    await look(page, 'member-link');
    await invite(page, texts, 'leo@acme.test', 'developer');

    const eva = await open(browser, orquiva, language);
    await eva.goto(new URL(link).pathname);
    await look(eva, 'invitation');
    await eva.fill('[name=name]', 'Eva Paz');
    await eva.fill('[name=password]', PASSWORD);
    await eva.keyboard.press('Enter');
    await eva.waitForSelector('.said');
    await look(eva, 'joined');
    await eva.goto(new URL(link).pathname);
    assert.equal(await eva.locator('main form').count(), 0, 'it was good once');
    await look(eva, 'invitation-gone');

    await page.goto('/admin/settings/members');
    await look(page, 'members');
    await page.click(`button >> text=${texts.withdraw}`);
    await page.waitForSelector('.said');
    await page.click('tbody a >> text=Eva Paz');
    await look(page, 'member');
    await page.check('[name=role][value=administrator]');
    await page.click(`main form button >> text=${texts.save}`);
    await page.waitForSelector('.said');
    await eva.goto('/admin/settings/members/new');
    assert.equal(await eva.locator('[name=role][value=owner]').count(), 0, 'an administrator makes no owners');
    await page.click('tbody a >> text=Eva Paz');
    await page.click(`.head a >> text=${texts.remove}`);
    await look(page, 'member-remove');
    await page.click(`main form button >> text=${texts.end}`);
    await page.waitForSelector('.said');
    assert.equal(await page.locator('tbody >> text=Eva Paz').count(), 0);
    await eva.goto('/admin/employees');
    await eva.waitForURL('**/admin/companies');
  });
}
