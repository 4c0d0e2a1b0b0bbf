// A token endpoint made of node-oidc-provider, as a cluster of two processes: private_key_jwt in (it has no JWT bearer grant), RFC 9068
// tokens out. Used `jti` are kept in SQLite if the settings name a file, else where its default adapter keeps everything: in each
// process's memory.
//
// One line of JSON on standard input says how it is to be. It ends when standard input does.

import cluster from 'node:cluster';
import { generateKeyPairSync } from 'node:crypto';
import { once } from 'node:events';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { DatabaseSync } from 'node:sqlite';

const WORKERS = 2;

if (cluster.isPrimary) {
  const lines = createInterface({ input: process.stdin });
  lines.on('close', () => process.exit(0));
  const [line] = await once(lines, 'line');
  const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
  const key = { ...privateKey.export({ format: 'jwk' }), use: 'sig', alg: 'ES256' };
  // A worker that dies takes the others along: half a cluster would be measured otherwise.
  cluster.on('exit', () => process.exit(1));
  for (let worker = 0; worker < WORKERS; worker += 1) {
    cluster.fork({ SETTINGS: JSON.stringify({ ...JSON.parse(line), key }) });
  }
} else {
  serve(JSON.parse(process.env.SETTINGS));
}

function serve({ issuer, port, clients, key, replay }) {
  // Its packages are where it is started, not where it lies.
  const { default: Provider } = createRequire(`${process.cwd()}/`)('oidc-provider');
  const provider = new Provider(issuer, {
    clients: clients.map((client) => ({
      redirect_uris: [], response_types: [], grant_types: ['client_credentials'], token_endpoint_auth_method: 'private_key_jwt', ...client,
    })),
    clientDefaults: { id_token_signed_response_alg: 'ES256' },
    jwks: { keys: [key] },
    ...(replay && { adapter: adapterOn(replay) }),
    features: {
      devInteractions: { enabled: false },
      clientCredentials: { enabled: true },
      resourceIndicators: {
        enabled: true,
        defaultResource: () => issuer,
        getResourceServerInfo: () => ({ scope: '', audience: issuer, accessTokenFormat: 'jwt', jwt: { sign: { alg: 'ES256' } } }),
      },
    },
  });
  createServer(provider.callback()).listen(port, '127.0.0.1');
}

// Used `jti` in SQLite. Nothing else is ever kept: clients are in the settings, and tokens are JWTs.
function adapterOn(file) {
  const database = new DatabaseSync(file, { timeout: 5000 });
  database.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; CREATE TABLE IF NOT EXISTS used (id PRIMARY KEY) WITHOUT ROWID');
  const find = database.prepare('SELECT id FROM used WHERE id = ?');
  const insert = database.prepare('INSERT INTO used VALUES (?)');
  return class {
    constructor(model) {
      this.isUsed = model === 'ReplayDetection';
    }

    async find(id) {
      return this.isUsed ? find.get(id) : undefined;
    }

    async upsert(id) {
      if (this.isUsed) insert.run(id);
    }
  };
}
