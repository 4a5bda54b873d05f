"""Prints, for every block disk that the kernel announces, its name and the kernel's monotonic clock in nanoseconds.

A process of its own does nothing but wait for the event, so that the time is the event's and not that of the program
under test, which waits for the same event.
"""
import os, socket, sys, time

NETLINK_KOBJECT_UEVENT = 15
KERNEL_GROUP = 1
ACTION = (sys.argv[1:] or ["add"])[0].encode() + b"@"  # 'change' for disks that have changed

listener = socket.socket(socket.AF_NETLINK, socket.SOCK_DGRAM, NETLINK_KOBJECT_UEVENT)
listener.bind((0, KERNEL_GROUP))
print("ready", flush=True)
while True:
    message = listener.recv(65536)
    now = time.monotonic_ns()
    if not message.startswith(ACTION):
        continue
    properties = dict(text.split(b"=", 1) for text in message.split(b"\0") if b"=" in text)
    if properties.get(b"SUBSYSTEM") == b"block" and properties.get(b"DEVTYPE") == b"disk":
        os.write(1, properties[b"DEVNAME"] + b" %d\n" % now)
