// Compiles a program in C# and runs it, in Mono for WebAssembly. Arguments: the program, and the
// package csharp-wasm-runner. On standard input a list of requests {secret, body, headers}, the body in
// base64; on standard output the lines that it wrote.
//
// The package is made for browsers. Only Mono and the compiler are used of it, and what they ask of
// a browser is here: scripts share one scope, and files are fetched, from the disk.

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { runInThisContext } from "node:vm";

const [program, folder] = process.argv.slice(2);
const runtime = join(folder, "runtime");
const origin = "http://localhost";
const setTimer = globalThis.setTimeout;

globalThis.require = createRequire(import.meta.url);
globalThis.__dirname = runtime;
globalThis.__filename = join(runtime, "dotnet.js");
globalThis.window = globalThis;
globalThis.location = { origin, href: `${origin}/`, pathname: "/" };
globalThis.setTimeout = (work, wait) => setTimer(() => work.call(globalThis), wait);
globalThis.fetch = async (url) => {
  const file = String(url).replace(`${origin}/`, "");
  const answer = new Response(readFileSync(file.startsWith("/") ? file : join(runtime, file)));
  return Object.defineProperty(answer, "url", { value: file });
};

const base64 = (field) => Buffer.from(field ?? "").toString("base64");
const requests = JSON.parse(await text(process.stdin));
const lines = requests.map(({ secret, body, headers }) =>
  [
    base64(secret),
    body,
    ...["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => base64(headers[name])),
  ].join(","),
);

const page = {
  assemblies: [],
  inputLines: lines,
  displayAssemblies() {},
  onAssembliesLoaded() {},
  setCompileLog(log) {
    if (log.includes("rror")) fail(log);
  },
  setRunLogArray(written) {
    process.stdout.write(JSON.stringify([...written]), () => process.exit(0));
  },
};

function fail(why) {
  process.stderr.write(`${why}\n`, () => process.exit(1));
}

globalThis.Module = {
  wasmBinary: readFileSync(join(runtime, "dotnet.wasm")),
  print() {},
  printErr: fail,
  onRuntimeInitialized() {
    const { vfs_prefix, deploy_prefix, enable_debugging, file_list } = globalThis.config;
    MONO.mono_load_runtime_and_bcl(vfs_prefix, deploy_prefix, enable_debugging, file_list, () => {
      const call = (name, ...given) =>
        BINDING.call_static_method(`[WasmRoslyn]WasmRoslyn.Program:${name}`, given);
      call("Main", page, { innerHTML: "" });
      call("Run", page, readFileSync(program, "utf8"), lines);
    });
  },
};
console.log = console.debug = () => {}; // which file is loaded
for (const file of ["mono-config.js", "dotnet.js"]) {
  runInThisContext(readFileSync(join(runtime, file), "utf8"), { filename: join(runtime, file) });
}
