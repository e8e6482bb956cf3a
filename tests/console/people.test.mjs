// The people of a company: hired, found, changed, let go, taken on again, deleted; and the departments that they are in.
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { look, open, signUp, startBrowser, startOrquiva } from './harness.mjs';

/** Presses what leads to a page that says what was done: the address does not keep that word for long. */
async function press(page, button, said) {
  const [answer] = await Promise.all([page.waitForResponse((one) => one.url().includes(`said=${said}`)), page.click(button)]);
  await answer.finished();
  await page.waitForLoadState();
  await page.waitForSelector('.said');
}

/** Hires someone with what is given, through the form. */
async function hire(page, fields) {
  await page.goto('/admin/employees/new');
  for (const [name, value] of Object.entries(fields)) {
    const field = page.locator(`[name="${name}"]`);
    await ((await field.evaluate((one) => one.tagName)) === 'SELECT' ? field.selectOption(value) : field.fill(value));
  }
  await press(page, 'main form .primary', 'hired');
}

const TEXTS = {
  es: { active: 'En activo', leaving: 'Baja programada', changed: 'Cambio de datos', jobTitle: 'Puesto' },
  en: { active: 'Active', leaving: 'Leaving', changed: 'Data changed', jobTitle: 'Job title' },
};

for (const language of ['es', 'en']) {
  test(`people from their hire to their end (${language})`, async (t) => {
    const texts = TEXTS[language];
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language);
    await signUp(page);

    await page.goto('/admin/employees');
    await look(page, 'people-empty');
    await page.goto('/admin/employees/chart');
    await look(page, 'chart-empty');
    await page.goto('/admin/employees/new');
    await page.fill('[name=firstName]', 'Ana');
    await page.fill('[name=email]', 'no es un correo');
    await page.click('main form .primary');
    await page.waitForSelector('[aria-invalid=true]');
    assert.equal(await page.inputValue('[name=firstName]'), 'Ana', 'what was typed is kept');
    await look(page, 'person-new-refused');

    await hire(page, { firstName: 'Ana', lastName: 'Ruiz', secondLastName: 'Gómez', email: 'ana@acme.test', department: 'Ventas', jobTitle: 'Directora comercial', startDate: '2020-03-02', 'nationalId.type': 'dni', 'nationalId.value': '12345678Z', 'homeAddress.line1': 'Calle Mayor 1', 'homeAddress.city': 'Madrid', 'homeAddress.country': 'ES' });
    assert.equal(await page.textContent('h1 .badge'), texts.active);
    await hire(page, { fullName: 'عبد الرحمن بن محمد', email: 'abd@acme.test', department: 'Ventas', managerId: 'ana@acme.test' });
    await hire(page, { fullName: `<script>alert(1)</script> ${'Muy largo '.repeat(12)}`.trim(), email: 'long@acme.test', department: 'Compras' });
    await page.goto('/admin/employees?q=ana');
    assert.equal(await page.locator('tbody tr').count(), 1);
    await page.goto('/admin/employees');
    assert.equal(await page.locator('tbody tr').count(), 3);
    await look(page, 'people');
    const [sheet] = await Promise.all([page.waitForEvent('download'), page.click('a[download]')]);
    const lines = readFileSync(await sheet.path(), 'utf8').trim().split('\r\n');
    assert.equal(lines.length, 4, 'a head and three people');
    await page.goto('/admin/employees/chart');
    assert.equal(await page.locator('.chart rect').count(), 2);
    await look(page, 'chart');
    const [picture] = await Promise.all([page.waitForEvent('download'), page.click('a[download]')]);
    assert.match(readFileSync(await picture.path(), 'utf8'), /^<svg .*Ana Ruiz Gómez.*<\/svg>$/s);
    await page.goto('/admin/employees?q=nobody');
    await look(page, 'people-none');

    await page.goto('/admin/employees?q=ana');
    await page.click('tbody a');
    await page.waitForSelector('h1 .badge');
    const person = page.url();
    await page.fill('[name=system]', 'stripe_id');
    await page.fill('[name=value]', 'cus_42');
    await page.click('#references form:last-of-type button');
    await page.waitForSelector('.refs');
    await page.goto(`${person}/change`);
    const other = await page.context().newPage();
    await other.goto(`${person}/change`);
    await page.fill('[name=jobTitle]', 'Directora general');
    await page.fill('[name=managerId]', 'ab');
    await page.waitForFunction(() => document.querySelectorAll('#people option').length > 0);
    await page.fill('[name=managerId]', '');
    await look(page, 'person-change');
    await press(page, 'main form .primary', 'person-changed');
    await look(page, 'person');
    assert.match(await page.textContent('#history'), new RegExp(`${texts.changed}.*Ana Ruiz.*${texts.jobTitle}.*Directora comercial.*Directora general`, 's'));

    await other.fill('[name=jobTitle]', 'Presidenta');
    await other.click('main form .primary');
    await other.waitForSelector('.bad-box');
    assert.equal(await other.inputValue('[name=jobTitle]'), 'Presidenta', 'nothing that was typed is lost');
    assert.match(await other.textContent('#jobTitle-fault'), /Directora general/);
    Object.assign(other, { language, complaints: [] });
    await look(other, 'person-stale');
    await other.close();

    await page.goto(`${person}/terminate`);
    await look(page, 'person-terminate');
    await page.fill('[name=day]', '2199-12-31');
    await press(page, 'main form .danger', 'terminated');
    assert.equal(await page.textContent('h1 .badge'), texts.leaving);
    await look(page, 'person-leaving');
    await press(page, '.head form button', 'termination-cancelled');
    await page.goto(`${person}/terminate`);
    await page.fill('[name=reason]', 'Jubilación');
    await press(page, 'main form .danger', 'terminated');
    await page.goto(`${person}/rehire`);
    await look(page, 'person-rehire');
    await page.fill('[name=day]', '2199-01-01');
    await press(page, 'main form .primary', 'rehired');
    await press(page, '.head form button', 'rehire-cancelled');
    await page.goto(`${person}/delete`);
    await look(page, 'person-delete');
    await press(page, 'main form .danger', 'person-deleted');
    assert.equal(await page.locator('tbody tr').count(), 2);
  });

  test(`departments and their tree (${language})`, async (t) => {
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language);
    await signUp(page);
    await page.goto('/admin/departments');
    await look(page, 'departments-empty');
    for (const [name, parent] of [['Ventas', ''], ['Ventas Norte', 'Ventas'], ['Bilbao', 'Ventas Norte'], ['Compras', '']]) {
      await page.goto('/admin/departments/new');
      await page.fill('[name=name]', name);
      if (parent) await page.selectOption('[name=parentId]', { label: parent });
      await press(page, 'main form .primary', 'department-created');
    }
    await hire(page, { fullName: 'Ana Ruiz', email: 'ana@acme.test', department: 'bilbao' });
    await page.goto('/admin/departments');
    await page.click('text=Bilbao');
    await page.fill('[name=new_lead]', 'nadie@acme.test');
    await page.click('main form .primary');
    await page.waitForSelector('.fault');
    await look(page, 'department-refused');
    await page.fill('[name=new_lead]', 'ana@acme.test');
    await press(page, 'main form .primary', 'department-changed');
    await look(page, 'department');
    await page.goto('/admin/departments');
    assert.deepEqual(await page.locator('tbody td:first-child').allTextContents(), ['Compras', 'Ventas', 'Ventas Norte', 'Bilbao']);
    assert.deepEqual(await page.locator('tbody td:last-child').allTextContents(), ['0', '1', '1', '1']);
    await look(page, 'departments');

    // In a circle it is refused, and what was chosen is kept.
    await page.click('text=Ventas Norte');
    await page.selectOption('[name=parentId]', { label: 'Bilbao' });
    await page.click('main form .primary');
    await page.waitForSelector('#parentId-fault');
    await page.click('main .head .danger');
    await page.waitForURL('**/delete');
    await page.click('main form .danger');
    await page.waitForSelector('#replaceWith-fault');
    await look(page, 'department-delete');
    await page.selectOption('[name=replaceWith]', { label: 'Compras' });
    await press(page, 'main form .danger', 'department-deleted');
    assert.deepEqual(await page.locator('tbody td:first-child').allTextContents(), ['Compras', 'Bilbao', 'Ventas']);
  });

  test(`people from a file (${language})`, async (t) => {
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language);
    await signUp(page);
    await page.goto('/admin/employees/import');
    await look(page, 'import-upload');
    const rows = ['Nombre;Apellidos;Correo;Departamento;Responsable;Fecha de alta;Sap'];
    for (let number = 0; number < 1200; number += 1) rows.push(`Núria ${number};Muñoz;n${number}@acme.test;Ventas;n0@acme.test;01/02/2020;${number}`);
    rows[1] = 'Jefa;Pi;n0@acme.test;Dirección;;;0';
    rows[4] = 'Sin;Correo;;Ventas;;;3';
    rows[700] = 'Mal;Día;mal@acme.test;Ventas;;31/02/2020;700';
    // As an old Excel saves it.
    await page.setInputFiles('[name=file]', { name: 'gente.csv', mimeType: 'text/csv', buffer: Buffer.from(rows.join('\r\n'), 'latin1') });
    await page.click('main form .primary');
    await page.waitForSelector('[name=column-6]');
    assert.match(await page.textContent('table'), /Núria/);
    assert.equal(await page.inputValue('[name=column-1]'), 'lastName');
    assert.equal(await page.inputValue('[name=column-5]'), 'startDate');
    await page.selectOption('[name=column-6]', 'reference');
    await page.selectOption('[name=column-2]', '');
    await page.click('main form .primary');
    await page.waitForSelector('.bad-box');
    await look(page, 'import-columns');
    await page.selectOption('[name=column-2]', 'email');
    await page.click('main form .primary');
    await page.waitForSelector('.tiles', { timeout: 60000 });
    assert.deepEqual(await page.locator('tbody tr td:first-child').allTextContents(), ['5', '701']);
    await look(page, 'import-checked');
    await page.click('main form .primary');
    await page.waitForSelector('progress');
    await look(page, 'import-running');
    await page.waitForSelector('form .danger', { timeout: 60000 });
    await look(page, 'import-done');
    await page.goto('/admin/employees?q=nuria');
    assert.equal(await page.locator('tbody tr').count(), 50);
    await page.goBack();
    await page.click('form .danger');
    await page.waitForSelector('.tiles', { timeout: 60000 });
    await look(page, 'import-undone');
    await page.goto('/admin/employees');
    await page.waitForSelector('.empty');
  });
}
