/** ask.js properties|capabilities: what hostbrick says of this host to a process that is started in some way of its own. */
import { capabilities, getConnectorProperties } from 'hostbrick'

const answer =
  process.argv[2] === 'properties' ? await getConnectorProperties({ ip: '192.0.2.7' }) : await capabilities()
console.log(JSON.stringify(answer))
