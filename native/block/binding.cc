#include "block/binding.h"

#include <string>

#include "block/device.h"
#include "core/call.h"
#include "core/values.h"

namespace hostbrick {

namespace block {
namespace {

Napi::Value to_object(Napi::Env env, const DeviceFacts& facts) {
  auto object = Napi::Object::New(env);
  object.Set("size", static_cast<double>(facts.size));
  object.Set("major", facts.major);
  object.Set("minor", facts.minor);
  object.Set("diskSequence", static_cast<double>(facts.disk_sequence));
  object.Set("logicalBlock", facts.logical_block);
  object.Set("readOnly", facts.read_only);
  return object;
}

Napi::Value facts(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value()] { return device_facts(path); }, to_object);
}

Napi::Value flush(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), info[0].As<Napi::String>(),
                    [path = info[1].As<Napi::String>().Utf8Value()] { flush_device(path); });
}

Napi::Value held(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value()] { return held_exclusively(path); },
      [](Napi::Env env, bool busy) { return Napi::Boolean::New(env, busy); });
}

Napi::Value read_block(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), info[0].As<Napi::String>(),
                    [path = info[1].As<Napi::String>().Utf8Value()] { read_first_block(path); });
}

Napi::Value read(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = text(info[1]), offset = info[2].As<Napi::Number>().Int64Value(),
       length = info[3].As<Napi::Number>().Uint32Value()] {
        return read_device(path, static_cast<std::uint64_t>(offset), length);
      },
      copy_to_buffer);
}

}  // namespace
}  // namespace block

void export_block(Napi::Env env, Napi::Object exports) {
  exports.Set("deviceFacts", Napi::Function::New(env, block::facts, "deviceFacts"));
  exports.Set("flushDevice", Napi::Function::New(env, block::flush, "flushDevice"));
  exports.Set("heldExclusively", Napi::Function::New(env, block::held, "heldExclusively"));
  exports.Set("readFirstBlock", Napi::Function::New(env, block::read_block, "readFirstBlock"));
  exports.Set("readDevice", Napi::Function::New(env, block::read, "readDevice"));
}

}  // namespace hostbrick
