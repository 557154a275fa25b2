// Compiles TestToken.sol to TestToken.json, beside it, with the npm package solc 0.8.37.
// Only needed when the source changes: `make contracts`.
//
// The result depends on the source and the compiler alone: no path, no date and no
// metadata go into it. It records the source's SHA-256, which a test compares.
"use strict";

const { createHash } = require("node:crypto");
const { readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const solc = require("solc");

const NAME = "TestToken";
const source = readFileSync(join(__dirname, `${NAME}.sol`), "utf8");

const settings = {
  evmVersion: "paris", // runs on every chain, also where PUSH0 is unknown
  optimizer: { enabled: true, runs: 200 },
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.methodIdentifiers"] } },
};
const input = { language: "Solidity", sources: { [NAME]: { content: source } }, settings };
const output = JSON.parse(solc.compile(JSON.stringify(input)));

for (const fault of output.errors ?? []) console.error(fault.formattedMessage);
if (output.errors?.length) process.exit(1);

const { abi, evm } = output.contracts[NAME][NAME];
const artifact = {
  contract: NAME,
  compiler: solc.version(),
  source_sha256: createHash("sha256").update(source).digest("hex"),
  selectors: evm.methodIdentifiers,
  bytecode: `0x${evm.bytecode.object}`,
  abi,
};
writeFileSync(join(__dirname, `${NAME}.json`), `${JSON.stringify(artifact, null, 2)}\n`);
