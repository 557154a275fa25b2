// Verifies webhooks with the npm package of Standard Webhooks; tests/support/node_verifier.py
// starts it. On standard input a list of requests {secret, body, headers, now}, the body in
// base64 and `now` in Unix seconds or null; on standard output what was wrong with each, or null.
// Its argument is a folder whose node_modules holds the package.

import { createRequire } from "node:module";
import { text } from "node:stream/consumers";

const { Webhook } = createRequire(process.argv[2])("standardwebhooks");
const wallClock = Date.now;

function fault({ secret, body, headers, now }) {
  Date.now = now === null ? wallClock : () => now * 1000;
  const key = secret.startsWith("whsec_") ? secret : Buffer.from(secret).toString("base64");
  try {
    new Webhook(key).verify(Buffer.from(body, "base64"), headers);
    return null;
  } catch (error) {
    return `${error.name}: ${error.message}`;
  }
}

const requests = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(requests.map(fault)));
