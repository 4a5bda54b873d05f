import { randomBytes } from 'node:crypto'
import { BrickError } from '../errors.ts'
import type { ChapCredentials } from '../properties/iscsi.ts'
import { Chap } from './chap.ts'
import { Connection } from './connection.ts'
import { loginStatus } from './login-status.ts'
import { continued, dataLimit, final, malformed, opcodes } from './pdu.ts'
import type { Response } from './pdu.ts'
import { formatPortal, parsePortal } from './portal.ts'
import type { Portal } from './portal.ts'
import { decodeAnswer, encodeText, TextParts } from './text.ts'
import type { Keys } from './text.ts'

/** Who logs in, and how it proves that. */
export interface LoginIdentity {
  readonly initiatorName: string
  readonly credentials?: ChapCredentials | undefined
}

/** RFC 7143 11.12.3: the stages of a login. */
const stages = { security: 0, operational: 1, fullFeature: 3 } as const
type Stage = (typeof stages)[keyof typeof stages]

/** What a session for discovery has to agree on: RFC 7143 13. */
const operationalKeys: Keys = [
  ['HeaderDigest', 'None'],
  ['DataDigest', 'None'],
  ['ErrorRecoveryLevel', '0'],
  ['DefaultTime2Wait', '2'],
  ['DefaultTime2Retain', '0'],
  ['MaxRecvDataSegmentLength', String(dataLimit)],
]
/** What a target tells of itself without asking for an answer. */
const declarations = ['TargetAlias', 'TargetAddress', 'TargetPortalGroupTag', 'AuthMethod', 'MaxRecvDataSegmentLength']
/** What says nothing in a session for discovery: RFC 7143 13. */
const irrelevant = [
  'DataPDUInOrder',
  'DataSequenceInOrder',
  'FirstBurstLength',
  'ImmediateData',
  'InitialR2T',
  'MaxBurstLength',
  'MaxConnections',
  'MaxOutstandingR2T',
]

const redirectLimit = 4

/** The CmdSN of a login, and so of the first command after it. */
export const firstCommand = 1

/**
 * Opens a session for discovery. The connection may lead to another portal than the one asked.
 *
 * @throws BrickError PORTAL_UNREACHABLE, AUTH_FAILED, LOGIN_FAILED
 */
export async function logIn(portal: Portal, identity: LoginIdentity, signal: AbortSignal): Promise<Connection> {
  const chap = identity.credentials && new Chap(identity.credentials)
  let next = portal
  for (let redirects = 0; redirects <= redirectLimit; redirects++) {
    const connection = await Connection.open(next, signal)
    try {
      await new Login(connection, identity.initiatorName, chap).run()
      return connection
    } catch (error) {
      connection[Symbol.dispose]()
      if (!(error instanceof Redirection)) throw error
      next = error.portal
    }
  }
  throw malformed(`more than ${redirectLimit} redirections, the last to ${formatPortal(next)}`)
}

/** RFC 7143 11.12 and 6.3. A negotiation of one connection. */
class Login {
  readonly #connection: Connection
  readonly #chap: Chap | undefined
  readonly #introduction: Keys
  /** ISID and TSIH. An ISID of the random kind (80h): two discoveries of one host must not take each other's place. */
  readonly #place = Buffer.concat([Buffer.of(0x80), randomBytes(5), Buffer.alloc(2)])

  constructor(connection: Connection, initiatorName: string, chap: Chap | undefined) {
    this.#connection = connection
    this.#chap = chap
    this.#introduction = [
      ['InitiatorName', initiatorName],
      ['SessionType', 'Discovery'],
    ]
  }

  /** Without credentials there is nothing to say in the first stage. A target that insists refuses the login. */
  async run(): Promise<void> {
    if (this.#chap === undefined) {
      await this.#operational([...this.#introduction, ...operationalKeys])
    } else {
      await this.#security(this.#chap)
      await this.#operational(operationalKeys)
    }
  }

  /** Who proves itself may do so in vain; who wants proof never goes without. */
  async #security(chap: Chap): Promise<void> {
    const methods = chap.mutual ? 'CHAP' : 'CHAP,None'
    const opening = await this.#exchange(stages.security, stages.security, [
      ...this.#introduction,
      ['AuthMethod', methods],
    ])
    const method = opening.keys.get('AuthMethod') ?? 'nothing'
    let { moved } = opening
    if (method === 'CHAP') {
      const { keys: challenge } = await this.#exchange(stages.security, stages.security, chap.offer)
      const outcome = await this.#exchange(stages.security, stages.operational, chap.respond(challenge))
      chap.verify(outcome.keys)
      moved = outcome.moved
    } else if (method !== 'None' || chap.mutual) {
      throw this.#unproven(`chose ${method} of ${methods}`)
    }
    while (!moved) ({ moved } = await this.#exchange(stages.security, stages.operational, []))
  }

  async #operational(proposal: Keys): Promise<void> {
    for (let keys = proposal; ;) {
      const answer = await this.#exchange(stages.operational, stages.fullFeature, keys)
      for (const digest of ['HeaderDigest', 'DataDigest']) {
        if ((answer.keys.get(digest) ?? 'None') !== 'None')
          throw malformed(`${digest}=${answer.keys.get(digest) ?? ''}`)
      }
      if (answer.moved) return
      keys = replies(answer.keys)
    }
  }

  /** Says something in one stage and reads the whole answer; `moved` is whether the target agrees to go on to `next`. */
  async #exchange(
    stage: Stage,
    next: Stage,
    keys: Keys,
  ): Promise<{ keys: ReadonlyMap<string, string>; moved: boolean }> {
    this.#send(stage, next, encodeText(keys))
    const text = new TextParts()
    for (;;) {
      const response = await this.#receive(stage)
      text.add(response.data)
      if (response.flags & continued) {
        this.#send(stage, stage, Buffer.alloc(0))
        continue
      }
      const moved = (response.flags & final) !== 0
      if (moved && (stage === next || (response.flags & 3) !== next)) throw malformed('a stage that was not asked for')
      return { keys: decodeAnswer(text.whole), moved }
    }
  }

  #send(stage: Stage, next: Stage, data: Buffer): void {
    this.#connection.send({
      opcode: opcodes.loginRequest,
      immediate: true,
      flags: (stage << 2) | (next === stage ? 0 : final | next),
      place: this.#place,
      taskTag: 0,
      transferTag: 0,
      command: firstCommand,
      data,
    })
  }

  async #receive(stage: Stage): Promise<Response> {
    const response = await this.#connection.receive()
    const status = loginStatus(response, this.#connection.portal)
    if (status !== 0) throw new Redirection(response.data)
    const current = (response.flags >> 2) & 3
    if (current === stage) return response
    if (current === stages.security) throw this.#unproven('wants to know who asks')
    throw malformed(`an answer in stage ${current} of a login in stage ${stage}`)
  }

  #unproven(reason: string): BrickError {
    const portal = formatPortal(this.#connection.portal)
    return new BrickError('AUTH_FAILED', `${portal} ${reason}`, { details: { portal } })
  }
}

/** What we have to say to what the target proposes of its own accord: RFC 7143 6.2. */
function replies(answer: ReadonlyMap<string, string>): Keys {
  const settled = [...declarations, ...operationalKeys.map(([key]) => key)]
  return [...answer.keys()]
    .filter((key) => !settled.includes(key))
    .map((key) => [key, irrelevant.includes(key) ? 'Irrelevant' : 'NotUnderstood'])
}

/** RFC 7143 11.13.5: the target is elsewhere, now or from now on. */
class Redirection extends Error {
  readonly portal: Portal

  /** @throws BrickError LOGIN_FAILED when it does not say where */
  constructor(text: Buffer) {
    super('redirected')
    this.portal = readAddress(decodeAnswer(text).get('TargetAddress'))
  }
}

/** A TargetAddress, which is a target's word and no argument of the caller. @throws BrickError LOGIN_FAILED */
export function readAddress(text: string | undefined): Portal {
  try {
    return parsePortal(text, 'TargetAddress')
  } catch {
    throw malformed(`the TargetAddress ${JSON.stringify(text)}`, { address: text ?? null })
  }
}
