// An authorization server of oidc-provider whose clients are registered by RFC 7591 and managed by RFC 7592.
// Its one argument is JSON: the port, the tokens and secrets, whether management tokens rotate, and the scopes.
import { Provider } from 'oidc-provider';

const given = JSON.parse(process.argv[2]);
const tables = new Map();

class Memory {
  constructor(name) {
    this.name = name;
    if (!tables.has(name)) tables.set(name, new Map());
    this.rows = tables.get(name);
  }

  async upsert(id, payload) {
    this.rows.set(id, payload);
  }

  async find(id) {
    return this.rows.get(id);
  }

  async findByUid(uid) {
    return [...this.rows.values()].find((row) => row.uid === uid);
  }

  async findByUserCode(code) {
    return [...this.rows.values()].find((row) => row.userCode === code);
  }

  async consume(id) {
    const row = this.rows.get(id);
    if (row) row.consumed = Math.floor(Date.now() / 1000);
  }

  async destroy(id) {
    this.rows.delete(id);
  }

  async revokeByGrantId(grant) {
    for (const [id, row] of this.rows) if (row.grantId === grant) this.rows.delete(id);
  }
}

const provider = new Provider(`http://127.0.0.1:${given.port}`, {
  adapter: Memory,
  clients: [
    {
      client_id: 'introspector',
      client_secret: given.secret,
      grant_types: ['client_credentials'],
      response_types: [],
      redirect_uris: [],
    },
  ],
  scopes: given.scopes,
  features: {
    devInteractions: { enabled: false },
    registration: { enabled: true, initialAccessToken: given.initial },
    registrationManagement: { enabled: true, rotateRegistrationAccessToken: given.rotates },
    clientCredentials: { enabled: true },
    deviceFlow: { enabled: true },
    introspection: { enabled: true },
    revocation: { enabled: true },
  },
});

// RFC 7592 section 2.1 allows what this library does not do: a new management token with each read.
provider.use(async (ctx, next) => {
  await next();
  if (!given.rotatesReads || ctx.method !== 'GET' || !ctx.path.startsWith('/reg/') || ctx.status !== 200) return;
  const { Client, RegistrationAccessToken } = ctx.oidc.entities;
  const token = new provider.RegistrationAccessToken({ client: Client, policies: RegistrationAccessToken.policies });
  await RegistrationAccessToken.destroy();
  ctx.body = { ...ctx.body, registration_access_token: await token.save() };
});

// For the tests alone: forget every client and token.
provider.use(async (ctx, next) => {
  if (ctx.method !== 'POST' || ctx.path !== '/forget-everything') return next();
  for (const rows of tables.values()) rows.clear();
  ctx.status = 204;
  return undefined;
});

// For the tests alone: all that it holds, to look at and to come back to.
provider.use(async (ctx, next) => {
  if (ctx.path !== '/everything') return next();
  if (ctx.method === 'PUT') {
    const chunks = [];
    for await (const chunk of ctx.req) chunks.push(chunk);
    const held = JSON.parse(Buffer.concat(chunks).toString());
    for (const [name, rows] of tables) {
      rows.clear();
      for (const [id, row] of held[name] ?? []) rows.set(id, row);
    }
  }
  ctx.body = Object.fromEntries([...tables].map(([name, rows]) => [name, [...rows]]));
  return undefined;
});

provider.listen(given.port, '127.0.0.1');
