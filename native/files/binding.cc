#include "files/binding.h"

#include <string>
#include <utility>
#include <vector>

#include "core/call.h"
#include "files/operations.h"

namespace hostbrick {

namespace files {
namespace {

std::string text(const Napi::Object& object, const char* key) { return object.Get(key).As<Napi::String>(); }

unsigned mode(const Napi::Object& object) { return object.Get("mode").As<Napi::Number>(); }

decltype(FileOperation::action) to_action(const Napi::Object& object) {
  const auto verb = text(object, "verb");
  if (verb == "makeDirectory") return MakeDirectory{text(object, "path"), mode(object)};
  if (verb == "createFile") {
    return CreateFile{text(object, "path"), text(object, "content"), mode(object), object.Get("durable").ToBoolean()};
  }
  if (verb == "rename") return RenameFile{text(object, "from"), text(object, "to")};
  if (verb == "link") return LinkFile{text(object, "from"), text(object, "to")};
  if (verb == "symbolicLink") return SymbolicLink{text(object, "target"), text(object, "path")};
  if (verb == "unlink") return UnlinkFile{text(object, "path")};
  return RemoveDirectory{text(object, "path")};
}

// `unless` is a list of errno numbers.
std::vector<int> to_numbers(const Napi::Value& value) {
  std::vector<int> numbers;
  if (!value.IsArray()) return numbers;
  const auto list = value.As<Napi::Array>();
  for (std::uint32_t i = 0; i < list.Length(); ++i) numbers.push_back(list.Get(i).As<Napi::Number>());
  return numbers;
}

Napi::Value change_files(const Napi::CallbackInfo& info) {
  const auto list = info[1].As<Napi::Array>();
  std::vector<FileOperation> operations;
  for (std::uint32_t i = 0; i < list.Length(); ++i) {
    const auto object = list.Get(i).As<Napi::Object>();
    operations.push_back({to_action(object), to_numbers(object.Get("unless"))});
  }
  return start_call(info.Env(), info[0].As<Napi::String>(),
                    [operations = std::move(operations)] { carry_out(operations); });
}

Napi::Value resolve(const Napi::CallbackInfo& info) {
  return start_call(
      info.Env(), info[0].As<Napi::String>(),
      [path = info[1].As<Napi::String>().Utf8Value()] { return resolve_path(path); },
      [](Napi::Env env, const std::string& resolved) { return Napi::String::New(env, resolved); });
}

}  // namespace
}  // namespace files

void export_files(Napi::Env env, Napi::Object exports) {
  exports.Set("changeFiles", Napi::Function::New(env, files::change_files, "changeFiles"));
  exports.Set("resolvePath", Napi::Function::New(env, files::resolve, "resolvePath"));
}

}  // namespace hostbrick
