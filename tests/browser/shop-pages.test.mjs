// How the demo shop looks and feels: every page at desk and phone size, with the keyboard,
// and within its own content security policy. The screenshots are for people to look at.

import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { newBrowser, screenshot as capture, startChromium, startTenure } from "./harness.mjs";

const SIZES = {
  desk: { viewport: { width: 1280, height: 800 } },
  phone: { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true, deviceScaleFactor: 2 },
};

// Name of the screenshot, address, heading.
const FOR_ANYBODY = [
  ["home", "/", "Fruit, tea, and a kettle to go with them"],
  ["cart-empty", "/cart", "Your cart"],
  ["sign-in", "/sign-in", "Sign in"],
  ["appearance", "/appearance", "Theme"],
  ["not-found", "/a/shelf/that/is/not/here", "Nothing on this shelf"],
  ["not-this-way", "/sign-out", "Not this way"],
  ["signed-out", "/signed-out?reason=logout", "You are signed out"],
  ["signed-out-revoked", "/signed-out?reason=revoked", "This device was signed out"],
  ["signed-out-reuse", "/signed-out?reason=token_reuse", "Signed out, to be safe"],
];
const FOR_ALICE = [
  ["home-signed-in", "/", "Fruit, tea, and a kettle to go with them"],
  ["cart", "/cart", "Your cart"],
  ["account", "/account", "Hello, Alice"],
  ["devices", "/devices", "My devices"],
  ["confirm", "/sign-in?return_to=/devices", "Is it still you?"],
  ["appearance-signed-in", "/appearance", "Theme"],
];

let tenure, chromium;
before(async () => {
  tenure = await startTenure();
  chromium = await startChromium();
});
after(async () => {
  await chromium?.close();
  await tenure?.stop();
});

async function visitor(t, options) {
  const profile = await newBrowser(chromium, options);
  t.after(() => profile.close());
  const page = await profile.newPage();
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(error.message));
  page.on("console", (message) => {
    // A page with a status of 400 and more is itself "a resource that failed to load".
    const isExpected = message.text().startsWith("Failed to load resource");
    if (["error", "warning"].includes(message.type()) && !isExpected) complaints.push(message.text());
  });
  return { page, complaints };
}

/** Signed in as Alice, with things in the cart. */
async function asAlice(page) {
  for (const product of ["Orchard apple", "Enamel kettle", "Chamomile"]) {
    await page.goto(`${tenure.shop}/`);
    await page.getByRole("button", { name: `Add ${product} to the cart` }).click();
    await page.getByRole("status").waitFor();
  }
  await page.goto(`${tenure.shop}/sign-in`);
  await page.getByRole("button", { name: "Be Alice" }).click();
  await page.getByText("Welcome, Alice.").waitFor();
}

/** The whole page, in a window tall enough that the bar at its foot covers nothing. */
async function screenshot(page, name) {
  const { width, height } = page.viewportSize();
  const all = await page.evaluate(() => document.documentElement.scrollHeight);
  await page.setViewportSize({ width, height: Math.max(height, all) });
  await capture(page, name);
  await page.setViewportSize({ width, height });
}

/** The elements that reach beyond the right edge of the page. */
const overflowing = (page) =>
  page.evaluate(() => {
    const width = document.documentElement.clientWidth;
    if (document.documentElement.scrollWidth <= width) return [];
    return [...document.body.querySelectorAll("*")]
      .filter((element) => element.getBoundingClientRect().right > width + 1)
      .map((element) => `${element.tagName}.${element.className}`);
  });

/** Buttons and links too small for a thumb (WCAG 2.2, 2.5.8), links within a sentence aside. */
const tiny = (page) =>
  page.evaluate(() =>
    [...document.querySelectorAll("a, button, input:not([type=hidden]), summary")]
      .filter((element) => !element.closest("p") && !element.matches(".skip"))
      .map((element) => [element.outerHTML.slice(0, 90), element.getBoundingClientRect()])
      .filter(([, box]) => box.width > 0 && (box.width < 24 || box.height < 24))
      .map(([html, box]) => `${html}: ${box.width}×${box.height}`),
  );

/** Texts with a contrast below 4.5 (3 for large ones) against the colour behind them. */
const faint = (page) =>
  page.evaluate(() => {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const rgb = (color) => {
      canvas.clearRect(0, 0, 1, 1);
      canvas.fillStyle = color;
      canvas.fillRect(0, 0, 1, 1);
      return [...canvas.getImageData(0, 0, 1, 1).data];
    };
    const luminance = (parts) => {
      const [r, g, b] = parts.map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * r + 0.7152 * g + 0.0722 * b;
    };
    const behind = (element) => {
      for (let at = element; at; at = at.parentElement) {
        const parts = rgb(getComputedStyle(at).backgroundColor);
        if (parts[3] === 255) return parts;
      }
      return [255, 255, 255];
    };
    const found = [];
    for (const element of document.querySelectorAll("body *")) {
      const text = [...element.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
      if (!text || element.closest("svg, .hidden, .skip") || !element.checkVisibility()) continue;
      const style = getComputedStyle(element);
      const [light, dark] = [luminance(rgb(style.color)), luminance(behind(element))].sort((a, b) => b - a);
      const size = parseFloat(style.fontSize);
      const large = size >= 24 || (size >= 18.66 && Number(style.fontWeight) >= 700);
      const contrast = (light + 0.05) / (dark + 0.05);
      if (contrast < (large ? 3 : 4.5)) found.push(`${contrast.toFixed(2)} ${element.outerHTML.slice(0, 80)}`);
    }
    return found;
  });

async function shows(page, complaints, size, [name, path, heading]) {
  await page.goto(tenure.shop + path);
  assert.equal(await page.getByRole("heading", { level: 1 }).innerText(), heading, path);
  await screenshot(page, `shop-${name}-${size}`);
  assert.deepEqual(await overflowing(page), [], `${path} is wider than the ${size}`);
  assert.equal(await page.evaluate(() => document.documentElement.scrollWidth - innerWidth), 0, path);
  assert.deepEqual(await tiny(page), [], path);
  assert.deepEqual(await faint(page), [], `${path}: too little contrast (WCAG 1.4.3)`);
  assert.deepEqual(complaints, [], `${path}: what the browser complained about`);
}

for (const [size, options] of Object.entries(SIZES)) {
  test(`every page fits the ${size} and keeps to its content security policy`, async (t) => {
    const { page, complaints } = await visitor(t, options);
    for (const about of FOR_ANYBODY) await shows(page, complaints, size, about);
    await asAlice(page);
    for (const about of FOR_ALICE) await shows(page, complaints, size, about);

    await page.getByText("What just happened").click();
    await page.locator(".facts-body").waitFor();
    await screenshot(page, `shop-facts-${size}`);
    assert.deepEqual(await overflowing(page), []);
  });

  test(`a failed sign-in says so where one looks, on the ${size}`, async (t) => {
    const { page } = await visitor(t, options);
    await page.goto(`${tenure.shop}/sign-in`);
    await page.getByLabel("Name").fill("alice");
    await page.getByLabel("Password").fill("guess");
    await page.getByRole("button", { name: "Sign in", exact: true }).click();
    const alert = page.getByRole("alert");
    assert.equal(await alert.innerText(), "That name and password do not go together.");
    assert.ok((await alert.boundingBox()).y < options.viewport.height);
    assert.equal(await page.getByLabel("Name").inputValue(), "alice");
    assert.equal(await page.getByLabel("Password").inputValue(), "");
    await screenshot(page, `shop-sign-in-failed-${size}`);
  });
}

test("every theme is worn by every colour of the page", async (t) => {
  const { page, complaints } = await visitor(t, SIZES.desk);
  await asAlice(page);
  const backgrounds = new Set();
  for (const theme of ["Light", "Dark", "Apricot", "Plum"]) {
    await page.goto(`${tenure.shop}/appearance`);
    await page.getByRole("button", { name: new RegExp(`^${theme}`) }).click();
    await page.getByText(`The shop now wears ${theme.toLowerCase()}.`).waitFor();
    await page.goto(`${tenure.shop}/`);
    await screenshot(page, `shop-theme-${theme.toLowerCase()}-desk`);
    backgrounds.add(await page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor));
    assert.deepEqual(await faint(page), [], `${theme}: too little contrast (WCAG 1.4.3)`);
  }
  assert.equal(backgrounds.size, 4);
  assert.deepEqual(complaints, []);
});

test("the tab key stops at everything one can use, and each stop is seen", async (t) => {
  const { page } = await visitor(t, { ...SIZES.desk, reducedMotion: "reduce" });
  await asAlice(page);
  await page.goto(`${tenure.shop}/devices`);
  const usable = await page.locator("a:visible, button:visible, summary:visible").count();
  const stops = [];
  for (;;) {
    await page.keyboard.press("Tab");
    const stop = await page.evaluate(() => {
      const element = document.activeElement;
      if (element === document.body || element.dataset.seen) return null;
      element.dataset.seen = "yes";
      const { outlineStyle, outlineWidth } = getComputedStyle(element);
      const box = element.getBoundingClientRect();
      const bar = document.querySelector(".facts").getBoundingClientRect();
      const covered = box.bottom > bar.top && !element.closest(".facts");
      return { text: element.innerText, ring: `${outlineStyle} ${outlineWidth}`, covered };
    });
    if (!stop) break;
    if (stop.text === "My devices") await screenshot(page, "shop-focus-link-desk");
    if (stop.text === "Sign out the others") await screenshot(page, "shop-focus-button-desk");
    stops.push(stop);
  }
  assert.equal(stops.length, usable);
  assert.equal(stops[0].text, "Skip to the content");
  for (const { text, ring, covered } of stops) {
    assert.equal(ring, "solid 3px", text);
    assert.equal(covered, false, `${text} is behind the bar at the foot (WCAG 2.4.11)`);
  }
});
