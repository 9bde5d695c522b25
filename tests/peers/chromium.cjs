// Headless Chromium, kept warm in one page: for each line of standard input, `{"html": …, "foot": …}`, a tagged PDF in
// Base64 on a line of standard output. The argument is the browser's program.

const { createInterface } = require("node:readline");
const { chromium } = require("playwright-core");

const sheet = { preferCSSPageSize: true, printBackground: true, tagged: true, displayHeaderFooter: true };

async function serve(program) {
  const browser = await chromium.launch({ executablePath: program, args: ["--no-sandbox"] });
  const page = await browser.newPage();
  for await (const line of createInterface({ input: process.stdin })) {
    const { html, foot } = JSON.parse(line);
    await page.setContent(html);
    const pdf = await page.pdf({ ...sheet, headerTemplate: "<i></i>", footerTemplate: foot });
    process.stdout.write(`${pdf.toString("base64")}\n`);
  }
  await browser.close();
}

serve(process.argv[2]);
