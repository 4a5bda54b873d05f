/** The other end of another-process.ts: a request per line, and an answer per line. */
import { createInterface } from 'node:readline'
import { BrickError, getConnectorProperties, InitiatorConnector } from 'hostbrick'
import type { Answer, Request } from './another-process.ts'

await getConnectorProperties({ ip: '192.0.2.7' }) // loads the addon
console.log('ready')
for await (const line of createInterface({ input: process.stdin })) {
  console.log(JSON.stringify(await answer(JSON.parse(line) as Request)))
}

async function answer({ call, protocol, multipath, properties }: Request): Promise<Answer> {
  const connector = InitiatorConnector.factory(protocol, { useMultipath: multipath })
  try {
    if (call === 'connect') return { info: await connector.connectVolume(properties, { ready: 'all' }) }
    await connector.disconnectVolume(properties)
    return {}
  } catch (error) {
    if (!(error instanceof BrickError)) throw error
    return { error: { code: error.code, message: error.message } }
  }
}
