// A workload that uses an MCP server by its own JWT (SEP-1933), with the client of the MCP TypeScript SDK. Each line of JSON on standard
// input is one use: {server, assertion, client_id?, scope?}. It is answered by the tokens, or by the first OAuth error, on standard output.

import { createRequire } from 'node:module';
import { createInterface } from 'node:readline';
import { pathToFileURL } from 'node:url';

// Its packages are where it is started, not where it lies.
const file = createRequire(`${process.cwd()}/`).resolve('@modelcontextprotocol/sdk/client/auth.js');
const { auth } = await import(pathToFileURL(file));

class Workload {
  constructor(use) {
    this.use = use;
    this.requests = 0;
  }
  // Nobody is at a browser.
  get redirectUrl() {
    return undefined;
  }
  get clientMetadata() {
    return { redirect_uris: [], grant_types: ['urn:ietf:params:oauth:grant-type:jwt-bearer'], scope: this.use.scope };
  }
  clientInformation() {
    // The SDK wants a name of the client; where it has none for the server, it is to send none.
    return { client_id: this.use.client_id ?? 'unnamed', token_endpoint_auth_method: 'none' };
  }
  // The SDK's own way for method none sends client_id.
  get addClientAuthentication() {
    return (_headers, parameters) => {
      if (this.use.client_id) parameters.set('client_id', this.use.client_id);
    };
  }
  prepareTokenRequest(scope) {
    this.requests += 1;
    const parameters = new URLSearchParams({
      grant_type: 'urn:ietf:params:oauth:grant-type:jwt-bearer',
      assertion: this.use.assertion,
    });
    if (scope) parameters.set('scope', scope);
    return parameters;
  }
  tokens() {
    return undefined;
  }
  saveTokens(tokens) {
    this.got = tokens;
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  const use = JSON.parse(line);
  const workload = new Workload(use);
  const errors = [];
  const fetchFn = async (url, options) => {
    const response = await fetch(url, options);
    if (options?.method === 'POST' && !response.ok) errors.push((await response.clone().json()).error);
    return response;
  };
  let answer;
  try {
    await auth(workload, { serverUrl: use.server, fetchFn });
    answer = { tokens: workload.got };
  } catch (error) {
    answer = { error: error.errorCode ?? null, message: String(error.message ?? error) };
  }
  // The SDK tries once more, with what is the same; the first answer is what counts.
  console.log(JSON.stringify({ ...answer, error: errors[0] ?? answer.error, requests: workload.requests }));
}
