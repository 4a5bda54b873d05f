import { describe, it } from 'node:test'
import { binding } from '../../lib/binding.ts'
import { Occasions } from '../../lib/watch/occasions.ts'

describe('what changes without an event', { timeout: 20_000 }, () => {
  it('is looked at again, however many events there are of something else', async (t) => {
    let tell = (): void => undefined
    t.mock.method(binding(), 'openMonitor', (_group: string, receive: (events: string[], lost: boolean) => void) => {
      tell = () => {
        receive(['ACTION=change\0DEVPATH=/devices/virtual/block/loop0\0SUBSYSTEM=block\0'], false)
      }
      return { only: () => undefined, close: () => undefined }
    })
    t.mock.method(binding(), 'openSessionMonitor', () => () => undefined)
    using occasions = new Occasions(['sessions', 'controllers'])
    // Oftener than the shortest interval.
    const events = setInterval(() => {
      tell()
    }, 5)
    for (let looks = 0; looks < 4;) {
      occasions.lookAgain('sessions')
      await occasions.next(new AbortController().signal)
      if (occasions.take().parts.has('sessions')) looks++
    }
    clearInterval(events)
  })
})
