"""Grows the loop device that it is given with its file, by a page for every line that it reads.

A process of its own, which stays: to start and end one for each change would take the processor from those who hear of it.
"""
import fcntl, os, sys

LOOP_SET_CAPACITY = 0x4C07
GROWTH = 4096

device, backing = (os.open(path, os.O_RDWR) for path in sys.argv[1:3])
for _ in sys.stdin:
    os.ftruncate(backing, os.fstat(backing).st_size + GROWTH)
    fcntl.ioctl(device, LOOP_SET_CAPACITY, 0)
