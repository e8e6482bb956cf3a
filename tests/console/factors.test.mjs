// The second factor as a browser has it: an app's codes, recovery codes, and a passkey of a virtual authenticator.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { test } from 'node:test';
import { PASSWORD, look, open, signUp, startBrowser, startOrquiva } from './harness.mjs';

/** The code of a base32 secret at this moment (RFC 6238): an app of another's making. */
function codeOf(secret) {
  const bits = [...secret].map((letter) => 'ABCDEFGHIJKLMNOPQRSTUVWXYZ234567'.indexOf(letter).toString(2).padStart(5, '0')).join('');
  const key = Buffer.from(bits.match(/.{8}/g).map((byte) => parseInt(byte, 2)));
  const step = Buffer.alloc(8);
  step.writeBigUInt64BE(BigInt(Math.floor(Date.now() / 30_000)));
  const tag = createHmac('sha1', key).update(step).digest();
  return String((tag.readUInt32BE(tag.at(-1) & 15) & 0x7fffffff) % 1_000_000).padStart(6, '0');
}

for (const language of ['es', 'en']) {
  test(`an app, its codes and a passkey (${language})`, async (t) => {
    const orquiva = await startOrquiva(t);
    // A passkey is bound to a name: an address has none.
    orquiva.url = orquiva.url.replace('127.0.0.1', 'localhost');
    const browser = await startBrowser(t);
    const page = await open(browser, orquiva, language);
    await signUp(page);

    await page.goto('/admin/profile/totp');
    await look(page, 'totp');
    const secret = await page.textContent('.copy code');
    await page.fill('[name=code]', codeOf(secret));
    await page.click('main form button.primary');
    await page.waitForSelector('.code');
    await look(page, 'recovery-codes');
    const [recovery] = (await page.textContent('.code code')).split('\n');

    const devtools = await page.context().newCDPSession(page);
    await devtools.send('WebAuthn.enable');
    await devtools.send('WebAuthn.addVirtualAuthenticator', {
      options: { protocol: 'ctap2', transport: 'internal', hasResidentKey: true, hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
    });
    await page.goto('/admin/profile/passkeys');
    await look(page, 'passkey-new');
    await page.click('main form button.primary');
    await page.waitForURL('**/admin/profile');
    await look(page, 'profile-factors');

    await page.goto('/admin');
    await page.click('.me form button');
    await page.waitForURL('**/admin/sign-in');
    await page.click('[data-passkey] button');
    await page.waitForURL('**/admin');

    const other = await open(browser, orquiva, language);
    await other.goto('/admin/sign-in');
    await other.fill('[name=email]', 'ana@acme.test');
    await other.fill('[name=password]', PASSWORD);
    await other.keyboard.press('Enter');
    await other.waitForSelector('[name=code]');
    await look(other, 'code');
    await other.fill('[name=code]', recovery);
    await other.keyboard.press('Enter');
    await other.waitForURL('**/admin');
    assert.deepEqual([...page.complaints, ...other.complaints], []);
  });
}
