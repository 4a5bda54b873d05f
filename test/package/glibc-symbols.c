/*
 * What Debian's libstdc++ and libgcc take from glibc and musl does not have. Nobody builds Node for musl in the registries, but
 * Bun is there, and asks for a libstdc++: with this beside it, glibc's serves under musl.
 */
#define _GNU_SOURCE
#include <link.h>
#include <locale.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/random.h>
#include <time.h>

char __libc_single_threaded;
unsigned __cpu_model[4];

int __cpu_indicator_init(void) { return 0; }

unsigned long __getauxval(unsigned long type) { return getauxval(type); }

uint32_t arc4random(void) {
  uint32_t value = 0;
  return getrandom(&value, sizeof value, 0) == sizeof value ? value : 4;
}

size_t __strftime_l(char* to, size_t size, const char* format, const struct tm* time, locale_t locale) {
  return strftime_l(to, size, format, time, locale);
}

/* The destructor of a thread's variable is not run: threads here end with the process. */
int __cxa_thread_atexit_impl(void (*destroy)(void*), void* object, void* library) {
  return (void)destroy, (void)object, (void)library, 0;
}

/* glibc's <dlfcn.h>, which the unwinder is compiled with. */
struct dl_find_object {
  unsigned long long flags;
  void *map_start, *map_end, *link_map, *eh_frame;
  unsigned long long reserved[7];
};

struct search {
  uintptr_t address;
  struct dl_find_object* result;
};

static int look(struct dl_phdr_info* library, size_t size, void* data) {
  (void)size;
  const struct search* search = data;
  void* eh_frame = NULL;
  int within = 0;
  for (int i = 0; i < library->dlpi_phnum; i++) {
    const ElfW(Phdr)* part = &library->dlpi_phdr[i];
    const uintptr_t start = library->dlpi_addr + part->p_vaddr;
    if (part->p_type == PT_GNU_EH_FRAME) eh_frame = (void*)start;
    if (part->p_type != PT_LOAD || search->address < start || search->address >= start + part->p_memsz) continue;
    within = 1;
    search->result->map_start = (void*)start;
    search->result->map_end = (void*)(start + part->p_memsz);
  }
  if (!within || eh_frame == NULL) return 0;
  search->result->eh_frame = eh_frame;
  return 1;
}

int _dl_find_object(void* address, struct dl_find_object* result) {
  struct search search = {(uintptr_t)address, result};
  return dl_iterate_phdr(look, &search) == 1 ? 0 : -1;
}
