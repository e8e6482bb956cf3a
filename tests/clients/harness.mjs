// A real Orquiva, and fakes of Slack and Stripe that answer as the services do and remember what they got.
import { execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const built = (profile) => fileURLToPath(new URL(`../../target/${profile}/orquiva`, import.meta.url));
const program = process.env.ORQUIVA_BINARY ?? [built('release'), built('debug')].find(existsSync);

/** Starts Orquiva on a free port; on PostgreSQL if ORQUIVA_DATABASE_URL names one. */
export async function startOrquiva() {
  const folder = mkdtempSync(join(tmpdir(), 'orquiva-clients-'));
  const env = { ...process.env, ORQUIVA_DATA_DIR: folder };
  const command = (...args) => JSON.parse(execFileSync(program, [...args, '--json'], { env }));
  const args = ['serve', '--listen', '127.0.0.1:0', '--allow-private-webhooks'];
  const server = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const url = await new Promise((resolve, reject) => {
    server.on('error', reject).on('exit', (code) => reject(new Error(`orquiva serve ended with ${code}`)));
    server.stdout.on('data', (line) => resolve(String(line).match(/http:\S+/)[0]));
  });
  const stop = async () => {
    const ended = new Promise((resolve) => server.on('exit', resolve));
    server.kill();
    await ended;
    rmSync(folder, { recursive: true });
  };
  return { url, command, stop };
}

/** A company of that plan, its client, and calls with its token. */
export async function company(orquiva, plan) {
  const { id } = orquiva.command('company', 'create', '--name', 'Acme', '--plan', plan);
  const client = orquiva.command('client', 'create', '--company', id, '--name', 'welcome');
  const token = async () => {
    const form = new URLSearchParams({ grant_type: 'client_credentials', ...client });
    const answer = await fetch(`${orquiva.url}/oauth/token`, { method: 'POST', body: form });
    return (await answer.json()).access_token;
  };
  const call = async (method, path, body) => {
    const headers = { authorization: `Bearer ${await token()}` };
    return fetch(orquiva.url + path, { method, headers, body: body && JSON.stringify(body) });
  };
  return { token, call };
}

/** Listens on a free port of this machine. */
export async function listen(server) {
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

/** A fake service: keeps each request's form, and answers with what `reply` makes of it. */
export async function fake(reply) {
  const got = [];
  const server = createServer(async (request, response) => {
    let body = '';
    for await (const chunk of request) body += chunk;
    const call = { path: request.url, headers: request.headers, form: Object.fromEntries(new URLSearchParams(body)) };
    got.push(call);
    const [status, answer] = reply(call);
    response.writeHead(status, { 'content-type': 'application/json', 'request-id': 'req_fake' }).end(JSON.stringify(answer));
  });
  return { got, server, port: await listen(server) };
}

/** Waits until `check` gives something. */
export async function eventually(check) {
  for (const end = Date.now() + 20_000; Date.now() < end; await new Promise((resolve) => setTimeout(resolve, 20))) {
    const found = await check();
    if (found) return found;
  }
  throw new Error(`not within 20 s: ${check}`);
}
