"""loop-growth.py DEVICE FILE BEFORE CHANGES: grows the loop device with its file so many times, by a page each.

Before the changes that count come so many others in quick succession. In between those that count it waits until udevd
is through with the change, and then for a moment of no certain length: whoever hears of the next one has nothing else to
do, and neither has the host. At the end it prints when the kernel announced each change, on the monotonic clock in
nanoseconds, as the kernel's tracing has it: who listens to the announcement to take the time would take a processor from
those who are measured.
"""
import fcntl, os, random, re, socket, subprocess, sys, time

LOOP_SET_CAPACITY = 0x4C07
GROWTH = 4096
NETLINK_KOBJECT_UEVENT = 15
UDEV_GROUP = 2
TRACING = '/sys/kernel/tracing'


def trace(setting, value):
    with open(f'{TRACING}/{setting}', 'w') as file:
        file.write(value)


def trace_announcements():
    if not os.path.exists(f'{TRACING}/trace'):
        subprocess.run(['mount', '-t', 'tracefs', 'tracefs', TRACING], check=True)
    # This empties the trace, too.
    trace('trace_clock', 'mono')
    trace('kprobe_events', 'p:announcement netlink_broadcast')
    # Not by set_event_pid, for which the kernel changes its scheduler's code: one emulated guest has crashed of that.
    trace('events/kprobes/announcement/filter', f'common_pid == {os.getpid()}')
    trace('events/kprobes/announcement/enable', '1')


def end_trace():
    with open(f'{TRACING}/trace') as file:
        announced = re.findall(r' (\d+)\.(\d{6}): announcement:', file.read())
    trace('events/kprobes/announcement/enable', '0')
    trace('kprobe_events', '')
    return [f'{seconds}{microseconds}000' for seconds, microseconds in announced]


def grow():
    os.ftruncate(backing, os.fstat(backing).st_size + GROWTH)
    fcntl.ioctl(device, LOOP_SET_CAPACITY, 0)


node, file, before, changes = sys.argv[1:]
device, backing = (os.open(path, os.O_RDWR) for path in (node, file))
for _ in range(int(before)):
    grow()
    time.sleep(0.02)
subprocess.run(['udevadm', 'settle'], check=True)
udev = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT_UEVENT)
udev.bind((0, UDEV_GROUP))
trace_announcements()
for _ in range(int(changes)):
    grow()
    while f'\0DEVNAME={node}\0'.encode() not in udev.recv(65536):
        pass
    time.sleep(random.uniform(0.01, 0.04))
print(*end_trace(), sep='\n')
