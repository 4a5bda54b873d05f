/**
 * Connection information as Cinder's drivers hand it out, by backend, with what Cinder itself adds to it (access_mode,
 * qos_specs and so on): shapes, not recordings.
 */
export interface CinderDocument {
  readonly driver_volume_type: string
  readonly data: Readonly<Record<string, unknown>>
}

/** Cinder's volume manager adds these to every driver's data. */
const common = { access_mode: 'rw', qos_specs: null, encrypted: false, cacheable: false, enforce_multipath: true }
const id = '9a0d35d0-175a-11e4-8c21-0800200c9a66'

const iscsi = (data: object): CinderDocument => ({ driver_volume_type: 'iscsi', data: { ...data, ...common } })
const nvmeof = (data: object): CinderDocument => ({ driver_volume_type: 'nvmeof', data: { ...data, ...common } })

const pure = 'iqn.2010-06.com.purestorage:flasharray'
const chap = { auth_method: 'CHAP', auth_username: 'host-1', auth_password: 'a-secret-of-16-b' }

/** And the paths that each means, as 'portal target LUN'. */
export const iscsiDocuments: readonly [backend: string, CinderDocument, paths: readonly string[]][] = [
  [
    'LVM with LIO',
    iscsi({
      ...chap,
      target_discovered: false,
      target_portal: '192.168.1.20:3260',
      target_iqn: `iqn.2010-10.org.openstack:volume-${id}`,
      target_lun: 0,
      volume_id: id,
      logical_block_size: '512',
      physical_block_size: '512',
    }),
    [`192.168.1.20:3260 iqn.2010-10.org.openstack:volume-${id} 0`],
  ],
  [
    'LVM with secondary addresses',
    iscsi({
      target_portals: ['10.0.0.1:3260', '10.0.1.1:3260'],
      target_iqns: ['iqn.2010-10.org.openstack:volume-1', 'iqn.2010-10.org.openstack:volume-1'],
      target_luns: [1, 1],
      target_portal: '10.0.0.1:3260',
      target_iqn: 'iqn.2010-10.org.openstack:volume-1',
      target_lun: 1,
    }),
    ['10.0.0.1:3260 iqn.2010-10.org.openstack:volume-1 1', '10.0.1.1:3260 iqn.2010-10.org.openstack:volume-1 1'],
  ],
  [
    'Pure, on two arrays',
    iscsi({
      ...chap,
      target_discovered: false,
      discard: true,
      addressing_mode: 'SAM2',
      target_luns: [1, 1, 300, 300],
      target_iqns: [`${pure}.aaa`, `${pure}.aaa`, `${pure}.bbb`, `${pure}.bbb`],
      target_portals: ['10.1.1.1:3260', '10.1.1.2:3260', '10.1.2.1:3260', '[2001:db8::2]:3260'],
      wwn: '3624a93709a738ed78583fd120013902b',
    }),
    [
      `10.1.1.1:3260 ${pure}.aaa 1`,
      `10.1.1.2:3260 ${pure}.aaa 1`,
      `10.1.2.1:3260 ${pure}.bbb 16684`,
      `[2001:db8::2]:3260 ${pure}.bbb 16684`,
    ],
  ],
  [
    '3PAR, for a host without multipath',
    iscsi({
      target_discovered: true,
      target_portal: '10.10.220.253:3260',
      target_iqn: 'iqn.2000-05.com.3pardata:21810002ac00383d',
      target_lun: 90,
      encrypted: false,
    }),
    ['10.10.220.253:3260 iqn.2000-05.com.3pardata:21810002ac00383d 90'],
  ],
  [
    '3PAR, for a host with multipath',
    iscsi({
      target_discovered: true,
      target_portals: ['10.10.220.253:3260', '10.10.220.254:3260'],
      target_iqns: ['iqn.2000-05.com.3pardata:21810002ac00383d', 'iqn.2000-05.com.3pardata:22810002ac00383d'],
      target_luns: [90, 90],
    }),
    [
      '10.10.220.253:3260 iqn.2000-05.com.3pardata:21810002ac00383d 90',
      '10.10.220.254:3260 iqn.2000-05.com.3pardata:22810002ac00383d 90',
    ],
  ],
  [
    'PowerMax',
    iscsi({
      target_discovered: false,
      target_iqn: 'iqn.1992-04.com.emc:600009700bca30c01b9c012000000003',
      target_portal: '10.60.141.174:3260',
      target_lun: 4,
      target_iqns: ['iqn.1992-04.com.emc:600009700bca30c01b9c012000000003'],
      target_portals: ['10.60.141.174:3260'],
      target_luns: [4],
      volume_id: id,
      auth_method: null,
    }),
    ['10.60.141.174:3260 iqn.1992-04.com.emc:600009700bca30c01b9c012000000003 4'],
  ],
  [
    'NetApp ONTAP',
    iscsi({
      ...chap,
      target_discovered: false,
      target_portal: '10.63.165.216:3260',
      target_iqn: 'iqn.1992-08.com.netapp:sn.574e9d6a:vs.3',
      target_lun: '0',
      volume_id: id,
      discovery_auth_method: 'CHAP',
      discovery_auth_username: 'host-1',
      discovery_auth_password: 'a-secret-of-16-b',
    }),
    ['10.63.165.216:3260 iqn.1992-08.com.netapp:sn.574e9d6a:vs.3 0'],
  ],
  [
    'Storwize, with an IPv6 address as it writes them',
    iscsi({
      ...chap,
      target_discovered: false,
      target_portals: ['10.2.0.5:3260', 'fd00::5:3260'],
      target_iqns: ['iqn.1986-03.com.ibm:2145.svc.node1', 'iqn.1986-03.com.ibm:2145.svc.node2'],
      target_luns: [3, 3],
      target_portal: '10.2.0.5:3260',
      target_iqn: 'iqn.1986-03.com.ibm:2145.svc.node1',
      target_lun: 3,
      volume_id: id,
    }),
    ['10.2.0.5:3260 iqn.1986-03.com.ibm:2145.svc.node1 3', '[fd00::5]:3260 iqn.1986-03.com.ibm:2145.svc.node2 3'],
  ],
  [
    'PowerStore',
    iscsi({
      target_discovered: false,
      discard: true,
      volume_id: id,
      target_portal: '1.2.3.4:3260',
      target_iqn: 'iqn.2015-10.com.dell:dellemc-powerstore-a',
      target_lun: 2,
      target_portals: ['1.2.3.4:3260', '5.6.7.8:3260'],
      target_iqns: ['iqn.2015-10.com.dell:dellemc-powerstore-a', 'iqn.2015-10.com.dell:dellemc-powerstore-b'],
      target_luns: [2, 2],
    }),
    [
      '1.2.3.4:3260 iqn.2015-10.com.dell:dellemc-powerstore-a 2',
      '5.6.7.8:3260 iqn.2015-10.com.dell:dellemc-powerstore-b 2',
    ],
  ],
]

/** And the ways and names that each means, target by target. */
export const nvmeofDocuments: readonly [backend: string, CinderDocument, targets: readonly object[]][] = [
  [
    'LVM with nvmet, one portal',
    nvmeof({
      target_portal: '1.1.1.1',
      target_port: 4420,
      nqn: 'nqn.nvme-subsystem-1-vol',
      transport_type: 'rdma',
      ns_id: 10,
    }),
    [{ nqn: 'nqn.nvme-subsystem-1-vol', addresses: ['rdma 1.1.1.1 4420'], namespaceId: 10 }],
  ],
  [
    'LVM with SPDK',
    nvmeof({
      target_portal: '10.0.0.2',
      target_port: '4420',
      nqn: 'nqn.2014-08.org.nvmexpress:uuid:1',
      transport_type: 'tcp',
      ns_id: '1',
    }),
    [{ nqn: 'nqn.2014-08.org.nvmexpress:uuid:1', addresses: ['tcp 10.0.0.2 4420'], namespaceId: 1 }],
  ],
  [
    'LVM with nvmet and secondary addresses',
    nvmeof({
      target_nqn: 'nqn.nvme-subsystem-1',
      vol_uuid: id,
      portals: [
        ['10.0.0.1', 4420, 'tcp'],
        ['10.0.1.1', 4420, 'tcp'],
      ],
      ns_id: 10,
    }),
    [
      {
        nqn: 'nqn.nvme-subsystem-1',
        addresses: ['tcp 10.0.0.1 4420', 'tcp 10.0.1.1 4420'],
        uuid: id,
        namespaceId: 10,
      },
    ],
  ],
  [
    'Rack Scale Design',
    nvmeof({
      transport_type: 'rdma',
      host_nqn: `nqn.2014-08.org.nvmexpress:uuid:${id}`,
      nqn: 'nqn.2014-08.org.nvmexpress:uuid:2',
      target_port: '4420',
      target_portal: '10.0.0.2',
    }),
    [{ nqn: 'nqn.2014-08.org.nvmexpress:uuid:2', addresses: ['rdma 10.0.0.2 4420'] }],
  ],
  [
    'PowerStore, PowerMax and Pure',
    nvmeof({
      portals: [
        ['10.1.1.1', '4420', 'tcp'],
        ['10.1.1.2', '4420', 'tcp'],
      ],
      target_nqn: 'nqn.1988-11.com.dell:powerstore:00:e6e2d5b8',
      volume_nguid: '8ccf0968006f7d5a1b2c3d4e5f607182',
      discard: true,
    }),
    [
      {
        nqn: 'nqn.1988-11.com.dell:powerstore:00:e6e2d5b8',
        addresses: ['tcp 10.1.1.1 4420', 'tcp 10.1.1.2 4420'],
        nguid: '8ccf0968006f7d5a1b2c3d4e5f607182',
      },
    ],
  ],
  [
    'NetApp ONTAP',
    nvmeof({
      target_nqn: 'nqn.1992-08.com.netapp:sn.3a2b:subsystem.s1',
      host_nqn: `nqn.2014-08.org.nvmexpress:uuid:${id}`,
      portals: [['10.0.0.9', 4420, 'tcp']],
      vol_uuid: id.toUpperCase(),
    }),
    [{ nqn: 'nqn.1992-08.com.netapp:sn.3a2b:subsystem.s1', addresses: ['tcp 10.0.0.9 4420'], uuid: id }],
  ],
  [
    'VAST',
    nvmeof({
      target_nqn: 'nqn.2024-08.com.vastdata:default:block',
      host_nqn: `nqn.2014-08.org.nvmexpress:uuid:${id}`,
      portals: [['10.0.0.9', 4420, 'tcp']],
      volume_nguid: '8ccf0968-006f-7d5a-1b2c-3d4e5f607182',
      volume_uuid: 'ignored',
    }),
    [
      {
        nqn: 'nqn.2024-08.com.vastdata:default:block',
        addresses: ['tcp 10.0.0.9 4420'],
        nguid: '8ccf0968006f7d5a1b2c3d4e5f607182',
      },
    ],
  ],
  [
    'KumoScale, on two nodes',
    nvmeof({
      vol_uuid: id,
      alias: 'volume-6d54cb90-a5d1-40d8',
      writable: true,
      replica_count: 2,
      volume_replicas: [
        {
          vol_uuid: '9b30ec12-75b9-4a53-be32-111111111111',
          target_nqn: 'nqn.r1',
          portals: [['10.0.0.1', '4420', 'TCP']],
        },
        {
          vol_uuid: '9b30ec12-75b9-4a53-be32-222222222222',
          target_nqn: 'nqn.r2',
          portals: [['10.0.0.2', '4420', 'RoCEv2']],
        },
      ],
    }),
    [
      { nqn: 'nqn.r1', addresses: ['tcp 10.0.0.1 4420'], uuid: '9b30ec12-75b9-4a53-be32-111111111111' },
      { nqn: 'nqn.r2', addresses: ['rdma 10.0.0.2 4420'], uuid: '9b30ec12-75b9-4a53-be32-222222222222' },
    ],
  ],
]

export const dsware: CinderDocument = {
  driver_volume_type: 'local',
  data: { device_path: '/dev/disk/by-id/wwn-0x6a08cf810000000000000000', ...common },
}

export const sdsHypervisor: CinderDocument = {
  driver_volume_type: 'HUAWEISDSHYPERVISOR',
  data: { volume_id: `volume-${id}`, ...common },
}
