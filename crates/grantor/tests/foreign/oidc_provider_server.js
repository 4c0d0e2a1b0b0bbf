// An authorization server: node-oidc-provider with the features that services need, its development pages where people are asked for,
// and otherwise its defaults.
//
// One line of JSON on standard input says how it is to be, one on standard output where it is. It ends when standard input does.

import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';

// Its packages are where it is started, not where it lies.
const { default: Provider } = createRequire(`${process.cwd()}/`)('oidc-provider');

const SCOPES = ['invoices:read', 'invoices:write'];
const API = 'https://api.example';
// All that our client signs with. The provider's own defaults are HS256, RS256, PS256, ES256, Ed25519 and EdDSA.
const ALGORITHMS = [
  'HS256', 'HS384', 'HS512', 'RS256', 'RS384', 'RS512', 'PS256', 'PS384', 'PS512', 'ES256', 'ES384', 'ES512', 'Ed25519', 'EdDSA',
];

const lines = createInterface({ input: process.stdin });
lines.on('close', () => process.exit(0));
const [line] = await once(lines, 'line');
const settings = JSON.parse(line);

const http = createServer();
http.listen(0, '127.0.0.1');
await once(http, 'listening');
const issuer = `http://127.0.0.1:${http.address().port}${settings.path}`;

const provider = new Provider(issuer, {
  clients: settings.clients.map((client) => ({ redirect_uris: [], response_types: [], ...client })),
  clientDefaults: { id_token_signed_response_alg: 'ES256' },
  scopes: SCOPES,
  jwks: { keys: [signingKey()] },
  enabledJWA: { clientAuthSigningAlgValues: ALGORITHMS },
  clientAuthMethods: ['client_secret_basic', 'client_secret_post', 'client_secret_jwt', 'private_key_jwt'],
  // Each refresh token works once, and a second use ends the family.
  issueRefreshToken: (_context, client) => client.grantTypeAllowed('refresh_token'),
  rotateRefreshToken: true,
  pkce: { required: () => true },
  features: {
    devInteractions: { enabled: settings.people === true },
    clientCredentials: { enabled: true },
    introspection: { enabled: true },
    resourceIndicators: {
      enabled: true,
      getResourceServerInfo: () => ({
        scope: SCOPES.join(' '),
        audience: API,
        accessTokenFormat: 'jwt',
        jwt: { sign: { alg: 'ES256' } },
      }),
    },
  },
});

function signingKey() {
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  return { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' };
}

// A provider below a path is mounted as in Express: `url` without the path, `originalUrl` with it.
const callback = provider.callback();
http.on('request', (request, response) => {
  if (!request.url.startsWith(`${settings.path}/`)) {
    response.writeHead(404).end();
    return;
  }
  request.originalUrl = request.url;
  request.url = request.url.slice(settings.path.length);
  callback(request, response);
});
console.log(JSON.stringify({ issuer, token_endpoint: `${issuer}/token` }));
