import assert from 'node:assert/strict'
import { writeFileSync } from 'node:fs'
import { getuid } from 'node:process'
import { describe, it } from 'node:test'
import { listen, Uevent } from '../../lib/udev/uevents.ts'
import type { UeventListener } from '../../lib/udev/uevents.ts'
import { ended, eventually, netlinkSockets, run } from './children/child.ts'

const limit = { timeout: 20_000 }
const skip = getuid?.() !== 0 && 'only root can make uevents'

/** Makes the kernel announce a change of /dev/null, with this among its properties. */
function announce(device: 'null' | 'zero', mark = ''): void {
  const suffix = mark === '' ? '' : ` 12345678-1234-1234-1234-123456789abc MARK=${mark}`
  writeFileSync(`/sys/class/mem/${device}/uevent`, `change${suffix}`)
}

const text = 'ACTION=add\0DEVPATH=/devices/a/block/sda\0SUBSYSTEM=block\0EMPTY=\0EQUALS=a=b\0noise\0'

describe('a uevent', () => {
  it('has the properties of its text', () => {
    const event = new Uevent(text)
    assert.deepEqual([event.action, event.devicePath, event.subsystem], ['add', '/devices/a/block/sda', 'block'])
    assert.equal(event.property('EMPTY'), '')
    assert.equal(event.property('EQUALS'), 'a=b')
    assert.equal(event.property('noise'), undefined)
  })

  it('mentions what is in its text', () => {
    assert.ok(new Uevent(text).mentions('/block/sda'))
    assert.ok(!new Uevent(text).mentions('/block/sdb'))
  })

  it('without properties has empty ones', () => {
    const event = new Uevent('')
    assert.deepEqual([event.action, event.devicePath, event.subsystem], ['', '', ''])
  })
})

describe('listening to the kernel', { skip }, () => {
  const collect = (): { marks: string[]; listener: UeventListener } => {
    const marks: string[] = []
    return { marks, listener: (event) => void marks.push(event?.property('SYNTH_ARG_MARK') ?? '') }
  }
  const marked = (marks: readonly string[], mark: string): boolean => marks.includes(mark)

  it('brings its events, in order', limit, async () => {
    const { marks, listener } = collect()
    using _listening = listen('kernel', listener)
    for (let number = 0; number < 500; number++) announce('null', String(number))
    await eventually(() => marked(marks, '499'))
    // Other tests, in a process of their own, make uevents at the same time.
    const ours = marks.filter((mark) => /^\d+$/.test(mark))
    assert.deepEqual(
      ours,
      Array.from({ length: 500 }, (_, number) => String(number)),
    )
  })

  it('shares one socket, which is closed with the last listener', limit, async () => {
    await eventually(() => netlinkSockets() === 0)
    const [a, b] = [collect(), collect()]
    const first = listen('kernel', a.listener)
    const second = listen('kernel', b.listener)
    assert.equal(netlinkSockets(), 1)
    announce('null', 'both')
    await eventually(() => marked(a.marks, 'both') && marked(b.marks, 'both'))
    first[Symbol.dispose]()
    first[Symbol.dispose]()
    announce('null', 'one')
    await eventually(() => marked(b.marks, 'one'))
    assert.ok(!marked(a.marks, 'one'))
    second[Symbol.dispose]()
    second[Symbol.dispose]()
    await eventually(() => netlinkSockets() === 0)
  })

  it('can begin anew at once', limit, async () => {
    listen('kernel', () => undefined)[Symbol.dispose]()
    const { marks, listener } = collect()
    using _listening = listen('kernel', listener)
    announce('null', 'anew')
    await eventually(() => marked(marks, 'anew'))
  })

  it('can be ended by the listener itself', limit, async () => {
    const { marks, listener } = collect()
    let calls = 0
    const selfish = listen('kernel', () => {
      calls++
      selfish[Symbol.dispose]()
    })
    using _listening = listen('kernel', listener)
    for (const mark of ['1', '2', '3']) announce('null', mark)
    await eventually(() => marked(marks, '3'))
    assert.equal(calls, 1)
  })

  it('does not hear the group of udevd, which has a socket of its own', limit, async () => {
    await eventually(() => netlinkSockets() === 0)
    using _kernel = listen('kernel', () => undefined)
    using _udev = listen('udev', () => undefined)
    assert.equal(netlinkSockets(), 2)
  })

  it('is told when events were lost; whoever waits then looks again; and the process ends', limit, async () => {
    assert.deepEqual(await run('lost.ts', [], { node: ['--disable-warning=ExperimentalWarning'] }), ended)
  })
})
