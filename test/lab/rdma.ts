import { loadModules, run } from './command.ts'

/** A network device that does RDMA in software, with an address of the guest behind it. */
export interface RdmaDevice {
  readonly address: string
  remove(): void
}

/** Soft RoCE. Not on the loopback device: what is bound to its addresses finds no RDMA device (ENODEV). */
export function rdmaDevice(): RdmaDevice {
  const address = '192.168.77.1'
  loadModules('dummy', 'rdma_rxe')
  run('ip', 'link', 'add', 'lab-rdma', 'type', 'dummy')
  run('ip', 'address', 'add', `${address}/24`, 'dev', 'lab-rdma')
  run('ip', 'link', 'set', 'lab-rdma', 'up')
  run('rdma', 'link', 'add', 'lab-rxe', 'type', 'rxe', 'netdev', 'lab-rdma')
  return {
    address,
    remove() {
      run('rdma', 'link', 'delete', 'lab-rxe')
      run('ip', 'link', 'delete', 'lab-rdma')
    },
  }
}
