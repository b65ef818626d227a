// How a client's script and the test that runs it talk: one JSON document a line.
import { createInterface } from 'node:readline/promises'

export const configuration = JSON.parse(process.env.OAUTH_CLIENT)

const lines = createInterface({ input: process.stdin })

export const tell = (document) => {
  process.stdout.write(`${JSON.stringify(document)}\n`)
  lines.close()
}

/** Have a resource owner approve the authorization request; returns the URL of the redirect to the client. */
export const follow = async (url) => {
  process.stdout.write(`${JSON.stringify({ authorize: String(url) })}\n`)
  for await (const line of lines) return new URL(line)
}
