// The whole life of a token with openid-client, from discovery to revocation.
import * as client from 'openid-client'
import { configuration, follow, tell } from './conversation.mjs'

const { issuer, clientId, clientSecret, redirectUri, scope } = configuration
const config = await client.discovery(new URL(issuer), clientId, undefined, client.ClientSecretBasic(clientSecret), {
  algorithm: 'oauth2',
})
const verifier = client.randomPKCECodeVerifier()
const state = client.randomState()
const callback = await follow(
  client.buildAuthorizationUrl(config, {
    redirect_uri: redirectUri,
    scope,
    state,
    code_challenge: await client.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
  }),
)
const first = await client.authorizationCodeGrant(config, callback, { pkceCodeVerifier: verifier, expectedState: state })
const second = await client.refreshTokenGrant(config, first.refresh_token)
const before = await client.tokenIntrospection(config, second.access_token)
await client.tokenRevocation(config, second.refresh_token)
const after = await client.tokenIntrospection(config, second.access_token)

const wrong = new client.Configuration(config.serverMetadata(), clientId, {}, client.ClientSecretBasic('wrong'))
let error
try {
  await client.clientCredentialsGrant(wrong)
} catch (problem) {
  error = problem.error ?? problem.cause?.[0]?.parameters?.error
}
tell({ first: first.access_token, second: second.access_token, active: [before.active, after.active], error })
