// The event log and one event, and why a signature fails; in both languages.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { apiOf, look, open, signUp, startBrowser, startOrquiva, startReceiver } from './harness.mjs';

const TEXTS = {
  es: { delivered: 'Entregada', good: 'La firma es buena', body: 'El cuerpo no es el que se firmó', secret: 'El secreto es otro' },
  en: { delivered: 'Delivered', good: 'The signature is good', body: 'The body is not the one that was signed', secret: 'The secret is another one' },
};

for (const language of ['es', 'en']) {
  test(`what happened, where it went, and why its signature fails (${language})`, async (t) => {
    const texts = TEXTS[language];
    const orquiva = await startOrquiva(t);
    const page = await open(await startBrowser(t), orquiva, language);
    await signUp(page);
    await page.goto('/admin/events');
    await look(page, 'events-empty');
    const api = await apiOf(page, orquiva);
    const receiver = await startReceiver(t);
    const { secret } = await api('POST', '/v1/webhooks', { url: receiver.url, events: ['employee.*'], description: 'Slack' });
    await page.goto('/admin/events');
    const eva = await api('POST', '/v1/employees', { fullName: 'Eva Gil', email: 'eva@acme.test', department: 'Ventas' });
    // It appears while one looks.
    await page.waitForSelector('#events tbody tr:has-text("Eva Gil")');
    await api('POST', '/v1/employees', { fullName: 'مريم العلي', email: 'm@acme.test' });
    await api('PATCH', `/v1/employees/${eva.id}`, { department: 'Compras', external_refs: { stripe: 'cus_1' } });
    await page.waitForSelector('#events tbody tr:has-text("employee.updated")');
    await look(page, 'events');
    await page.fill('#subject', eva.id);
    await page.selectOption('#type', 'employee.*');
    await page.click('.filters button');
    await page.waitForFunction(() => document.querySelectorAll('#events tbody tr').length === 2);
    await page.click('#events tbody a >> nth=0');
    await page.waitForSelector(`#went >> text=${texts.delivered}`);
    assert.ok((await page.locator('ins').count()) > 0);
    await look(page, 'event');

    await page.click('#went tbody a');
    await page.click('[id^=signature] summary');
    await page.click('[id^=signature] a');
    await look(page, 'check');
    await page.fill('#secret', secret);
    await page.click('main form button.primary');
    await page.waitForSelector(`text=${texts.good}`);
    const sent = receiver.got.at(-1);
    await page.fill('#body', JSON.stringify(JSON.parse(sent.body), null, 2));
    await page.click('main form button.primary');
    await page.waitForSelector(`text=${texts.body}`);
    await look(page, 'check-body');
    await page.fill('#headers', JSON.stringify(sent.headers));
    await page.fill('#body', sent.body);
    await page.fill('#secret', 'whsec_AAAA');
    await page.click('main form button.primary');
    await page.waitForSelector(`text=${texts.secret}`);
    assert.deepEqual(page.complaints, []);
  });
}
