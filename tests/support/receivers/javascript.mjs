// Runs a function of docs/webhooks.md. Arguments: the file it stands in, and its name. On standard
// input a list of requests {secret, body, headers, now}, the body in base64 and `now` in Unix seconds
// or null; on standard output whether each was taken.

import { text } from "node:stream/consumers";
import { pathToFileURL } from "node:url";

const [file, name] = process.argv.slice(2);
const receive = (await import(pathToFileURL(file)))[name];
const wallClock = Date.now;

function taken({ secret, body, headers, now }) {
  Date.now = now === null ? wallClock : () => now * 1000;
  try {
    return receive(secret, Buffer.from(body, "base64"), headers) !== false;
  } catch (error) {
    if (error.name === "WebhookVerificationError") return false;
    throw error;
  }
}

const requests = JSON.parse(await text(process.stdin));
process.stdout.write(JSON.stringify(requests.map(taken)));
