/*
 * nvme-floor: what the kernel itself takes for an NVMe/TCP connect and disconnect, for the benchmark to compare with.
 *
 *   nvme-floor connect OPTIONS      writes them to /dev/nvme-fabrics and waits until the node of the disk can be opened
 *   nvme-floor disconnect nvmeN     writes to its delete_controller
 *
 * Prints the milliseconds that this took, and after a connect the number of the controller.
 */
#include <fcntl.h>
#include <linux/netlink.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

static int listen_for_uevents(void) {
  const struct sockaddr_nl kernel = {.nl_family = AF_NETLINK, .nl_groups = 1};
  const int uevents = socket(AF_NETLINK, SOCK_RAW, NETLINK_KOBJECT_UEVENT);
  if (uevents < 0 || bind(uevents, (const struct sockaddr *)&kernel, sizeof kernel) < 0) fail("uevents");
  return uevents;
}

/* The next disk of NVMe that the kernel announces: 'add@/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1'. */
static void wait_for_disk(int uevents, char *name, size_t size) {
  char event[8192];
  unsigned number, namespace;
  for (;;) {
    const ssize_t length = recv(uevents, event, sizeof event - 1, 0);
    if (length < 0) fail("recv");
    event[length] = '\0';
    const char *last = strrchr(event, '/');
    if (strncmp(event, "add@", 4) != 0 || last == NULL) continue;
    if (sscanf(last, "/nvme%un%u", &number, &namespace) != 2) continue;
    snprintf(name, size, "/dev%s", last);
    return;
  }
}

static void connect_controller(const char *options) {
  char reply[256] = "", disk[64];
  unsigned instance;
  const int uevents = listen_for_uevents();
  const double start = now();
  const int fabrics = open("/dev/nvme-fabrics", O_RDWR);
  if (fabrics < 0 || write(fabrics, options, strlen(options)) < 0) fail("/dev/nvme-fabrics");
  if (read(fabrics, reply, sizeof reply - 1) < 0 || sscanf(reply, "instance=%u", &instance) != 1) fail("read");
  wait_for_disk(uevents, disk, sizeof disk);
  if (open(disk, O_RDONLY) < 0) fail(disk);
  printf("%.3f %u\n", now() - start, instance);
}

static void delete_controller(const char *name) {
  char path[128];
  snprintf(path, sizeof path, "/sys/class/nvme/%s/delete_controller", name);
  const double start = now();
  const int file = open(path, O_WRONLY);
  if (file < 0 || write(file, "1", 1) < 0) fail(path);
  printf("%.3f\n", now() - start);
}

int main(int count, char **arguments) {
  if (count == 3 && strcmp(arguments[1], "connect") == 0) {
    connect_controller(arguments[2]);
  } else if (count == 3 && strcmp(arguments[1], "disconnect") == 0) {
    delete_controller(arguments[2]);
  } else {
    fprintf(stderr, "usage: nvme-floor connect OPTIONS | disconnect nvmeN\n");
    return 2;
  }
  return 0;
}
