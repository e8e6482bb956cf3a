// The published recipe: a new hire gets a Stripe customer, whose id is kept in Orquiva, and a welcome in Slack.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { buffer } from 'node:stream/consumers';

const FIVE_MINUTES = 300;

/** Gives the client's access token, and asks for the next one a minute before its hour is over. */
export function accessTokens({ url, client_id, client_secret }) {
  let token;
  let goodUntil = 0;
  return async () => {
    if (Date.now() < goodUntil) return token;
    const form = new URLSearchParams({ grant_type: 'client_credentials', client_id, client_secret });
    const answer = await fetch(`${url}/oauth/token`, { method: 'POST', body: form });
    if (!answer.ok) throw new Error(`no access token: ${await answer.text()}`);
    const { access_token, expires_in } = await answer.json();
    token = access_token;
    goodUntil = Date.now() + (expires_in - 60) * 1000;
    return token;
  };
}

/** Whether Orquiva signed these bytes: `X-Orq-Signature: t=<seconds>,v1=<hex>`, one v1 for each live secret. */
export function verify(rawBody, header, secret, now = Date.now() / 1000) {
  const parts = String(header).split(',').map((part) => part.split('='));
  const t = parts.find(([name]) => name === 't')?.[1];
  if (!t || !(Math.abs(now - Number(t)) <= FIVE_MINUTES)) return false;
  const expected = createHmac('sha256', secret).update(`${t}.`).update(rawBody).digest();
  return parts.some(([name, hex]) => {
    const given = Buffer.from(name === 'v1' ? hex ?? '' : '', 'hex');
    return given.length === expected.length && timingSafeEqual(given, expected);
  });
}

/** Slack reads these three letters as markup: a name must not become a link or ping a channel. */
const plain = (text) => text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');

/** Handles Orquiva's webhooks: `createServer(handler({ … })).listen(3000)`. `orquiva` is `{ url, token }`. */
export function handler({ secret, slack, channel, stripe, orquiva }) {
  const works = new Map(); // event.id → its work; in production a table with a unique key, which outlives a restart

  async function welcome(event) {
    const { id, fullName, email, department } = event.data;
    // The event's id as the idempotency key: even if our memory is lost, a repeat creates no second customer.
    const customer = await stripe.customers.create(
      { name: fullName, email, metadata: { orquiva_id: id } },
      { idempotencyKey: event.id },
    );
    const answer = await fetch(`${orquiva.url}/employees/${id}`, {
      method: 'PATCH',
      headers: { authorization: `Bearer ${await orquiva.token()}` },
      body: JSON.stringify({ external_refs: { stripe_id: customer.id } }),
    });
    if (!answer.ok) throw new Error(`the write-back was refused: ${await answer.text()}`);
    // Slack knows no idempotency key, so it comes last: nothing after it can fail and have it said again.
    const where = department ? ` (${plain(department)})` : '';
    await slack.chat.postMessage({ channel, text: `Damos la bienvenida a ${plain(fullName)}${where}` });
  }

  async function answer(request) {
    const rawBody = await buffer(request); // the bytes as they came: parsed and printed again they would differ
    if (!verify(rawBody, request.headers['x-orq-signature'], secret)) return 401;
    const event = JSON.parse(rawBody);
    if (event.type !== 'employee.created') return 204;
    // A repeat joins the work of the first, so it never says «done» of what may still fail.
    if (!works.has(event.id)) works.set(event.id, welcome(event));
    try {
      await works.get(event.id);
      return 204;
    } catch (error) {
      works.delete(event.id); // Orquiva sends it again
      throw error;
    }
  }

  return async (request, response) => {
    const status = await answer(request).catch((error) => {
      console.error(error);
      return 500;
    });
    response.writeHead(status).end();
  };
}
