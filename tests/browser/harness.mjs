// What every browser test needs: the `tenure` binary running in a folder of its
// own, Chromium, and screenshots.
//
//   const tenure = await startTenure();
//   const chromium = await startChromium();
//   const ann = await newBrowser(chromium);        // one person's browser
//   const page = await ann.newPage();
//   await page.goto(tenure.shop);
//   await screenshot(page, "shop-home");           // target/screenshots/shop-home.png
//   await chromium.close();
//   await tenure.stop();
//
// `cargo xtask test` builds the binary, installs Chromium and playwright-core,
// and runs every *.test.mjs of this folder. One file alone:
//   cargo build --workspace --all-targets && node --test tests/browser/harness.test.mjs

import { spawn } from "node:child_process";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { chromium as playwright } from "playwright-core";

const TARGET = process.env.CARGO_TARGET_DIR ?? fileURLToPath(new URL("../../target", import.meta.url));
const CHROMIUM_ARGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts the binary in a temporary folder and waits until it has printed the
 * addresses of `wait`, each on a line such as `shop http://127.0.0.1:40123`.
 *
 * Options:
 * - `args`: the command line, the demo on free ports by default.
 * - `wait`: the names of the addresses to wait for.
 * - `env`: variables beside this process's own, of which `TENURE_*` and `XDG_*` are left out.
 * - `folder`: a folder to run in, which stays after `stop`; without it, a new
 *   one that `stop` removes. A second start in the same folder is a restart.
 * - `binary`: the program, `target/debug/tenure` by default.
 *
 * Returns the addresses by name (`api`, `shop`), `folder`, `output()` with all
 * that was printed, and `stop()`, which sends SIGTERM, and SIGKILL after 15
 * seconds, and returns `{ code, signal }`.
 */
export async function startTenure({
  args = ["serve", "--demo", "--listen", "127.0.0.1:0", "--store", "memory:"],
  wait = ["api", "shop"],
  env = {},
  folder,
  binary = process.env.TENURE_BIN ?? join(TARGET, "debug", "tenure"),
} = {}) {
  const home = folder ?? (await mkdtemp(join(tmpdir(), "tenure-browser-")));
  const child = spawn(binary, args, {
    cwd: home,
    env: { ...ownEnvironment(), HOME: home, XDG_CONFIG_HOME: join(home, ".config"), ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const ended = new Promise((resolve) => {
    child.once("close", (code, signal) => resolve({ code, signal }));
    child.once("error", (error) => resolve({ error }));
  });
  // Nothing outlives this process, whatever a test threw.
  const killNow = () => child.kill("SIGKILL");
  process.once("exit", killNow);

  let printed = "";
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => (printed += text));
  }

  const stop = async () => {
    child.kill("SIGTERM");
    const timer = setTimeout(killNow, 15_000);
    const end = await ended;
    clearTimeout(timer);
    process.off("exit", killNow);
    if (!folder) await rm(home, { recursive: true, force: true });
    return end;
  };

  try {
    const addresses = await printedAddresses(child, wait, ended);
    return { ...addresses, folder: home, output: () => printed, stop };
  } catch (error) {
    await stop();
    throw new Error(`${binary} ${args.join(" ")}: ${error.message}\n${printed}`);
  }
}

/** Starts Chromium without a window; `CHROMIUM` names another than Debian's. */
export function startChromium(options = {}) {
  return playwright.launch({
    executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
    args: CHROMIUM_ARGS,
    ...options,
  });
}

/**
 * A new browser profile: it has no cookies, and shares none with another. Takes
 * playwright's context options, such as `userAgent` or `javaScriptEnabled`.
 */
export async function newBrowser(chromium, options = {}) {
  const profile = await chromium.newContext({ viewport: { width: 1280, height: 800 }, ...options });
  profile.setDefaultTimeout(15_000);
  return profile;
}

/** Saves what the page shows, in full, as `target/screenshots/NAME.png`, and returns that path. */
export async function screenshot(page, name) {
  const folder = join(TARGET, "screenshots");
  await mkdir(folder, { recursive: true });
  const path = join(folder, `${name}.png`);
  await page.screenshot({ path, fullPage: true });
  return path;
}

/** This process's variables without those that would configure the binary. */
function ownEnvironment() {
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^(TENURE|XDG)_/.test(name)));
}

/** Resolves once every name has its address; rejects when the program ends first or takes 30 s. */
async function printedAddresses(child, names, ended) {
  const found = {};
  const all = new Promise((resolve) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      const [, name, address] = /^(\w+) (http:\/\/\S+)$/.exec(line) ?? [];
      if (name) found[name] = address;
      if (names.every((wanted) => wanted in found)) resolve();
    });
  });
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`no address for ${names.join(", ")} in 30 s`)), 30_000);
  });
  const gone = ended.then(({ code, signal, error }) => {
    throw error ?? new Error(`ended early with ${signal ?? `status ${code}`}`);
  });
  try {
    await Promise.race([all, late, gone]);
  } finally {
    clearTimeout(timer);
  }
  return found;
}
