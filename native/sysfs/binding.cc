#include "sysfs/binding.h"

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "core/call.h"
#include "core/convert.h"
#include "sysfs/attribute.h"
#include "sysfs/values.h"
#include "sysfs/walk.h"

namespace hostbrick {

namespace sysfs {
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

std::vector<Expectation> to_expectations(const Napi::Array& list) {
  std::vector<Expectation> expected;
  expected.reserve(list.Length());
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto one = list.Get(i).As<Napi::Object>();
    expected.push_back({one.Get("pattern").As<Napi::String>(), one.Get("content").As<Napi::String>()});
  }
  return expected;
}

Napi::Value write_value_if(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value(), value = info[2].As<Napi::String>().Utf8Value(),
       expected = to_expectations(info[3].As<Napi::Array>())] { write_attribute_if(expected, path, value); });
}

Napi::Value walk_folders(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [root = info[1].As<Napi::String>().Utf8Value(), folders = to_folders(info[2])] { return walk(root, folders); },
      to_buffer<GrowingBytes>);
}

// So many entries are read while those before them are made use of: few enough to begin soon, and enough for two
// threads.
constexpr std::size_t part = 256;

Napi::Object start_part(Napi::Env env, const std::string& lane, const std::shared_ptr<PartialWalk>& walk) {
  return start_call(
      env, lane, [walk] { return walk->next(part); },
      [lane, walk](Napi::Env target, GrowingBytes bytes) {
        auto object = Napi::Object::New(target);
        object.Set("bytes", to_buffer(target, std::move(bytes)));
        const auto more = [lane, walk](const Napi::CallbackInfo& info) { return start_part(info.Env(), lane, walk); };
        object.Set("more", walk->done() ? target.Null() : Napi::Function::New(target, more, "more"));
        return object;
      });
}

Napi::Value walk_in_parts(const Napi::CallbackInfo& info) {
  auto folders = to_folders(info[2]);
  if (info[3].IsArray() && !folders.empty()) folders.back().entries = to_texts(info[3]);
  const auto walk = std::make_shared<PartialWalk>(info[1].As<Napi::String>(), std::move(folders));
  return start_part(info.Env(), info[0].As<Napi::String>(), walk);
}

}  // namespace
}  // namespace sysfs

void export_sysfs(Napi::Env env, Napi::Object exports) {
  exports.Set("readFile", Napi::Function::New(env, sysfs::read, "readFile"));
  exports.Set("readFiles", Napi::Function::New(env, sysfs::read_many, "readFiles"));
  exports.Set("listDirectory", Napi::Function::New(env, sysfs::list, "listDirectory"));
  exports.Set("writeAttribute", Napi::Function::New(env, sysfs::write_value, "writeAttribute"));
  exports.Set("writeAttributeIf", Napi::Function::New(env, sysfs::write_value_if, "writeAttributeIf"));
  exports.Set("walkInParts", Napi::Function::New(env, sysfs::walk_in_parts, "walkInParts"));
  exports.Set("walk", Napi::Function::New(env, sysfs::walk_folders, "walk"));
}

}  // namespace hostbrick
