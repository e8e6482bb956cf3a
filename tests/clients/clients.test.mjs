// What an integrating developer's code does, with the real libraries, against a real Orquiva.
import assert from 'node:assert/strict';
import { createHmac, createPublicKey, verify as verifyEd25519 } from 'node:crypto';
import { after, before, test } from 'node:test';
import { WebClient } from '@slack/web-api';
import { Webhook, WebhookVerificationError } from 'standardwebhooks';
import Stripe from 'stripe';
import { fetchWithBackoff } from './backoff.mjs';
import { accessTokens, handler, verify } from './handler.mjs';
import { eventually, fakeSlack, fakeStripe, listen, startOrquiva } from './harness.mjs';

let orquiva;
let acme; // on plan Pro
let small; // on plan Free

before(async () => {
  orquiva = await startOrquiva('pro', 'free');
  [acme, small] = orquiva.clients.map((client) => ({ ...client, token: accessTokens(client) }));
});

after(async () => assert.equal(await orquiva?.stop() ?? 0, 0, 'Orquiva stops in order'));

async function api(method, path, body) {
  const headers = { authorization: `Bearer ${await acme.token()}`, 'content-type': 'application/json' };
  const answer = await fetch(acme.url + path, { method, headers, body: body && JSON.stringify(body) });
  const text = await answer.text();
  assert.ok(answer.ok, `${method} ${path}: ${answer.status} ${text}`);
  return text && JSON.parse(text);
}

const hire = (fullName, email, department = 'Ventas') => api('POST', '/v1/employees', { fullName, email, department });

const thanks = () => (request, response) => request.on('end', () => response.writeHead(204).end());

/** A port subscribed to `employee.created`. It keeps each delivery as it arrived; `answerer` makes its handler of the secret. */
async function subscribe(t, answerer = thanks, more = {}) {
  const arrived = [];
  let answer;
  const port = await listen(t, (request, response) => {
    const chunks = [];
    request.on('data', (chunk) => chunks.push(chunk));
    request.on('end', () => arrived.push({ headers: request.headers, body: Buffer.concat(chunks) }));
    answer(request, response);
  });
  const { id, secret } = await api('POST', '/v1/webhooks', { url: `http://127.0.0.1:${port}/hook`, events: ['employee.created'], ...more });
  t.after(() => api('DELETE', `/v1/webhooks/${id}`));
  assert.match(secret, /^whsec_/);
  answer = answerer(secret);
  /** Waits until `count` deliveries are over and done; gives them with their attempts. */
  const delivered = (count = 1) => eventually(async () => {
    const { data } = await api('GET', `/v1/deliveries?webhookId=${id}&state=delivered`);
    return data.length === count && data;
  });
  return { id, secret, arrived, delivered };
}

/** The recipe, subscribed, with a Slack and a Stripe of its own. `mishap` happens to the first answer. */
async function recipe(t, mishap = () => {}) {
  const [slack, stripe] = [await fakeSlack(t), await fakeStripe(t)];
  const endpoint = await subscribe(t, (secret) => {
    const handle = handler({
      secret,
      slack: new WebClient('xoxb-test', { slackApiUrl: `http://127.0.0.1:${slack.port}/api/` }),
      channel: '#bienvenidas',
      stripe: new Stripe('rk_test_x', { host: '127.0.0.1', port: stripe.port, protocol: 'http', telemetry: false }),
      orquiva: acme,
    });
    return (request, response) => {
      mishap(response);
      mishap = () => {};
      return handle(request, response);
    };
  });
  return { ...endpoint, messages: slack.got, customers: stripe.got };
}

test('the token that the published form buys is a Bearer token for exactly one hour', async () => {
  const { url, client_id, client_secret } = acme;
  const body = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret });
  const answer = await fetch(`${url}/oauth/token`, { method: 'POST', body });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get('cache-control'), 'no-store');
  const { token_type, expires_in } = await answer.json();
  assert.deepEqual({ token_type, expires_in }, { token_type: 'Bearer', expires_in: 3600 });
});

test('a hire is welcomed in Slack once, has one Stripe customer, and its id comes back', async (t) => {
  const { messages, customers, delivered } = await recipe(t);
  const hired = await hire('Ana <!channel> & Co', 'ana@acme.test', 'Ingeniería');
  const [{ attempts }] = await delivered();
  assert.deepEqual(attempts.map(({ status }) => status), [204]);

  assert.equal(messages.length, 1);
  const [message] = messages;
  assert.equal(message.line, 'POST /api/chat.postMessage');
  assert.equal(message.form.channel, '#bienvenidas');
  assert.equal(message.form.text, 'Damos la bienvenida a Ana &lt;!channel&gt; &amp; Co (Ingeniería)');

  assert.equal(customers.length, 1);
  const [customer] = customers;
  assert.equal(customer.line, 'POST /v1/customers');
  assert.match(customer.headers['idempotency-key'], /^evt_/);
  const { name, email, 'metadata[orquiva_id]': orquiva_id } = customer.form;
  assert.deepEqual({ name, email, orquiva_id }, { name: hired.fullName, email: hired.email, orquiva_id: hired.id });

  const { external_refs } = await api('GET', `/v1/employees/${hired.id}`);
  assert.match(external_refs.stripe_id, /^cus_/);
  const found = await api('GET', `/v1/employees?externalRef=stripe_id:${external_refs.stripe_id}`);
  assert.deepEqual(found.data.map(({ id }) => id), [hired.id]);
});

test('a write-back without /v1 and without a Content-Type of our own is read as JSON, and merges', async () => {
  const { id } = await hire('Ona Vila', 'ona@acme.test');
  const url = `${acme.url}/employees/${id}`;
  const headers = { authorization: `Bearer ${await acme.token()}` };
  for (const external_refs of [{ stripe_id: 'cus_ona' }, { slack_id: 'U1' }]) {
    const request = new Request(url, { method: 'PATCH', headers, body: JSON.stringify({ external_refs }) });
    assert.equal(request.headers.get('content-type'), 'text/plain;charset=UTF-8', 'what fetch makes of a string');
    const answer = await fetch(request);
    assert.equal(answer.status, 200);
    assert.equal(answer.redirected, false);
  }
  const { external_refs } = await api('GET', `/v1/employees/${id}`);
  assert.deepEqual(external_refs, { stripe_id: 'cus_ona', slack_id: 'U1' });
});

// The work is done, and then the answer goes wrong: Orquiva has to send again, about 5 s later.
const mishaps = {
  'was a 500': (response) => {
    const { writeHead } = response;
    response.writeHead = () => writeHead.call(response, 500);
  },
  'never came': (response) => { response.end = () => response.destroy(); },
};
for (const [at, [what, mishap]] of Object.entries(mishaps).entries()) {
  test(`a delivery that is repeated because its answer ${what} has the same event.id and does nothing twice`, async (t) => {
    const { arrived, messages, customers, delivered } = await recipe(t, mishap);
    await hire('Luis Gil', `luis${at}@acme.test`);
    const [{ eventId, attempts }] = await delivered(); // so the second was handled to its end
    assert.deepEqual(attempts.map(({ status }) => status), [what === 'was a 500' ? 500 : null, 204]);
    assert.deepEqual(arrived.map(({ body }) => JSON.parse(body).id), [eventId, eventId]);
    assert.equal(messages.length, 1);
    assert.equal(customers.length, 1);
  });
}

test('Standard Webhooks libraries accept a delivery as it arrived, and nothing that was changed', async (t) => {
  const { secret, arrived, delivered } = await subscribe(t);
  await hire('Eva Sanz', 'eva@acme.test');
  await delivered();
  const [{ headers, body }] = arrived;
  const library = new Webhook(secret);
  assert.equal(library.verify(body, headers).data.fullName, 'Eva Sanz');
  const refused = (...args) => assert.throws(() => library.verify(...args), WebhookVerificationError);
  refused(String(body).replace('Eva', 'Eve'), headers);
  refused(body, { ...headers, 'webhook-id': 'evt_other' });
  refused(body, { ...headers, 'webhook-timestamp': String(headers['webhook-timestamp'] - 1) });
});

test("Stripe's verifier accepts a delivery as it arrived, and nothing that was changed", async (t) => {
  const { secret, arrived, delivered } = await subscribe(t);
  await hire('Pau Mas', 'pau@acme.test');
  await delivered();
  const [{ headers, body }] = arrived;
  const signature = headers['x-orq-signature'];
  const { webhooks } = new Stripe('rk_test_x');
  assert.equal(webhooks.constructEvent(body, signature, secret).data.fullName, 'Pau Mas');
  const refused = (...args) => assert.throws(() => webhooks.constructEvent(...args), Stripe.errors.StripeSignatureVerificationError);
  refused(String(body).replace('Pau', 'Pol'), signature, secret);
  refused(body, signature, 'whsec_b3RoZXI=');
});

test('while a secret is rotated the libraries accept with the old one and the new one, and public keys check both', async (t) => {
  const { id, secret, arrived, delivered } = await subscribe(t, thanks, { ed25519: true });
  const { secret: fresh } = await api('POST', `/v1/webhooks/${id}/rotate-secret`);
  assert.notEqual(fresh, secret);
  await hire('Noa Vidal', 'noa@acme.test');
  await delivered();
  const [{ headers, body }] = arrived;
  const { webhooks } = new Stripe('rk_test_x');
  for (const live of [secret, fresh]) {
    assert.equal(webhooks.constructEvent(body, headers['x-orq-signature'], live).data.fullName, 'Noa Vidal');
    assert.equal(new Webhook(live).verify(body, headers).data.fullName, 'Noa Vidal');
  }
  assert.throws(() => new Webhook('whsec_b3RoZXI=').verify(body, headers), WebhookVerificationError);

  const { keys } = await (await fetch(`${acme.url}/.well-known/webhook-keys/${id}`)).json();
  assert.equal(keys.length, 2);
  const signed = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), body]);
  const signatures = headers['webhook-signature'].split(' ').filter((one) => one.startsWith('v1a,'));
  assert.equal(signatures.length, 2);
  for (const jwk of keys) {
    const key = createPublicKey({ key: jwk, format: 'jwk' });
    const holds = (message) => signatures.some((one) => verifyEd25519(null, message, key, Buffer.from(one.slice(4), 'base64')));
    assert.ok(holds(signed), jwk.kid);
    assert.ok(!holds(Buffer.concat([signed, Buffer.from(' ')])));
  }
});

test('names in every script make the whole trip byte for byte, and their signatures hold', async (t) => {
  const { secret, arrived, messages, customers, delivered } = await recipe(t);
  const names = ['Zoë Ñandú 🌻', '東京 太郎', 'علي حسن', '<b>Ana</b> & "Co" \\', 'e\u0301 is not \u00e9', '👩🏽‍💻'];
  const hired = await Promise.all(names.map((name, at) => hire(name, `name${at}@acme.test`)));
  await delivered(names.length);

  for (const { headers, body } of arrived) {
    const { fullName } = JSON.parse(body).data;
    assert.ok(body.includes(JSON.stringify(fullName)), 'UTF-8 as it is, without \\u escapes');
    assert.ok(verify(body, headers['x-orq-signature'], secret));
    new Webhook(secret).verify(body, headers);
    new Stripe('rk_test_x').webhooks.constructEvent(body, headers['x-orq-signature'], secret);
  }
  const same = (got) => assert.deepEqual(got.toSorted(), names.toSorted());
  same(arrived.map(({ body }) => JSON.parse(body).data.fullName));
  same(customers.map(({ form }) => form.name));
  const unescaped = (text) => text.replaceAll('&lt;', '<').replaceAll('&gt;', '>').replaceAll('&amp;', '&');
  same(messages.map(({ form }) => unescaped(form.text).slice('Damos la bienvenida a '.length, -' (Ventas)'.length)));
  const kept = await Promise.all(hired.map(({ id }) => api('GET', `/v1/employees/${id}`)));
  same(kept.map(({ fullName }) => fullName));
});

test('a forged or stale request to the handler is refused and does nothing', async (t) => {
  const secret = 'whsec_test';
  const never = () => assert.fail('nothing may be called');
  const slack = { chat: { postMessage: never } };
  const stripe = { customers: { create: never } };
  const port = await listen(t, handler({ secret, slack, stripe, orquiva: { token: never } }));
  const body = JSON.stringify({ id: 'evt_1', type: 'employee.created', data: { id: 'emp_1', fullName: 'Eve' } });
  const sign = (t, text = body, key = secret) => `t=${t},v1=${createHmac('sha256', key).update(`${t}.${text}`).digest('hex')}`;
  const now = Math.floor(Date.now() / 1000);
  assert.ok(verify(body, sign(now), secret), 'signed like this it would be accepted');
  const wrong = ['t=,v1=', `t=${now}`, `t=${now},v1=`, sign(now, '{}'), sign(now, body, 'other'), sign(now - 301), sign(now + 302), sign(NaN)];
  for (const headers of [{}, ...wrong.map((signature) => ({ 'x-orq-signature': signature }))]) {
    const answer = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body });
    assert.equal(answer.status, 401, headers['x-orq-signature']);
  }
});

test('the request over the limit is told how long to wait, and a client that backs off waits at least that', async () => {
  const options = { headers: { authorization: `Bearer ${await small.token()}` } };
  const url = `${small.url}/v1/employees`;
  for (let count = 0; count < 100; count += 1) assert.equal((await fetch(url, options)).status, 200);
  const refused = await fetch(url, options);
  assert.equal(refused.status, 429);
  assert.equal(refused.headers.get('content-type'), 'application/problem+json');
  assert.match(refused.headers.get('retry-after'), /^[1-9]\d?$/);
  assert.equal((await refused.json()).code, 'rate_limited');

  const waits = [];
  const last = await fetchWithBackoff(url, options, async (milliseconds) => waits.push(milliseconds)); // nobody really waits here
  assert.equal(last.status, 429);
  assert.equal(waits.length, 4);
  assert.ok(waits.every((waited) => waited >= 1000 * last.headers.get('retry-after')), `${waits}`);
});
