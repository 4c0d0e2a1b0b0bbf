// An OpenID provider that nobody here wrote: node-oidc-provider, which gives JWTs to a service of its own (client_credentials).
//
// One line of JSON on standard input says how it is to be; afterwards each line is a command: {"jwt": true} answers a JWT for the audience,
// {"rotate": true} begins to sign with a new key, beside which the old one is still published, {"forget": true} publishes the newest only.
// Each is answered by a line on standard output. It ends when standard input does.

import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

// Its packages are where it is started, not where it lies.
const { default: Provider } = createRequire(`${process.cwd()}/`)('oidc-provider');

// What it advises people who run it for others is not for the tests.
console.info = () => {};
console.warn = () => {};

const SERVICE = { client_id: 'ci-service', client_secret: 'a-secret-of-the-service-that-is-long-enough' };
const lines = createInterface({ input: process.stdin })[Symbol.asyncIterator]();
const next = async () => {
  const { value, done } = await lines.next();
  if (done) process.exit(0);
  return JSON.parse(value);
};
const { audience, algorithm, issuer } = await next();

function signingKey() {
  const { privateKey } =
    algorithm === 'RS256' ? generateKeyPairSync('rsa', { modulusLength: 2048 }) : generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: algorithm };
}

// The newest first: it signs with that.
let keys = [signingKey()];
const http = createServer();
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const own = `http://127.0.0.1:${http.address().port}`;

// Keys are configuration there: others make another provider at the same place.
function callback() {
  const provider = new Provider(issuer ?? own, {
    clients: [{ ...SERVICE, grant_types: ['client_credentials'], redirect_uris: [], response_types: [] }],
    clientDefaults: { id_token_signed_response_alg: algorithm },
    scopes: ['deploy'],
    jwks: { keys },
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        getResourceServerInfo: () => ({
          scope: 'deploy',
          audience,
          accessTokenTTL: 1800,
          accessTokenFormat: 'jwt',
          jwt: { sign: { alg: algorithm } },
        }),
      },
    },
  });
  provider.proxy = true;
  return provider.callback();
}
let current = callback();
http.on('request', (request, response) => current(request, response));

async function jwt() {
  const body = new URLSearchParams({ grant_type: 'client_credentials', resource: audience, scope: 'deploy' });
  const authorization = `Basic ${Buffer.from(`${SERVICE.client_id}:${SERVICE.client_secret}`).toString('base64')}`;
  const answer = await fetch(`${own}/token`, { method: 'POST', body, headers: { authorization } });
  const { access_token: token, ...rest } = await answer.json();
  if (!token) throw new Error(JSON.stringify(rest));
  return token;
}

console.log(JSON.stringify({ at: own }));
for (;;) {
  const command = await next();
  if (command.rotate) keys = [signingKey(), ...keys];
  if (command.forget) keys = keys.slice(0, 1);
  if (command.rotate || command.forget) current = callback();
  console.log(JSON.stringify(command.jwt ? { jwt: await jwt() } : {}));
}
