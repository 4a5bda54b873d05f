/*
 * inventory-floor: reads of block devices what hostbrick's inventory reads, and does nothing with it.
 *
 *   inventory-floor        of every one, once; prints the milliseconds
 *   inventory-floor NAME   of this one after each change that the kernel announces; prints 'ready', and each time the
 *                          monotonic clock in nanoseconds when it is done
 */
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kernel-events.h"

static struct timespec now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return time;
}

static double milliseconds(struct timespec time) { return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6; }

static void read_attribute(int device, const char* name) {
  char value[4096];
  const int file = openat(device, name, O_RDONLY | O_CLOEXEC);
  if (file < 0) return;
  (void)!read(file, value, sizeof value);
  close(file);
}

static void read_all(int device, const char* const* names) {
  for (; *names != NULL; ++names) read_attribute(device, *names);
}

static void read_device(int folder, const char* name) {
  static const char* const all[] = {"uevent", "size", "ro", NULL};
  static const char* const scsi[] = {"../../vpd_pg83", "../../vpd_pg80", "../../inquiry", NULL};
  static const char* const nvme[] = {"wwid", "nsid", "nguid", "eui", NULL};

  char place[PATH_MAX];
  const ssize_t length = readlinkat(folder, name, place, sizeof place - 1);
  if (length < 0) return;
  place[length] = '\0';
  const int device = openat(folder, place, O_PATH | O_DIRECTORY | O_CLOEXEC);
  if (device < 0) return;
  read_all(device, all);
  if (strstr(place, "/target") != NULL) read_all(device, scsi);
  if (strstr(place, "/nvme") != NULL) read_all(device, nvme);
  close(device);
}

static int list(DIR* folder) {
  const struct timespec start = now();
  const struct dirent* entry;
  while ((entry = readdir(folder)) != NULL) read_device(dirfd(folder), entry->d_name);
  printf("%.3f\n", milliseconds(now()) - milliseconds(start));
  return 0;
}

static int follow(int folder, const char* name) {
  const int listener = open_kernel_events();
  if (listener < 0) return 1;
  for (;;) {
    // What has changed and where is the message's first text: 'change@/devices/virtual/block/loop0'.
    static char message[65536];
    const ssize_t size = recv(listener, message, sizeof message - 1, 0);
    if (size <= 0) continue;
    message[size] = '\0';
    const char* last = strrchr(message, '/');
    if (strncmp(message, "change@", 7) != 0 || last == NULL || strcmp(last + 1, name) != 0) continue;
    read_device(folder, name);
    const struct timespec time = now();
    printf("%lld\n", (long long)time.tv_sec * 1000000000 + time.tv_nsec);
  }
}

int main(int argc, char** argv) {
  DIR* const folder = opendir("/sys/class/block");
  if (folder == NULL) return 1;
  return argc > 1 ? follow(dirfd(folder), argv[1]) : list(folder);
}
