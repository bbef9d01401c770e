// The harness itself: Chromium starts, opens a page on this machine and shows it.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { stat } from "node:fs/promises";
import { test } from "node:test";
import { newBrowser, screenshot, startChromium } from "./harness.mjs";

test("chromium opens a page of this machine and saves a screenshot of it", async (t) => {
  const server = createServer((_, response) => {
    response.setHeader("content-type", "text/html; charset=utf-8");
    response.end("<!doctype html><title>Tenure harness</title><h1>It runs</h1>");
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  t.after(() => server.close());
  const chromium = await startChromium();
  t.after(() => chromium.close());

  const page = await (await newBrowser(chromium)).newPage();
  await page.goto(`http://127.0.0.1:${server.address().port}/`);
  assert.equal(await page.title(), "Tenure harness");
  assert.ok((await stat(await screenshot(page, "harness"))).size > 0);
});
