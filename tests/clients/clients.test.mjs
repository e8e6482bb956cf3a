// What an integrating developer's code does, with the real libraries, against a real Orquiva.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { createServer } from 'node:http';
import { after, before, test } from 'node:test';
import { WebClient } from '@slack/web-api';
import { Webhook } from 'standardwebhooks';
import Stripe from 'stripe';
import { receiver, verify } from './handler.mjs';
import { company, eventually, fake, listen, startOrquiva } from './harness.mjs';

let orquiva;
let acme;
let slackService;
let stripeService;
const servers = [];

before(async () => {
  orquiva = await startOrquiva();
  acme = await company(orquiva, 'pro');
  slackService = await fake(({ form }) => [200, { ok: true, channel: 'C01', ts: '1.0', message: { text: form.text } }]);
  // Stripe replays the first answer under the same idempotency key.
  const customers = new Map();
  stripeService = await fake(({ headers, form }) => {
    const key = headers['idempotency-key'];
    if (!customers.has(key)) customers.set(key, `cus_${customers.size + 1}`);
    return [200, { id: customers.get(key), object: 'customer', name: form.name, metadata: { orquiva_id: form['metadata[orquiva_id]'] } }];
  });
  servers.push(slackService.server, stripeService.server);
});

after(async () => {
  for (const server of servers) {
    server.closeAllConnections();
    server.close();
  }
  await orquiva?.stop();
});

/** Subscribes a port of this machine to `employee.created`; answers with the endpoint and its secret. */
async function subscribe(port) {
  const answer = await acme.call('POST', '/v1/webhooks', { url: `http://127.0.0.1:${port}/hook`, events: ['employee.created'] });
  assert.equal(answer.status, 201);
  return answer.json();
}

async function hire(fullName, email, department = 'Ventas') {
  const answer = await acme.call('POST', '/v1/employees', { fullName, email, department });
  assert.equal(answer.status, 201);
  return answer.json();
}

/** The recipe's receiver, behind a port that is known before its secret is. `spoil` may answer in its place. */
async function recipe(spoil = () => false) {
  let handler;
  const server = createServer((request, response) => spoil(request, response, handler) || handler.emit('request', request, response));
  servers.push(server);
  const endpoint = await subscribe(await listen(server));
  handler = receiver({
    secret: endpoint.secret,
    slack: new WebClient('xoxb-test', { slackApiUrl: `http://127.0.0.1:${slackService.port}/api/` }),
    channel: '#bienvenidas',
    stripe: new Stripe('rk_test_x', { host: '127.0.0.1', port: stripeService.port, protocol: 'http', telemetry: false }),
    orquiva: { url: orquiva.url, token: acme.token },
  });
  return { endpoint, stop: () => acme.call('DELETE', `/v1/webhooks/${endpoint.id}`) };
}

/** Deliveries as they arrive, raw. */
async function raw() {
  const got = [];
  const server = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    got.push({ headers: request.headers, body: Buffer.concat(chunks) });
    response.writeHead(204).end();
  });
  servers.push(server);
  const endpoint = await subscribe(await listen(server));
  return { got, endpoint, stop: () => acme.call('DELETE', `/v1/webhooks/${endpoint.id}`) };
}

test('a hire is welcomed in Slack once, has one Stripe customer, and its id comes back', async () => {
  const { stop } = await recipe();
  const hired = await hire('Ana <!channel> & Co', 'ana@acme.test', 'Ingeniería');
  const employee = await eventually(async () => {
    const now = await (await acme.call('GET', `/v1/employees/${hired.id}`)).json();
    return slackService.got.length > 0 && now.external_refs.stripe_id && now;
  });
  assert.equal(slackService.got.length, 1);
  const [message] = slackService.got;
  assert.equal(message.path, '/api/chat.postMessage');
  assert.equal(message.headers.authorization, 'Bearer xoxb-test');
  assert.equal(message.form.channel, '#bienvenidas');
  assert.equal(message.form.text, 'Damos la bienvenida a Ana &lt;!channel&gt; &amp; Co (Ingeniería)');
  assert.equal(stripeService.got.length, 1);
  const [customer] = stripeService.got;
  assert.equal(customer.path, '/v1/customers');
  assert.equal(customer.form['metadata[orquiva_id]'], hired.id);
  assert.match(customer.headers['idempotency-key'], /^evt_/);
  assert.deepEqual(employee.external_refs, { stripe_id: 'cus_1' });
  const found = await (await acme.call('GET', '/v1/employees?externalRef=stripe_id:cus_1')).json();
  assert.deepEqual(found.data.map(({ id }) => id), [hired.id]);
  await stop();
});

test('a delivery that is repeated does nothing twice', async () => {
  const ids = [];
  // The work is done, and then the answer gets lost on its way: Orquiva has to send again.
  const { stop } = await recipe((request, response, handler) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => ids.push(JSON.parse(Buffer.concat(chunks)).id));
    if (ids.length > 0 || response.spoilt) return false;
    response.spoilt = true;
    const writeHead = response.writeHead.bind(response);
    response.writeHead = () => writeHead(500);
    handler.emit('request', request, response);
    return true;
  });
  const [messages, customers] = [slackService.got.length, stripeService.got.length];
  await hire('Luis Gil', 'luis@acme.test');
  await eventually(() => ids.length === 2);
  assert.equal(ids[0], ids[1], 'the same event.id');
  assert.equal(slackService.got.length, messages + 1);
  assert.equal(stripeService.got.length, customers + 1);
  await stop();
});

test('Standard Webhooks libraries accept a delivery, and nothing that was changed', async () => {
  const { got, endpoint, stop } = await raw();
  await hire('Eva Sanz', 'eva@acme.test');
  const { headers, body } = await eventually(() => got[0]);
  const library = new Webhook(endpoint.secret);
  assert.equal(library.verify(body, headers).data.fullName, 'Eva Sanz');
  assert.throws(() => library.verify(String(body).replace('Eva', 'Eve'), headers));
  assert.throws(() => library.verify(body, { ...headers, 'webhook-id': 'evt_other' }));
  await stop();
});

test("Stripe's verifier accepts a delivery, and nothing that was changed", async () => {
  const { got, endpoint, stop } = await raw();
  await hire('Pau Mas', 'pau@acme.test');
  const { headers, body } = await eventually(() => got[0]);
  const signature = headers['x-orq-signature'];
  const { webhooks } = new Stripe('rk_test_x');
  assert.equal(webhooks.constructEvent(body, signature, endpoint.secret).type, 'employee.created');
  assert.throws(() => webhooks.constructEvent(String(body).replace('Pau', 'Pol'), signature, endpoint.secret));
  assert.throws(() => webhooks.constructEvent(body, signature, 'whsec_b3RoZXI='));
  await stop();
});

test('names in every script arrive byte for byte', async () => {
  const { got, endpoint, stop } = await raw();
  const names = ['Zoë Ñandú 🌻', '東京 太郎', 'علي حسن', '"Ana" \\ </script>', 'e\u0301 and é', '👩🏽‍💻'];
  for (const [at, name] of names.entries()) await hire(name, `n${at}@acme.test`);
  await eventually(() => got.length === names.length);
  const arrived = got.map(({ body }) => JSON.parse(body).data.fullName);
  assert.deepEqual(arrived.toSorted(), names.toSorted());
  assert.ok(got.every(({ headers, body }) => verify(body, headers['x-orq-signature'], endpoint.secret)));
  await stop();
});

test('a forged or stale request to the handler does nothing', async () => {
  const secret = 'whsec_test';
  const never = () => assert.fail('nothing may be called');
  const server = receiver({ secret, slack: { chat: { postMessage: never } }, stripe: { customers: { create: never } }, orquiva: {} });
  servers.push(server);
  const port = await listen(server);
  const body = JSON.stringify({ id: 'evt_1', type: 'employee.created', data: { id: 'emp_1' } });
  const sign = (t, text = body, key = secret) => `t=${t},v1=${createHmac('sha256', key).update(`${t}.${text}`).digest('hex')}`;
  const now = Math.floor(Date.now() / 1000);
  for (const signature of [undefined, '', 't=,v1=', `t=${now}`, sign(now, '{}'), sign(now, body, 'other'), sign(now - 301), sign(now + 301), sign(NaN)]) {
    const headers = signature === undefined ? {} : { 'x-orq-signature': signature };
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body });
    assert.equal(answer.status, 401, signature);
  }
});

test('over the limit the answer says how long to wait', async () => {
  const small = await company(orquiva, 'free');
  const token = await small.token();
  const call = () => fetch(`${orquiva.url}/v1/employees`, { headers: { authorization: `Bearer ${token}` } });
  for (let count = 0; count < 100; count += 1) assert.equal((await call()).status, 200);
  const refused = await call();
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('content-type'), 'application/problem+json');
  assert.match(refused.headers.get('retry-after'), /^[1-9]\d?$/);
  assert.equal((await refused.json()).code, 'rate_limited');
});
