// A real Orquiva, and fakes of Slack and Stripe that answer as the services do and remember what they got.
import { execFileSync, spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const built = (profile) => fileURLToPath(new URL(`../../target/${profile}/orquiva`, import.meta.url));

/** Starts Orquiva on a free port with a company on each plan named; on PostgreSQL if ORQUIVA_DATABASE_URL says so. */
export async function startOrquiva(...plans) {
  const program = process.env.ORQUIVA_BINARY ?? [built('release'), built('debug')].find(existsSync);
  if (!program) throw new Error('build orquiva first, or name it in ORQUIVA_BINARY');
  const folder = mkdtempSync(join(tmpdir(), 'orquiva-clients-'));
  let server;
  process.on('exit', () => { // whatever happens, nothing of ours stays behind
    server?.kill('SIGKILL');
    rmSync(folder, { recursive: true, force: true });
  });
  for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1)); // Ctrl-C, the runner's time-out

  const env = { ...process.env, ORQUIVA_DATA_DIR: folder };
  const command = (...args) => JSON.parse(execFileSync(program, [...args, '--json'], { env }));
  const clients = plans.map((plan) => {
    const { id } = command('company', 'create', '--name', 'Acme', '--plan', plan);
    return command('client', 'create', '--company', id, '--name', 'welcome');
  });
  const args = ['serve', '--listen', '127.0.0.1:0', '--allow-private-webhooks'];
  server = spawn(program, args, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => server.on('exit', resolve));
  const url = await new Promise((resolve, reject) => {
    server.on('error', reject).on('exit', (code) => reject(new Error(`orquiva serve ended with ${code}`)));
    createInterface(server.stdout).on('line', (line) => line.startsWith('Orquiva listens on ') && resolve(line.slice(19)));
  });
  const stop = () => {
    server.kill();
    return ended;
  };
  return { clients: clients.map((client) => ({ url, ...client })), command, folder, stop };
}

/** Listens on a free port of this machine until the test `t` is over; gives the port. */
export async function listen(t, listener) {
  const server = createServer(listener);
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return server.address().port;
}

/** A fake service: keeps each request with its form, and answers with what `reply` makes of it. */
async function fake(t, reply) {
  const got = [];
  const port = await listen(t, async (request, response) => {
    const form = Object.fromEntries(new URLSearchParams(await text(request)));
    const call = { line: `${request.method} ${request.url}`, headers: request.headers, form };
    got.push(call);
    const [status, answer] = reply(call);
    response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(answer));
  });
  return { got, port };
}

/** Slack says 200 to everything, and `ok` is what counts. */
export const fakeSlack = (t) => fake(t, ({ headers, form }) => {
  if (headers.authorization !== 'Bearer xoxb-test') return [200, { ok: false, error: 'invalid_auth' }];
  if (!form.text) return [200, { ok: false, error: 'no_text' }];
  const ts = `${Date.now() / 1000}00`;
  return [200, { ok: true, channel: 'C0WELCOME', ts, message: { type: 'message', text: form.text, ts } }];
});

/** Stripe repeats its first answer to an idempotency key, and refuses the key with another body. */
export const fakeStripe = (t) => {
  const first = new Map();
  return fake(t, ({ headers, form }) => {
    if (headers.authorization !== 'Bearer rk_test_x') return [401, { error: { type: 'invalid_request_error' } }];
    const key = headers['idempotency-key'];
    const { name, email, 'metadata[orquiva_id]': orquiva_id } = form;
    const known = first.get(key);
    if (known && known.form !== JSON.stringify(form)) return [400, { error: { type: 'idempotency_error' } }];
    const id = `cus_${randomBytes(7).toString('hex')}`;
    const customer = known?.customer ?? { id, object: 'customer', livemode: false, name, email, metadata: { orquiva_id } };
    first.set(key, { form: JSON.stringify(form), customer });
    return [200, customer];
  });
};

/** Waits until `check` gives something; ten looks a second stay far under the plan's rate. */
export async function eventually(check) {
  for (const end = Date.now() + 20_000; Date.now() < end; await sleep(100)) {
    const found = await check();
    if (found) return found;
  }
  throw new Error(`not within 20 s: ${check}`);
}
