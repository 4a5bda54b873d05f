#include "iscsi/binding.h"

#include <vector>

#include "iscsi/monitor.h"
#include "netlink/delivery.h"

namespace hostbrick {

namespace iscsi {
namespace {

const char* name_of(SessionEvent::Kind kind) {
  switch (kind) {
    case SessionEvent::Kind::created:
      return "created";
    case SessionEvent::Kind::destroyed:
      return "destroyed";
    case SessionEvent::Kind::unbound:
      return "unbound";
    case SessionEvent::Kind::failed:
      return "failed";
  }
  return "";
}

Napi::Object to_object(Napi::Env env, const SessionEvent& event) {
  auto object = Napi::Object::New(env);
  object.Set("kind", name_of(event.kind));
  object.Set("session", event.session);
  if (event.kind == SessionEvent::Kind::failed) {
    object.Set("connection", event.connection);
    object.Set("error", event.error);
  } else {
    object.Set("host", event.host);
  }
  return object;
}

Napi::Value open_session_monitor(const Napi::CallbackInfo& info) {
  try {
    return monitor_for<SessionMonitor>(info.Env(), info[0].As<Napi::Function>(), open_session_socket());
  } catch (const SystemError& failure) {
    throw to_javascript(info.Env(), failure);
  }
}

}  // namespace
}  // namespace iscsi

// What deliver_batch finds by the batch's type.
static std::vector<napi_value> to_arguments(Napi::Env env, NetlinkBatch<SessionEvent>& batch) {
  auto events = Napi::Array::New(env, batch.events.size());
  for (std::uint32_t i = 0; i < events.Length(); ++i) events.Set(i, iscsi::to_object(env, batch.events[i]));
  return {events, Napi::Boolean::New(env, batch.lost)};
}

void export_iscsi(Napi::Env env, Napi::Object exports) {
  exports.Set("openSessionMonitor", Napi::Function::New(env, iscsi::open_session_monitor, "openSessionMonitor"));
}

}  // namespace hostbrick
