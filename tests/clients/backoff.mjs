// For programs that make many calls: how a client obeys 429.
import { setTimeout as sleep } from 'node:timers/promises';

/** `fetch` that waits as long as a 429 asks, and at least twice as long each time; the fifth refusal is the answer. */
export async function fetchWithBackoff(url, options, wait = sleep) {
  for (let tries = 1; ; tries += 1) {
    const answer = await fetch(url, options);
    if (answer.status !== 429 || tries === 5) return answer;
    await answer.body?.cancel(); // frees the connection
    const seconds = Math.max(Number(answer.headers.get('retry-after')), 2 ** tries);
    await wait(seconds * 1000 * (1 + Math.random() / 10)); // a little apart, so that programs do not return all at once
  }
}
