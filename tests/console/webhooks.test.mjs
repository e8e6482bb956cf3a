// From no webhook to one that is tested, filtered, paused, rotated, replayed and gone; in both languages.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { test } from 'node:test';
import { apiOf, look, open, signUp, startBrowser, startOrquiva, startReceiver } from './harness.mjs';

const TEXTS = {
  es: { create: 'Crear el webhook', delivered: 'Entregada', again: 'Enviar de nuevo', pause: 'Pausar', resume: 'Reanudar', rotate: 'Rotar', done: 'Terminada' },
  en: { create: 'Create the webhook', delivered: 'Delivered', again: 'Send again', pause: 'Pause', resume: 'Resume', rotate: 'Rotate', done: 'Done' },
};

/** A port that is free at this moment. */
async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

/** Runs a receiver as it was shown, and gives its next line. */
function runReceiver(t, program, file, code) {
  writeFileSync(file, code);
  const child = spawn(program, [file], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface(child.stdout)[Symbol.asyncIterator]();
  return { child, line: async () => (await lines.next()).value };
}

for (const language of ['es', 'en']) {
  test(`an endpoint from its first test to its end (${language})`, async (t) => {
    const texts = TEXTS[language];
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language);
    await signUp(page);
    const api = await apiOf(page, orquiva);
    const people = [];
    for (const [fullName, department] of [['Eva Gil', 'Ventas'], ['Luis Mar', 'Compras'], ['José Ñáñez <b>', 'Ventas']]) {
      people.push(await api('POST', '/v1/employees', { fullName, department, email: `${people.length}@acme.test` }));
    }

    await page.goto('/admin/webhooks');
    await look(page, 'webhooks-empty');
    await page.click('main .primary');
    await page.fill('[name=url]', 'ftp://nowhere');
    await page.click('summary >> nth=3');
    await page.fill('[name=maxConcurrency]', '99');
    await page.click('main form button.primary');
    await page.waitForSelector('.fault');
    assert.equal(await page.inputValue('[name=maxConcurrency]'), '99', 'what was typed is kept');
    await look(page, 'webhook-new-refused');

    // The receiver is started only after the first attempt has failed: one looks, and sees it arrive.
    const port = await freePort();
    await page.goto('/admin/webhooks/new');
    await look(page, 'webhook-new');
    await page.fill('[name=url]', `http://127.0.0.1:${port}/hook`);
    await page.fill('[name=description]', 'Nóminas');
    await page.click(`text=${texts.create}`);
    await page.waitForSelector('#trial .tries li');
    await look(page, 'webhook-secret');
    const folder = mkdtempSync(join(tmpdir(), 'orquiva-receiver-'));
    const code = async (name) => page.textContent(`details:has(summary:text-is("${name}")) code`);
    const python = await code('Python');
    const node = runReceiver(t, process.execPath, join(folder, 'receiver.mjs'), await code('Node'));
    assert.match(await node.line(), /^webhook\.test evt_/);
    await page.waitForSelector(`#trial >> text=${texts.delivered}`);
    node.child.kill();
    await page.click('main .actions a');

    const snake = runReceiver(t, 'python3', join(folder, 'receiver.py'), python);
    await new Promise((resolve) => setTimeout(resolve, 500));
    await page.click('form[action$=trial] button');
    await page.waitForSelector(`#trial >> text=${texts.delivered}`);
    assert.match(await snake.line(), /^webhook\.test evt_/);
    await look(page, 'webhook-trial');
    await page.goto(await page.getAttribute('#trial .whole', 'href'));
    await page.waitForSelector('.attempt');
    await page.$$eval('.attempt details', (all) => all.forEach((details) => (details.open = true)));
    await look(page, 'delivery');
    await page.click(`text=${texts.again}`);
    await page.waitForSelector('.said');
    assert.match(await snake.line(), /^webhook\.test evt_/);
    await page.waitForSelector('#try-2, .attempt >> nth=1');

    // Deliveries appear while one looks.
    await page.click('.back');
    await page.waitForSelector('#deliveries tbody tr');
    const before = await page.locator('#deliveries tbody tr').count();
    await api('PATCH', `/v1/employees/${people[0].id}`, { department: 'Compras' });
    await page.waitForFunction((before) => document.querySelectorAll('#deliveries tbody tr').length > before, before);
    await look(page, 'webhook');
    await page.selectOption('#state', 'failed');
    await page.fill('#from', '2026-01-01T09:30');
    await page.click('.filters button');
    await page.waitForSelector('#deliveries .empty');
    assert.equal(await page.inputValue('#from'), '2026-01-01T09:30', 'in the zone of whoever reads');
    await page.goto('/admin/webhooks');
    await look(page, 'webhooks');

    // A filter of what happened.
    await page.click('tbody a');
    await page.click('a[href$=filter]');
    await page.click('.pick:has-text("department") >> nth=0');
    await page.click('[name=try] >> nth=0');
    await page.waitForSelector('.pick :checked');
    await look(page, 'webhook-filter');
    await page.click('[name=save]');
    await page.waitForSelector('.said');
    assert.match(await page.textContent('.facts'), /changed|department/);

    await page.click(`text=${texts.pause}`);
    await page.waitForSelector('.badge.off');
    await page.click(`main >> text=${texts.resume}`);
    await page.waitForSelector('.badge.good');
    await page.click('a[href$=edit]');
    await page.fill('[name=description]', 'Nóminas y más');
    await look(page, 'webhook-edit');
    await page.click('main form button.primary');
    await page.waitForSelector('h1:has-text("Nóminas y más")');
    await page.click(`main >> text=${texts.rotate}`);
    await look(page, 'webhook-rotate');
    await page.click('main form button.primary');
    await page.waitForSelector('.copy');
    await page.click('main .actions a');
    snake.child.kill();

    await page.click('a[href$=delete]');
    await look(page, 'webhook-delete');
    await page.click('button.danger');
    await page.waitForSelector('.said');
    assert.deepEqual(page.complaints, []);
  });

  test(`events again, counted first (${language})`, async (t) => {
    const texts = TEXTS[language];
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language);
    await signUp(page);
    const api = await apiOf(page, orquiva);
    for (const number of [1, 2, 3]) await api('POST', '/v1/employees', { fullName: `Eva ${number}`, email: `${number}@acme.test` });
    const receiver = await startReceiver(t);
    const { id } = await api('POST', '/v1/webhooks', { url: receiver.url, events: ['employee.*'], description: 'Slack' });

    await page.goto(`/admin/webhooks/${id}/replay`);
    await page.click('[name=count]');
    await page.waitForSelector('.counted');
    assert.match(await page.textContent('.counted button'), /3/);
    assert.equal(receiver.got.length, 0, 'nothing is sent by counting');
    await look(page, 'replay');
    await page.click('[name=begin]');
    await page.waitForSelector(`#progress >> text=${texts.done}`);
    await look(page, 'replay-done');
    assert.equal(receiver.got.length, 3);
    assert.ok(receiver.got.every(({ headers }) => headers['webhook-replay'] === 'true'));

    const slow = await api('POST', `/v1/webhooks/${id}/replay`, { from: new Date(Date.now() - 3600e3).toISOString(), state: 'all', ratePerSecond: 1 });
    await page.goto(`/admin/webhooks/${id}/replays/${slow.id}`);
    await page.click('button.danger');
    await page.waitForSelector('.said');
    await look(page, 'replay-cancelled');
  });
}
