// The published recipe: welcome a new hire in Slack, create the Stripe customer, keep its id in Orquiva.
import { createHmac, timingSafeEqual } from 'node:crypto';
import { createServer } from 'node:http';

const FIVE_MINUTES = 300;

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

/** A server for Orquiva's webhooks. `orquiva` is `{ url, token }`, and `token()` gives an access token. */
export function receiver({ secret, slack, channel, stripe, orquiva }) {
  const seen = new Set(); // in production: a table with a unique key

  async function welcome(event) {
    const { id, fullName, email, department } = event.data;
    // The event's id as the idempotency key: a repeat gets the first customer and creates no second.
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
    const where = department ? ` (${plain(department)})` : '';
    await slack.chat.postMessage({ channel, text: `Damos la bienvenida a ${plain(fullName)}${where}` });
  }

  async function answer(request) {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const rawBody = Buffer.concat(chunks); // the bytes as they came: parsed and printed again they would differ
    if (!verify(rawBody, request.headers['x-orq-signature'], secret)) return 401;
    const event = JSON.parse(rawBody);
    if (event.type !== 'employee.created' || seen.has(event.id)) return 204;
    seen.add(event.id);
    try {
      await welcome(event);
      return 204;
    } catch (error) {
      seen.delete(event.id); // Orquiva sends it again
      console.error(error);
      return 500;
    }
  }

  return createServer(async (request, response) => {
    response.writeHead(await answer(request)).end();
  });
}
