// Compiles every .sol file of the folders given to a .json beside it, with the npm package
// solc 0.8.37. Only needed when a source changes: `make contracts`.
//
// A source with one contract becomes that contract's artifact; one with several becomes
// {"contracts": {NAME: artifact}}. Interfaces and abstract contracts are left out.
//
// The result depends on the source and the compiler alone: no path, no date and no
// metadata go into it. It records the source's SHA-256, which a test compares.
"use strict";

const { createHash } = require("node:crypto");
const { readdirSync, readFileSync, writeFileSync } = require("node:fs");
const { join } = require("node:path");
const solc = require("solc");

// selfdestruct is deprecated: contracts that tests are hard on us with use it all the same.
const ALLOWED = new Set(["5159"]);

const settings = {
  evmVersion: "paris", // runs on every chain, also where PUSH0 is unknown
  optimizer: { enabled: true, runs: 200 },
  metadata: { appendCBOR: false, bytecodeHash: "none" },
  outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.methodIdentifiers"] } },
};

function compile(name, source) {
  const input = { language: "Solidity", sources: { [name]: { content: source } }, settings };
  const output = JSON.parse(solc.compile(JSON.stringify(input)));
  const faults = (output.errors ?? []).filter((fault) => !ALLOWED.has(fault.errorCode));
  for (const fault of faults) console.error(fault.formattedMessage);
  if (faults.length) process.exit(1);
  return Object.entries(output.contracts[name]).filter(([, { evm }]) => evm.bytecode.object);
}

function artifact(name, source) {
  const origin = {
    compiler: solc.version(),
    source_sha256: createHash("sha256").update(source).digest("hex"),
  };
  const code = (evm) => ({ selectors: evm.methodIdentifiers, bytecode: `0x${evm.bytecode.object}` });
  const compiled = compile(name, source);
  if (compiled.length === 1) {
    const [[contract, { abi, evm }]] = compiled;
    return { contract, ...origin, ...code(evm), abi };
  }
  const contracts = compiled.map(([contract, { evm }]) => [contract, code(evm)]);
  return { ...origin, contracts: Object.fromEntries(contracts) };
}

for (const folder of process.argv.slice(2)) {
  for (const file of readdirSync(folder).filter((file) => file.endsWith(".sol"))) {
    const name = file.replace(/\.sol$/, "");
    const built = artifact(name, readFileSync(join(folder, file), "utf8"));
    writeFileSync(join(folder, `${name}.json`), `${JSON.stringify(built, null, 2)}\n`);
  }
}
