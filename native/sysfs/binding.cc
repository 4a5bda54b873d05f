#include "sysfs/binding.h"

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/call.h"
#include "core/convert.h"
#include "sysfs/attribute.h"
#include "sysfs/walk.h"

namespace hostbrick {

namespace {

// Hands the bytes over without a copy: they live as long as the finalizer that holds them.
template <typename Owner>
Napi::Value to_buffer(Napi::Env env, Owner bytes) {
  if (bytes.size() == 0) return Napi::Buffer<char>::New(env, 0);
  const auto owned = std::make_shared<Owner>(std::move(bytes));
  return Napi::Buffer<char>::NewOrCopy(env, owned->data(), owned->size(), [owned](Napi::Env, const char*) {});
}

Napi::Value read(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value()] { return read_file(path); }, to_buffer<std::string>);
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

std::string text_or_empty(const Napi::Value& value) {
  return value.IsString() ? value.As<Napi::String>().Utf8Value() : std::string();
}

std::vector<WalkField> to_fields(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<WalkField> fields;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto field = list.Get(i).As<Napi::Object>();
    fields.push_back(
        {field.Get("name").As<Napi::String>(), text_or_empty(field.Get("below")), text_or_empty(field.Get("when"))});
  }
  return fields;
}

std::optional<std::vector<std::string>> to_entries(const Napi::Value& value) {
  if (!value.IsArray()) return std::nullopt;
  const auto list = value.As<Napi::Array>();
  std::vector<std::string> entries;
  entries.reserve(list.Length());
  for (std::uint32_t i = 0; i < list.Length(); ++i) entries.push_back(list.Get(i).As<Napi::String>());
  return entries;
}

Napi::Value walk_folders(const Napi::CallbackInfo& info) {
  const auto list = info[2].As<Napi::Array>();
  std::vector<WalkFolder> folders;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto folder = list.Get(i).As<Napi::Object>();
    folders.push_back({folder.Get("path").As<Napi::String>(), to_fields(folder.Get("attributes")),
                       to_fields(folder.Get("directories")), to_entries(folder.Get("entries"))});
  }
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [root = info[1].As<Napi::String>().Utf8Value(), folders = std::move(folders)] { return walk(root, folders); },
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
