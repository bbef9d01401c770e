import { chromium as pw } from "playwright-core";
import { createServer } from "node:http"; import { createServer as tls } from "node:https"; import { readFileSync } from "node:fs";
const mode = process.argv[2];
const keep = ["--no-sandbox","--headless=new","--remote-debugging-pipe","--disable-gpu","--ignore-certificate-errors","--no-first-run"];
const c = mode.includes("bare") ? await pw.launch({ executablePath:"/usr/bin/chromium", ignoreDefaultArgs:true, args:[...keep,"--user-data-dir=/tmp/bfprofile"+process.pid] })
  : await pw.launch({ executablePath:"/usr/bin/chromium", args:["--no-sandbox","--ignore-certificate-errors"], ignoreDefaultArgs:["--disable-back-forward-cache"]});
const h = (q, r) => {
  const end = (b) => r.end(b ? "<link rel=icon href=/icon>"+b : b);
  r.setHeader("content-type","text/html"); r.setHeader("cache-control", q.url==="/icon" ? "max-age=999":"no-store");
  if (q.url === "/in") { r.setHeader("set-cookie","__Host-sid=1; Path=/; Secure; HttpOnly; SameSite=Lax"); r.statusCode=303; r.setHeader("location","/private"); return end(); }
  if (q.url === "/private") { if ((q.headers.cookie||"").includes("__Host-sid=1")) return end("<h1>private</h1><form method=post action=/out><button>out</button></form>"); return end("<h1>denied</h1>"); }
  if (q.url === "/out") { r.setHeader("set-cookie","__Host-sid=; Path=/; Max-Age=0; Secure; HttpOnly; SameSite=Lax"); if (mode.includes("csd")) r.setHeader("clear-site-data",'"cache"'); if (mode.includes("star")) r.setHeader("clear-site-data",'"*"'); r.statusCode=303; r.setHeader("location","/bye"); return end(); }
  end("<h1>bye</h1>");
};
const s = mode.includes("https") ? tls({key:readFileSync("/tmp/k.pem"),cert:readFileSync("/tmp/c.pem")}, h) : createServer(h);
s.listen(0,"127.0.0.1"); await new Promise(k=>s.once("listening",k));
const u=`http${mode.includes("https")?"s":""}://127.0.0.1:${s.address().port}`;
const ctx = mode.includes("default") ? (c.contexts()[0] ?? await c.newContext()) : await c.newContext({ignoreHTTPSErrors:true}); const page = await ctx.newPage();
if (mode.includes("cdp")) { const cdp = await ctx.newCDPSession(page); await cdp.send("Page.enable"); cdp.on("Page.backForwardCacheNotUsed", e=>console.log(JSON.stringify(e.notRestoredExplanations.map(x=>x.reason)))); }
await page.goto(u+"/"); await page.goto(u+"/in"); await page.click("button"); await page.waitForURL(u+"/bye");
await page.goBack({timeout:3000}).catch(e=>console.log("timeout")); console.log(mode, await page.locator("h1").innerText());
await c.close(); s.close(); process.exit()
