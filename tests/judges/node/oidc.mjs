// Agents log in at a real provider of OpenID Connect: oidc.mjs PARAPHE. Prints `N passed, N failed`.
import { execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import Provider from 'oidc-provider';

const paraphe = resolve(process.argv[2]);
const work = mkdtempSync(join(tmpdir(), 'oidc-'));

// Who the provider knows: a role and offices each.
const people = {
  agent: { role: 'agent', offices: ['sample'] },
  auditor: { role: 'auditor', offices: ['*'] },
  stranger: { role: 'cook', offices: ['*'] },
  nowhere: { role: 'agent', offices: [] },
};

// From the repository's root, as all of the tests.
const ports = execFileSync('python3', ['tests/judges/ports.py', '4'], { encoding: 'utf8' });
const [issuing, listening, other, metrics] = ports.split('\n');
const issuer = `http://127.0.0.1:${issuing}`;
const own = `http://127.0.0.1:${listening}`;
const provider = new Provider(issuer, {
  clients: [{ client_id: 'paraphe', client_secret: 'a secret', redirect_uris: [`${own}/login/oidc/back`] }],
  conformIdTokenClaims: false,
  claims: { openid: ['sub', 'role', 'offices'] },
  cookies: { keys: ['a key'] },
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...people[id] }) }),
});
const identity = provider.listen(issuing, '127.0.0.1');

writeFileSync(join(work, 'secret'), 'a secret\n');
writeFileSync(
  join(work, 'settings.toml'),
  `[http]
listen = "127.0.0.1:${listening}"
public_listen = "127.0.0.1:${other}"
metrics_listen = "127.0.0.1:${metrics}"
address = "${own}"
[http.oidc]
issuer = "${issuer}"
client_id = "paraphe"
client_secret_file = "${join(work, 'secret')}"
role_claim = "role"
offices_claim = "offices"
`,
);
const serve = spawn(paraphe, ['--config', 'settings.toml', 'serve'], { cwd: work, stdio: 'inherit' });

let passed = 0;
let failed = 0;
const is = (what, found, wanted) => {
  if (found === wanted) passed += 1;
  else {
    failed += 1;
    console.log(`${what}: ${found} instead of ${wanted}`);
  }
};

// A browser: cookies by origin, redirects by hand.
class Browser {
  cookies = new Map();

  async ask(url, options = {}) {
    const jar = this.cookies.get(new URL(url).origin) ?? new Map();
    const cookie = [...jar].map((it) => it.join('=')).join('; ');
    const headers = { ...options.headers, ...(cookie && { cookie }) };
    const answer = await fetch(url, { ...options, headers, redirect: 'manual' });
    for (const line of answer.headers.getSetCookie()) {
      const [name, ...value] = line.split(';')[0].split('=');
      jar.set(name, value.join('='));
    }
    this.cookies.set(new URL(url).origin, jar);
    return answer;
  }

  // Follows redirects and fills the provider's forms until it is back here; answers where that is.
  async follow(url, person) {
    for (let step = 0; step < 20; step += 1) {
      if (url.startsWith(`${own}/login/oidc/back`)) return url;
      let answer = await this.ask(url);
      if (answer.status === 200) {
        const page = await answer.text();
        const action = /<form[^>]*action="([^"]+)"/.exec(page)[1];
        const prompt = /name="prompt" value="([^"]+)"/.exec(page)[1];
        const body = new URLSearchParams({ prompt, login: person, password: 'x' });
        answer = await this.ask(new URL(action, url).href, { method: 'POST', body });
      }
      url = new URL(answer.headers.get('location'), url).href;
    }
    throw new Error(`never back: ${url}`);
  }

  async login(person) {
    return this.follow(`${own}/login/oidc`, person);
  }
}

try {
  for (let wait = 0; wait < 150; wait += 1) {
    if (await fetch(`${own}/health`).then((it) => it.ok, () => false)) break;
    await new Promise((done) => setTimeout(done, 200));
  }

  const agent = new Browser();
  const back = await agent.login('agent');
  is('agent enters', (await agent.ask(back)).status, 303);
  is('agent reads', (await agent.ask(`${own}/v1/documents`)).status, 200);
  const offices = await (await agent.ask(`${own}/v1/offices`)).json();
  is('agent sees one office', offices.map((it) => it.id).join(), 'sample');
  is('no token, no change', (await agent.ask(`${own}/v1/documents`, { method: 'POST', body: '{}' })).status, 403);
  is('the way back opens once', (await agent.ask(back)).status, 401);

  const victim = new Browser();
  const stolen = await new Browser().login('agent');
  is("another browser's way back", (await victim.ask(stolen)).status, 401);

  const auditor = new Browser();
  is('auditor enters', (await auditor.ask(await auditor.login('auditor'))).status, 303);
  is('auditor reads', (await auditor.ask(`${own}/v1/documents`)).status, 200);

  for (const person of ['stranger', 'nowhere']) {
    const browser = new Browser();
    is(`${person} stays out`, (await browser.ask(await browser.login(person))).status, 403);
    is(`${person} reads nothing`, (await browser.ask(`${own}/v1/documents`)).status, 401);
  }
} finally {
  serve.kill('SIGTERM');
  is('serve ends well', await new Promise((done) => serve.once('exit', done)), 0);
  identity.close();
  identity.closeAllConnections();
  rmSync(work, { recursive: true });
}
console.log(`${passed} passed, ${failed} failed`);
process.exit(failed ? 1 : 0);
