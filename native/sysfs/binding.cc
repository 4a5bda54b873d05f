#include "sysfs/binding.h"

#include <string>

#include "core/call.h"
#include "core/convert.h"
#include "sysfs/attribute.h"
#include "sysfs/values.h"
#include "sysfs/walk.h"

namespace hostbrick {

namespace {

Napi::Value read(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value()] { return read_file(path); }, to_buffer<std::string>);
}

Napi::Value read_many(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(), [paths = to_texts(info[1])] { return read_files(paths); }, to_values);
}

Napi::Value list(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value()] { return list_directory(path); }, to_array);
}

Napi::Value write_value(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), info[0].As<Napi::String>(),
                    [path = info[1].As<Napi::String>().Utf8Value(), value = info[2].As<Napi::String>().Utf8Value()] {
                      write_attribute(path, value);
                    });
}

Napi::Value walk_folders(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [root = info[1].As<Napi::String>().Utf8Value(), folders = to_folders(info[2])] { return walk(root, folders); },
      to_buffer<GrowingBytes>);
}

}  // namespace

void export_sysfs(Napi::Env env, Napi::Object exports) {
  exports.Set("readFile", Napi::Function::New(env, read, "readFile"));
  exports.Set("readFiles", Napi::Function::New(env, read_many, "readFiles"));
  exports.Set("listDirectory", Napi::Function::New(env, list, "listDirectory"));
  exports.Set("writeAttribute", Napi::Function::New(env, write_value, "writeAttribute"));
  exports.Set("walk", Napi::Function::New(env, walk_folders, "walk"));
}

}  // namespace hostbrick
