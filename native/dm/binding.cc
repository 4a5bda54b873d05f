#include "dm/binding.h"

#include <string>
#include <vector>

#include "core/call.h"
#include "core/values.h"
#include "dm/map.h"

namespace hostbrick {

namespace dm {
namespace {

Napi::Array to_array(Napi::Env env, const std::vector<MapTarget>& targets) {
  auto array = Napi::Array::New(env, targets.size());
  for (std::uint32_t i = 0; i < array.Length(); ++i) {
    auto target = Napi::Object::New(env);
    target.Set("type", targets[i].type);
    target.Set("parameters", targets[i].parameters);
    array.Set(i, target);
  }
  return array;
}

Napi::Value to_object(Napi::Env env, const MapState& state) {
  auto object = Napi::Object::New(env);
  object.Set("uuid", state.uuid);
  object.Set("suspended", state.suspended);
  object.Set("table", to_array(env, state.table));
  object.Set("status", to_array(env, state.status));
  return object;
}

Napi::Value state(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info[0]), [name = text(info[1])] { return map_state(name); }, to_object);
}

Napi::Value resume(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info[0]), [name = text(info[1])] { resume_map(name); });
}

Napi::Value message(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info[0]),
                    [name = text(info[1]), said = text(info[2])] { message_map(name, said); });
}

Napi::Value remove(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info[0]), [name = text(info[1]), when_closed = info[2].ToBoolean().Value()] {
    remove_map(name, when_closed);
  });
}

}  // namespace
}  // namespace dm

void export_dm(Napi::Env env, Napi::Object exports) {
  exports.Set("mapState", Napi::Function::New(env, dm::state, "mapState"));
  exports.Set("resumeMap", Napi::Function::New(env, dm::resume, "resumeMap"));
  exports.Set("messageMap", Napi::Function::New(env, dm::message, "messageMap"));
  exports.Set("removeMap", Napi::Function::New(env, dm::remove, "removeMap"));
}

}  // namespace hostbrick
