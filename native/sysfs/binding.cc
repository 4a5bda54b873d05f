#include "sysfs/binding.h"

#include <memory>
#include <utility>

#include "core/call.h"
#include "core/convert.h"
#include "sysfs/attribute.h"
#include "sysfs/walk.h"

namespace hostbrick {

namespace {

// Hands the bytes over without a copy.
Napi::Value to_buffer(Napi::Env env, std::string bytes) {
  auto owned = std::make_unique<std::string>(std::move(bytes));
  auto* const data = owned->data();
  const auto size = owned->size();
  return Napi::Buffer<char>::NewOrCopy(
      env, data, size, [](Napi::Env, char*, std::string* owner) { delete owner; }, owned.release());
}

Napi::Value read(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value()] { return read_file(path); }, to_buffer);
}

// A file that cannot be read is its errno, negative as in the bulk walk.
Napi::Value to_values(Napi::Env env, std::vector<FileRead> files) {
  auto values = Napi::Array::New(env, files.size());
  for (std::uint32_t i = 0; i < values.Length(); ++i) {
    auto& [error, content] = files[i];
    values.Set(i, error == 0 ? to_buffer(env, std::move(content)) : Napi::Number::New(env, -error));
  }
  return values;
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

std::vector<WalkField> to_fields(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<WalkField> fields;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto field = list.Get(i).As<Napi::Object>();
    const auto below = field.Get("below");
    fields.push_back(
        {field.Get("name").As<Napi::String>(), below.IsString() ? below.As<Napi::String>() : std::string()});
  }
  return fields;
}

Napi::Value walk_folders(const Napi::CallbackInfo& info) {
  const auto list = info[2].As<Napi::Array>();
  std::vector<WalkFolder> folders;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto folder = list.Get(i).As<Napi::Object>();
    folders.push_back({folder.Get("path").As<Napi::String>(), to_fields(folder.Get("attributes")),
                       to_fields(folder.Get("directories"))});
  }
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [root = info[1].As<Napi::String>().Utf8Value(), folders = std::move(folders)] { return walk(root, folders); },
      to_buffer);
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
