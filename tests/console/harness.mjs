// A real Orquiva and a real browser. Pictures of every page are kept in target/screens.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { chromium } from 'playwright-core';

const root = fileURLToPath(new URL('../..', import.meta.url));
const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
const screens = join(process.env.CARGO_TARGET_DIR ?? join(root, 'target'), 'screens');
mkdirSync(screens, { recursive: true });

/** The password of everyone in these tests. */
export const PASSWORD = 'caballo correcto pila grapa';

/** Starts Orquiva on a free port, on an empty database, until the test `t` is over. `args` are added to `orquiva serve`. */
export async function startOrquiva(t, ...args) {
  const built = (profile) => join(root, `target/${profile}/orquiva`);
  const program = process.env.ORQUIVA_BINARY ?? [built('release'), built('debug')].find(existsSync);
  const folder = mkdtempSync(join(tmpdir(), 'orquiva-console-'));
  const env = { ...process.env, ORQUIVA_DATA_DIR: folder };
  const server = spawn(program, ['serve', '--listen', '127.0.0.1:0', '--allow-private-webhooks', ...args], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  process.on('exit', () => {
    server.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  t.after(() => server.kill('SIGKILL'));
  const url = await new Promise((resolve, reject) => {
    server.on('error', reject).on('exit', (code) => reject(new Error(`orquiva serve ended with ${code}`)));
    createInterface(server.stdout).on('line', (line) => line.startsWith('Orquiva listens on ') && resolve(line.slice(19)));
  });
  const command = (...words) => JSON.parse(execFileSync(program, [...words, '--json'], { env }));
  return { url, command };
}

/** Starts a browser until the test `t` is over. */
export async function startBrowser(t) {
  const executablePath = process.env.ORQUIVA_BROWSER ?? '/usr/bin/chromium';
  const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
  t.after(() => browser.close());
  return browser;
}

/** A window whose reader wants `language`; everything that goes wrong in it fails the test at its end. */
export async function open(browser, orquiva, language = 'es', options = {}) {
  const locale = { es: 'es-ES', en: 'en-GB' }[language];
  const context = await browser.newContext({ baseURL: orquiva.url, locale, viewport: { width: 1280, height: 860 }, ...options });
  const page = await context.newPage();
  page.language = language;
  page.complaints = [];
  page.on('pageerror', (error) => page.complaints.push(String(error)));
  page.on('console', (message) => {
    // An answer 4xx to a form is a page like any other.
    if (message.type() === 'error' && !message.text().startsWith('Failed to load resource')) page.complaints.push(message.text());
  });
  page.on('response', (response) => response.status() >= 500 && page.complaints.push(`${response.status()} ${response.url()}`));
  return page;
}

/** Founds a company and leaves its owner signed in, at the form for the first API client. */
export async function signUp(page, company = 'Acme', name = 'Ana Ruiz', email = 'ana@acme.test') {
  await page.goto('/admin/sign-up');
  await page.fill('[name=company]', company);
  await page.fill('[name=name]', name);
  await page.fill('[name=email]', email);
  await page.fill('[name=password]', PASSWORD);
  await page.click('main form button');
  await page.waitForURL('**/admin/api-clients/new?first=1');
}

/**
 * Holds the page as it stands against axe-core in light and dark, wide and narrow, and keeps a picture of each:
 * `NAME.es.light.wide.png`. Nothing may stick out sideways, and nothing may have gone wrong so far.
 */
export async function look(page, name) {
  const found = [];
  for (const scheme of ['light', 'dark']) {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: 'reduce' });
    for (const [width, size] of [[1280, 'wide'], [360, 'narrow']]) {
      await page.setViewportSize({ width, height: 860 });
      await page.screenshot({ path: join(screens, `${name}.${page.language}.${scheme}.${size}.png`), fullPage: true });
      const beyond = await page.evaluate(() => document.documentElement.scrollWidth - document.documentElement.clientWidth);
      if (beyond > 0) found.push(`${name} is ${beyond} px wider than a window of ${width}`);
    }
    await page.setViewportSize({ width: 1280, height: 860 });
    // Run by the browser's debugger: the page's own policy lets no foreign script in.
    await page.evaluate(axe);
    const { violations } = await page.evaluate(() => globalThis.axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] }));
    for (const { id, help, nodes } of violations) found.push(`${name}, ${scheme}: ${id}: ${help}: ${nodes.map((node) => node.target).join(' ')}`);
  }
  await page.emulateMedia({ colorScheme: 'light' });
  assert.deepEqual([...found, ...page.complaints], []);
}

/** A receiver of webhooks on this machine: keeps what it got. */
export async function startReceiver(t, status = 204) {
  const got = [];
  const server = createServer(async (request, response) => {
    got.push({ headers: request.headers, body: await text(request) });
    response.writeHead(status).end();
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { url: `http://127.0.0.1:${server.address().port}/hook`, got };
}

/** A client of the API for the company that is signed in on this page. */
export async function apiOf(page, orquiva) {
  await page.goto('/admin/api-clients/new?first=1');
  await page.click('main form button.primary');
  const [client_id, client_secret] = await page.locator('.copy code').allTextContents();
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret });
  const { access_token } = await (await fetch(`${orquiva.url}/oauth/token`, { method: 'POST', body })).json();
  return async (method, path, json) => {
    const headers = { authorization: `Bearer ${access_token}`, 'content-type': 'application/json' };
    const answer = await fetch(orquiva.url + path, { method, headers, body: json && JSON.stringify(json) });
    assert.ok(answer.ok, `${method} ${path}: ${answer.status}`);
    return answer.json();
  };
}
