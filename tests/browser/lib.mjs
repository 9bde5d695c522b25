// What the walks share: a service on free ports with a folder of its own, a browser whose pages axe judges, pictures.
import { spawn, execFileSync } from "node:child_process";
import { mkdtempSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { chromium } from "playwright-core";

const axe = createRequire(import.meta.url).resolve("axe-core/axe.min.js");
// Narrow is a desk of 1280 pixels at 400 % (WCAG 2.2, 1.4.10), zoomed one of 1366 at 200 %.
const widths = { narrow: 320, phone: 390, zoomed: 683, tablet: 820, desk: 1366 };
const flags = [
  "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
  "--disable-background-networking", "--disable-component-update", "--disable-sync",
];

/** Three addresses that nobody listens at. */
function free() {
  const ports = execFileSync("python3", ["tests/judges/ports.py", "3"], { encoding: "utf8" });
  return ports.trim().split("\n").map((port) => `127.0.0.1:${port}`);
}

/** A service in a folder of its own, with more settings if need be; it runs once `start` is called. */
export function service(program, more = () => "") {
  const folder = mkdtempSync(join(tmpdir(), "paraphe-browser-"));
  const [main, open, metrics] = free();
  const settings = join(folder, "paraphe.toml");
  writeFileSync(settings, `data = "${folder}/data"\n[http]\nlisten = "${main}"\npublic_listen = "${open}"\nmetrics_listen = "${metrics}"\n${more(open, folder)}`);
  const it = { main, open, folder, child: null, link: null, env: {} };
  it.run = (...args) => execFileSync(resolve(program), ["--config", settings, ...args], { encoding: "utf8" });
  /** Starts it; `link` lets in then. */
  it.start = () => {
    it.child = spawn(resolve(program), ["--config", settings, "serve"], { stdio: ["ignore", "pipe", "inherit"], env: { ...process.env, ...it.env } });
    return new Promise((done, fail) => {
      let said = "";
      it.child.stdout.on("data", (piece) => {
        said += piece;
        it.link = said.match(/http:\S+code=\w+/)?.[0];
        if (it.link) done();
      });
      it.unexpected = (code) => fail(new Error(`the service ended with ${code}`));
      it.child.on("exit", it.unexpected);
    });
  };
  it.kill = (signal) => {
    it.child?.off("exit", it.unexpected);
    it.child?.kill(signal);
  };
  it.remove = async () => {
    const ended = new Promise((done) => it.child?.exitCode === null ? it.child.once("exit", done) : done());
    it.kill();
    await ended;
    rmSync(folder, { recursive: true, force: true });
  };
  return it;
}

/** A browser that notes what is at fault on its pages. */
export async function browser(pictures) {
  mkdirSync(pictures, { recursive: true });
  const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", headless: true, args: flags });
  const faults = [];

  /** A page that reports what the browser refuses. */
  async function context(options = {}) {
    const context = await browser.newContext({ viewport: { width: 820, height: 1180 }, ...options });
    const page = await context.newPage();
    page.on("pageerror", (error) => faults.push(`script: ${error.message}`));
    page.on("console", (it) => {
      const text = it.text();
      if (it.type() === "error" && !/Failed to load resource/.test(text)) faults.push(`console: ${text}`);
    });
    return [context, page];
  }

  /** Has axe judge the page as it stands, and takes its picture at every width. */
  async function look(page, name, fullPage = false) {
    await page.evaluate(readFileSync(axe, "utf8"));
    const { violations } = await page.evaluate(() => window.axe.run(document, {
      runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"],
    }));
    for (const it of violations) faults.push(`${name}: ${it.id}: ${it.help}: ${it.nodes[0].html}`);
    for (const [width, pixels] of Object.entries(widths)) {
      await page.setViewportSize({ width: pixels, height: 900 });
      const wide = await page.evaluate(() => document.documentElement.scrollWidth > window.innerWidth);
      if (wide) faults.push(`${name}: wider than a ${width}`);
      await page.screenshot({ path: join(resolve(pictures), `${name}-${width}.png`), fullPage });
    }
  }

  return { context, look, faults, close: () => browser.close() };
}
