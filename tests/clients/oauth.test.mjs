// Tokens with a certified OAuth client: discovery, both methods of authentication, bound tokens, revocation.
import assert from 'node:assert/strict';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import * as oidc from 'openid-client';
import { startOrquiva } from './harness.mjs';

let orquiva;
let client;
before(async () => {
  orquiva = await startOrquiva('pro');
  [client] = orquiva.clients;
});
after(() => orquiva.stop());

/** Finds the endpoints by RFC 8414, and authenticates as `method` says. */
const discover = (id, method) => oidc.discovery(new URL(client.url), id, undefined, method, {
  algorithm: 'oauth2',
  execute: [oidc.allowInsecureRequests],
});

test('a client finds the endpoints, authenticates by form and by Basic, and asks about and ends its token', async () => {
  for (const method of [oidc.ClientSecretPost, oidc.ClientSecretBasic]) {
    const config = await discover(client.client_id, method(client.client_secret));
    const token = await oidc.clientCredentialsGrant(config, { scope: 'employees:read' });
    assert.deepEqual([token.token_type, token.expires_in, token.scope], ['bearer', 3600, 'employees:read']);
    const told = await oidc.tokenIntrospection(config, token.access_token);
    assert.deepEqual([told.active, told.client_id], [true, client.client_id]);
    await oidc.tokenRevocation(config, token.access_token);
    assert.equal((await oidc.tokenIntrospection(config, token.access_token)).active, false);
    const answer = await fetch(`${client.url}/v1/me`, { headers: { authorization: `Bearer ${token.access_token}` } });
    assert.equal(answer.status, 401);
    assert.match(answer.headers.get('www-authenticate'), /resource_metadata="[^"]+\/\.well-known\/oauth-protected-resource"/);
  }
});

test('a client signs with a key of its own, in each algorithm', async () => {
  for (const [alg, params] of [
    ['ES256', { name: 'ECDSA', namedCurve: 'P-256' }],
    ['RS256', { name: 'RSASSA-PKCS1-v1_5', hash: 'SHA-256', modulusLength: 2048, publicExponent: new Uint8Array([1, 0, 1]) }],
    ['EdDSA', { name: 'Ed25519' }],
  ]) {
    const pair = await crypto.subtle.generateKey(params, true, ['sign', 'verify']);
    const { kty, crv, x, y, n, e } = await crypto.subtle.exportKey('jwk', pair.publicKey);
    const file = join(orquiva.folder, `${alg}.json`);
    writeFileSync(file, JSON.stringify({ keys: [{ kty, crv, x, y, n, e, alg, use: 'sig', kid: alg }] }));
    const company = orquiva.command('company', 'create', '--name', alg);
    const { client_id: id } = orquiva.command('client', 'create', '--company', company.id, '--name', alg, '--jwks', file);
    const config = await discover(id, oidc.PrivateKeyJwt({ key: pair.privateKey, kid: alg }));
    const { access_token: token } = await oidc.clientCredentialsGrant(config);
    const me = await (await fetch(`${client.url}/v1/me`, { headers: { authorization: `Bearer ${token}` } })).json();
    assert.deepEqual([me.client.id, me.client.authentication], [id, 'private_key_jwt'], alg);
  }
});

test('a token is bound to a key and useless without it', async () => {
  const config = await discover(client.client_id, oidc.ClientSecretPost(client.client_secret));
  const DPoP = oidc.getDPoPHandle(config, await oidc.randomDPoPKeyPair('ES256'));
  const token = await oidc.clientCredentialsGrant(config, undefined, { DPoP });
  assert.equal(token.token_type, 'dpop');
  const url = new URL(`${client.url}/v1/employees?limit=1`);
  const call = (options) => oidc.fetchProtectedResource(config, token.access_token, url, 'GET', undefined, undefined, options);
  assert.equal((await call({ DPoP })).status, 200);
  assert.equal((await call({ DPoP })).status, 200, 'each request brings its own proof');
  const stolen = await fetch(url, { headers: { authorization: `Bearer ${token.access_token}` } });
  assert.equal(stolen.status, 401);
  assert.match(stolen.headers.get('www-authenticate'), /^DPoP .*error="invalid_token"/);
});
