// The life of a token with simple-oauth2, which knows neither discovery nor introspection.
import { AuthorizationCode, ClientCredentials } from 'simple-oauth2'
import { configuration, follow, tell } from './conversation.mjs'

const { issuer, clientId, clientSecret, redirectUri, scope } = configuration
const auth = {
  tokenHost: issuer,
  tokenPath: '/invoke/pub.oauth/getToken',
  revokePath: '/invoke/pub.oauth/revokeToken',
}
const client = new AuthorizationCode({
  client: { id: clientId, secret: clientSecret },
  auth: { ...auth, authorizePath: '/invoke/pub.oauth/authorize' },
})
const callback = await follow(client.authorizeURL({ redirect_uri: redirectUri, scope, state: 'a state' }))
const code = callback.searchParams.get('code')
const first = await client.getToken({ code, redirect_uri: redirectUri })
const second = await first.refresh()
await second.revoke('refresh_token')

let error
try {
  await new ClientCredentials({ client: { id: clientId, secret: 'wrong' }, auth }).getToken({})
} catch (problem) {
  error = problem.data?.payload?.error
}
tell({ first: first.token.access_token, second: second.token.access_token, error })
