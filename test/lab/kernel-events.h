/* kernel-events.h: the benchmarks' programs in C that hear of changes as the kernel announces them. */
#pragma once

#include <linux/netlink.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

/* Says 'ready' once what the kernel announces is heard, and has each line written at once. -1 when it cannot listen. */
static inline int open_kernel_events(void) {
  enum { kernel_group = 1 };
  const int listener = socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_KOBJECT_UEVENT);
  struct sockaddr_nl address = {.nl_family = AF_NETLINK, .nl_groups = kernel_group};
  if (listener < 0 || bind(listener, (struct sockaddr*)&address, sizeof address) != 0) {
    perror("kernel-events");
    return -1;
  }
  setvbuf(stdout, NULL, _IOLBF, 0);
  puts("ready");
  return listener;
}
