// The demo shop in a real browser: what the session promises, seen from outside.

import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import { after, before, test } from "node:test";
import { newBrowser, startChromium, startTenure } from "./harness.mjs";

const ALICE = { name: "alice", password: "quince-jelly" };
const BOB = { name: "bob", password: "kettle-whistle" };
const CAROL = { name: "carol", password: "lemon-drizzle" };
const PHONE = { viewport: { width: 390, height: 844 }, isMobile: true, hasTouch: true };

let tenure, chromium;
before(async () => {
  tenure = await startTenure();
  // As people have it, unlike playwright: going back may show a page that was kept whole.
  chromium = await startChromium({ ignoreDefaultArgs: ["--disable-back-forward-cache"] });
});
after(async () => {
  await chromium?.close();
  await tenure?.stop();
});

/** A page of a browser profile of its own, at the shop's front page. */
async function visitor(t, options) {
  const profile = await newBrowser(chromium, options);
  t.after(() => profile.close());
  const page = await profile.newPage();
  await open(page, "/");
  return page;
}

const open = (page, path) => page.goto(tenure.shop + path);
const heading = (page) => page.getByRole("heading", { level: 1 }).innerText();
const reason = (page) => page.locator(".code code").innerText();
const sessionCookie = async (page) =>
  (await page.context().cookies()).find((cookie) => cookie.name === "__Host-sid");

async function add(page, product) {
  if (new URL(page.url()).pathname !== "/") await open(page, "/");
  await page.getByRole("button", { name: `Add ${product} to the cart` }).click();
  await page.getByRole("status").getByText(`${product} is in your cart.`).waitFor();
}

async function signIn(page, person, { remember = false, at = "/" } = {}) {
  await open(page, `/sign-in?return_to=${encodeURIComponent(at)}`);
  await page.getByLabel("Name").fill(person.name);
  await page.getByLabel("Password").fill(person.password);
  if (remember) await page.getByLabel("Remember me").check();
  await page.getByRole("button", { name: "Sign in", exact: true }).click();
  await page.getByText("Welcome, ").waitFor();
  assert.equal(new URL(page.url()).pathname, at);
}

/** The heading after the back button. Playwright's `goBack` waits in vain for the load of a page kept whole. */
async function headingOneBack(page) {
  const left = page.url();
  await page.evaluate(() => setTimeout(() => history.back()));
  await page.waitForFunction((left) => location.href !== left && document.readyState === "complete", left);
  return heading(page);
}

const isSignedIn = async (page) => {
  await open(page, "/account");
  return new URL(page.url()).pathname === "/account" && (await heading(page)).startsWith("Hello, ");
};

test("a cart that a guest filled is there after signing in", async (t) => {
  const page = await visitor(t);
  await add(page, "Golden quince");
  await add(page, "Enamel kettle");
  const guest = await sessionCookie(page);
  await page.getByRole("link", { name: /^Cart/ }).click();
  await page.getByRole("link", { name: "Sign in and keep it" }).click();
  assert.match(await page.locator("main").innerText(), /Your cart with 2 things comes along/);
  await page.getByLabel("Name").fill(ALICE.name);
  await page.getByLabel("Password").fill(ALICE.password);
  await page.keyboard.press("Enter");
  await page.getByText("Welcome, Alice.").waitFor();

  assert.equal(new URL(page.url()).pathname, "/cart");
  assert.deepEqual(await page.locator(".line h2").allInnerTexts(), ["Enamel kettle", "Golden quince"]);
  assert.notEqual((await sessionCookie(page)).value, guest.value);
});

test("looking around leaves no cookie in the browser", async (t) => {
  const page = await visitor(t);
  for (const path of ["/cart", "/sign-in", "/appearance", "/nowhere", "/devices"]) await open(page, path);
  assert.deepEqual(await page.context().cookies(), []);
});

test("the cookie is __Host-, Secure, HttpOnly, SameSite=Lax and gone with the browser", async (t) => {
  const page = await visitor(t);
  await signIn(page, ALICE);
  const [cookie, ...others] = await page.context().cookies();
  assert.deepEqual(others, []);
  assert.match(cookie.value, /^tn1_[A-Za-z0-9_-]{90,}$/);
  const { value, ...attributes } = cookie;
  assert.deepEqual(attributes, {
    name: "__Host-sid",
    domain: "127.0.0.1", // no leading dot: this host alone
    path: "/",
    expires: -1,
    httpOnly: true,
    secure: true,
    sameSite: "Lax",
  });
  assert.equal(await page.evaluate(() => document.cookie), "", "no script reads it");
});

test("the cookie of somebody who asks to be remembered outlives the browser", async (t) => {
  const page = await visitor(t);
  await signIn(page, ALICE, { remember: true });
  const cookie = await sessionCookie(page);
  const days = (cookie.expires - Date.now() / 1000) / 86_400;
  assert.ok(days > 1 && days <= 400, `${days} days`);
  assert.ok(cookie.secure && cookie.httpOnly && cookie.sameSite === "Lax");
});

test("WSTG-SESS-03: a cookie copied before the sign-in is worthless after it", async (t) => {
  const victim = await visitor(t);
  await add(victim, "Plum jam");
  const thief = await visitor(t);
  await thief.context().addCookies([await sessionCookie(victim)]);
  await open(thief, "/cart");
  assert.match(await thief.locator("main").innerText(), /Plum jam/, "as guests they share a cart");

  await signIn(victim, ALICE);
  assert.equal(await isSignedIn(thief), false);
  await open(thief, "/cart");
  assert.match(await thief.locator("main").innerText(), /Nothing in it yet/);
  assert.equal(await isSignedIn(victim), true, "the thief's try ends nothing");
});

test("WSTG-SESS-06: after signing out the old cookie and the back button show nothing", async (t) => {
  const page = await visitor(t);
  await signIn(page, ALICE, { at: "/account" });
  const kept = await sessionCookie(page);
  assert.match(await page.content(), /u_alice/);
  await page.getByRole("button", { name: "Sign out" }).click();
  await page.waitForURL("**/signed-out?reason=logout");
  assert.equal(await heading(page), "You are signed out");
  assert.equal(await sessionCookie(page), undefined);

  assert.equal(await headingOneBack(page), "Sign in", "the account asks for a sign-in");
  assert.doesNotMatch(await page.content(), /u_alice|Hello, Alice/);

  await page.context().addCookies([kept]);
  await open(page, "/account");
  assert.deepEqual([await heading(page), await reason(page)], ["You are signed out", "logout"]);
  assert.equal(await sessionCookie(page), undefined, "a dead cookie is cleared where it is presented");
});

test("a device that was ended finds itself signed out on its next click, and is told once", async (t) => {
  const desk = await visitor(t);
  const phone = await visitor(t, PHONE);
  await signIn(desk, BOB);
  await signIn(phone, BOB);
  await desk.locator("header").getByRole("link", { name: "My devices" }).click();
  assert.ok((await desk.locator("tbody tr").count()) >= 3, "this one, the phone and the samples");
  assert.match(await desk.locator("tbody tr").first().innerText(), /This device/);

  await desk.getByRole("button", { name: "Sign out the others" }).click();
  await desk.getByRole("status").waitFor();
  assert.equal(await desk.locator("tbody tr").count(), 1);

  await phone.getByRole("link", { name: /^Cart/ }).click();
  await phone.waitForURL("**/cart");
  assert.deepEqual([await heading(phone), await reason(phone)], ["This device was signed out", "revoked"]);
  assert.equal(await sessionCookie(phone), undefined);
  assert.equal(await headingOneBack(phone), "Fruit, tea, and a kettle to go with them");
  assert.equal(await phone.getByText("Bob").count(), 0, "a guest's page");
  await phone.getByRole("link", { name: /^Cart/ }).click();
  assert.equal(await heading(phone), "Your cart", "told once");
  assert.equal(await isSignedIn(desk), true);
});

test("one of the sample devices can be ended alone", async (t) => {
  const page = await visitor(t);
  await signIn(page, CAROL, { at: "/devices" });
  const sample = page.locator("tbody tr", { hasText: "Safari on iOS" });
  await sample.getByRole("button", { name: "End" }).click();
  await page.getByText("That device is signed out.").waitFor();
  assert.equal(await sample.count(), 0);
  assert.match(await page.locator("tbody tr.current").innerText(), /Chrome on Linux\s+This device/);
});

test("the chosen theme dresses every page and comes along when signing in", async (t) => {
  const page = await visitor(t);
  const worn = () => page.evaluate(() => document.documentElement.dataset.theme);
  const background = () => page.evaluate(() => getComputedStyle(document.documentElement).backgroundColor);
  assert.equal(await worn(), "system");
  const before = await background();
  await open(page, "/appearance");
  await page.getByRole("button", { name: /Plum/ }).click();
  await page.getByText("The shop now wears plum.").waitFor();
  assert.equal(await worn(), "plum");
  assert.notEqual(await background(), before);
  assert.equal(await page.getByRole("button", { name: /Plum/, pressed: true }).count(), 1);
  await signIn(page, ALICE);
  assert.equal(await worn(), "plum");
});

test("everything works without JavaScript", async (t) => {
  const page = await visitor(t, { javaScriptEnabled: false });
  await add(page, "Amalfi lemon");
  await page.getByRole("link", { name: /^Cart/ }).click();
  await page.getByRole("button", { name: "One Amalfi lemon more" }).click();
  assert.match(await page.locator(".total").innerText(), /2 things\s+€1\.90/);
  await page.getByRole("link", { name: "Sign in and keep it" }).click();
  await page.getByRole("button", { name: "Be Alice" }).click();
  await page.getByText("Welcome, Alice.").waitFor();
  await page.getByText("What just happened").click();
  assert.match(await page.locator(".facts-body").innerText(), /ses_/);
  await page.getByRole("link", { name: "Theme" }).click();
  await page.getByRole("button", { name: /Apricot/ }).click();
  assert.equal(await page.locator("html").getAttribute("data-theme"), "apricot");
  await page.locator("header").getByRole("link", { name: "My devices" }).click();
  assert.match(await page.locator("tbody tr").first().innerText(), /This device/);
  await page.locator("header").getByRole("button", { name: "Sign out" }).click();
  assert.equal(await heading(page), "You are signed out");
});

// Another port of this host is another origin of the same site: SameSite lets the cookie
// through, so only the check of where the form came from is left. Another host is another
// site, where the cookie does not even go along.
for (const [site, host] of [["the same site", "127.0.0.1"], ["another site", "localhost"]]) {
  test(`WSTG-SESS-05: a form that ${site} sends in one's name is refused`, async (t) => {
    const page = await visitor(t);
    await signIn(page, ALICE, { at: "/account" });
    const trap = createServer((_, response) => {
      response.setHeader("content-type", "text/html");
      response.end(
        `<form method="post" action="${tenure.shop}/devices/end-all"></form><script>document.forms[0].submit()</script>`,
      );
    });
    trap.listen(0, host);
    await once(trap, "listening");
    t.after(() => trap.close());

    await page.goto(`http://${host}:${trap.address().port}/`, { waitUntil: "commit" });
    await page.waitForURL(`${tenure.shop}/devices/end-all`);
    assert.deepEqual([await heading(page), await reason(page)], ["This form came from elsewhere", "csrf_failed"]);
    assert.equal(await isSignedIn(page), true);
  });
}
