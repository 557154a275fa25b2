// Serves a page of docs/webhooks.md with PHP. Arguments: the page, and a folder whose node_modules
// holds PHP. On standard input a list of requests {secret, body, headers}, the body in base64; on
// standard output the status and the log of each answer.

import { createRequire } from "node:module";
import { readFileSync, writeSync } from "node:fs";
import { text } from "node:stream/consumers";

const [page, folder] = process.argv.slice(2);
const require = createRequire(folder);
const { getPHPLoaderModule } = require("@php-wasm/node-8-3");
const { PHP, loadPHPRuntime } = require("@php-wasm/universal");

const php = new PHP(await loadPHPRuntime(await getPHPLoaderModule(), {}));
const code = readFileSync(page, "utf8");
const answers = [];
for (const { secret, body, headers } of JSON.parse(await text(process.stdin))) {
  const answer = await php.run({
    code,
    method: "POST",
    headers: { ...headers, "content-type": "application/json" },
    body: new Uint8Array(Buffer.from(body, "base64")),
    env: { CTRIP_WEBHOOK_SECRET: secret },
  });
  answers.push([answer.httpStatusCode, answer.text + answer.errors]);
}
writeSync(1, JSON.stringify(answers));
process.exit(0); // PHP leaves timers behind
