// Signing in by way of an OpenID Connect provider: one of our own, on this machine.
import assert from 'node:assert/strict';
import { createHash, generateKeyPairSync, randomUUID, sign } from 'node:crypto';
import { createServer } from 'node:http';
import { test } from 'node:test';
import { text } from 'node:stream/consumers';
import { look, open, signUp, startBrowser, startOrquiva } from './harness.mjs';

const words = {
  es: { link: 'Vincular', unlink: 'Desvincular', linked: 'Vinculada', withProvider: 'Entrar con Acme ID' },
  en: { link: 'Link', unlink: 'Unlink', linked: 'Linked', withProvider: 'Sign in with Acme ID' },
};

/** A provider that knows one person and asks them nothing; it holds everything that it is sent against the standard. */
async function startProvider(t) {
  const { privateKey, publicKey } = generateKeyPairSync('rsa', { modulusLength: 2048 });
  const codes = new Map();
  const part = (value) => Buffer.from(JSON.stringify(value)).toString('base64url');
  const server = createServer(async (request, response) => {
    const issuer = `http://127.0.0.1:${server.address().port}`;
    const json = (status, value) => response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(value));
    const url = new URL(request.url, issuer);
    if (url.pathname === '/.well-known/openid-configuration') {
      json(200, { issuer, authorization_endpoint: `${issuer}/authorize`, token_endpoint: `${issuer}/token`, jwks_uri: `${issuer}/keys` });
    } else if (url.pathname === '/keys') {
      json(200, { keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'one', use: 'sig', alg: 'RS256' }] });
    } else if (url.pathname === '/authorize') {
      const asked = Object.fromEntries(url.searchParams);
      if (asked.client_id !== 'orquiva' || asked.code_challenge_method !== 'S256') return json(400, { error: 'invalid_request' });
      const code = randomUUID();
      codes.set(code, asked);
      response.writeHead(302, { location: `${asked.redirect_uri}?${new URLSearchParams({ code, state: asked.state, iss: issuer })}` }).end();
    } else if (url.pathname === '/token') {
      const form = Object.fromEntries(new URLSearchParams(await text(request)));
      const asked = codes.get(form.code);
      codes.delete(form.code);
      const known = request.headers.authorization === `Basic ${Buffer.from('orquiva:secret').toString('base64')}`;
      const proved = asked && createHash('sha256').update(form.code_verifier).digest('base64url') === asked.code_challenge;
      if (!known || !proved || form.redirect_uri !== asked.redirect_uri) return json(400, { error: 'invalid_grant' });
      const now = Math.floor(Date.now() / 1000);
      const claims = { iss: issuer, aud: 'orquiva', sub: '1', nonce: asked.nonce, iat: now, exp: now + 300, email: 'ana@id.test' };
      const signed = `${part({ alg: 'RS256', kid: 'one' })}.${part(claims)}`;
      json(200, { id_token: `${signed}.${sign('sha256', signed, privateKey).toString('base64url')}`, access_token: 'x', token_type: 'Bearer' });
    } else response.writeHead(404).end();
  });
  t.after(() => {
    server.close();
    server.closeAllConnections();
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  return `http://127.0.0.1:${server.address().port}`;
}

for (const language of ['es', 'en']) {
  test(`an identity is linked, lets in without a password, and is unlinked (${language})`, async (t) => {
    const issuer = await startProvider(t);
    const settings = ['--oidc-issuer', issuer, '--oidc-client-id', 'orquiva', '--oidc-client-secret', 'secret', '--oidc-name', 'Acme ID'];
    const orquiva = await startOrquiva(t, ...settings);
    const browser = await startBrowser(t);
    const page = await open(browser, orquiva, language);
    const texts = words[language];
    await signUp(page);
    await page.goto('/admin/profile');
    await page.click(`main a >> text="${texts.link}"`);
    await page.waitForSelector(`.badge >> text=${texts.linked}`);
    await look(page, 'profile-linked');

    const other = await open(browser, orquiva, language);
    await other.goto('/admin/sign-in?next=/admin/webhooks');
    await look(other, 'sign-in-provider');
    await other.click(`text=${texts.withProvider}`);
    await other.waitForURL('**/admin/webhooks');

    await page.click(`main button >> text=${texts.unlink}`);
    await page.waitForSelector(`main a >> text="${texts.link}"`);
    const third = await open(browser, orquiva, language);
    await third.goto('/admin/sign-in');
    await third.click(`text=${texts.withProvider}`);
    await third.waitForURL('**/admin/sign-in/openid/back?**');
    await look(third, 'openid-unknown');
  });
}
