/*
 * uevent-clock: tells when the kernel announced a disk, for the benchmarks to count from. Prints 'ready', and from then
 * on, for every block disk that comes, its name and the monotonic clock in nanoseconds.
 *
 * A process of its own does nothing but wait for the event, so that the time is the event's and not that of the program
 * under test, which waits for the same event. In C, as what it does right then is done at the other's cost.
 */
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "kernel-events.h"

/* The value of a property "KEY=", or NULL; they follow the message's first text, each with a NUL behind it. */
static const char* property(const char* message, size_t size, const char* key) {
  for (const char* text = message; text < message + size; text += strlen(text) + 1) {
    if (strncmp(text, key, strlen(key)) == 0) return text + strlen(key);
  }
  return "";
}

int main(void) {
  const int listener = open_kernel_events();
  if (listener < 0) return 1;
  for (;;) {
    static char message[65536];
    const ssize_t size = recv(listener, message, sizeof message - 1, 0);
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    if (size <= 0) continue;
    message[size] = '\0';
    const size_t length = (size_t)size;
    if (strcmp(property(message, length, "ACTION="), "add") != 0) continue;
    if (strcmp(property(message, length, "SUBSYSTEM="), "block") != 0) continue;
    if (strcmp(property(message, length, "DEVTYPE="), "disk") != 0) continue;
    printf("%s %lld\n", property(message, length, "DEVNAME="), (long long)now.tv_sec * 1000000000 + now.tv_nsec);
  }
}
