// Whatever bytes arrive, they are read within their bounds, and an event is of a kind that there is.

#include <cstdint>
#include <cstdlib>
#include <span>

#include "iscsi/message.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using hostbrick::SessionEvent;
  const auto event = hostbrick::session_event(std::as_bytes(std::span(data, size)));
  if (!event) return 0;
  if (size < hostbrick::session_message_size || event->kind > SessionEvent::Kind::failed) std::abort();
  return 0;
}
