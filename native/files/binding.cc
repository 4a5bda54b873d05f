#include "files/binding.h"

#include <string>

#include "core/call.h"
#include "files/operations.h"

namespace hostbrick {

namespace {

std::string text(const Napi::CallbackInfo& info, std::size_t index) { return info[index].As<Napi::String>(); }

unsigned number(const Napi::CallbackInfo& info, std::size_t index) { return info[index].As<Napi::Number>(); }

Napi::Value make(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info, 0),
                    [path = text(info, 1), mode = number(info, 2)] { make_directory(path, mode); });
}

Napi::Value create(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info, 0), [path = text(info, 1), content = text(info, 2), mode = number(info, 3)] {
    create_file(path, content, mode);
  });
}

template <void (*Operation)(const std::string&)>
Napi::Value on_one(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info, 0), [path = text(info, 1)] { Operation(path); });
}

template <void (*Operation)(const std::string&, const std::string&)>
Napi::Value on_two(const Napi::CallbackInfo& info) {
  return start_call(info.Env(), text(info, 0), [from = text(info, 1), to = text(info, 2)] { Operation(from, to); });
}

}  // namespace

void export_files(Napi::Env env, Napi::Object exports) {
  exports.Set("makeDirectory", Napi::Function::New(env, make, "makeDirectory"));
  exports.Set("createFile", Napi::Function::New(env, create, "createFile"));
  exports.Set("renameFile", Napi::Function::New(env, on_two<rename_file>, "renameFile"));
  exports.Set("linkFile", Napi::Function::New(env, on_two<link_file>, "linkFile"));
  exports.Set("unlinkFile", Napi::Function::New(env, on_one<unlink_file>, "unlinkFile"));
  exports.Set("removeDirectory", Napi::Function::New(env, on_one<remove_directory>, "removeDirectory"));
}

}  // namespace hostbrick
