// The whole life of a token with oauth4webapi, which checks every response strictly.
import * as oauth from 'oauth4webapi'
import { configuration, follow, tell } from './conversation.mjs'

const { clientId, clientSecret, redirectUri, scope } = configuration
const issuer = new URL(configuration.issuer)
const discovered = await oauth.discoveryRequest(issuer, { algorithm: 'oauth2' })
const server = await oauth.processDiscoveryResponse(issuer, discovered)
const client = { client_id: clientId }
const credentials = oauth.ClientSecretBasic(clientSecret)

const verifier = oauth.generateRandomCodeVerifier()
const state = oauth.generateRandomState()
const authorize = new URL(server.authorization_endpoint)
authorize.search = new URLSearchParams({
  response_type: 'code',
  client_id: clientId,
  redirect_uri: redirectUri,
  scope,
  state,
  code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
  code_challenge_method: 'S256',
})
const parameters = oauth.validateAuthResponse(server, client, await follow(authorize), state)
const first = await oauth.processAuthorizationCodeResponse(
  server,
  client,
  await oauth.authorizationCodeGrantRequest(server, client, credentials, parameters, redirectUri, verifier),
)
const second = await oauth.processRefreshTokenResponse(
  server,
  client,
  await oauth.refreshTokenGrantRequest(server, client, credentials, first.refresh_token),
)
const introspect = async (token) =>
  (
    await oauth.processIntrospectionResponse(
      server,
      client,
      await oauth.introspectionRequest(server, client, credentials, token),
    )
  ).active
const before = await introspect(second.access_token)
await oauth.processRevocationResponse(
  await oauth.revocationRequest(server, client, credentials, second.refresh_token),
)
const after = await introspect(second.access_token)

let error
try {
  await oauth.processClientCredentialsResponse(
    server,
    client,
    await oauth.clientCredentialsGrantRequest(server, client, oauth.ClientSecretBasic('wrong'), {}),
  )
} catch (problem) {
  error = problem.error ?? problem.cause?.[0]?.parameters?.error
}
tell({ first: first.access_token, second: second.access_token, active: [before, after], error })
