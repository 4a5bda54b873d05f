// inventory-floor: reads of every block device what hostbrick's inventory reads, and does nothing with it. Prints the milliseconds.
#define _GNU_SOURCE
#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void) {
  struct timespec time;
  clock_gettime(CLOCK_MONOTONIC, &time);
  return (double)time.tv_sec * 1e3 + (double)time.tv_nsec / 1e6;
}

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

int main(void) {
  static const char* const all[] = {"uevent", "size", "ro", NULL};
  static const char* const scsi[] = {"../../vpd_pg83", "../../vpd_pg80", "../../inquiry", NULL};
  static const char* const nvme[] = {"wwid", "nsid", "nguid", "eui", NULL};

  const double start = now();
  DIR* const folder = opendir("/sys/class/block");
  if (folder == NULL) return 1;
  const struct dirent* entry;
  while ((entry = readdir(folder)) != NULL) {
    char place[PATH_MAX];
    const ssize_t length = readlinkat(dirfd(folder), entry->d_name, place, sizeof place - 1);
    if (length < 0) continue;
    place[length] = '\0';
    const int device = openat(dirfd(folder), place, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (device < 0) continue;
    read_all(device, all);
    if (strstr(place, "/target") != NULL) read_all(device, scsi);
    if (strstr(place, "/nvme") != NULL) read_all(device, nvme);
    close(device);
  }
  closedir(folder);
  printf("%.3f\n", now() - start);
  return 0;
}
