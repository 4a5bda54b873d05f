#include "sysfs/values.h"

#include <cstdint>
#include <optional>
#include <utility>

namespace hostbrick {

namespace {

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

}  // namespace

std::vector<WalkFolder> to_folders(const Napi::Value& value) {
  const auto list = value.As<Napi::Array>();
  std::vector<WalkFolder> folders;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto folder = list.Get(i).As<Napi::Object>();
    folders.push_back({folder.Get("path").As<Napi::String>(), to_fields(folder.Get("attributes")),
                       to_fields(folder.Get("directories")), to_entries(folder.Get("entries"))});
  }
  return folders;
}

Napi::Value to_values(Napi::Env env, std::vector<FileRead> files) {
  auto values = Napi::Array::New(env, files.size());
  for (std::uint32_t i = 0; i < values.Length(); ++i) {
    auto& [error, content] = files[i];
    values.Set(i, error == 0 ? to_buffer(env, std::move(content)) : Napi::Number::New(env, -error));
  }
  return values;
}

}  // namespace hostbrick
